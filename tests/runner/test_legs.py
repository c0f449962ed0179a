"""Both legs of a B2BUA: it changes Call-IDs and numbers, and passes calls on in another order than they came in."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipreplay.bundle.folder import read_bundle
from sipreplay.bundle.model import Actor, Bundle
from sipreplay.errors import UsageError
from sipreplay.learn.options import LearnOptions
from sipreplay.report.model import RunSummary
from sipreplay.runner.legs import listen_address
from sipreplay.runner.options import RunOptions
from sipreplay.runner.plan import make_plan
from sipreplay.runner.run import describe, run_plan
from sipreplay.verify.verdict import Limits
from tests.learn.flows import learned, through_b2bua

NUMBERS = [("+4930123", "030123"), ("+4940456", "040456"), ("+4989789", "089789")]
PATIENT = Limits(5000.0, 5000.0)
OWN_VIA = b"Via: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK-b2bua-"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    talks = [
        leg
        for number, (called, passed_on) in enumerate(NUMBERS, 1)
        for leg in through_b2bua(number, called=called, passed_on=passed_on, start=1000.0 + 20 * number)
    ]
    options = LearnOptions(max_pause_s=0.1, timewait_ms=100)
    return learned(tmp_path_factory.mktemp("legs"), talks, options).folder


class B2bua:
    """Sends the requests of callers on to one address with other Call-IDs and numbers; INVITEs in reverse order."""

    def __init__(self, hold: int, callee: tuple[str, int], rewrite: bool) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.callee = callee
        self.stopped = threading.Event()
        self._hold = hold
        self._rewrite = rewrite
        self._held: dict[bytes, bytes] = {}
        self._callers: dict[bytes, tuple[str, int]] = {}

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                data, source = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            call_id = re.search(rb"Call-ID: (\S+)", data)[1]  # type: ignore[index]
            if source == self.callee:
                back = re.sub(rb"Via: SIP/2.0/UDP 127.0.0.1:1[^\r]*\r\n", b"", data, count=1)
                self.socket.sendto(back.replace(b"Call-ID: other-", b"Call-ID: "), self._callers[call_id[6:]])
                continue
            self._callers[call_id] = source
            if data.startswith(b"INVITE "):
                self._held.setdefault(call_id, self._passed_on(data))
                if len(self._held) >= self._hold:
                    for held in reversed(list(self._held.values())):
                        self.socket.sendto(held, self.callee)
            else:
                self.socket.sendto(self._passed_on(data), self.callee)

    def _passed_on(self, data: bytes) -> bytes:
        line, _, rest = data.partition(b"\r\n")
        branch = re.search(rb"branch=([^;\r]+)", rest)[1]  # type: ignore[index]
        rest = re.sub(rb"X-Call-ID: [^\r]*\r\n", b"", rest.replace(b"Call-ID: ", b"Call-ID: other-", 1))
        if self._rewrite:
            line, rest = line.replace(b"sip:+49", b"sip:0"), rest.replace(b"To: <sip:+49", b"To: <sip:0")
        return line + b"\r\n" + OWN_VIA + branch + b"\r\n" + rest


@contextmanager
def b2bua(hold: int, callee_port: int, rewrite: bool = True) -> Iterator[B2bua]:
    made = B2bua(hold, ("127.0.0.1", callee_port), rewrite)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.stopped.set()
        thread.join()
        made.socket.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def played(bundle: Path, port: int, target: tuple[str, int], calls: int) -> RunSummary:
    options = RunOptions([bundle], target=target, listen=f"127.0.0.1:{port}", calls=calls, rate_cps=50, limits=PATIENT)
    return run_plan(make_plan(options), options)


def test_legs_are_matched_by_number_when_calls_come_back_in_another_order(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with b2bua(len(NUMBERS), port) as between:
        summary = played(bundle, port, between.socket.getsockname(), len(NUMBERS))
    assert (summary.verdict, summary.exit_code) == ("passed", 0), summary.reasons
    assert "both legs: 3 of 3 calls passed as one; 3 legs linked by ruri.user 3" in summary.notes
    assert f"route 030123, 040456, 089789 to 127.0.0.1:{port}" in capsys.readouterr().out


def test_a_number_that_comes_back_unchanged_where_the_capture_shows_it_rewritten_is_not_linked(bundle: Path) -> None:
    port = free_port()
    with b2bua(1, port, rewrite=False) as between:
        summary = played(bundle, port, between.socket.getsockname(), 1)
    assert summary.verdict == "failed"
    assert "arrived but not linked in 1 of 1 calls" in summary.reasons


def test_what_would_be_played_and_told_is_printed_before(bundle: Path) -> None:
    target = ("127.0.0.9", 5060)
    plan = make_plan(RunOptions([bundle], target=target, listen="127.0.0.8:5070"))
    text = describe(plan)
    assert "uac invite-bye-uac" in text
    assert "uas invite-bye-2-uas" in text
    assert "route 030123, 040456, 089789 to 127.0.0.8:5070 (invite-bye-2-uas)" in text


def test_callers_only_answers_nothing(bundle: Path) -> None:
    target = ("127.0.0.9", 5060)
    plan = make_plan(RunOptions([bundle], target=target, callers_only=True))
    assert plan.legs is None
    assert [side.role for side in plan.sides] == ["uac"]
    with pytest.raises(UsageError, match="--listen"):
        make_plan(RunOptions([bundle], target=target, callers_only=True, listen="5070"))
    with pytest.raises(UsageError, match="--listen"):
        make_plan(RunOptions([bundle], listen="5070"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("10.0.0.1", None)),
        ("5070", ("10.0.0.1", 5070)),
        ("10.0.0.2", ("10.0.0.2", None)),
        ("10.0.0.2:5070", ("10.0.0.2", 5070)),
        ("[::1]:5070", ("::1", 5070)),
        ("::1", ("::1", None)),
    ],
)
def test_where_calls_are_answered(text: str, address: tuple[str, int | None]) -> None:
    assert listen_address(Bundle("1"), text, "10.0.0.1") == address


def test_the_bundle_may_say_where_calls_are_answered() -> None:
    one, other = (Actor(f"a{n}", "endpoint", listen=f"10.0.0.{n}:5060") for n in (2, 3))
    assert listen_address(Bundle("1", actors=[one]), "", "10.0.0.1") == ("10.0.0.2", 5060)
    with pytest.raises(UsageError, match="one address for all"):
        listen_address(Bundle("1", actors=[one, other]), "", "10.0.0.1")
    with pytest.raises(UsageError, match="--listen"):
        listen_address(Bundle("1"), "10.0.0.1:http", "")


def test_a_bundle_with_links_names_its_legs(bundle: Path) -> None:
    (link,) = read_bundle(bundle).links
    assert (link.from_leg, link.to_leg) == ("invite-bye-uac", "invite-bye-2-uas")
