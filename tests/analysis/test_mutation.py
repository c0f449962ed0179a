"""One header, one code or one timestamp of a capture is changed: the document changes there, and only there."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.golden import CAPTURES, document

PROXIED = CAPTURES / "kamailio-auth-record-route.pcap"
"""SIP messages: packet 18 is the 200 of the callee's side as the caller gets it."""
MEDIA = CAPTURES / "uac_pcap-g711-dtmf.pcap"
Change = Callable[[float, bytes], tuple[float, bytes]]


def mutated(source: Path, target: Path, packet: int, change: Change) -> Path:
    """Write a capture with one packet changed: time and bytes, of the same length or not."""
    data = source.read_bytes()
    out, at, number = [data[:24]], 24, 0
    nanoseconds = struct.unpack_from("<I", data)[0] == 0xA1B23C4D
    unit = 1_000_000_000 if nanoseconds else 1_000_000
    while at < len(data):
        seconds, fraction, size, original = struct.unpack_from("<IIII", data, at)
        record, frame = data[at : at + 16], data[at + 16 : at + 16 + size]
        at += 16 + size
        number += 1
        if number == packet:
            time, frame = change(seconds + fraction / unit, frame)
            whole = round(time * unit)
            assert len(frame) == size == original
            record = struct.pack("<IIII", whole // unit, whole % unit, size, size)
        out.append(record + frame)
    target.write_bytes(b"".join(out))
    return target


def replaced(old: bytes, new: bytes) -> Change:
    assert len(old) == len(new)

    def change(time: float, frame: bytes) -> tuple[float, bytes]:
        assert old in frame
        return time, frame.replace(old, new, 1)

    return change


def later(seconds: float) -> Change:
    return lambda time, frame: (time + seconds, frame)


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a document by their paths."""
    if isinstance(value, dict):
        return {k: v for name, item in value.items() for k, v in flat(item, f"{path}.{name}").items()}
    if isinstance(value, list) and value:
        return {k: v for n, item in enumerate(value) for k, v in flat(item, f"{path}[{n}]").items()}
    return {path: value}


def changed(source: Path, tmp_path: Path, packet: int, change: Change) -> set[str]:
    """The paths of what differs once a packet is changed."""
    # The same name, since it is in the document.
    before, after = flat(document(source)), flat(document(mutated(source, tmp_path / source.name, packet, change)))
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def all_match(paths: set[str], *patterns: str) -> bool:
    return all(any(re.fullmatch(pattern, path) for pattern in patterns) for path in paths)


def message_of(packet: int) -> tuple[str, int]:
    """The path of the message in a packet of PROXIED, and its dialog's place."""
    for d, dialog in enumerate(document(PROXIED)["dialogs"]):
        for m, message in enumerate(dialog["messages"]):
            if message["packet"] == packet:
                return f".dialogs[{d}].messages[{m}]", d
    raise AssertionError(f"packet {packet} holds no message")


def test_nothing_changed_is_nothing_changed(tmp_path: Path) -> None:
    assert changed(PROXIED, tmp_path, 18, later(0)) == set()


def test_a_header_that_nothing_shows(tmp_path: Path) -> None:
    assert changed(PROXIED, tmp_path, 12, replaced(b"Max-Forwards: 70", b"Max-Forwards: 69")) == set()


def test_a_reason_phrase(tmp_path: Path) -> None:
    path, _ = message_of(16)
    assert changed(PROXIED, tmp_path, 16, replaced(b"180 Ringing", b"180 Ranging")) == {f"{path}.start_line"}


def test_a_line_of_sdp(tmp_path: Path) -> None:
    """The caller asks for packets of 30 ms, which it gets: one stream and what is found about it."""
    found = changed(PROXIED, tmp_path, 12, replaced(b"a=ptime:20", b"a=ptime:30"))
    streams = {path for path in found if path.startswith(".streams")}
    assert len(streams) == 1
    assert all_match(streams, r"\.streams\[\d+\]\.sdp_ptime_ms")
    assert all_match(found - streams, r"\.findings.*")


def test_a_status_code(tmp_path: Path) -> None:
    path, _ = message_of(16)
    found = changed(PROXIED, tmp_path, 16, replaced(b"SIP/2.0 180", b"SIP/2.0 183"))
    assert f"{path}.start_line" in found
    assert {".sip.responses.180", ".sip.responses.183"} <= found
    dialog = re.escape(path.partition(".messages")[0])
    assert all_match(found, re.escape(f"{path}.start_line"), r"\.sip\.responses\.18[03]", rf"{dialog}\.facts\..*")


def test_the_time_of_a_response(tmp_path: Path) -> None:
    path, d = message_of(16)
    found = changed(PROXIED, tmp_path, 16, later(0.0001))
    assert found >= {f"{path}.time", f".dialogs[{d}].pdd_ms"}
    assert all_match(found, re.escape(f"{path}.time"), rf"\.dialogs\[{d}\]\.pdd_ms", r"\.peers\[\d+\]\.[a-z_]*pdd.*")


def test_the_time_of_a_media_packet(tmp_path: Path) -> None:
    packet, place = media_packet()
    found = changed(MEDIA, tmp_path, packet, later(0.003))
    assert f".streams[{place}].mean_jitter_ms" in found
    assert all_match(
        found,
        rf"\.streams\[{place}\]\.(mean|max)_(delta|jitter)_ms",
        rf"\.streams\[{place}\]\.(max_skew_ms|drift_ppm|drift_hz)",
        rf"\.streams\[{place}\]\.windows\.(mean|max)_jitter_ms\[\d+\]",
    )


@pytest.mark.parametrize(
    ("offset", "fields"),
    [
        (2, "lost|reordered"),  # sequence number: a stray packet, whose number is below the first
        (3, "reordered|duplicates|missing|lost|burst_ratio|mos.*|windows.*"),  # a number that comes twice
        (4, "(mean|max)_jitter_ms|max_skew_ms|drift.*|windows.*|discarded|mos.*|burst_ratio"),  # timestamp
    ],
)
def test_a_field_of_an_rtp_header(tmp_path: Path, offset: int, fields: str) -> None:
    packet, place = media_packet()

    def change(time: float, frame: bytes) -> tuple[float, bytes]:
        at = 14 + 20 + 8 + offset
        return time, frame[:at] + bytes([frame[at] ^ 0x01]) + frame[at + 1 :]

    found = changed(MEDIA, tmp_path, packet, change)
    assert found
    assert all_match(found, rf"\.streams\[{place}\]\.({fields})")


def test_the_ssrc_of_a_media_packet(tmp_path: Path) -> None:
    """It is another stream's then, of which there was none: those after it move by one place."""
    packet, place = media_packet()

    def change(time: float, frame: bytes) -> tuple[float, bytes]:
        at = 14 + 20 + 8 + 8
        return time, frame[:at] + bytes([frame[at] ^ 0x55]) + frame[at + 1 :]

    before = document(MEDIA)
    after = document(mutated(MEDIA, tmp_path / MEDIA.name, packet, change))
    assert len(after["streams"]) == len(before["streams"]) + 1
    packets = {s["ssrc"]: s["packets"] for s in after["streams"] if s["source"] == before["streams"][place]["source"]}
    assert sorted(packets.values()) == [1, before["streams"][place]["packets"] - 1]
    for part in ("dialogs", "calls", "sip", "captures", "actors"):
        assert before[part] == after[part]


def media_packet() -> tuple[int, int]:
    """A packet in the middle of a stream of MEDIA, and the stream's place in the document."""
    data = MEDIA.read_bytes()
    streams = document(MEDIA)["streams"]
    at, number, seen = 24, 0, 0
    wanted = streams[0]["ssrc"].to_bytes(4, "big")
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        number += 1
        host = bytes(int(part) for part in streams[0]["source"].partition(":")[0].split("."))
        port = int(streams[0]["source"].rpartition(":")[2]).to_bytes(2, "big")
        if frame[50:54] == wanted and frame[26:30] == host and frame[34:36] == port:
            seen += 1
            if seen == 30:
                return number, 0
    raise AssertionError("no such packet")
