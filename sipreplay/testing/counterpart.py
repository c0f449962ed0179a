"""The other side of a scenario, made from the scenario itself: it sends what that expects, and expects what that sends.

Owns one call; does no I/O and reads no clock: bytes and times come in, bytes go out. It takes the usual way: optional
messages are left out, and where a test or chance decides, what it hears decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sipreplay.scenario.distributions import percentile_99
from sipreplay.scenario.keywords import compile_text, sent_kind
from sipreplay.scenario.model import Element, Jump, Pause, Recv, Scenario, Send
from sipreplay.scenario.posix import compile_posix
from sipreplay.sip.message import Message, parse_message

NEVER = float("inf")
PATIENCE_S = 0.15

_METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "MESSAGE", "UPDATE"),
    *("PRACK", "NOTIFY", "REFER", "SUBSCRIBE", "REGISTER", "PUBLISH"),
)
_CODES = (200, 202, 180, 183, 100, 302, 401, 407, 404, 486, 487, 503)
_CHALLENGE = 'Digest realm="counterpart",nonce="c291cGxl",algorithm=MD5'


class Counterpart:
    """Plays against one call of a scenario.

    `address` is its own, "ip:port". `headers` are header lines that its messages carry beside the usual ones, by method
    or code, several with CRLF between them; `pause_ms` is what a pause without a length takes; `patience_s` how long
    it waits for a message that the scenario may send before it goes on as if that did not come.
    """

    def __init__(
        self,
        scenario: Scenario,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        call_id: str = "counterpart-1",
        keys: Mapping[str, str] | None = None,
        pause_ms: float = 0.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._elements = scenario.elements
        self._labels = scenario.labels
        self._address = address
        self._headers = headers or {}
        self._call_id = call_id
        self._keys = keys or {}
        self._pause_s = pause_ms / 1000.0
        self._patience_s = patience_s
        self._next: list[tuple[int, float]] = []
        self._requests: dict[str, Message] = {}
        self._last: Message | None = None
        self._heard = b""
        self._cseq = 0
        self._since = 0.0
        self.due = NEVER
        """When it has something to say, if it hears nothing before; infinity if it waits or is at the end."""
        self.problems: list[str] = []
        """Messages that the scenario does not send at this place."""

    @property
    def ended(self) -> bool:
        """Whether the scenario is at its end, as far as messages go."""
        return not self._next

    def start(self, now: float) -> None:
        """Begin. What there is to say at once is due at once."""
        self._move([0], now)

    def hears(self, data: bytes, now: float) -> None:
        """Take a message of the scenario. A copy of the last one is left alone."""
        if data == self._heard:
            return
        self._heard = data
        message = parse_message(data)
        word = message.method if message.is_request else str(message.status)
        if message.is_request:
            self._last = message
            if word != "ACK":
                self._requests[word] = message
        for index, _ in self._next:
            element = self._elements[index]
            if isinstance(element, Send) and self._word(element) == word:
                if element.start_txn:
                    self._requests[f"transaction {element.start_txn}"] = message
                self._move(self._following(index), now)
                return
        self.problems.append(f"{word} is not sent here")

    def says(self, now: float) -> list[bytes]:
        """What is due: usually nothing or one message, more where the scenario receives several in a row."""
        out = []
        while now >= self.due:
            index = next(index for index, _ in self._next if isinstance(self._elements[index], Recv))
            element = self._elements[index]
            assert isinstance(element, Recv)
            out.append(self._message(element))
            self._move(self._following(index), now)
        return out

    # Ways through the scenario.

    def _word(self, element: Send) -> str:
        method, code = sent_kind(compile_text(element.text, message=True, keys=self._keys))
        return method or str(code)

    def _following(self, index: int) -> list[int]:
        """Where the scenario can be after an element."""
        element = self._elements[index]
        for action in element.actions:
            if isinstance(action, Jump) and action.value is not None:
                return [int(action.value)]
        if not element.next or element.chance <= 0.0:
            return [index + 1]
        target = self._labels[element.next]
        return [index + 1, target] if element.test or element.chance < 1.0 else [target]

    def _move(self, places: list[int], now: float) -> None:
        """Find the messages that can be next from there."""
        self._since = now
        self._next = list(self._reachable(places))
        receives = [at for at in self._next if isinstance(self._elements[at[0]], Recv)]
        if not receives:
            self.due = NEVER
            return
        patience = self._patience_s if len(receives) < len(self._next) else 0.0
        self.due = now + receives[0][1] + patience

    def _reachable(self, places: list[int]) -> Iterator[tuple[int, float]]:
        """Messages that can come first, nearest first, with the seconds of pauses before them."""
        waiting = [(place, 0.0) for place in places]
        seen: set[int] = set()
        while waiting:
            index, delay_s = waiting.pop(0)
            if index in seen or index >= len(self._elements):
                continue
            seen.add(index)
            element = self._elements[index]
            message = isinstance(element, Send) or (isinstance(element, Recv) and element.optional == "false")
            if message:
                yield index, delay_s
            if not message or element.condexec:
                if isinstance(element, Pause):
                    delay_s += self._length(element)
                further = [index + 1] if isinstance(element, Recv) else self._following(index)
                waiting += [(place, delay_s) for place in further]

    def _length(self, pause: Pause) -> float:
        """Seconds after which a pause is over for sure."""
        if pause.distribution is not None:
            return percentile_99(pause.distribution) * 1.5 / 1000.0 + 0.05
        if pause.variable:
            return self._patience_s
        return (self._pause_s if pause.milliseconds is None else pause.milliseconds / 1000.0) + 0.05

    # Messages.

    def _message(self, element: Recv) -> bytes:
        if element.request:
            pattern = compile_posix(element.request) if element.regexp_match else None
            method = element.request
            if pattern is not None:
                method = next((name for name in _METHODS if pattern.search(name.encode())), method)
            return self._request(method, element)
        code = element.response
        if element.regexp_match:
            pattern = compile_posix(code)
            code = next((str(number) for number in _CODES if pattern.search(b"%d" % number)), code)
        return self._response(code, element)

    def _extra(self, word: str, element: Element, *, with_body: bool) -> list[str]:
        lines = [f"Contact: <sip:counterpart@{self._address}>"]
        if isinstance(element, Recv) and element.rrs and "Record-Route" not in self._headers.get(word, ""):
            lines.append(f"Record-Route: <sip:proxy@{self._address};lr>")
        if isinstance(element, Recv) and element.auth and "Authenticate" not in self._headers.get(word, ""):
            lines.append(f"{'Proxy' if word == '407' else 'WWW'}-Authenticate: {_CHALLENGE}")
        if word in self._headers:
            lines += self._headers[word].split("\r\n")
        body = ""
        if with_body:
            ip = self._address.rpartition(":")[0]
            body = f"v=0\r\no=c 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
            lines.append("Content-Type: application/sdp")
        return [*lines, f"Content-Length: {len(body)}", "", body]

    def _response(self, code: str, element: Recv) -> bytes:
        """To the request of its transaction, or to the last one (487 to the INVITE)."""
        request = self._requests.get(f"transaction {element.response_txn}")
        if request is None and code == "487":
            request = self._requests.get("INVITE")
        if request is None:
            request = list(self._requests.values())[-1] if self._requests else None
        for name in reversed(_METHODS):
            if request is None and name in self._requests:
                request = self._requests[name]
        if request is None:
            self.problems.append(f"{code} is expected before any request was sent")
            return b""
        lines = [f"SIP/2.0 {code} Counterpart"]
        for name in ("Via", "From", "Call-ID", "CSeq"):
            lines += [f"{name}: {value}" for value in request.get_all(name)]
        to = request.get("To") or ""
        lines.append(f"To: {to}" + ("" if "tag=" in to or code == "100" else ";tag=counterpart"))
        with_body = code.startswith("2") and request.method == "INVITE"
        return "\r\n".join([*lines, *self._extra(code, element, with_body=with_body)]).encode()

    def _request(self, method: str, element: Recv) -> bytes:
        """Inside of the dialog that there is, or the first of one."""
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
        via = f"Via: SIP/2.0/UDP {self._address};branch=z9hG4bK-counterpart-{self._cseq}-{method}"
        own, other, call_id = "<sip:counterpart@example.org>;tag=counterpart", "<sip:b@example.org>", self._call_id
        first = self._requests.get("INVITE") or next(iter(self._requests.values()), None)
        if first is not None:
            own, other = first.get("To") or own, first.get("From") or other
            own += "" if "tag=" in own else ";tag=counterpart"
            call_id = first.get("Call-ID") or call_id
        lines = [f"{method} sip:b@example.org SIP/2.0", via, f"From: {own}", f"To: {other}", f"Call-ID: {call_id}"]
        lines += [f"CSeq: {self._cseq} {method}", "Max-Forwards: 70"]
        return "\r\n".join([*lines, *self._extra(method, element, with_body=method == "INVITE")]).encode()
