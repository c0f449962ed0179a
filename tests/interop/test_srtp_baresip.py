"""An encrypted call between two softphones: with the keys in SDP its digits are read out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.analysis.media_findings import found
from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from tests.interop.peers import Baresip, recording

pytestmark = pytest.mark.interop("baresip", "tcpdump")


def call(folder: Path, hosts: tuple[str, str]) -> Analysis:
    """A recorded call of two seconds in which the caller presses 4 and 2."""
    output = folder / "call.pcap"
    with (
        recording(output, hosts=list(hosts)),
        Baresip(folder, "bob", ip=hosts[1], encryption="srtp-mand") as callee,
        Baresip(folder, "alice", ip=hosts[0], encryption="srtp-mand") as caller,
    ):
        caller.dial(f"sip:bob@{callee.address}")
        time.sleep(1.0)
        for key in "42":
            caller.command("sndcode", key)
            time.sleep(0.3)
        time.sleep(0.5)
        caller.hang_up()
    return analyse([output])


def test_keys_in_sdp_open_the_media(tmp_path: Path, loopback: Callable[[], str]) -> None:
    analysis = call(tmp_path, (loopback(), loopback()))
    to_callee = next(stream for stream in analysis.streams if stream.from_caller)
    to_caller = next(stream for stream in analysis.streams if stream.from_caller is False)
    for stream in (to_callee, to_caller):
        assert (stream.kind, stream.security, stream.decrypted, stream.silence) == ("srtp", "sdes", True, 0.0)
        assert stream.lost == 0
    assert to_callee.dtmf == "42"
    assert "srtp-without-keys" not in {finding.rule for finding in found(analysis)}
