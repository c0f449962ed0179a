"""Which RTP a side plays, when, and what its files hold."""

from __future__ import annotations

import struct
from pathlib import Path

import dpkt

from sipreplay.bundle.folder import read_bundle
from sipreplay.learn.options import LearnOptions
from sipreplay.scenario.model import Exec, Nop, Pause, Recv, Scenario
from tests.learn.flows import ALICE, ANSWER, BOB, SDP, Talk, basic_call, learned, main_steps

Packets = list[tuple[float, tuple[str, int], tuple[str, int], bytes]]


def rtp(start: float, count: int, ssrc: int, *, up: bool = False, payload_type: int = 0, port: int = 0) -> Packets:
    """20 ms packets of the caller, or of the callee if `up`."""
    caller, callee = (ALICE[0], 41000 + port), (BOB[0], 42000 + port)
    source, destination = (callee, caller) if up else (caller, callee)
    return [
        (
            1000.0 + start + 0.02 * n,
            source,
            destination,
            struct.pack("!BBHII", 0x80, payload_type, 100 + n, 160 * n, ssrc) + bytes([n % 256]) * 160,
        )
        for n in range(count)
    ]


def plays(scenario: Scenario) -> list[str]:
    return [f"{a.kind} {a.value}" for e in main_steps(scenario) for a in e.actions if isinstance(a, Exec)]


def payloads(path: Path) -> list[tuple[float, bytes]]:
    with path.open("rb") as file:
        return [(time, bytes(dpkt.ethernet.Ethernet(data).data.data.data)) for time, data in dpkt.pcap.Reader(file)]


def test_each_side_plays_what_it_sent(tmp_path: Path) -> None:
    up, down = rtp(2.1, 50, 1), rtp(2.11, 60, 2, up=True)
    made = learned(tmp_path, [basic_call()], extra=up + down)
    assert plays(made.scenario("invite-bye-uac")) == ["play_pcap_audio media/invite-bye-caller-audio.pcap"]
    assert plays(made.scenario("invite-bye-uas")) == ["play_pcap_audio media/invite-bye-callee-audio.pcap"]
    held = payloads(made.folder / "media/invite-bye-caller-audio.pcap")
    assert [data for _, data in held] == [packet[3] for packet in up]
    assert [round(time - held[0][0], 3) for time, _ in held] == [round(0.02 * n, 3) for n in range(50)]
    files = {m.file: m for s in read_bundle(made.folder).scenarios for m in s.media}
    assert files["media/invite-bye-callee-audio.pcap"].packets == 60
    assert files["media/invite-bye-callee-audio.pcap"].codec == "PCMU"


def test_media_files_hold_no_captured_address(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()], extra=rtp(2.1, 3, 1))
    data = (made.folder / "media/invite-bye-caller-audio.pcap").read_bytes()
    for address in (ALICE[0], BOB[0]):
        assert bytes(map(int, address.split("."))) not in data


def test_the_answering_side_starts_with_the_ack(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()], extra=rtp(2.055, 20, 2, up=True))
    starts = [e for e in main_steps(made.scenario("invite-bye-uas")) if any(isinstance(a, Exec) for a in e.actions)]
    assert [e.request for e in starts if isinstance(e, Recv)] == ["ACK"]


def test_media_that_starts_later_splits_the_pause(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()], extra=rtp(3.06, 20, 1))
    steps = main_steps(made.scenario("invite-bye-uac"))
    at = next(n for n, e in enumerate(steps) if isinstance(e, Nop) and e.actions)
    before, after = steps[at - 1], steps[at + 1]
    assert isinstance(before, Pause)
    assert isinstance(after, Pause)
    assert (before.milliseconds, after.milliseconds) == (1000, 3000)


def test_streams_after_one_another_are_started_one_after_another(tmp_path: Path) -> None:
    packets = rtp(2.07, 20, 1) + rtp(3.06, 20, 5) + rtp(2.07, 20, 2, up=True) + rtp(3.07, 20, 6, up=True)
    made = learned(tmp_path, [basic_call()], extra=packets)
    assert plays(made.scenario("invite-bye-uac")) == [
        "play_pcap_audio media/invite-bye-caller-audio-1.pcap",
        "play_pcap_audio media/invite-bye-caller-audio-2.pcap",
    ]
    # The answering side only waits: it cannot start a second one, so both are in one file with the gap between them.
    assert plays(made.scenario("invite-bye-uas")) == ["play_pcap_audio media/invite-bye-callee-audio.pcap"]
    held = payloads(made.folder / "media/invite-bye-callee-audio.pcap")
    assert len(held) == 40
    assert 0.99 < held[20][0] - held[0][0] < 1.01


def test_of_audio_and_video_one_is_in_the_scenario_and_both_in_the_bundle(tmp_path: Path) -> None:
    video = "m=video 41002 RTP/AVP 34\r\na=rtpmap:34 H263/90000\r\n"
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP + video)
    talk.response(0.1, 200, 1, "INVITE", body=ANSWER + video.replace("41002", "42002"))
    talk.request(0.2, "ACK", 1)
    talk.request(4.0, "BYE", 2)
    talk.response(4.1, 200, 2, "BYE")
    packets = rtp(0.3, 20, 1) + rtp(0.3, 20, 2, payload_type=34, port=2)
    made = learned(tmp_path, [talk], extra=packets)
    assert plays(made.scenario("invite-bye-uac")) == ["play_pcap_audio media/invite-bye-caller-audio.pcap"]
    media = read_bundle(made.folder).scenarios[0].media
    assert [(m.kind, bool(m.note)) for m in media] == [("audio", False), ("video", True)]
    assert "one stream a call" in made.text("invite-bye-uac.xml")
    assert (made.folder / media[1].file).exists()
    text = made.text("invite-bye-uac.xml")
    assert "m=video [auto_media_port+2] RTP/AVP 34" in text


def test_a_call_without_bye_lasts_as_long_as_its_media(tmp_path: Path) -> None:
    talk = basic_call()
    talk.packets[-2:] = []
    made = learned(tmp_path, [talk], extra=rtp(2.07, 251, 1))
    pauses = [e for e in main_steps(made.scenario("invite-uac")) if isinstance(e, Pause)]
    assert 5000 <= (pauses[-1].milliseconds or 0) <= 5020


def test_media_can_be_left_out(tmp_path: Path) -> None:
    made = learned(tmp_path, [basic_call()], LearnOptions(force=True, media=False), extra=rtp(2.07, 20, 1))
    assert plays(made.scenario("invite-bye-uac")) == []
    assert not (made.folder / "media").exists()


def test_rtcp_ports_are_live(tmp_path: Path) -> None:
    talk = Talk()
    rtcp = "a=rtcp:41001 IN IP4 198.51.100.7\r\n"
    talk.request(0.0, "INVITE", 1, body=SDP + rtcp)
    talk.response(0.1, 486, 1, "INVITE")
    text = learned(tmp_path, [talk]).text("invite-486-uac.xml")
    assert "a=rtcp:[$rtcp1] IN IP[media_ip_type] [media_ip]" in text
    assert r'<assignstr assign_to="rtcp1" value="\nimage [auto_media_port+1]"/>' in text
