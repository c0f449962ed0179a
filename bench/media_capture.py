"""Makes a capture of many calls with SDP and G.711 both ways: `python -m bench.media_capture FILE`."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

FRAME = 14 + 20 + 8 + 12 + 160
RECORD = 16 + FRAME
BEGAN = 1_700_000_000
PTIME_NS = 20_000_000

SDP = (
    "v=0\r\no=- {number} 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {types}\r\n"
    "a=rtpmap:0 PCMU/8000\r\n{more}a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
)
OFFERED = "a=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\n"
HEAD = (
    "Via: SIP/2.0/UDP {caller}:5060;branch=z9hG4bK-{number}-{branch}\r\n"
    "From: <sip:a{number}@example.com>;tag=a{number}\r\n"
    "To: <sip:b{number}@example.com>{tag}\r\nCall-ID: {number}@bench\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
    "Contact: <sip:{contact}:5060>\r\n"
)


def generate(path: Path, calls: int = 1000, packets: int = 500, spread_s: float = 60.0, seed: int = 1) -> int:
    """Write `calls` calls, each with `packets` RTP packets a direction at 20 ms with jitter; returns RTP packets."""
    rng = np.random.default_rng(seed)
    number = np.arange(calls)
    begins = np.sort(rng.integers(0, int(spread_s * 1e9), calls))
    call = np.repeat(number, 2 * packets)
    side = np.tile(np.repeat([0, 1], packets), calls)
    step = np.tile(np.arange(packets), 2 * calls)
    jitter = rng.exponential(1.5e6, len(call)).astype(np.int64)
    time_ns = begins[call] + 250_000_000 + side * 3_000_000 + step * PTIME_NS + np.minimum(jitter, 15_000_000)
    first_sequence = rng.integers(0, 65536, (calls, 2))
    first_timestamp = rng.integers(0, 2**32, (calls, 2))
    ssrc = rng.integers(1, 2**32, (calls, 2))
    order = np.argsort(time_ns, kind="stable")
    signalling = sorted(_signalling(begins.tolist(), packets))
    times = time_ns[order]
    cuts = np.searchsorted(times, [item[0] for item in signalling]).tolist()
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        rows = _Rows(call, side, step, time_ns, first_sequence, first_timestamp, ssrc)
        position = 0
        for cut, (when, source, destination, payload) in zip(cuts, signalling, strict=True):
            while position < cut:
                stop = min(cut, position + 20000)
                file.write(rows.records(order[position:stop]))
                position = stop
            file.write(_datagram(when, source, destination, payload))
        for start in range(position, len(order), 20000):
            file.write(rows.records(order[start : start + 20000]))
    return len(order)


def host(side: int, call: int) -> str:
    """Where a side of a call sends from: ten hosts a side."""
    return f"10.{side + 1}.0.{call % 10 + 1}"


def port(side: int, call: int) -> int:
    """The RTP port of a side of a call."""
    return 10000 + 2 * (call // 10) + 4000 * side


class _Rows:
    """RTP packets as rows of bytes."""

    def __init__(self, call, side, step, time_ns, first_sequence, first_timestamp, ssrc) -> None:  # type: ignore[no-untyped-def]
        self.columns = call, side, step, time_ns
        self.first_sequence, self.first_timestamp, self.ssrc = first_sequence, first_timestamp, ssrc
        template = bytearray(RECORD)
        struct.pack_into("<II", template, 8, FRAME, FRAME)
        template[16:30] = b"\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\x00"
        struct.pack_into("!BBHHHBB", template, 30, 0x45, 0, FRAME - 14, 0, 0, 64, 17)
        struct.pack_into("!HH", template, 54, FRAME - 34, 0)
        template[58] = 0x80
        template[70:] = bytes(160 * [0xD5])
        self.template = np.frombuffer(bytes(template), np.uint8)

    def records(self, at: np.ndarray) -> bytes:
        call, side, step, time_ns = (column[at] for column in self.columns)
        out = np.tile(self.template, (len(at), 1))

        def put(offset: int, values: np.ndarray, kind: str) -> None:
            width = int(kind[-1])
            out[:, offset : offset + width] = (
                np.ascontiguousarray(values.astype(kind)).view(np.uint8).reshape(-1, width)
            )

        put(0, BEGAN + time_ns // 1_000_000_000, "<u4")
        put(4, time_ns % 1_000_000_000 // 1000, "<u4")
        ident = (call * 7 + step + 1) & 0xFFFF
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
        put(50, 10000 + 2 * (call // 10) + 4000 * side, ">u2")
        put(52, 10000 + 2 * (call // 10) + 4000 * (1 - side), ">u2")
        put(59, np.where(step == 0, 0x80, 0), ">u1")
        put(60, self.first_sequence[call, side] + step, ">u2")
        put(62, (self.first_timestamp[call, side] + 160 * step) % 2**32, ">u4")
        put(66, self.ssrc[call, side], ">u4")
        return out.tobytes()


def _signalling(begins: list[int], packets: int) -> list[tuple[int, str, str, bytes]]:
    """(time, source host, destination host, payload) of every message."""
    out = []
    for number, begin in enumerate(begins):
        caller, callee = host(0, number), host(1, number)
        end = begin + 300_000_000 + packets * PTIME_NS
        to = f";tag=b{number}"
        plan = (
            (begin, True, f"INVITE sip:b{number}@{callee}:5060 SIP/2.0", 0, 1, "INVITE", "", True),
            (begin + 2_000_000, False, "SIP/2.0 100 Trying", 0, 1, "INVITE", "", False),
            (begin + 30_000_000, False, "SIP/2.0 180 Ringing", 0, 1, "INVITE", to, False),
            (begin + 200_000_000, False, "SIP/2.0 200 OK", 0, 1, "INVITE", to, True),
            (begin + 202_000_000, True, f"ACK sip:{callee}:5060 SIP/2.0", 1, 1, "ACK", to, False),
            (end, True, f"BYE sip:{callee}:5060 SIP/2.0", 2, 2, "BYE", to, False),
            (end + 2_000_000, False, "SIP/2.0 200 OK", 2, 2, "BYE", to, False),
        )
        for when, forward, start, branch, cseq, method, tag, with_sdp in plan:
            side = 0 if forward else 1
            head = HEAD.format(
                caller=caller,
                number=number,
                branch=branch,
                tag=tag,
                cseq=cseq,
                method=method,
                contact=host(side, number),
            )
            types, more = ("0 8 18 101", OFFERED) if forward else ("0 101", "")
            place = {"number": number, "host": host(side, number), "port": port(side, number)}
            body = SDP.format(types=types, more=more, **place) if with_sdp else ""
            kind = "Content-Type: application/sdp\r\n" if with_sdp else ""
            text = f"{start}\r\n{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
            ends = (caller, callee) if forward else (callee, caller)
            out.append((when, *ends, text.encode()))
    return out


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
    print(generate(Path(sys.argv[1])), "RTP packets")
