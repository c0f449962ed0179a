from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.bundle.folder import write_bundle
from sipreplay.bundle.model import Bundle, BundleScenario, CapturedCall
from sipreplay.engine.reach import allowed_networks, may_reach
from sipreplay.errors import ScenarioError, UsageError
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import deal, make_plan
from sipreplay.scenario.builtin import builtin


def scenario(name: str, role: str, pair: str, **more: object) -> BundleScenario:
    return BundleScenario(f"{name}-{role}", f"{name}-{role}.xml", role, pair=f"{name}-{pair}", **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle: REGISTER first, then two shapes of call (3 and 1 captured), and an inner hop."""
    rows = []
    for name, calls, hop, after in (
        ("register", 2, 0, []),
        ("answered", 3, 0, ["register-uac"]),
        ("busy", 1, 0, []),
        ("inner", 4, 1, []),
    ):
        rows.append(scenario(name, "uac", "uas", calls=calls, hop=hop, after=after))
        rows.append(scenario(name, "uas", "uac", calls=calls, hop=hop))
    files: dict[str, bytes | Path] = {row.file: builtin(row.role).encode() for row in rows}
    bundle = Bundle("0", scenarios=rows, calls=[CapturedCall(i, ["answered-uac"]) for i in range(4)])
    write_bundle(tmp_path / "bundle", bundle, files)
    return tmp_path / "bundle"


@given(st.integers(0, 5000), st.lists(st.floats(0.01, 1000), min_size=1, max_size=30))
def test_shares_add_up_and_are_fair(total: int, weights: list[float]) -> None:
    shares = deal(total, weights)
    assert sum(share or 0 for share in shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert share is not None
        assert abs(share - total * weight / sum(weights)) < 1


def test_both_sides_stand_on_loopback_at_two_addresses(folder: Path) -> None:
    plan = make_plan(RunOptions([folder], rate_cps=8, calls=16))
    for pair in plan.pairs:
        assert pair.uac is not None
        assert pair.uas is not None
        assert pair.uac.config.local_ip != pair.uas.config.local_ip
        assert {pair.uac.config.local_ip[:4], pair.uas.config.local_ip[:4]} == {"127."}


def test_calls_and_rate_are_dealt_by_what_was_captured(folder: Path) -> None:
    plan = make_plan(RunOptions([folder], rate_cps=8, calls=16))
    by_name = {pair.name: pair.uac.config for pair in plan.pairs if pair.uac}
    assert by_name["answered-uac"].calls == 6
    assert by_name["busy-uac"].calls == 2
    assert by_name["inner-uac"].calls == 8
    assert by_name["answered-uac"].rate_cps == 3.0


def test_a_registration_comes_first_and_once_a_user(folder: Path) -> None:
    stages = make_plan(RunOptions([folder], rate_cps=8, calls=16)).stages
    assert [pair.name for pair in stages[0]] == ["register-uac"]
    assert stages[0][0].uac is not None
    assert stages[0][0].uac.config.calls == 2


def test_against_a_target_only_the_outer_calling_side_plays(folder: Path) -> None:
    plan = make_plan(RunOptions([folder], target=("127.0.0.9", 5060), rate_cps=8, calls=16))
    assert {pair.name for pair in plan.pairs} == {"register-uac", "answered-uac", "busy-uac"}
    assert all(pair.uas is None for pair in plan.pairs)
    assert any("inner-uac" in note for note in plan.notes)


def test_a_run_never_calls_itself(folder: Path) -> None:
    plan = make_plan(RunOptions([folder], target=("127.0.0.9", 5060)))
    assert {pair.uac.config.local_port for pair in plan.pairs if pair.uac} == {0}


def test_nothing_said_plays_the_capture_once(folder: Path) -> None:
    pairs = make_plan(RunOptions([folder])).pairs
    calls = {pair.name: pair.uac.config.calls for pair in pairs if pair.uac}
    assert calls == {"register-uac": 2, "answered-uac": 3, "busy-uac": 1, "inner-uac": 4}


@pytest.mark.parametrize("own", [{"local_ip": "127.0.0.9"}, {"local_port": 5099}, {"advertise_ip": "127.0.0.9"}])
def test_own_addresses_without_a_target_are_refused(folder: Path, own: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="without a target both sides play on loopback"):
        make_plan(RunOptions([folder], **own))  # type: ignore[arg-type]


def test_a_calling_scenario_without_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.xml").write_text(builtin("uac"))
    with pytest.raises(UsageError, match=r"needs a target, as in: run .*mine\.xml HOST:PORT"):
        make_plan(RunOptions([tmp_path / "mine.xml"]))


def test_an_answering_scenario_takes_no_target(tmp_path: Path) -> None:
    (tmp_path / "mine.xml").write_text(builtin("uas"))
    with pytest.raises(UsageError, match="takes no target"):
        make_plan(RunOptions([tmp_path / "mine.xml"], target=("127.0.0.1", 5060)))


def test_a_scenario_with_a_fault_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.xml").write_text("<scenario>\n\n<sned/></scenario>")
    with pytest.raises(ScenarioError, match=r"bad\.xml:3: "):
        make_plan(RunOptions([tmp_path / "bad.xml"], target=("127.0.0.1", 5060)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_cps": 0.0}, "--rate 0"),
        ({"rate_cps": 5.0, "users": 3}, "not both"),
        ({"calls": 0}, "--calls 0"),
        ({"limit": -1}, "--limit -1"),
        ({"time_scale": 0.0}, "--time-scale"),
    ],
)
def test_wrong_numbers_are_refused_by_name(folder: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_plan(RunOptions([folder], **change))  # type: ignore[arg-type]


def test_networks_are_allowed_besides_loopback_on_both_sides(folder: Path) -> None:
    plan = make_plan(RunOptions([folder], allow_net=["198.51.100.0/24", "2001:db8::1"]))
    for pair in plan.pairs:
        for side in (pair.uac, pair.uas):
            assert side is not None
            networks = allowed_networks(side.config.allow_net, "")
            reached = [may_reach(networks, ip_address(host)) for host in ("127.0.0.9", "198.51.100.7", "2001:db8::1")]
            assert reached == [True, True, True]
            assert not may_reach(networks, ip_address("198.51.101.7"))
    with pytest.raises(UsageError, match=r"--allow-net 198\.51\.100\.0/33"):
        make_plan(RunOptions([folder], allow_net=["198.51.100.0/33"]))


def written(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / f"{name}.xml").write_text(builtin("uas" if name.startswith("uas") else "uac"))
    return [folder / f"{name}.xml" for name in names]


def test_scenario_files_share_a_run_by_their_weights(tmp_path: Path) -> None:
    files = written(tmp_path, "a", "b")
    plan = make_plan(RunOptions(files, [70, 30], ("127.0.0.1", 5070), rate_cps=10, calls=10, limit=10))
    shares = {pair.name: pair.uac.config for pair in plan.pairs if pair.uac}
    assert {name: (c.rate_cps, c.calls, c.limit) for name, c in shares.items()} == {"a": (7.0, 7, 7), "b": (3.0, 3, 3)}
    equal = make_plan(RunOptions(files, [], ("127.0.0.1", 5070), rate_cps=10))
    assert [pair.uac.config.calls for pair in equal.pairs if pair.uac] == [1, 1]


def test_one_answering_scenario_answers_all_calling_ones(tmp_path: Path) -> None:
    plan = make_plan(RunOptions(written(tmp_path, "a", "b", "uas"), [1, 1, 1], rate_cps=10, calls=4))
    assert [side.name for side in plan.sides] == ["a", "a-answering", "b", "b-answering"]
    assert all(pair.uas is not None and pair.uas.config.rate_cps == 0.0 for pair in plan.pairs)


def test_calling_scenarios_cannot_share_a_port(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot all have one port"):
        make_plan(RunOptions(written(tmp_path, "a", "b"), [], ("127.0.0.1", 5070), local_port=5066))
    with pytest.raises(UsageError, match="one answering scenario"):
        make_plan(RunOptions(written(tmp_path, "uas-a", "uas-b")))
