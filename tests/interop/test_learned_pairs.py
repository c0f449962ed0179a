"""Debian's sipp plays both sides of what was learned; tshark sees the same ladders in that run as in the capture."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.ahead import ahead
from tests.interop.conftest import NO_SHARED, REPOSITORY, shared_folder
from tests.interop.peers import Row, loopback_addresses, recording, tshark_ladders, tshark_streams

OWN = [
    "uac_pcap-g711-dtmf.pcap",
    "kamailio-auth-record-route.pcap",
    "baresip-opus-hold-rtcp.pcap",
    "baresip-busy-cancel-callee-bye.pcap",
    "tcp-call.pcap",
]
SHARED = [
    "suricata-verify--sip-method-sip.pcap",
    "sipnab--sip-rtp-g711.pcap",
    "sipnab--register-invite-reinvite-bye.pcap",
    "sipnab--codec-negotiation.pcap",
    "sipnab--invite-opus-bye.pcap",
    "ISA--sip.pcap",
    "sipnab--h263-over-rtp.pcap",
]

Loopback = Callable[[], str]
Ladders = Counter[tuple[Row, ...]]
Pair = tuple[Ladders, Ladders]

pytestmark = pytest.mark.interop("sipp", "tshark", "tcpdump")


def ladders(pcap: Path) -> Ladders:
    return Counter(ladder.rows for ladder in tshark_ladders(pcap))


def played(bundle: Path, pcap: Path, uac: str, uas: str) -> None:
    """Run the bundle's sipp.sh between two addresses and record it."""
    environment = {**os.environ, "UAC_IP": uac, "UAS_IP": uas, "START_S": "0.5", "TERM": "xterm"}
    with recording(pcap, hosts=[uac]):
        done = subprocess.run(
            ["sh", str(bundle / "sipp.sh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
    logs = "".join(f"--- {p.name}\n{p.read_text(errors='replace')[-2000:]}\n" for p in (bundle / "logs").glob("*.err"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def replayed(capture: Path, folder: Path) -> tuple[Ladders, Ladders]:
    """Learn a capture and play what was learned: the ladders of the capture, and those of the run."""
    max_pause_s = 0.3 if "method" in capture.name else 1.0
    report = learn([capture], folder / "bundle", LearnOptions(max_pause_s=max_pause_s, timewait_ms=600))
    assert not report.left_out
    addresses = loopback_addresses()
    played(folder / "bundle", folder / "again.pcap", next(addresses), next(addresses))
    return ladders(capture), ladders(folder / "again.pcap")


@pytest.fixture(scope="module")
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pair]]:
    """What `replayed` gives for a capture; all captures of this module are replayed side by side."""
    shared = shared_folder()
    # One folder made here: pytest's factory is not made for threads.
    base = tmp_path_factory.mktemp("replayed")

    def work(name: str) -> Pair:
        folder = REPOSITORY / "captures" if name in OWN else shared
        if folder is None:
            pytest.skip(NO_SHARED)
        return replayed(folder / name, base / Path(name).stem)

    with ahead(request, "name", work) as waited:
        yield waited


@pytest.mark.parametrize("name", SHARED + OWN)
def test_sipp_replays_the_ladders_of_a_capture(result: Callable[[str], Pair], name: str) -> None:
    captured, again = result(name)
    assert again == captured


def test_media_is_played_as_captured(own_captures: Path, tmp_path: Path, loopback: Loopback) -> None:
    capture = own_captures / "kamailio-auth-record-route.pcap"
    bundle = tmp_path / "bundle"
    report = learn([capture], bundle, LearnOptions(filter="kind=invite"))
    sides = ["caller PCMA 51 packets", "callee PCMA 68 packets"]
    assert [row.media for row in report.scenarios] == [sides, sides]  # a hop each
    uac, uas = loopback(), loopback()
    played(bundle, tmp_path / "again.pcap", uac, uas)
    heard = {(s.source.split(":")[0], s.payload, s.packets) for s in tshark_streams(tmp_path / "again.pcap")}
    # One hop after the other, from the same ports and with the captured SSRCs: one stream a direction for tshark.
    assert heard == {(uac, "g711A", 2 * 51), (uas, "g711A", 2 * 68)}
