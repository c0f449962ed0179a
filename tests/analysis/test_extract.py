"""Written packets are the captured ones, and those of the chosen calls: nothing else, nothing missing."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import dpkt
import pytest

from sipreplay.analysis.extract import export_calls
from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from sipreplay.capture.write import PcapWriter
from sipreplay.errors import UsageError

CAPTURES = Path(__file__).parents[2] / "captures"
A, B = ("192.0.2.1", 5060), ("192.0.2.2", 5060)


def packets(path: Path) -> list[tuple[float, bytes]]:
    with open(path, "rb") as file:
        return [(float(time), bytes(data)) for time, data in dpkt.pcap.UniversalReader(file)]


def invite(call: str, port: int, media: str = "audio {port} RTP/AVP 0", method: str = "INVITE") -> bytes:
    body = f"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm={media.format(port=port)}\r\n"
    return (
        f"{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{call}\r\n"
        f"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def rtp(sequence: int, ssrc: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, ssrc) + bytes(160)


def media(writer: PcapWriter, start: float, ports: tuple[int, int], ssrc: int, count: int = 20) -> None:
    for n in range(count):
        writer.udp(start + n / 50, ("192.0.2.1", ports[0]), ("192.0.2.2", ports[1]), rtp(n, ssrc))


def export(analysis: Analysis, output: Path, *numbers: int) -> list[tuple[float, bytes]]:
    copied = export_calls(analysis, [call for call in analysis.calls if call.id in numbers], output)
    written = packets(output)
    assert copied.packets == len(written)
    return written


@pytest.mark.parametrize("name", ["uac_pcap-g711-dtmf.pcap", "tcp-call.pcap", "baresip-busy-cancel-callee-bye.pcap"])
def test_every_call_alone_is_the_same_call_again(tmp_path: Path, name: str) -> None:
    original = packets(CAPTURES / name)
    whole = analyse([CAPTURES / name])
    for call in whole.calls:
        output = tmp_path / f"{call.id}.pcap"
        assert not Counter(export(whole, output, call.id)) - Counter(original), (
            "packets, bytes and times are captured ones"
        )
        again = analyse([output])
        members = set(call.dialogs)
        ours = [m.data for d in again.dialogs for m in d.messages]
        assert sorted(ours) == sorted(m.data for ident in members for m in whole.dialog(ident).messages)
        streams = {(s.source, s.destination, s.ssrc, s.packets, s.lost) for s in whole.streams if s.dialog in members}
        assert {(s.source, s.destination, s.ssrc, s.packets, s.lost) for s in again.streams} == streams


def test_rtcp_t38_and_short_media_go_along_and_what_shares_a_port_does_not(tmp_path: Path) -> None:
    source = tmp_path / "in.pcap"
    with PcapWriter(source) as writer:
        writer.udp(1000.0, A, B, invite("one", 4000))
        writer.udp(1000.0, A, B, invite("two", 4000))  # a tester that has one port for all calls
        writer.udp(1000.1, A, B, invite("fax", 4010, "image {port} udptl t38"))
        media(writer, 1000.2, (7000, 4000), 1)
        media(writer, 1000.2, (7002, 4000), 2)
        writer.udp(1000.3, ("192.0.2.2", 7001), ("192.0.2.1", 4001), b"\x80\xc8\x00\x06" + bytes(24))
        writer.udp(1000.4, ("192.0.2.2", 7010), ("192.0.2.1", 4010), b"\x00\x01\x02t38")
        writer.udp(1000.5, ("192.0.2.2", 9000), ("192.0.2.1", 9001), b"something else")
        writer.udp(1009.0, ("192.0.2.2", 7010), ("192.0.2.1", 4010), b"\x00\x01\x02later")
    analysis = analyse([source])
    of_call = {analysis.dialog(call.dialogs[0]).call_id: call.id for call in analysis.calls}
    fax = export(analysis, tmp_path / "fax.pcap", of_call["fax"])
    assert [data[42:] for _, data in fax[1:]] == [b"\x00\x01\x02t38"]
    one = export(analysis, tmp_path / "one.pcap", of_call["one"])
    assert sum(data[42:44] == b"\x80\xc8" for _, data in one) == 1


def test_a_stream_of_another_call_on_the_same_port_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "in.pcap"
    with PcapWriter(source) as writer:
        writer.udp(1000.0, A, B, invite("one", 4000))
        writer.udp(1000.0, A, B, invite("two", 4100))
        for start, ssrc in ((1000.1, 1), (1000.2, 2)):
            for n in range(20):
                writer.udp(
                    start + n / 50, (B[0], 7000 + ssrc), ("192.0.2.1", 4000 if ssrc == 1 else 4100), rtp(n, ssrc)
                )
    analysis = analyse([source])
    assert len(analysis.streams) == 2
    for call in analysis.calls:
        [stream] = [s for s in analysis.streams if s.dialog in call.dialogs]
        written = export(analysis, tmp_path / f"{call.id}.pcap", call.id)
        assert {data[50:54] for _, data in written[1:]} == {stream.ssrc.to_bytes(4, "big")}


def test_all_fragments_of_a_message_go_along(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, UDP, fragment
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    frames = []
    for number, call in enumerate(("one", "two")):
        ip = IP(src=A[0], dst=B[0], id=number + 1) / UDP(sport=5060, dport=5060) / (invite(call, 4000) + b"x" * 100)
        frames += [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / part for part in fragment(ip, 200)]
    for number, frame in enumerate(frames):
        frame.time = 1000 + number / 1000
    source = tmp_path / "in.pcap"
    wrpcap(str(source), frames)
    analysis = analyse([source])
    assert len(analysis.calls) == 2
    written = export(analysis, tmp_path / "out.pcap", 1)
    assert [data for _, data in written] == [bytes(frame) for frame in frames[: len(frames) // 2]]


def test_several_captures_are_one_file_in_the_order_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    with PcapWriter(first) as one, PcapWriter(second) as two:
        one.udp(1000.0, A, B, invite("one", 4000))
        for n in range(40):
            (one if n % 2 else two).udp(1000.1 + n / 50, ("192.0.2.2", 7000), ("192.0.2.1", 4000), rtp(n, 9))
    written = export(analyse([first, second]), tmp_path / "out.pcap", 1)
    assert len(written) == 41
    assert [time for time, _ in written] == sorted(time for time, _ in written)


def test_two_link_types_need_pcapng(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    with PcapWriter(first) as one, PcapWriter(second, "RAW", nanoseconds=True) as two:
        one.udp(1000.0, A, B, invite("one", 4000))
        two.udp(1000.000000123, A, B, invite("two", 4010))
    analysis = analyse([first, second])
    output = tmp_path / "out.pcap"
    assert export_calls(analysis, analysis.calls, output) == (2, "pcapng")
    again = analyse([output])
    assert sorted(d.call_id for d in again.dialogs) == ["one", "two"]
    assert [capture.link_types for capture in again.captures] == [["ETHERNET", "RAW"]]
    assert export_calls(analysis, analysis.calls[:1], output) == (1, "pcap")
    assert export_calls(analysis, analysis.calls[:1], tmp_path / "out.pcapng") == (1, "pcapng")


def test_what_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    analysis = analyse([CAPTURES / "tcp-call.pcap"])
    analysis.captures[0].path = "-"
    with pytest.raises(UsageError, match="cannot be read twice"):
        export_calls(analysis, analysis.calls, tmp_path / "out.pcap")
    with pytest.raises(UsageError, match="no call is chosen"):
        export_calls(analyse([CAPTURES / "tcp-call.pcap"]), [], tmp_path / "out.pcap")


def test_packets_of_a_later_capture_have_the_numbers_of_their_own_file(tmp_path: Path) -> None:
    for name, start in (("a.pcap", 1000.0), ("b.pcap", 2000.0)):
        with PcapWriter(tmp_path / name) as writer:
            writer.udp(start, ("192.0.2.9", 53), ("192.0.2.8", 53), b"something else altogether")
            writer.udp(start + 1, A, B, invite(name, 4000))
    analysis = analyse([tmp_path])
    assert [(m.capture, m.packet) for d in analysis.dialogs for m in d.messages] == [(0, 2), (1, 2)]
    assert len(export(analysis, tmp_path / "out.pcap", 2)) == 1


def test_what_is_in_a_tunnel_is_found_there(tmp_path: Path) -> None:
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.l2 import Ether
    from scapy.layers.vxlan import VXLAN
    from scapy.utils import wrpcap

    outer = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="198.51.100.1", dst="198.51.100.2")
    ether = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
    ip, back = IP(src=A[0], dst=B[0]), IP(src=B[0], dst=A[0])
    text = invite("one", 4000)
    inner = [
        ip / TCP(sport=5061, dport=5060, flags="S", seq=100),
        ip / TCP(sport=5061, dport=5060, flags="PA", seq=101) / text[:200],
        ip / TCP(sport=5061, dport=5060, flags="PA", seq=301) / text[200:],
        back / UDP(sport=4001, dport=4001) / (b"\x80\xc8\x00\x06" + bytes(24)),
        *(back / UDP(sport=7000, dport=4000) / rtp(n, 9) for n in range(10)),
        back / UDP(sport=53, dport=5353) / b"something else",
    ]
    frames = [outer / UDP(sport=40000, dport=4789) / VXLAN(vni=7) / ether / packet for packet in inner]
    for number, frame in enumerate(frames):
        frame.time = 1000 + number / 50
    source = tmp_path / "in.pcap"
    wrpcap(str(source), frames)
    written = export(analyse([source]), tmp_path / "out.pcap", 1)
    assert [data for _, data in written] == [bytes(frame) for frame in frames[:-1]]


def test_a_call_over_tls_keeps_its_handshake_and_the_secrets_that_came_with_the_capture(tmp_path: Path) -> None:

    from scapy.layers.inet import IP, TCP
    from scapy.layers.l2 import Ether

    from sipreplay.capture.records import Record, RecordFile
    from tests.capture.tls_talk import contexts, talk

    text = invite("one", 4000).replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS")
    held, _ = talk(contexts(tmp_path, "1.3"), [(0, text)])
    ends = [(A[0], 5061), (B[0], 5061)]
    numbers = [1000, 5000]
    records = []
    for who, data in held.flights:
        for begin in range(0, len(data), 1400):
            (source, sport), (destination, dport) = ends[who], ends[1 - who]
            segment = (
                TCP(sport=sport, dport=dport, seq=numbers[who], ack=numbers[1 - who], flags="PA")
                / data[begin : begin + 1400]
            )
            frame = bytes(
                Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=source, dst=destination) / segment
            )
            numbers[who] += len(data[begin : begin + 1400])
            records.append(Record(10**12 + len(records) * 10**6, 0, len(records) + 1, 1, len(frame), frame))
    source = tmp_path / "in.pcapng"
    with RecordFile(source, None, secrets=[(0x544C534B, held.keylog)]) as file:
        for record in records:
            file.write(record)
    analysis = analyse([source])
    assert [dialog.transport for dialog in analysis.dialogs] == ["TLS"]
    output = tmp_path / "out.pcapng"
    assert export_calls(analysis, analysis.calls, output).packets == len(records)
    assert [m.data for d in analyse([output]).dialogs for m in d.messages] == [text]
