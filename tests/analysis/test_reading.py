"""Whole captures to an analysis."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.analysis import sdp_media
from sipreplay.analysis.model import Address
from sipreplay.analysis.reading import analyse
from sipreplay.errors import CaptureError
from sipreplay.sip.sdp import parse_sdp
from tests.capture.frames import BEGAN, ethernet, ip, pcap, rtp, tcp, udp

CALLER, CALLEE = "192.0.2.1", "192.0.2.2"


def sdp(host, port, lines="m=audio {port} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"):
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n" + lines.format(port=port)


def message(start, call="c1", cseq="1 INVITE", tag="", body="", branch="b1"):
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{start}\r\nVia: SIP/2.0/UDP {CALLER}:5060;branch=z9hG4bK{branch}\r\nFrom: <sip:a@example.com>;tag=f\r\n"
        f"To: <sip:b@example.com>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq}\r\nContact: <sip:x@{CALLEE}>\r\n{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


INVITE = message("INVITE sip:b@example.com SIP/2.0", body=sdp(CALLER, 4000))
RINGING = message("SIP/2.0 180 Ringing", tag=";tag=t")
OK = message("SIP/2.0 200 OK", tag=";tag=t", body=sdp(CALLEE, 4002))
ACK = message("ACK sip:x@192.0.2.2 SIP/2.0", cseq="1 ACK", tag=";tag=t", branch="b2")
BYE = message("BYE sip:x@192.0.2.2 SIP/2.0", cseq="2 BYE", tag=";tag=t", branch="b3")
OK_BYE = message("SIP/2.0 200 OK", cseq="2 BYE", tag=";tag=t", branch="b3")


def there(payload, ports=(5060, 5060)):
    return udp(payload, CALLER, CALLEE, ports)


def back(payload, ports=(5060, 5060)):
    return udp(payload, CALLEE, CALLER, ports)


def call(media=50):
    """(time, packet) of a call with media both ways."""
    out = [(0.0, there(INVITE)), (0.1, back(RINGING)), (1.0, back(OK)), (1.01, there(ACK))]
    for n in range(media):
        out.append((1.1 + n * 0.02, udp(rtp(n, n * 160, 1), CALLER, CALLEE, (4000, 4002), ident=n + 1)))
        out.append((1.105 + n * 0.02, udp(rtp(n, n * 160, 2), CALLEE, CALLER, (4002, 4000), ident=n + 1)))
    end = 1.2 + media * 0.02
    return [*out, (end, there(BYE)), (end + 0.01, back(OK_BYE))]


@pytest.fixture
def write(tmp_path):
    def run(packets, name="c.pcap"):
        packets = sorted(packets, key=lambda item: item[0])
        data = pcap([ethernet(data) for _, data in packets], times=[BEGAN + time for time, _ in packets])
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return run


def test_a_call_with_media(write):
    analysis = analyse([write(call())])
    (dialog,) = analysis.dialogs
    assert (dialog.state, len(analysis.messages), analysis.malformed) == ("completed", 6, 0)
    assert (dialog.pdd_ms, dialog.setup_ms) == (pytest.approx(100, abs=0.1), pytest.approx(1000, abs=0.1))
    forward, reverse = analysis.streams
    assert (forward.source, forward.destination) == (Address(CALLER, 4000), Address(CALLEE, 4002))
    assert (forward.dialog, forward.media, forward.from_caller) == (dialog.id, "audio", True)
    assert (reverse.dialog, reverse.from_caller) == (dialog.id, False)
    assert (forward.packets, forward.lost, forward.codec) == (50, 0, "PCMU")
    assert forward.mos == pytest.approx(4.41, abs=0.01)
    assert [call.dialogs for call in analysis.calls] == [[dialog.id]]
    (capture,) = analysis.captures
    assert (capture.packets, capture.format, capture.link_types, capture.problems) == (106, "pcap", ["ETHERNET"], [])
    assert capture.first == pytest.approx(BEGAN)


def test_signalling_over_tcp_in_pieces(write):
    whole = INVITE + ACK
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    packets = [(0.0, tcp(b"", 0, 2))]
    packets += [(0.1 + 0.01 * n, tcp(piece, 1 + 100 * n)) for n, piece in enumerate(pieces)]
    packets[1], packets[2] = (packets[2][0], packets[1][1]), (packets[1][0], packets[2][1])
    analysis = analyse([write(packets)])
    assert [(m.message.method, m.transport) for m in analysis.messages] == [("INVITE", "TCP"), ("ACK", "TCP")]
    assert [m.data for m in analysis.messages] == [INVITE, ACK]


def test_fax_over_udptl_is_no_rtp(write):
    fax = "m=image {port} udptl t38\r\n"
    packets = [(0.0, there(message("INVITE sip:b@example.com SIP/2.0", body=sdp(CALLER, 4000, fax))))]
    packets += [(1.0 + n, udp(b"\x80\x01" + bytes([n]) * 30, CALLEE, CALLER, (4002, 4000), ident=n)) for n in range(4)]
    assert analyse([write(packets)]).streams == []


def test_missing_tcp_bytes_cost_one_message_and_are_said(write):
    packets = [(0.0, tcp(b"", 0, 2)), (0.1, tcp(INVITE[:200], 1))]
    packets += [(0.2, tcp(INVITE[300:] + ACK, 301)), (0.3, tcp(BYE, 1 + len(INVITE + ACK)))]
    analysis = analyse([write(packets)])
    assert [m.message.method for m in analysis.messages] == ["ACK", "BYE"]
    assert "100 bytes of the TCP stream" in analysis.captures[0].problems[0].what
    assert analysis.malformed == 1
    assert analysis.malformed_packets == ((0, 4),)  # the first that shows the gap is over


def test_a_tcp_direction_joined_in_the_middle_of_a_message(write):
    packets = [(0.1, tcp(INVITE[250:], 1)), (0.2, tcp(b"\r\n\r\n", len(INVITE) - 249))]
    packets += [(0.3, tcp(ACK[:50], len(INVITE) - 245)), (0.4, tcp(ACK[50:], len(INVITE) - 195))]
    analysis = analyse([write(packets)])
    assert [m.data for m in analysis.messages] == [ACK]


def test_other_tcp_traffic_is_no_sip(write):
    packets = [(0.0, tcp(b"", 0, 2)), (0.1, tcp(b"GET / HTTP/1.1\r\n\r\n", 1))]
    packets += [(1 + n / 100, tcp(b"X" * 1000, 1000 * n, ports=(80, 9000))) for n in range(200)]
    analysis = analyse([write(packets)])
    assert (analysis.messages, analysis.malformed, analysis.captures[0].problems) == ([], 0, [])


def test_a_fragmented_invite(write):
    datagram = udp(INVITE, CALLER, CALLEE, (5060, 5060))[20:]
    first = ip(datagram[:200], 17, CALLER, CALLEE, 77, 0x2000)
    rest = ip(datagram[200:], 17, CALLER, CALLEE, 77, 200 // 8)
    analysis = analyse([write([(0.0, rest), (0.001, first), (0.1, back(RINGING))])])
    assert [m.data for m in analysis.messages] == [INVITE, RINGING]
    assert [m.packet for m in analysis.messages] == [2, 3]


def test_a_call_over_ipv6(write):
    one, two = "2001:db8::1", "2001:db8::2"
    media = "m=audio {port} RTP/AVP 0\r\n"
    offer = sdp(one, 4000, media).replace("IP4", "IP6").replace(one, "2001:0db8:0:0::1")
    packets = [(0.0, udp(message("INVITE sip:b@example.com SIP/2.0", body=offer), one, two, (5060, 5060)))]
    packets += [(1.0 + 0.02 * n, udp(rtp(n, 160 * n), two, one, (4002, 4000))) for n in range(3)]
    analysis = analyse([write(packets)])
    assert analysis.messages[0].source == Address(one, 5060)
    assert [(s.packets, s.dialog, s.from_caller) for s in analysis.streams] == [(3, 1, False)]


def test_media_announced_over_tcp_is_tied_to_its_dialog(write):
    packets = [(0.0, tcp(b"", 0, 2, CALLER, CALLEE)), (0.1, tcp(INVITE, 1, 0x18, CALLER, CALLEE))]
    packets += [(0.5 + 0.02 * n, udp(rtp(n, n * 160), CALLEE, CALLER, (4002, 4000))) for n in range(4)]
    (stream,) = analyse([write(packets)]).streams
    assert (stream.dialog, stream.from_caller) == (1, False)


def test_every_captured_packet_twice_changes_no_figure(write):
    once = call()
    twice = once + [(time + 0.0005, packet) for time, packet in once]
    plain, mirrored = analyse([write(once)]), analyse([write(twice, "m.pcap")])
    assert [m.copy for m in mirrored.messages] == [False, True] * 6
    for ours, theirs in zip(plain.streams, mirrored.streams, strict=True):
        assert (ours.packets, ours.lost, ours.duplicates) == (theirs.packets, theirs.lost, theirs.duplicates)
        assert ours.mean_jitter_ms == pytest.approx(theirs.mean_jitter_ms)
    assert len(mirrored.dialogs) == 1


def test_a_message_that_the_capture_cut_is_a_problem(tmp_path):
    frame = ethernet(there(INVITE))
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap([frame[:200]], original=[len(frame)]))
    analysis = analyse([path])
    assert "cut" in analysis.captures[0].problems[0].what
    assert analysis.captures[0].problems[0].packet == 1


def test_media_that_the_capture_cut_is_measured_and_said(tmp_path):
    frames = [ethernet(udp(rtp(n, 160 * n), ports=(4000, 4002), ident=n)) for n in range(20)]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap([frame[:60] for frame in frames], original=[len(frame) for frame in frames]))
    analysis = analyse([path])
    assert analysis.streams[0].packets == 20
    first, second = analysis.captures[0].problems
    assert (first.packet, first.what[:18]) == (1, "20 of 20 packets were cut"[:18])
    assert "20 RTP packets are cut" in second.what


def test_several_files_are_captures_of_their_own(write):
    whole = sorted(call(), key=lambda item: item[0])
    analysis = analyse([write(whole[:30], "1.pcap"), write(whole[30:], "2.pcap")])
    assert [capture.packets for capture in analysis.captures] == [30, 76]
    assert {m.capture for m in analysis.messages} == {0, 1}
    assert [(s.packets, s.lost) for s in analysis.streams] == [(50, 0), (50, 0)]
    assert analysis.dialogs[0].state == "completed"


def test_packets_out_of_order_in_time(tmp_path):
    packets = call()
    times = [BEGAN + time for time, _ in packets]
    times[0], times[3] = times[3], times[0]
    path = tmp_path / "o.pcap"
    path.write_bytes(pcap([ethernet(data) for _, data in packets], times=times))
    analysis = analyse([path])
    assert len(analysis.messages) == 6
    assert analysis.captures[0].first == pytest.approx(min(times))


def test_a_capture_without_sip(write):
    analysis = analyse([write([(0.0, udp(b"\x12\x34\x01\x00\x00\x01" + bytes(20), ports=(53000, 53)))])])
    assert (analysis.messages, analysis.dialogs, analysis.streams) == ([], [], [])


def test_sip_without_a_complete_call(write):
    analysis = analyse([write([(0.0, there(INVITE)), (0.5, udp(INVITE, CALLER, CALLEE, (5060, 5060), ident=2))])])
    assert [m.retransmission for m in analysis.messages] == [False, True]
    assert len(analysis.dialogs) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_damaged_capture_is_survived(tmp_path_factory, damage):
    packets = sorted(call(10), key=lambda item: item[0])
    data = bytearray(pcap([ethernet(data) for _, data in packets], times=[BEGAN + time for time, _ in packets]))
    for at, value in damage:
        data[24 + at % (len(data) - 24)] = value
    path = tmp_path_factory.mktemp("damaged") / "d.pcap"
    path.write_bytes(data)
    assert analyse([path]).captures[0].packets <= len(data) // 16


def test_a_file_that_cannot_be_used_is_a_problem_unless_it_is_the_only_one(write, tmp_path):
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(b"nonsense")
    good = write(call())
    analysis = analyse([bad, good])
    assert figures(analysis) == figures(analyse([good]))
    assert "not used: not a capture" in analysis.captures[0].problems[0].what
    with pytest.raises(CaptureError, match=r"bad\.pcap: not a capture"):
        analyse([bad])
    with pytest.raises(CaptureError, match=r"bad\.pcap: not a capture.*1 other"):
        analyse([bad, bad])


def test_progress(write):
    told = []
    path = write(call())
    analyse([path], progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (path.stat().st_size,) * 2


def test_sip_on_any_port_among_other_text(write):
    packets = [(0.0, there(INVITE, (33333, 44444))), (0.1, there(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (80, 80)))]
    analysis = analyse([write(packets)])
    assert [m.source.port for m in analysis.messages] == [33333]
    assert analysis.malformed == 0


def figures(analysis):
    """Numbers of calls, dialogs and streams."""
    return len(analysis.calls), len(analysis.dialogs), len(analysis.streams)


def test_the_same_file_twice_changes_nothing_but_copies(write):
    path = write(call())
    once, twice = analyse([path]), analyse([path, path])
    assert figures(twice) == figures(once) == (1, 1, 2)
    assert [m.copy for m in twice.messages] == [False, True] * 6
    assert [m.capture for m in twice.messages] == [0, 1] * 6
    assert [(s.packets, s.lost, s.duplicates) for s in twice.streams] == [(50, 0, 0)] * 2
    assert [d.state for d in twice.dialogs] == ["completed"]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_conversation_recorded_anew_with_the_same_identifiers_is_another(write, reverse):
    first = write(call(), "1.pcap")
    second = write([(time + 3600, packet[:4] + b"\7\7" + packet[6:]) for time, packet in call(30)], "2.pcap")
    alone = analyse([first])
    both = analyse([second, first] if reverse else [first, second])
    assert figures(both) == (2, 2, 4)
    assert [s.dialog for s in both.streams] == [1, 1, 2, 2]
    assert not any(m.copy or m.retransmission for m in both.messages)
    assert [d.conversation for d in both.dialogs] == [0, 1]
    assert [(d.state, d.setup_ms) for d in both.dialogs] == [(d.state, d.setup_ms) for d in alone.dialogs] * 2


def test_repeats_across_rotated_files_are_retransmissions(write):
    first = write([(0.0, there(INVITE))], "1.pcap")
    second = write([(0.5, udp(INVITE, CALLER, CALLEE, (5060, 5060), ident=9)), (1.0, back(OK))], "2.pcap")
    analysis = analyse([first, second])
    assert [m.retransmission for m in analysis.messages] == [False, True, False]
    assert figures(analysis) == (1, 1, 0)


def test_the_captures_that_come_with_the_project_together_hold_what_they_hold_alone():
    paths = sorted((Path(__file__).parents[2] / "captures").glob("*.pcap"))
    alone = [figures(analyse([path])) for path in paths]
    assert len(alone) == 5
    together = analyse(paths)
    assert figures(together) == tuple(map(sum, zip(*alone, strict=True)))
    assert all(stream.dialog is not None for stream in together.streams)


def test_sdp_is_read_once_a_message(write, monkeypatch):
    read = []
    monkeypatch.setattr(sdp_media, "parse_sdp", lambda body: read.append(body) or parse_sdp(body))
    calls = 40
    packets = []
    for n in range(calls):
        body = sdp(CALLER, 4000 + 4 * n) + f"a=x:{n}\r\n"
        invite = message("INVITE sip:b@example.com SIP/2.0", f"c{n}", body=body, branch=f"b{n}")
        packets.append((n * 0.1, there(invite)))
    for cache in (sdp_media.media_facts, sdp_media._parsed):
        monkeypatch.setattr(sdp_media, cache.__name__, cache.__wrapped__)  # as if the capture were too long for it
    analysis = analyse([write(packets)])
    assert (len(analysis.dialogs), len(read), len(set(read))) == (calls, calls, calls)


def test_headers_are_there_when_asked_for(write):
    via = b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKup\r\n"
    packets = [(time, packet) for time, packet in call(0)]
    packets[0] = (0.0, there(INVITE.replace(b"From:", via + b"From:").replace(b"Content-Length:", b"l:")))
    analysis = analyse([write(packets)])
    assert len(analysis.messages[0].message.get_all("via")) == 2
    assert (analysis.dialogs[0].state, analysis.dialogs[0].from_tag) == ("completed", "f")


def test_a_tcp_connection_and_fragments_go_on_in_the_next_file(write):
    whole = INVITE + ACK
    packets = [(0.0, tcp(b"", 0, 2))] + [
        (0.01 * n, tcp(whole[100 * n - 100 : 100 * n], 100 * n - 99)) for n in range(1, 14)
    ]
    datagram = udp(BYE, CALLER, CALLEE, (5060, 5060))[20:]
    packets += [
        (0.5, ip(datagram[:200], 17, CALLER, CALLEE, 77, 0x2000)),
        (0.51, ip(datagram[200:], 17, CALLER, CALLEE, 77, 25)),
    ]
    files = [write(packets[at : at + 3], f"{at}.pcap") for at in range(0, len(packets), 3)]
    one, several = analyse([write(packets)]), analyse(files[::-1])
    assert [m.data for m in one.messages] == [INVITE, ACK, BYE]
    assert [m.data for m in several.messages] == [INVITE, ACK, BYE]
    assert len({m.capture for m in several.messages}) > 1
    assert not any(capture.problems for capture in several.captures)


def test_connections_begin_anew_in_a_file_that_is_much_later(write):
    begin = write([(0.0, tcp(b"", 0, 2)), (0.1, tcp(INVITE[:200], 1))], "1.pcap")
    later = write([(100.0, tcp(INVITE[200:] + ACK, 201))], "2.pcap")
    assert [m.data for m in analyse([later, begin]).messages] == [ACK]


@pytest.mark.parametrize("offset", [0.0, 0.03, 0.7])
def test_two_interfaces_that_saw_one_call_count_it_once(write, offset):
    one = write(call(), "1.pcap")
    two = write([(time + offset, packet) for time, packet in call()], "2.pcap")
    analysis = analyse([two, one])
    assert figures(analysis) == (1, 1, 2)
    assert sum(m.copy for m in analysis.messages) == 6
    assert [(s.packets, s.lost, s.duplicates) for s in analysis.streams] == [(50, 0, 0)] * 2


def test_the_two_sides_of_a_call_in_two_files(write):
    packets = call()
    sides = [
        [item for item in packets if item[1][12:16] == side] for side in (packets[0][1][12:16], packets[1][1][12:16])
    ]
    analysis = analyse([write(sides[0], "1.pcap"), write(sides[1], "2.pcap")])
    assert [m.capture for m in analysis.messages] == [0, 1, 1, 0, 0, 1]
    assert [d.state for d in analysis.dialogs] == ["completed"]
    assert [(s.packets, s.from_caller) for s in analysis.streams] == [(50, True), (50, False)]


def test_a_registration_that_goes_on_over_rotated_files_is_one(write):
    paths = []
    for n in range(3):
        register = message("REGISTER sip:example.com SIP/2.0", cseq=f"{n + 1} REGISTER", branch=f"r{n}")
        answer = message("SIP/2.0 200 OK", cseq=f"{n + 1} REGISTER", branch=f"r{n}", tag=";tag=t")
        paths.append(write([(n * 600, there(register)), (n * 600 + 0.1, back(answer))], f"{n}.pcap"))
    analysis = analyse(paths)
    assert figures(analysis) == (1, 1, 0)
    assert len(analysis.dialogs[0].transactions) == 3
