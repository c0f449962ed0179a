"""A call flow written as a conversation with one engine, played on a virtual clock.

Every line happens at once: `expects` lets time pass until the engine says something, and fails, showing the
conversation so far, if it says something else or stays silent.
"""

from __future__ import annotations

from typing import Any

from sipreplay.engine.call import Address
from sipreplay.scenario.model import Scenario
from sipreplay.sip.message import Message, parse_message
from sipreplay.stats.calls import CallStatistics
from sipreplay.testing.build import build_engine
from sipreplay.testing.clock import VirtualClock

ENGINE: Address = ("127.0.0.1", 5060)
PEER: Address = ("127.0.0.1", 5070)
_COPIED = ("Via", "From", "Call-ID", "CSeq")


class PlaybookError(AssertionError):
    """The conversation went another way. The text shows it line by line."""


class Seen:
    """One message that the engine sent."""

    def __init__(self, data: bytes, time: float, destination: Address) -> None:
        self.data = data
        self.time = time
        self.destination = destination
        self._message: Message | None = None

    @property
    def message(self) -> Message:
        """The parsed message. Raises SipSyntaxError if it is none."""
        if self._message is None:
            self._message = parse_message(self.data)
        return self._message

    @property
    def word(self) -> str:
        """Method or status code."""
        return self.message.method if self.message.is_request else str(self.message.status)

    def header(self, name: str) -> str:
        """The first value of a header, "" if there is none."""
        return self.message.get(name) or ""

    @property
    def body(self) -> bytes:
        """The body."""
        return self.message.body


class Playbook:
    """One engine and its peer, which is the test.

    `scenario` is a value, XML text or the name of a built-in; `settings` are fields of EngineConfig, `media`,
    `injections`. The engine stands on 127.0.0.1:5060, the peer on 127.0.0.1:5070. A client places one call unless
    `calls` says otherwise.
    """

    def __init__(self, scenario: Scenario | str, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.begin = self.clock.now()
        self._heard: list[Seen] = []
        self._log: list[str] = []
        self._last_request: Seen | None = None
        self._last_sent = b""
        self._dialog: dict[str, str] = {}
        self._cseq = 100
        self.engine = build_engine(
            scenario,
            self._listen,
            self.clock,
            **{"remote": PEER, "local_port": ENGINE[1], "calls": 1, "rate_cps": 1000.0, "limit": 0, **settings},
        )
        self.engine.on_warning = lambda text: self._log.append(f"{self._time()}    warning: {text}")
        self.engine.start(self.clock.now())
        self._settle()

    # What the engine must do.

    def expects(self, word: str | int, within_s: float = 40.0) -> Seen:
        """The next message of the engine: a method or a status code. Time passes until it comes."""
        end = self.clock.now() + within_s
        while not self._heard:
            if not self._jump(end):
                raise self._error(f"expected {word} within {within_s:g} s, nothing was sent")
        seen = self._heard.pop(0)
        self._log.append(f"{seen.time - self.begin:9.3f} engine -> {self._line(seen.data)}")
        if seen.word != str(word):
            raise self._error(f"expected {word}, got {self._line(seen.data)}")
        if seen.message.is_request and seen.word != "ACK":
            self._last_request = seen
        self._learn(seen)
        return seen

    def silent_for(self, seconds: float) -> None:
        """The engine must not send anything for that long."""
        end = self.clock.now() + seconds
        while not self._heard and self._jump(end):
            pass
        if self._heard:
            raise self._error(f"expected silence for {seconds:g} s, got {self._line(self._heard[0].data)}")
        self.clock.jump(end)
        self._settle()

    def ended(
        self, *, successful: int = 0, failed: int = 0, reason: str = "", within_s: float = 120.0
    ) -> CallStatistics:
        """All calls are over, nothing is left unsaid, so many succeeded and failed (`reason`: a column of SIPp's)."""
        end = self.clock.now() + within_s
        while not self.engine.done(self.clock.now()) and not self._heard and self._jump(end):
            pass
        if self._heard:
            raise self._error(f"expected the end, got {self._line(self._heard[0].data)}")
        statistics = self.engine.statistics
        counted = (statistics.successful, statistics.failed, statistics.current)
        if counted != (successful, failed, 0):
            raise self._error(
                f"expected {successful} successful and {failed} failed calls, counted {counted[0]} and {counted[1]}, "
                f"{counted[2]} still open; failures: {statistics.failures}"
            )
        if reason and reason not in statistics.failures:
            raise self._error(f"expected a failure {reason}, counted {statistics.failures}")
        return statistics

    # What the peer does.

    def sends(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._last_sent = data
        self._log.append(f"{self._time()} engine <- {self._line(data)}")
        self.engine.receive(data, PEER, self.clock.now())
        self._settle()

    def again(self) -> None:
        """Send the last message once more, byte for byte."""
        self.sends(self._last_sent)

    def replies(
        self,
        status: str,
        *,
        to: Seen | None = None,
        tag: str = "peer",
        headers: dict[str, str] | None = None,
        body: str = "",
    ) -> None:
        """Answer a request of the engine (the last one, ACK apart): `replies("180 Ringing")`."""
        request = to or self._last_request
        if request is None:
            raise self._error(f"cannot answer {status}: the engine has sent no request")
        lines = [f"SIP/2.0 {status}"]
        for name in _COPIED:
            lines.extend(f"{name}: {value}" for value in request.message.get_all(name))
        target = request.header("To")
        lines.append(f"To: {target}" + (f";tag={tag}" if tag and "tag=" not in target else ""))
        extra = {"Contact": f"<sip:peer@{PEER[0]}:{PEER[1]}>", **(headers or {})}
        self.sends(_message(lines, extra, body))

    def requests(
        self,
        method: str,
        *,
        headers: dict[str, str] | None = None,
        body: str = "",
        cseq: int | None = None,
        call_id: str = "",
        branch: str = "",
    ) -> None:
        """Send a request: within the dialog there is, or to begin one (`call_id` begins another)."""
        if call_id or not self._dialog:
            self._dialog = {
                "call_id": call_id or "call-1@peer",
                "local": "<sip:peer@example.test>;tag=peer",
                "remote": "<sip:engine@example.test>",
            }
        if cseq is None and method not in ("ACK", "CANCEL"):
            self._cseq += 1
        number = self._cseq if cseq is None else cseq
        lines = [
            f"{method} sip:engine@{ENGINE[0]}:{ENGINE[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {PEER[0]}:{PEER[1]};branch={branch or f'z9hG4bK-peer-{number}-{method}'}",
            f"From: {self._dialog['local']}",
            f"To: {self._dialog['remote']}",
            f"Call-ID: {self._dialog['call_id']}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
        ]
        extra = {"Contact": f"<sip:peer@{PEER[0]}:{PEER[1]}>", **(headers or {})}
        self.sends(_message(lines, extra, body))

    def passes(self, seconds: float) -> None:
        """Let time pass; what the engine says meanwhile is kept for `expects`."""
        end = self.clock.now() + seconds
        while self._jump(end):
            pass
        self.clock.jump(end)
        self._settle()

    # Inside.

    def _listen(self, data: bytes, destination: Address) -> None:
        self._heard.append(Seen(data, self.clock.now(), destination))

    def _settle(self) -> None:
        now = self.clock.now()
        self.engine.advance(now)
        while self.engine.start_next(now):
            pass

    def _jump(self, end: float) -> bool:
        """To the engine's next deadline; False if there is none before `end`."""
        due = self.engine.advance(self.clock.now())
        if due is None or due > end:
            return False
        self.clock.jump(due)
        self._settle()
        return True

    def _learn(self, seen: Seen) -> None:
        """Who is who in the dialog, from the peer's side."""
        own, other = ("To", "From") if seen.message.is_request else ("From", "To")
        self._dialog = {
            "call_id": seen.header("Call-ID"),
            "local": seen.header(own) + (";tag=peer" if "tag=" not in seen.header(own) else ""),
            "remote": seen.header(other),
        }

    def _time(self) -> str:
        return f"{self.clock.now() - self.begin:9.3f}"

    @staticmethod
    def _line(data: bytes) -> str:
        return data.partition(b"\r\n")[0].decode("utf-8", "replace")

    def _error(self, text: str) -> PlaybookError:
        rest = [
            f"{seen.time - self.begin:9.3f} engine -> {self._line(seen.data)}   (not expected yet)"
            for seen in self._heard
        ]
        return PlaybookError("\n".join([text, "The conversation:", *self._log, *rest]))


def _message(lines: list[str], headers: dict[str, str], body: str) -> bytes:
    content = body.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    written = [*lines, *(f"{name}: {value}" for name, value in headers.items())]
    if content:
        written.append("Content-Type: application/sdp")
    written.append(f"Content-Length: {len(content)}")
    return "\r\n".join(written).encode() + b"\r\n\r\n" + content
