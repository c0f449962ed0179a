"""Each scenario of the pairs against a peer that is made of it: sipp and ours send it the same bytes."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sipreplay.scenario.reader import read_scenario
from sipreplay.sip.message import parse_message
from sipreplay.testing import Counterpart
from tests.interop.differential import evidence
from tests.interop.differential.groups.all import PAIRS
from tests.interop.differential.harness import AT_A_TIME, OURS, SIPP, Addresses, Run, Side, words
from tests.interop.differential.pair import Pair, scenario
from tests.interop.differential.test_four_ways import difference
from tests.interop.process import is_bound, wait_until

pytestmark = pytest.mark.interop("sipp")

PATIENCE_S = 12.0


def suits(pair: Pair) -> bool:
    """One call over UDP in which nothing is lost, late or steered from outside."""
    return (
        pair.transport == "u1"
        and not pair.resent
        and not pair.silent
        and pair.codes == (0, 0)
        and "-m " not in pair.caller_words
        and not any(word in pair.caller + pair.called for word in ("ontimeout", "stop_", "_unexp"))
    )


CASES = [f"{name}-{side}" for name, pair in PAIRS.items() if suits(pair) for side in ("caller", "called")]


@dataclass(frozen=True, slots=True)
class Played:
    """What a program did with its counterpart."""

    code: int
    sent: list[str]
    problems: list[str]
    explained: str


def play(case: str, who: str, ip: str, ports: tuple[int, int, int, int], folder: Path) -> Played:
    """Play one scenario to its end."""
    name, _, side = case.rpartition("-")
    pair = replace(PAIRS[name], calls=1)
    elements = pair.caller if side == "caller" else pair.called
    folder.mkdir(parents=True)
    (folder / f"{side}.xml").write_text(scenario(elements, name))
    for file, text in pair.files.items():
        (folder / file).write_text(text)
    keys = {"mykey": "a value", "empty": ""}
    own, media = (ports[0], ports[2]) if side == "caller" else (ports[1], ports[3])
    remote = ports[1] if side == "caller" else ports[0]
    peer = Counterpart(
        read_scenario(scenario(elements, name), f"{case}.xml", keys),
        f"{ip}:{remote}",
        headers=pair.answers,
        keys=keys,
        pause_ms=20,
        patience_s=1.0,
    )
    line = words(pair, side, ip, own, media, remote)
    sent: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ip, remote))
        program = Side(who, [*line, f"{ip}:{remote}"] if side == "caller" else line, folder, side)
        try:
            wait_until(lambda: program.code() is not None or is_bound(ip, own, "udp"), 30.0, program.explain)
            until = time.monotonic() + PATIENCE_S
            peer.start(time.monotonic())
            while program.code() is None and time.monotonic() < until:
                for data in peer.says(time.monotonic()):
                    sock.sendto(data, (ip, own))
                sock.settimeout(min(max(peer.due - time.monotonic(), 0.001), 0.02))
                try:
                    data = sock.recv(65536)
                except TimeoutError:
                    continue
                if data not in sent[-1:]:  # Sent again, on a slow machine.
                    sent.append(data)
                peer.hears(data, time.monotonic())
            code = program.wait(time.monotonic())
        finally:
            program.kill()
        sock.settimeout(0.05)
        while True:
            try:
                sent.append(sock.recv(65536))
            except TimeoutError:
                break
    run = Run((who, who), ip, (ports[0], ports[1]), folder, (code, code), (program.pid, program.pid), "")
    return Played(code, [evidence.plain(data, run) for data in sent], peer.problems, program.explain())


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Played]]:
    """All cases that were chosen, with sipp and with ours, several at a time."""
    chosen = {item.callspec.params.get("case") for item in request.session.items if hasattr(item, "callspec")}
    folder = tmp_path_factory.mktemp("counterparts")
    addresses = Addresses()
    hosts = iter(addresses)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        jobs = {
            case: [
                pool.submit(play, case, who, next(hosts), addresses.ports, folder / case / who) for who in (SIPP, OURS)
            ]
            for case in CASES
            if case in chosen
        }
        return {case: [job.result() for job in both] for case, both in jobs.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_scenario_says_the_same_to_its_counterpart(played: dict[str, list[Played]], case: str) -> None:
    theirs, ours = played[case]
    assert theirs.code == 0, theirs.explained
    assert theirs.problems == []
    assert theirs.sent
    assert ours.sent == theirs.sent, difference(theirs.sent, ours.sent)
    assert ours.code == theirs.code, ours.explained
    assert parse_message(ours.sent[0].encode("latin-1"))


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40
