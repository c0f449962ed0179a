"""What a user finds in a bundle about the system under test: actors, which leg leads to which, what to tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.bundle.folder import read_bundle
from sipreplay.bundle.model import Bundle, Link, LinkKey
from sipreplay.errors import UsageError
from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions, LearnReport
from sipreplay.report.learn_pages import learn_page
from tests.learn.flows import ALICE, BOB, PROXY, Learned, basic_call, learned, moved, past_proxy, through_b2bua

KAMAILIO = Path(__file__).parents[2] / "captures" / "kamailio-auth-record-route.pcap"


def kamailio_learned(tmp_path: Path, **options: str) -> LearnReport:
    return learn([KAMAILIO], tmp_path / "bundle", LearnOptions(media=False, **options))  # type: ignore[arg-type]


def roles(bundle: Bundle) -> dict[str, str]:
    return {actor.id: actor.role for actor in bundle.actors}


def keys(link: Link) -> list[tuple[str, str, str]]:
    return [(key.source, key.target, key.transform) for key in link.keys]


@pytest.mark.parametrize("sut", ["", "127.0.0.20", "127.0.0.20:5060", "actor:actor2", "actor:2"])
def test_the_proxy_is_under_test_and_both_phones_are_emulated(tmp_path: Path, sut: str) -> None:
    report = kamailio_learned(tmp_path, sut=sut)
    bundle = read_bundle(tmp_path / "bundle")
    assert roles(bundle) == {"actor1": "endpoint", "actor2": "sut", "actor3": "endpoint"}
    assert {actor.id: actor.reach for actor in bundle.actors}["actor3"] == "register"
    (link,) = bundle.links
    assert (link.from_leg, link.to_leg) == ("invite-auth-bye-uac", "invite-bye-uas")
    assert keys(link)[:2] == [("call-id", "call-id", ""), ("ruri.user", "ruri.user", "")]
    said = "\n".join(report.under_test)
    assert "actor2 (127.0.0.20:5060, kamailio) is under test" in said
    assert "actor1 (127.0.0.10:5060) is emulated: registers, calls (invite-auth-bye-uac)" in said
    assert "actor3 (127.0.0.30:5060) is emulated: registers, answers (invite-bye-uas)" in said
    assert "tell it: nothing of where actor3 is, which registers" in said
    assert "is under test" in learn_page(report, "<svg/>")


def test_whom_a_call_is_passed_on_to_registers_before_the_caller_calls(tmp_path: Path) -> None:
    kamailio_learned(tmp_path)
    by_id = {scenario.id: scenario for scenario in read_bundle(tmp_path / "bundle").scenarios}
    assert by_id["invite-auth-bye-uac"].after == ["register-auth-uac"]


def test_a_phone_under_test_leaves_out_what_it_has_no_part_in(tmp_path: Path) -> None:
    report = kamailio_learned(tmp_path, sut="127.0.0.30")
    assert {row.name for row in report.scenarios} == {"register-auth", "invite-bye"}
    assert [item.what for item in report.left_out] == ["dialog 1 (register)", "dialog 3 (invite)"]
    assert (
        "actor2 (127.0.0.20:5060) is emulated: calls (invite-bye-uac), answers (register-auth-uas)" in report.under_test
    )


@pytest.mark.parametrize("sut", ["198.51.100.77", "127.0.0.20:5061", "actor:9", "actor:actor9"])
def test_a_system_under_test_that_is_not_in_the_capture_is_told_who_is(tmp_path: Path, sut: str) -> None:
    with pytest.raises(UsageError) as error:
        kamailio_learned(tmp_path, sut=sut)
    assert all(f"127.0.0.{host}:5060" in str(error.value) for host in (10, 20, 30))
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("sut", ["a:b:c", "[::1", "host:port", ":5060"])
def test_a_system_under_test_that_cannot_be_read_is_refused(tmp_path: Path, sut: str) -> None:
    with pytest.raises(UsageError, match=r"--sut .*wants HOST"):
        kamailio_learned(tmp_path, sut=sut)


def b2bua(tmp_path: Path, *calls: tuple[str, str]) -> Learned:
    talks = [
        leg
        for number, (called, passed_on) in enumerate(calls, 1)
        for leg in through_b2bua(number, called=called, passed_on=passed_on, start=1000.0 + 20 * number)
    ]
    return learned(tmp_path, talks)


def test_legs_of_a_b2bua_are_linked_by_token_and_rewritten_number(tmp_path: Path) -> None:
    made = b2bua(tmp_path, ("+4930123", "030123"), ("+4940456", "040456"))
    (link,) = made.report.bundle.links
    rewritten = r"^\+49 -> 0"
    assert keys(link) == [
        ("x-call-id", "x-call-id", ""),
        ("ruri.user", "ruri.user", rewritten),
        ("to.user", "to.user", rewritten),
        ("from.user", "from.user", ""),
    ]
    assert any("tell it: route 030123, 040456 to where" in line for line in made.report.under_test)


def test_a_number_that_no_one_rule_rewrites_is_no_key(tmp_path: Path) -> None:
    made = b2bua(tmp_path, ("+4930123", "030123"), ("+4940456", "999"))
    (link,) = made.report.bundle.links
    assert [key.source for key in link.keys] == ["x-call-id", "from.user"]


def test_a_hop_to_the_system_under_test_and_one_from_it_are_never_one_shape(tmp_path: Path) -> None:
    made = b2bua(tmp_path, ("+4930123", "+4930123"))
    assert sorted(row.calls for row in made.report.scenarios) == [1, 1]


def test_nobody_in_the_middle_is_said(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()])
    assert made.report.bundle.links == []
    assert roles(made.report.bundle) == {"actor1": "endpoint", "actor2": "endpoint"}
    assert made.report.under_test[0].startswith("nobody stands in the middle")


def test_links_survive_the_file(tmp_path: Path) -> None:
    made = b2bua(tmp_path, ("+4930123", "030123"))
    assert read_bundle(made.folder).links == made.report.bundle.links
    assert LinkKey("ruri.user", "ruri.user", r"^\+493 -> 03") not in made.report.bundle.links[0].keys


def test_exact_keeps_each_call_apart(tmp_path: Path) -> None:
    calls = [basic_call(call_id=f"c{n}", callee=f"bob{n}", start=1000.0 + 10 * n) for n in range(3)]
    assert [row.calls for row in learned(tmp_path, calls).report.scenarios] == [3]
    exact = learned(tmp_path, calls, LearnOptions(force=True, exact=True))
    assert [row.calls for row in exact.report.scenarios] == [1, 1, 1]


def test_top_keeps_the_commonest_kind_of_call_with_all_its_legs(tmp_path: Path) -> None:
    common = [past_proxy(basic_call(call_id=f"c{n}", start=1000.0 + 10 * n)) for n in range(2)]
    rare = basic_call(call_id="rare", start=1100.0)
    rare.packets[4:] = []
    made = learned(tmp_path, [*common, rare], LearnOptions(force=True, top=1))
    assert [row.calls for row in made.report.scenarios] == [2, 2]
    assert [item.why for item in made.report.left_out] == ["--top 1 keeps what is commoner"]
    with pytest.raises(UsageError, match="--top 0"):
        LearnOptions(top=0).check()


def test_a_call_that_comes_back_to_its_caller_under_one_call_id_is_one_scenario_and_links_to_nothing(
    tmp_path: Path,
) -> None:
    first = moved(basic_call(call_id="same"), BOB, PROXY)
    back = basic_call(call_id="same", from_tag="tag-c", to_tag="tag-d", start=1000.5)
    elsewhere = ("198.18.0.1", 5099)
    back = moved(moved(moved(back, BOB, elsewhere), ALICE, PROXY), elsewhere, ALICE)
    made = learned(tmp_path, [first, back], LearnOptions(force=True, sut="192.0.2.33"))
    assert made.report.bundle.links == []
    assert read_bundle(made.folder).links == []
