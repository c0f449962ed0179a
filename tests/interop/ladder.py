"""What tshark sees in a capture: SIP ladders and RTP streams. The judge of interop tests, not our own analysis.

A ladder is per hop-dialog (Call-ID and pair of neighbours), from the caller's side, without copies, retransmissions
and 100.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

HEURISTICS = ("-o", "udp.try_heuristic_first:TRUE", "-o", "tcp.try_heuristic_first:TRUE")


class Row(NamedTuple):
    """One message: direction ">" from the caller or "<" from the callee, and its method or status code."""

    direction: str
    what: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """A hop-dialog as tshark saw it."""

    call_id: str
    caller: str
    callee: str
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        return f"{self.call_id} {self.caller} -> {self.callee}: " + " ".join(f"{row[0]}{row[1]}" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Stream:
    """One line of `tshark -z rtp,streams`."""

    source: str
    destination: str
    ssrc: int
    payload: str
    packets: int
    lost: int
    max_jitter_ms: float


class _Message(NamedTuple):
    source: str
    destination: str
    source_port: str
    destination_port: str
    call_id: str
    what: str
    is_request: bool
    cseq: str
    branch: str
    to_tag: str
    content: str


def tshark_ladders(pcap: Path, sip_ports: Sequence[int] = ()) -> list[Ladder]:
    """The ladders of a capture, in order of their first message. SIP is found on any port, over UDP and TCP.

    Hosts make a pair; where that is not enough to tell two hops apart, their ports do: both sides on one address, or
    a proxy between two phones on one address.
    """
    return [ladder for messages in _dialogs(pcap, sip_ports).values() for ladder in _ladders(messages)]


def tshark_sequences(pcap: Path) -> dict[tuple[str, frozenset[str]], list[tuple[str, str, str]]]:
    """For each Call-ID and pair of hosts: (sending socket, receiving socket, method or status code) in order."""
    return {
        key: [(*_sockets(message), message.what) for message in messages]
        for key, messages in _dialogs(pcap, ()).items()
    }


def _dialogs(pcap: Path, sip_ports: Sequence[int]) -> dict[tuple[str, frozenset[str]], list[_Message]]:
    dialogs: dict[tuple[str, frozenset[str]], list[_Message]] = {}
    seen: set[tuple[str, ...]] = set()
    for message in _messages(pcap, sip_ports):
        keys = _identities(message)
        if message.what == "100" or not keys.isdisjoint(seen):
            continue
        seen |= keys
        dialogs.setdefault((message.call_id, frozenset((message.source, message.destination))), []).append(message)
    return dialogs


def _ladders(messages: list[_Message]) -> list[Ladder]:
    ports_needed = len({message.source for message in messages} | {message.destination for message in messages}) == 1
    requests: dict[str, set[tuple[str, ...]]] = {}
    for message in messages:
        if message.is_request and message.what != "ACK":
            requests.setdefault(message.cseq, set()).add((message.branch, *sorted(_sockets(message))))
    for sightings in requests.values():
        branches, pairs = {each[0] for each in sightings}, {each[1:] for each in sightings}
        ports_needed = ports_needed or (len(branches) > 1 and len(pairs) > 1)
    if not ports_needed:
        return [_ladder(messages, lambda message: (message.source, message.destination))]
    hops: dict[frozenset[str], list[_Message]] = {}
    for message in messages:
        hops.setdefault(frozenset(_sockets(message)), []).append(message)
    return [_ladder(hop, _sockets) for hop in hops.values()]


def _sockets(message: _Message) -> tuple[str, str]:
    return _socket(message.source, message.source_port), _socket(message.destination, message.destination_port)


def _socket(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ladder(messages: list[_Message], ends: Callable[[_Message], tuple[str, str]]) -> Ladder:
    first = next((message for message in messages if message.is_request), messages[0])
    caller, callee = ends(first)
    if not first.is_request:
        caller, callee = callee, caller
    rows = tuple(Row(">" if ends(message)[0] == caller else "<", message.what) for message in messages)
    return Ladder(first.call_id, caller, callee, rows)


def _identities(message: _Message) -> set[tuple[str, ...]]:
    """What makes a later message the same one again: all its bytes, or its place in its transaction.

    Provisional responses repeat within a transaction on purpose, so only all their bytes count.
    """
    pair = (message.source, message.source_port, message.destination, message.destination_port)
    keys = {(*pair, message.content)}
    if message.is_request or message.what >= "200":
        keys.add((*pair, message.call_id, message.what, message.cseq, message.branch, message.to_tag))
    return keys


def _messages(pcap: Path, sip_ports: Sequence[int]) -> Iterator[_Message]:
    decode = [word for port in sip_ports for word in ("-d", f"udp.port=={port},sip", "-d", f"tcp.port=={port},sip")]
    argv = ["tshark", "-n", "-r", str(pcap), *HEURISTICS, *decode, "-Y", "sip && !icmp && !icmpv6", "-T", "pdml"]
    output = subprocess.run(argv, capture_output=True, check=False, timeout=120)
    assert output.stdout, output.stderr.decode(errors="replace")
    text = re.sub(rb"&#x[0-8BCEF];", b"", output.stdout)
    for packet in ElementTree.fromstring(text).iter("packet"):
        hosts, ports = ("", ""), ("", "")
        for proto in packet.iter("proto"):
            name = proto.get("name")
            if name in ("ip", "ipv6"):
                hosts = (_field(proto, f"{name}.src"), _field(proto, f"{name}.dst"))
            elif name in ("udp", "tcp"):
                ports = (_field(proto, f"{name}.srcport"), _field(proto, f"{name}.dstport"))
            elif name == "sip" and (message := _message(proto, hosts, ports)):
                yield message


def _message(proto: ElementTree.Element, hosts: tuple[str, str], ports: tuple[str, str]) -> _Message | None:
    method, status = _field(proto, "sip.Method"), _field(proto, "sip.Status-Code")
    call_id = _field(proto, "sip.Call-ID")
    if not call_id or not (method or status):
        return None
    content = "".join(
        field.get("value", "") for field in proto.findall("field") if field.get("name") != "sip.resend"
    ) + "".join(
        field.get("value", "") for field in proto.iter("field") if field.get("name") in ("sip.msg_hdr", "sip.msg_body")
    )
    return _Message(
        *hosts,
        *ports,
        call_id,
        method if _is_request(proto) else status,
        _is_request(proto),
        _field(proto, "sip.CSeq"),
        _field(proto, "sip.Via.branch"),
        _field(proto, "sip.to.tag"),
        content,
    )


def _is_request(proto: ElementTree.Element) -> bool:
    return next(proto.iter("field")).get("name") == "sip.Request-Line"


def _field(proto: ElementTree.Element, name: str) -> str:
    return next((field.get("show", "") for field in proto.iter("field") if field.get("name") == name), "")


def tshark_streams(pcap: Path, sip_ports: Sequence[int] = ()) -> list[Stream]:
    """The RTP streams that tshark ties to the SDP of the capture."""
    decode = [word for port in sip_ports for word in ("-d", f"udp.port=={port},sip", "-d", f"tcp.port=={port},sip")]
    argv = ["tshark", "-n", "-q", "-r", str(pcap), *HEURISTICS, *decode, "-z", "rtp,streams"]
    text = subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout.decode(errors="replace")
    pattern = (
        r"^\s*[\d.]+\s+[\d.]+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+0x([0-9A-Fa-f]+)\s+(.+?)\s+(\d+)\s+(-?\d+) \(\S+\)"
        r"\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+([\d.]+)"
    )
    found = re.findall(pattern, text, re.MULTILINE)
    return [
        Stream(f"{src}:{sp}", f"{dst}:{dp}", int(ssrc, 16), payload, int(packets), int(lost), float(jitter))
        for src, sp, dst, dp, ssrc, payload, packets, lost, jitter in found
    ]


def tshark_count(pcap: Path, display_filter: str) -> int:
    """How many packets match a Wireshark display filter."""
    argv = ["tshark", "-n", "-r", str(pcap), *HEURISTICS, "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
    return len(subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout.split())
