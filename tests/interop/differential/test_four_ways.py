"""Pairs of scenarios, sipp and ours on either side: equal messages, wire, exit codes, statistics, counters and logs."""

from __future__ import annotations

import difflib
import pprint
import re

import pytest

from tests.interop.differential import evidence
from tests.interop.differential.groups.all import PAIRS
from tests.interop.differential.harness import WAYS, Addresses, Run, play, play_all
from tests.interop.differential.pair import Pair
from tests.interop.recorder import recording

pytestmark = pytest.mark.interop("sipp", "tcpdump")

SIDES = ("caller", "called")
Wire = dict[str, dict[tuple[int, int], list[bytes]]]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[Run], Wire]]:
    """All ways of all pairs that were chosen, played side by side; a run that the machine disturbed is played again."""
    chosen = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    pairs = [pair for name, pair in PAIRS.items() if name in chosen]
    folder = tmp_path_factory.mktemp("four-ways")
    addresses = Addresses()
    hosts = iter(addresses)
    capture = folder / "wire.pcap"
    with recording(capture, nets=[f"{addresses.net}.0.0/16"]):
        played = play_all(pairs, hosts, addresses.ports, folder)
        for pair in pairs:
            for n, run in enumerate(played[pair.name]):
                for attempt in range(2, 5):
                    if not disturbed(pair, run):
                        break
                    again = folder / pair.name / f"{'-'.join(run.way)}-{attempt}"
                    run = played[pair.name][n] = play(pair, run.way, next(hosts), addresses.ports, again)
    seen = evidence.wire(capture)
    return {name: (ways, seen) for name, ways in played.items()}


def disturbed(pair: Pair, run: Run) -> bool:
    """Whether more or less was sent again than is meant, or a call failed: was the machine too slow for a while?"""
    if run.codes != pair.codes:
        return True
    return sum(int(evidence.statistics(run, side).get("Retransmissions(C)", "0")) for side in SIDES) != pair.resent


def compared(pair: Pair, run: Run, side: str, wire: Wire) -> dict[str, object]:
    """Everything of one side that must be equal in all ways."""
    row = evidence.statistics(run, side)
    return {
        "columns of the statistics": list(row),
        "statistics": evidence.counted(row, pair.loose),
        "counters of messages": evidence.counts(run, side, pair.loose),
        "messages": evidence.message_log(run, side),
        "response times": evidence.response_times(run, side),
        "error codes": evidence.error_codes(run, side),
        "log": evidence.log_lines(run, side),
        "wire": evidence.on_the_wire(run, wire.get(run.ip, {})),
    }


@pytest.mark.parametrize("name", PAIRS)
def test_four_ways(runs: dict[str, tuple[list[Run], Wire]], name: str) -> None:
    pair = PAIRS[name]
    ways, wire = runs[name]
    assert [run.way for run in ways] == list(WAYS)
    for run in ways:
        assert run.codes == pair.codes, f"{run.way}\n{run.explained}"
        assert not disturbed(pair, run), f"{run.way}: not {pair.resent} messages sent again, in {run.folder}"
    for side in SIDES:
        theirs, *others = [compared(pair, run, side, wire) for run in ways]
        for what, expected in theirs.items():
            for run, ours in zip(ways[1:], others, strict=True):
                where = f"{what} of the {side}, {run.way}, in {run.folder}\n"
                assert ours[what] == expected, where + difference(expected, ours[what])
        assert pair.silent or theirs["messages"]
        assert pair.silent or theirs["wire"]


def difference(expected: object, found: object) -> str:
    """Both as lines, side by side as diff shows them."""
    lines = [pprint.pformat(value, width=160).splitlines() for value in (expected, found)]
    return "\n".join(line for line in difflib.ndiff(*lines) if not line.startswith(" "))


@pytest.mark.parametrize("name", PAIRS)
def test_times_are_of_one_size(runs: dict[str, tuple[list[Run], Wire]], name: str) -> None:
    """Call lengths and response times: no shorter than sipp's by more than a fifth, and not longer by seconds."""
    for side in SIDES:
        theirs, *others = [times(run, side) for run in runs[name][0]]
        for ours in others:
            assert ours.keys() == theirs.keys()
            for column, seconds in ours.items():
                assert 0.8 * theirs[column] - 0.1 <= seconds <= theirs[column] + 5.0, column


def times(run: Run, side: str) -> dict[str, float]:
    """The cumulative mean times of the last row, in seconds."""
    row = evidence.statistics(run, side)
    out = {}
    for name, value in row.items():
        match = re.fullmatch(r"([0-9]+):([0-9]{2}):([0-9]{2}):([0-9]{6})", value)
        if match and name.startswith(("ResponseTime", "CallLength(")) and "StDev" not in name and name.endswith("(C)"):
            hours, minutes, seconds, micros = map(int, match.groups())
            out[name] = hours * 3600 + minutes * 60 + seconds + micros / 1e6
    return out
