"""Headers as columns: the short way that nearly all RTP takes says what the long one says."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from sipreplay.capture import columns
from sipreplay.capture.columns import Pairs, decode
from sipreplay.capture.reader import CaptureReader
from tests.capture.frames import ethernet, pcap, rtp, udp

V4, V6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
SIP = b"OPTIONS sip:a@example.com SIP/2.0\r\nCall-ID: 1\r\n\r\n"


def decoded(path):
    """What a batch becomes, in values that can be compared."""
    asides = []
    (batch,) = CaptureReader(path).batches()
    rtp_columns, singles = decode(batch, Pairs(), asides)

    def plain(one):
        names = [each.name for each in dataclasses.fields(one) if each.name != "buffer"]
        return {name: np.asarray(getattr(one, name)).tolist() for name in names}

    aside = sorted((int(at), int(size)) for some in asides for at, size in zip(some.offset, some.length, strict=True))
    return [plain(one) for one in rtp_columns], plain(singles), aside


def frames(odd):
    """Media of two streams, with `odd` frames among it that do not go the short way."""
    made = [ethernet(udp(rtp(n, 160 * n), *V4, (4000, 5000))) for n in range(40)]
    for n, one in enumerate(odd):
        made.insert(5 * n + 3, one)
    return made


def changed(frame, at, value):
    return frame[:at] + bytes([value]) + frame[at + 1 :]


MEDIA = ethernet(udp(rtp(99, 160), *V4, (4000, 5000)))
ODD = {
    "signalling": ethernet(udp(SIP)),
    "the other IP version": ethernet(udp(rtp(99, 160), *V6, (4000, 5000))),
    "a VLAN": ethernet(udp(rtp(99, 160), *V4, (4000, 5000)), (0x8100,)),
    "a port of tunnels": ethernet(udp(rtp(99, 160), *V4, (4000, 2152))),
    "bytes after the datagram": MEDIA + bytes(9),
    "RTCP": ethernet(udp(b"\x80\xc8" + bytes(26), *V4, (4001, 5001))),
    "no UDP length": changed(changed(MEDIA, 38, 0), 39, 0),
    "no IP length": changed(changed(MEDIA, 16, 0), 17, 0),
    "a longer UDP length": changed(MEDIA, 38, 9),
    "a shorter UDP length": changed(changed(MEDIA, 38, 0), 39, 30),
    "more sources than bytes": changed(changed(changed(MEDIA, 42, 0x8F), 38, 0), 39, 30),
    "no RTP": changed(MEDIA, 42, 0x00),
    "a fragment": changed(MEDIA, 20, 0x20),
    "IP options": changed(MEDIA, 14, 0x46),
    "TCP": changed(MEDIA, 23, 6),
    "less than its header says": MEDIA[:70],
    "nothing": b"",
}


def both(tmp_path, monkeypatch, made, original=None):
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap(made, original=original))
    (batch,) = CaptureReader(path).batches()
    assert columns._plain(batch) is not None, "the short way is taken"
    short = decoded(path)
    with monkeypatch.context() as patch:
        patch.setattr(columns, "_plain", lambda batch: None)
        long = decoded(path)
    return short, long


@pytest.mark.parametrize("name", ODD)
def test_other_packets_among_media_change_nothing(tmp_path, monkeypatch, name):
    short, long = both(tmp_path, monkeypatch, frames([ODD[name]] * 3))
    assert short == long
    assert sum(len(one["packet"]) for one in short[0]) >= 40


def test_all_kinds_in_any_order(tmp_path, monkeypatch):
    dice = random.Random(7)
    for _ in range(20):
        odd = list(ODD.values())
        dice.shuffle(odd)
        short, long = both(tmp_path, monkeypatch, frames(odd[:7]))
        assert short == long


def test_media_that_the_capture_cut_is_counted(tmp_path, monkeypatch):
    made = [frame[:60] if n % 3 == 0 else frame for n, frame in enumerate(frames([]))]
    short, long = both(tmp_path, monkeypatch, made)
    assert short == long
    assert short[0][0]["cut"] == 14
    assert short[0][0]["sequence"] == sorted(short[0][0]["sequence"])
