"""The media process with sipp at the other end: sipp's own media is counted exactly, and its echo brings back ours."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.media_bench import UAC, UAS, write_capture
from sipreplay.media.client import MediaClient
from sipreplay.media.process import MediaProcess
from tests.interop.sipp import sipp_uac, sipp_uas

pytestmark = pytest.mark.interop("sipp")

OURS = "127.0.0.67"
CALLER = "127.0.0.68"
CALLEE = "127.0.0.69"


def test_what_sipp_plays_is_counted_to_the_packet(tmp_path: Path) -> None:
    """sipp's play_pcap_audio, towards a port of ours that the answer names."""
    write_capture(tmp_path / "g711.pcap", 2)
    with MediaProcess() as media:
        client = MediaClient(media.add_client(OURS, calls=1))
        port = client.allocate(1)
        (tmp_path / "uac.xml").write_text(UAC.replace("{pcap}", str(tmp_path / "g711.pcap")))
        (tmp_path / "uas.xml").write_text(UAS.replace("{host}", OURS).replace("{port}", str(port)))
        with (
            sipp_uas(tmp_path, tmp_path / "uas.xml", CALLEE, 5091),
            sipp_uac(tmp_path, tmp_path / "uac.xml", CALLER, 5092, f"{CALLEE}:5091", "-m", "1"),
        ):
            end = time.monotonic() + 20
            while media.snapshot().received_packets < 100 and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(0.2)
        client.release(1, port)
        client.close()
        summary = media.summary()
    assert (summary.received_packets, summary.received_bytes) == (100, 100 * 172)
    assert (summary.lost, summary.duplicates, summary.reordered) == (0, 0, 0)
    assert summary.worst is not None
    assert (summary.worst.payload_types, summary.worst.ssrcs) == ((8,), (0x1234,))


def test_sipps_echo_brings_back_all_that_was_sent(tmp_path: Path) -> None:
    write_capture(tmp_path / "g711.pcap", 2)
    with MediaProcess() as media, sipp_uas(tmp_path, "uas", CALLEE, 5093, "-rtp_echo", "-mp", "16384"):
        client = MediaClient(media.add_client(OURS, calls=5))
        source = client.register(str(tmp_path / "g711.pcap"), "audio")
        calls = [(number, client.allocate(number)) for number in range(1, 6)]
        for number, port in calls:
            assert client.play(number, port, source, CALLEE, 16384)
        end = time.monotonic() + 20
        while media.snapshot().received_packets < 500 and time.monotonic() < end:
            time.sleep(0.1)
        for number, port in calls:
            client.release(number, port)
        client.close()
        summary = media.summary()
    assert (summary.sent_packets, summary.received_packets) == (500, 500)
    assert (summary.lost, summary.duplicates, summary.one_way_calls) == (0, 0, 0)
    assert (summary.calls, summary.calls_receiving) == (5, 5)
