"""Makes captures of many calls: `python -m bench.media_capture FILE [CALLS] [rtp|sip]`.

A call is 50 SIP messages (a challenged INVITE with SDP, hold and resume, UPDATE, INFO, OPTIONS, BYE, two of them sent
again) and, with media, 475 G.711 packets a direction at 20 ms with jitter: 95 % RTP. Written a slice at a time: memory
does not grow with what the packets hold.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

FRAME = 14 + 20 + 8 + 12 + 160
RECORD = 16 + FRAME
BEGAN = 1_700_000_000
PTIME_NS = 20_000_000
PACKETS = 475
"""RTP packets a direction of a call."""
CALLS_A_SECOND = 1000 / 60
SLICE = 20_000

SDP = (
    "v=0\r\no=- {number} {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP {types}\r\na=rtpmap:0 PCMU/8000\r\n{more}a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=ptime:20\r\na={direction}\r\n"
)
OFFERED = "a=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
HEAD = (
    "Via: SIP/2.0/UDP {sent_by}:5060;branch=z9hG4bK-{number}-{branch};rport\r\nMax-Forwards: 70\r\n"
    "From: {of}\r\nTo: {to}\r\nCall-ID: {number}-{host}@bench.example.com\r\nCSeq: {cseq} {method}\r\n"
    "Contact: <sip:user@{contact}:5060>\r\n{more}User-Agent: bench/1.0\r\n"
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE, PRACK\r\n"
    "Supported: replaces, timer, 100rel\r\n"
)
CHALLENGE = 'Proxy-Authenticate: Digest realm="bench.example.com", nonce="{number}a5b", algorithm=MD5, qop="auth"\r\n'
RESPONSE = (
    'Proxy-Authorization: Digest username="a{number}", realm="bench.example.com", nonce="{number}a5b", '
    'uri="sip:b{number}@bench.example.com", response="0123456789abcdef0123456789abcdef", algorithm=MD5, '
    'cnonce="0a4f113b", qop=auth, nc=00000001\r\n'
)


class Step(NamedTuple):
    """One message of every call."""

    at_ms: int
    by: int
    """The side that sends it: 0 the caller."""
    asker: int
    """The side that sent the request."""
    start: str
    """Method, or code and reason."""
    method: str
    cseq: int
    branch: int
    tagged: bool
    sdp: str = ""
    """Direction of its SDP; "" without."""
    extra: str = ""


def plan() -> list[Step]:
    """The messages of a call, in order of time."""
    steps: list[Step] = []

    def both(at: int, asker: int, method: str, cseq: int, sdp: str = "", answer: str = "") -> None:
        branch = len(steps)
        steps.append(Step(at, asker, asker, method, method, cseq, branch, True, sdp))
        if method == "INVITE":
            steps.append(Step(at + 1, 1 - asker, asker, "100 Trying", method, cseq, branch, True))
        steps.append(Step(at + 30, 1 - asker, asker, "200 OK", method, cseq, branch, True, answer))
        if method == "INVITE":
            steps.append(Step(at + 40, asker, asker, "ACK", "ACK", cseq, branch + 1, True))

    steps += [
        Step(0, 0, 0, "INVITE", "INVITE", 1, 1, False, "sendrecv"),
        Step(1, 1, 0, "100 Trying", "INVITE", 1, 1, False),
        Step(5, 1, 0, "407 Proxy Authentication Required", "INVITE", 1, 1, True, "", CHALLENGE),
        Step(8, 0, 0, "ACK", "ACK", 1, 1, True),
        Step(20, 0, 0, "INVITE", "INVITE", 2, 2, False, "sendrecv", RESPONSE),
        Step(21, 1, 0, "100 Trying", "INVITE", 2, 2, False),
        Step(60, 1, 0, "183 Session Progress", "INVITE", 2, 2, True, "sendrecv"),
        Step(90, 1, 0, "180 Ringing", "INVITE", 2, 2, True),
        Step(200, 1, 0, "200 OK", "INVITE", 2, 2, True, "sendrecv"),
        Step(205, 0, 0, "ACK", "ACK", 2, 3, True),
    ]
    both(2000, 0, "INVITE", 3, "sendonly", "recvonly")
    both(3000, 0, "INVITE", 4, "sendrecv", "sendrecv")
    both(4000, 1, "UPDATE", 1, "sendrecv", "sendrecv")
    for turn in range(6):
        both(4200 + 200 * turn, 0, "INFO", 5 + turn)
    for turn in range(7):
        both(6000 + 300 * turn, turn % 2, "OPTIONS", 11 + turn)
    both(300 + PACKETS * 20, 0, "BYE", 20)
    steps.append(steps[-1]._replace(at_ms=steps[-1].at_ms + 500))  # the answer was lost behind the tap: both come again
    steps.append(steps[-3]._replace(at_ms=steps[-2].at_ms + 470))
    return sorted(steps)


def generate(path: Path, calls: int = 1000, *, media: bool = True, seed: int = 1) -> tuple[int, int]:
    """Write `calls` calls that begin at CALLS_A_SECOND; returns (RTP packets, SIP messages)."""
    rng = np.random.default_rng(seed)
    begins = np.sort(rng.integers(0, int(calls / CALLS_A_SECOND * 1e9), calls))
    rows = _Rows(begins, rng, PACKETS if media else 0)
    steps = plan()
    texts = [_template(step) for step in steps]
    sip_ns = (begins[:, None] + np.array([step.at_ms for step in steps]) * 1_000_000).reshape(-1)
    sip_order = np.argsort(sip_ns, kind="stable")
    cuts = np.searchsorted(rows.sorted_ns, sip_ns[sip_order]).tolist()
    position = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for cut, which in zip(cuts, sip_order.tolist(), strict=True):
            if cut - position >= SLICE:
                position = rows.write(file, position, cut)
            elif cut > position:
                file.write(rows.ahead(position, cut))
                position = cut
            call, number = divmod(which, len(steps))
            source, destination, payload = _message(steps[number], texts[number], call)
            file.write(_datagram(int(sip_ns[which]), source, destination, payload))
        rows.write(file, position, len(rows.order))
    return len(rows.order), len(sip_ns)


def host(side: int, call: int) -> str:
    """Where a side of a call sends from: ten hosts a side."""
    return f"10.{side + 1}.0.{call % 10 + 1}"


def port(side: int, call: int) -> int:
    """The RTP port of a side of a call."""
    return 10000 + 2 * (call // 10 % 2000) + 4000 * side


class _Rows:
    """RTP packets as rows of bytes, in order of time."""

    def __init__(self, begins: np.ndarray, rng: np.random.Generator, packets: int) -> None:
        calls = len(begins)
        self.call = np.repeat(np.arange(calls, dtype=np.int32), 2 * packets)
        self.side = np.tile(np.repeat(np.arange(2, dtype=np.int8), packets), calls)
        self.step = np.tile(np.arange(packets, dtype=np.int16), 2 * calls)
        jitter = np.minimum(rng.exponential(1.5e6, len(self.call)), 15_000_000).astype(np.int64)
        time_ns = begins[self.call] + 250_000_000 + self.side * np.int64(3_000_000) + self.step * np.int64(PTIME_NS)
        time_ns += jitter
        self.order = np.argsort(time_ns, kind="stable")
        self.sorted_ns = time_ns[self.order]
        self.first_sequence = rng.integers(0, 65536, (calls, 2))
        self.first_timestamp = rng.integers(0, 2**32, (calls, 2))
        self.ssrc = rng.integers(1, 2**32, (calls, 2))
        template = bytearray(RECORD)
        struct.pack_into("<II", template, 8, FRAME, FRAME)
        template[16:30] = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\x00"
        struct.pack_into("!BBHHHBB", template, 30, 0x45, 0, FRAME - 14, 0, 0, 64, 17)
        struct.pack_into("!HH", template, 54, FRAME - 34, 0)
        template[58] = 0x80
        template[70:] = bytes(160 * [0xD5])
        self.template = np.frombuffer(bytes(template), np.uint8)
        self._ready = b""
        self._ready_from = 0

    def write(self, file, start: int, stop: int) -> int:  # type: ignore[no-untyped-def]
        """Write the packets of two places in order; returns the second."""
        for at in range(start, stop, SLICE):
            file.write(self.records(at, min(at + SLICE, stop)))
        return stop

    def ahead(self, start: int, stop: int) -> bytes:
        """A few packets, made together with those that follow."""
        end = self._ready_from + len(self._ready) // RECORD
        if not self._ready_from <= start <= stop <= end:
            self._ready_from, self._ready = start, self.records(start, min(start + 2 * SLICE, len(self.order)))
        return self._ready[(start - self._ready_from) * RECORD : (stop - self._ready_from) * RECORD]

    def records(self, start: int, stop: int) -> bytes:
        at = self.order[start:stop]
        call, side, step = self.call[at], self.side[at].astype(np.int64), self.step[at].astype(np.int64)
        time_ns = self.sorted_ns[start:stop]
        out = np.tile(self.template, (len(at), 1))

        def put(offset: int, values: np.ndarray, kind: str) -> None:
            width = int(kind[-1])
            out[:, offset : offset + width] = (
                np.ascontiguousarray(values.astype(kind)).view(np.uint8).reshape(-1, width)
            )

        put(0, BEGAN + time_ns // 1_000_000_000, "<u4")
        put(4, time_ns % 1_000_000_000 // 1000, "<u4")
        ident = (call.astype(np.int64) * 7 + step + 1) & 0xFFFF
        put(34, ident, ">u2")
        ours = (10 << 24) | ((side + 1) << 16) | (call % 10 + 1)
        theirs = (10 << 24) | ((2 - side) << 16) | (call % 10 + 1)
        put(42, ours, ">u4")
        put(46, theirs, ">u4")
        total = 0x4500 + FRAME - 14 + ident + 0x4011
        for address in (ours, theirs):
            total = total + (address >> 16) + (address & 0xFFFF)
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        put(40, ~total & 0xFFFF, ">u2")
        put(50, 10000 + 2 * (call // 10 % 2000) + 4000 * side, ">u2")
        put(52, 10000 + 2 * (call // 10 % 2000) + 4000 * (1 - side), ">u2")
        put(59, np.where(step == 0, 0x80, 0), ">u1")
        put(60, self.first_sequence[call, side] + step, ">u2")
        put(62, (self.first_timestamp[call, side] + 160 * step) % 2**32, ">u4")
        put(66, self.ssrc[call, side], ">u4")
        return out.tobytes()


def _template(step: Step) -> str:
    """The text of a message, with places for what differs between calls."""
    theirs = "{theirs}"
    start = (
        f"SIP/2.0 {step.start}" if step.start[0].isdigit() else f"{step.start} sip:b{{number}}@{theirs}:5060 SIP/2.0"
    )
    tag = "b" if step.asker == 0 else "a"
    ends = ["<sip:a{number}@bench.example.com>;tag=a{number}", "<sip:b{number}@bench.example.com>"]
    if step.tagged or step.asker:
        ends[1] += ";tag=b{number}"
    if (step.tagged and step.start == "407 Proxy Authentication Required") or (step.cseq == 1 and step.method == "ACK"):
        ends[1] = "<sip:b{number}@bench.example.com>;tag=c{number}"
    of, to = (ends[0], ends[1]) if tag == "b" else (ends[1], ends[0])
    head = HEAD.replace("{of}", of).replace("{to}", to).replace("{more}", step.extra)
    head = head.replace("{method}", step.method).replace("{cseq}", str(step.cseq)).replace("{branch}", str(step.branch))
    head = head.replace("{sent_by}", "{asker}").replace("{contact}", "{ours}").replace("{host}", "{caller}")
    if not step.sdp:
        return f"{start}\r\n{head}Content-Length: 0\r\n\r\n"
    types, more = ("0 8 18 101", OFFERED) if step.by == step.asker else ("0 101", "")
    body = SDP.replace("{types}", types).replace("{more}", more).replace("{direction}", step.sdp)
    body = body.replace("{version}", str(step.at_ms)).replace("{host}", "{ours}")
    return f"{start}\r\n{head}Content-Type: application/sdp\r\nContent-Length: @@@\r\n\r\n{body}"


def _message(step: Step, text: str, call: int) -> tuple[str, str, bytes]:
    """(source host, destination host, payload) of a step in a call."""
    hosts = host(0, call), host(1, call)
    ours, theirs = hosts[step.by], hosts[1 - step.by]
    whole = text.format(
        number=call, ours=ours, theirs=theirs, asker=hosts[step.asker], caller=hosts[0], port=port(step.by, call)
    )
    if step.sdp:
        whole = whole.replace("@@@", str(len(whole) - whole.index("\r\n\r\n") - 4))
    return ours, theirs, whole.encode()


def _datagram(when: int, source: str, destination: str, payload: bytes) -> bytes:
    addresses = bytes(int(part) for part in f"{source}.{destination}".split("."))
    length = 28 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    frame = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\x00" + head + struct.pack("!HHHH", 5060, 5060, length - 20, 0) + payload
    fraction = when % 1_000_000_000 // 1000
    return struct.pack("<IIII", BEGAN + when // 1_000_000_000, fraction, len(frame), len(frame)) + frame


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    made = generate(Path(sys.argv[1]), count, media="sip" not in sys.argv[3:])
    print(f"{made[0]:,} RTP packets, {made[1]:,} SIP messages")
