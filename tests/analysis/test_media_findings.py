"""Each finding on a call that has that fault, and none on calls that have none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from sipreplay.analysis.findings import Finding, Severity, findings
from sipreplay.analysis.media_findings import found
from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from sipreplay.rtp.events import event_packets
from sipreplay.rtp.packet import build_rtp
from sipreplay.rtp.rtcp import ReportBlock, build_receiver_report
from tests.analysis.media_call import A_MEDIA, B_MEDIA, Packet, analysed, audio, both, message, rtp, sdp

OWN = Path(__file__).resolve().parents[2] / "captures"


def rules(analysis: Analysis) -> dict[str, Severity]:
    return {finding.rule: finding.severity for finding in found(analysis)}


def the(analysis: Analysis, rule: str) -> Finding:
    (finding,) = [finding for finding in found(analysis) if finding.rule == rule]
    return finding


def lossy(packets: Iterable[Packet], every: int) -> list[Packet]:
    return [packet for number, packet in enumerate(packets) if number % every != every // 2]


def delayed(packets: Iterable[Packet], by_s: float, every: int = 2) -> list[Packet]:
    return [(p[0] + (by_s if n % every else 0), *p[1:]) for n, p in enumerate(packets)]


def test_a_sound_call_has_none(tmp_path: Path) -> None:
    assert rules(analysed(tmp_path / "c.pcap", both())) == {}


@pytest.mark.parametrize("name", sorted(path.name for path in OWN.glob("*.pcap")))
def test_captures_of_sound_peers_have_notes_at_most(name: str) -> None:
    assert all(severity == Severity.NOTE for severity in rules(analyse([OWN / name])).values())


def test_one_way_audio(tmp_path: Path) -> None:
    finding = the(analysed(tmp_path / "c.pcap", rtp(A_MEDIA, B_MEDIA)), "one-way-audio")
    assert finding.severity == Severity.ERROR
    assert finding.title == "one-way audio: nothing from the callee"
    assert (finding.calls, finding.dialogs, finding.streams) == ((1,), (1,), (1,))
    assert (0, 1) in finding.packets


def test_media_both_ways_with_a_host_that_no_sdp_names_is_not_one_way(tmp_path: Path) -> None:
    elsewhere = ("192.0.2.77", 4376)
    media = [*rtp(A_MEDIA, elsewhere, ssrc=77), *rtp(elsewhere, B_MEDIA, ssrc=88)]
    analysis = analysed(tmp_path / "c.pcap", media)
    assert {stream.from_caller for stream in analysis.streams} == {True}
    assert not rules(analysis).keys() & {"one-way-audio", "one-way-by-sdp"}
    analysis = analysed(tmp_path / "d.pcap", [*rtp(A_MEDIA, elsewhere, ssrc=77), *rtp(A_MEDIA, B_MEDIA, ssrc=78)])
    assert "one-way-audio" in rules(analysis)


@pytest.mark.parametrize(("offered", "answered"), [("sendonly", "recvonly"), ("sendrecv", "recvonly")])
def test_one_way_audio_that_sdp_wants(tmp_path: Path, offered: str, answered: str) -> None:
    analysis = analysed(
        tmp_path / "c.pcap",
        rtp(A_MEDIA, B_MEDIA),
        offer=sdp("192.0.2.1", audio(4000, "0", offered)),
        answer=sdp("192.0.2.2", audio(6000, "0", answered)),
    )
    assert rules(analysis) == {"one-way-by-sdp": Severity.NOTE}


def test_an_answered_call_without_media_among_others(tmp_path: Path) -> None:
    other = [*rtp(("192.0.2.8", 9000), ("192.0.2.9", 9000))]
    assert rules(analysed(tmp_path / "c.pcap", other)) == {
        "no-media": Severity.WARNING,
        "rtp-without-sdp": Severity.NOTE,
    }


def test_a_capture_of_signalling_alone_misses_no_media(tmp_path: Path) -> None:
    assert rules(analysed(tmp_path / "c.pcap", [])) == {}


def test_silence(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA, payload=b"\xff" * 160), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert "caller" in the(analysed(tmp_path / "c.pcap", media), "only-silence").title


def test_comfort_noise_alone_is_silence(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA, kind=13, payload=b"\x40"), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert "comfort noise" in the(analysed(tmp_path / "c.pcap", media), "only-silence").why


def test_late_media(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA), *rtp(B_MEDIA, A_MEDIA, ssrc=88, start=4.0, count=150)]
    finding = the(analysed(tmp_path / "c.pcap", media), "late-media")
    assert finding.title == "the callee is first heard 3.5 s after the answer"


def test_media_before_the_answer(tmp_path: Path) -> None:
    hasty = list(rtp(B_MEDIA, A_MEDIA, ssrc=88, start=0.01, count=320))
    analysis = analysed(tmp_path / "c.pcap", [*rtp(A_MEDIA, B_MEDIA, start=2.6, count=200), *hasty])
    assert "media-before-sdp" not in rules(analysis), "half a second is common"


def test_a_payload_type_that_was_not_accepted(tmp_path: Path) -> None:
    answer = sdp("192.0.2.2", audio(6000, "8"))
    offer = sdp("192.0.2.1", audio(4000, "0 8"))
    media = [*rtp(A_MEDIA, B_MEDIA), *rtp(B_MEDIA, A_MEDIA, kind=8, ssrc=88)]
    finding = the(analysed(tmp_path / "c.pcap", media, offer=offer, answer=answer), "payload-type-not-accepted")
    assert finding.title.startswith("payload type 0 of the caller")


def test_a_type_that_the_m_line_lists_without_a_codec_is_accepted(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA, kind=101), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert "payload-type-not-accepted" not in rules(analysed(tmp_path / "c.pcap", media))


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (400, {}),
        (60, {"rtp-loss": Severity.WARNING}),
        (15, {"rtp-loss": Severity.ERROR}),
        (4, {"rtp-loss": Severity.ERROR, "low-mos": Severity.ERROR}),
    ],
)
def test_loss(tmp_path: Path, every: int, expected: dict[str, Severity]) -> None:
    media = [*lossy(rtp(A_MEDIA, B_MEDIA), every), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert rules(analysed(tmp_path / "c.pcap", media)) == expected


def test_ten_bad_seconds_of_a_good_call(tmp_path: Path) -> None:
    bad = [p for n, p in enumerate(rtp(A_MEDIA, B_MEDIA, count=6000)) if not 1000 <= n < 1500 or n % 4]
    analysis = analysed(tmp_path / "c.pcap", [*bad, *rtp(B_MEDIA, A_MEDIA, ssrc=88, count=6000)], bye=121.0)
    finding = the(analysis, "bad-ten-seconds")
    assert "from 20 s" in finding.why


def test_jitter_and_packets_too_late(tmp_path: Path) -> None:
    media = [*delayed(rtp(A_MEDIA, B_MEDIA), 0.080, 2), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert {"rtp-jitter", "rtp-too-late"} <= set(rules(analysed(tmp_path / "c.pcap", media)))


def test_clock_drift(tmp_path: Path) -> None:
    fast = [(0.6 + (p[0] - 0.6) / 1.0005, *p[1:]) for p in rtp(A_MEDIA, B_MEDIA, count=2000)]
    analysis = analysed(tmp_path / "c.pcap", [*fast, *rtp(B_MEDIA, A_MEDIA, ssrc=88, count=2000)], bye=41.0)
    assert "500 ppm fast" in the(analysis, "clock-drift").title


def test_packet_time_that_nobody_asked_for(tmp_path: Path) -> None:
    answer = sdp("192.0.2.2", audio(6000, "0", "ptime:30"))
    assert rules(analysed(tmp_path / "c.pcap", both(), answer=answer)) == {"ptime-not-as-asked": Severity.NOTE}


def test_media_to_an_address_that_nobody_offered(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, ("198.51.100.1", 9000)), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert "198.51.100.1:9000" in the(analysed(tmp_path / "c.pcap", media), "media-to-unoffered-address").title


def test_a_nat_is_a_note(tmp_path: Path) -> None:
    outside = ("203.0.113.7", 31000)
    media = [*rtp(outside, B_MEDIA), *rtp(B_MEDIA, outside, ssrc=88)]
    assert rules(analysed(tmp_path / "c.pcap", media)) == {"nat": Severity.NOTE}


def test_rtp_after_bye(tmp_path: Path) -> None:
    media = [*rtp(A_MEDIA, B_MEDIA, count=500), *rtp(B_MEDIA, A_MEDIA, ssrc=88)]
    assert "caller goes on 3.6 s" in the(analysed(tmp_path / "c.pcap", media), "rtp-after-bye").title


def test_encrypted_media_without_keys(tmp_path: Path) -> None:
    body = audio(4000, "0", "fingerprint:sha-256 AA:BB", proto="UDP/TLS/RTP/SAVP")
    offer, answer = sdp("192.0.2.1", body), sdp("192.0.2.2", body.replace("4000", "6000"))
    finding = the(analysed(tmp_path / "c.pcap", rtp(A_MEDIA, B_MEDIA), offer=offer, answer=answer), "srtp-without-keys")
    assert "DTLS" in finding.why


def test_loss_that_only_the_receiver_saw(tmp_path: Path) -> None:
    report = build_receiver_report(88, (ReportBlock(77, 0.1, 30, 300, 10, 0, 0.0),))
    more = [(6.0, ("192.0.2.2", 6001), ("192.0.2.1", 4001), report)]
    assert rules(analysed(tmp_path / "c.pcap", both(), more=more)) == {"loss-behind-capture": Severity.WARNING}


def test_digits_in_two_ways(tmp_path: Path) -> None:
    info = message("INFO", "2 INFO", "b").replace(
        b"Content-Length: 0\r\n\r\n",
        b"Content-Type: application/dtmf-relay\r\nContent-Length: 24\r\n\r\nSignal=5\r\nDuration=160\r\n",
    )
    tone = [
        (3.0 + at / 1000, A_MEDIA, B_MEDIA, build_rtp(packet))
        for at, packet in event_packets("5", payload_type=101, ssrc=79)
    ]
    body = audio(4000, "0 101", "rtpmap:101 telephone-event/8000")
    more = [(3.0, ("192.0.2.1", 5060), ("192.0.2.2", 5060), info)]
    more += [(3.01, ("192.0.2.2", 5060), ("192.0.2.1", 5060), message("200 OK", "2 INFO", "b"))]
    analysis = analysed(
        tmp_path / "c.pcap",
        [*both(), *tone],
        offer=sdp("192.0.2.1", body),
        answer=sdp("192.0.2.2", body.replace("4000", "6000")),
        more=more,
        bye=None,
    )
    assert "5 in RTP, 5 by INFO" in the(analysis, "digits-twice").why


def test_a_digit_without_end(tmp_path: Path) -> None:
    tone = [
        (3.0 + at / 1000, A_MEDIA, B_MEDIA, build_rtp(packet))
        for at, packet in event_packets("5", payload_type=101, ssrc=79)
    ][:5]
    body = audio(6000, "0 101", "rtpmap:101 telephone-event/8000")
    analysis = analysed(tmp_path / "c.pcap", [*both(), *tone], answer=sdp("192.0.2.2", body))
    assert "end bit of 5" in the(analysis, "digit-without-end").why


def test_they_are_among_all_findings(tmp_path: Path) -> None:
    assert "one-way-audio" in {f.rule for f in findings(analysed(tmp_path / "c.pcap", rtp(A_MEDIA, B_MEDIA)))}


@pytest.mark.parametrize(("carried", "lost"), [("42", None), ("4", "2"), ("", "42")])
def test_digits_that_a_b2bua_does_not_carry_on(tmp_path: Path, carried: str, lost: str | None) -> None:
    """One call of two legs: the second has the host of the first's callee as its caller, and names its Call-ID."""
    event = "rtpmap:101 telephone-event/8000"
    far, near = ("192.0.2.3", 7000), ("192.0.2.2", 6100)

    def leg(data: bytes) -> bytes:
        data = data.replace(b"call@test", b"leg2@test").replace(b"192.0.2.1:5060", b"192.0.2.2:5060")
        return data.replace(b"\r\nContent-Length", b"\r\nX-Call-ID: call@test\r\nContent-Length", 1)

    def tones(digits: str, source: tuple[str, int], target: tuple[str, int], ssrc: int) -> list[Packet]:
        packets = event_packets(digits, payload_type=101, ssrc=ssrc, sequence=300, timestamp=48000)
        return [(6.6 + at / 1000, source, target, build_rtp(packet)) for at, packet in packets]

    offer, answer = sdp("192.0.2.2", audio(6100, "0 101", event)), sdp("192.0.2.3", audio(7000, "0 101", event))
    more = [
        (0.1, ("192.0.2.2", 5060), ("192.0.2.3", 5060), leg(message("INVITE", "1 INVITE", body=offer))),
        (0.3, ("192.0.2.3", 5060), ("192.0.2.2", 5060), leg(message("200 OK", "1 INVITE", "b", answer))),
        (0.31, ("192.0.2.2", 5060), ("192.0.2.3", 5060), leg(message("ACK", "1 ACK", "b"))),
        *rtp(near, far, ssrc=79, count=320, start=0.6),
        *tones(carried, near, far, 79),
        *rtp(far, near, ssrc=80, count=320, start=0.6),
        *tones("42", A_MEDIA, B_MEDIA, 77),
    ]
    body = audio(4000, "0 101", event)
    analysis = analysed(
        tmp_path / "c.pcap",
        both(),
        offer=sdp("192.0.2.1", body),
        answer=sdp("192.0.2.2", body.replace("4000", "6000")),
        more=more,
    )
    assert len(analysis.calls) == 1
    digits = [finding.why for finding in found(analysis) if finding.rule == "digits-lost-between-legs"]
    assert [why.partition(" ")[0] for why in digits] == ([lost] if lost else [])
