"""Our own engine plays what was learned: tshark judges its ladders and streams, Kamailio and baresip talk to it."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.ahead import ahead
from tests.interop.conftest import NO_SHARED, REPOSITORY, own_names, shared_folder
from tests.interop.peers import (
    Baresip,
    Ladder,
    Program,
    Stream,
    free_port,
    kamailio,
    recording,
    tshark_ladders,
    tshark_streams,
)

pytestmark = pytest.mark.interop
Loopback = Callable[[], str]
RUN = [sys.executable, "-c", "import sys; from sipreplay.cli import main; main()", "run"]
PATIENT = ["--max-lateness", "1000", "--max-media-lateness", "1000"]
"""What is judged here is what is said, not when: several captures are replayed at a time."""
SHARED = [
    "suricata-verify--sip-method-sip.pcap",
    "sipnab--sip-rtp-g711.pcap",
    "sipnab--register-invite-reinvite-bye.pcap",
    "sipnab--codec-negotiation.pcap",
    "sipnab--invite-opus-bye.pcap",
    "ISA--sip.pcap",
    "sipnab--h263-over-rtp.pcap",
]
WHOLE = ["baresip-opus-hold-rtcp.pcap", "sipnab--codec-negotiation.pcap", "uac_pcap-g711-dtmf.pcap"]
"""Played with the captured pauses, so that all media is heard."""
CHALLENGED = ">INVITE <407 >ACK >INVITE <180 <200 >ACK >BYE <200"
REGISTERED = ">REGISTER <401 >REGISTER <200"
HELD = ">INVITE <180 <200 >ACK >INVITE <200 >ACK >INVITE <200 >ACK >BYE <200"
ANSWERED = ">INVITE <180 <200 >ACK >BYE <200"


def rows(ladder: Ladder) -> str:
    return " ".join(f"{row.direction}{row.what}" for row in ladder.rows)


# ---- against itself, in a network namespace where nobody else is


@cache
def no_namespace() -> str:
    """Why no network namespace can be made here (a chroot, a container without the right); "" where one can."""
    name = f"sipreplay-{uuid.uuid4().hex[:8]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    up = subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return "" if made.returncode == up.returncode == 0 else (made.stderr or up.stderr).strip()


@contextmanager
def alone() -> Iterator[str]:
    """A network namespace with nothing but its loopback."""
    name = f"sipreplay-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def replayed(capture: Path, folder: Path) -> Path:
    """Learn a capture and let `sipreplay run` play it on loopback; the recording of that."""
    folder.mkdir()
    max_pause_s = 12.0 if capture.name in WHOLE else 0.3
    learn([capture], folder / "bundle", LearnOptions(max_pause_s=max_pause_s, timewait_ms=500))
    with alone() as namespace, recording(folder / "run.pcap", namespace=namespace) as pcap:
        done = Program([*RUN, folder / "bundle", *PATIENT], folder, "run", namespace=namespace).wait(90)
    assert done.exit_code == 0, done.explain()
    return pcap


@pytest.fixture(scope="module")
def run_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The recording of a capture's replay; all captures of this module are replayed side by side."""
    if no_namespace():
        pytest.skip(f"no network namespace can be made here: {no_namespace()}")

    # One folder made here: pytest's factory is not made for threads.
    base = tmp_path_factory.mktemp("run")

    def work(name: str) -> Path:
        folder = capture_folder(name)
        if folder is None:
            pytest.skip(NO_SHARED)
        return replayed(folder / name, base / Path(name).stem)

    with ahead(request, "name", work) as waited:
        yield waited


def capture_folder(name: str) -> Path | None:
    return REPOSITORY / "captures" if name in own_names() else shared_folder()


@pytest.mark.parametrize("name", sorted(SHARED + own_names(), key=lambda name: name not in (*WHOLE, SHARED[0])))
def test_run_replays_the_ladders_of_a_capture(run_of: Callable[[str], Path], name: str) -> None:
    run = run_of(name)
    folder = capture_folder(name)
    assert folder is not None
    again = Counter(rows(ladder) for ladder in tshark_ladders(run))
    assert again == Counter(rows(ladder) for ladder in tshark_ladders(folder / name))


def sent(streams: list[Stream]) -> Counter[tuple[str, int]]:
    return Counter((stream.payload, stream.packets) for stream in streams)


@pytest.mark.parametrize("name", WHOLE)
def test_run_sends_the_streams_of_a_capture(run_of: Callable[[str], Path], name: str) -> None:
    run = run_of(name)
    folder = capture_folder(name)
    assert folder is not None
    assert sent(tshark_streams(run)) == sent(tshark_streams(folder / name))


# ---- against Kamailio with baresip behind it, and called by baresip


@pytest.mark.parametrize(
    ("capture", "ladders"),
    [
        ("kamailio-auth-record-route.pcap", {REGISTERED, CHALLENGED}),
        ("baresip-opus-hold-rtcp.pcap", {HELD}),
        ("uac_pcap-g711-dtmf.pcap", {ANSWERED}),
    ],
)
def test_run_calls_a_baresip_behind_kamailio(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, ladders: set[str]
) -> None:
    learn([own_captures / capture], tmp_path / "bundle", LearnOptions(max_pause_s=0.5, timewait_ms=300))
    caller, proxy = loopback(), loopback()
    options = [
        "--local-ip",
        caller,
        "--auth",
        "alice:open-sesame",
        "--set",
        "callee=robert",
        "--rate",
        "1",
        "--callers-only",
    ]
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        kamailio(tmp_path, proxy, password="open-sesame", challenge_invite=CHALLENGED in ladders),
        Baresip(
            tmp_path,
            "robert",
            registrar=f"{proxy}:5060",
            password="open-sesame",
            codecs=("opus/48000/2", "pcma", "pcmu"),
        ) as phone,
    ):
        done = Program([*RUN, tmp_path / "bundle", f"{proxy}:5060", *options, "--limit", "1"], tmp_path, "run").wait(60)
        assert done.exit_code == 0, done.explain()
        phone.wait_ended()
        assert phone.results()[0].rtp_received > 10
    assert {rows(ladder) for ladder in tshark_ladders(pcap)} == ladders


@pytest.mark.parametrize(
    ("capture", "scenario", "ladder"),
    [
        ("uac_pcap-g711-dtmf.pcap", "invite-bye-uas", ANSWERED),
        ("kamailio-auth-record-route.pcap", "invite-auth-bye-uas", CHALLENGED),
        ("baresip-opus-hold-rtcp.pcap", "invite-hold-resume-bye-uas", HELD),
    ],
)
def test_run_answers_baresip(
    own_captures: Path, tmp_path: Path, loopback: Loopback, capture: str, scenario: str, ladder: str
) -> None:
    bundle = tmp_path / "bundle"
    made = learn([own_captures / capture], bundle, LearnOptions(max_pause_s=0.5, timewait_ms=300)).bundle
    (side,) = [each for each in made.scenarios if each.id == scenario]
    inject = ["--inf", bundle / side.injection] if side.injection else []
    callee = loopback()
    port = free_port(callee)
    command = [*RUN, bundle / side.file, "--local-ip", callee, "--port", str(port), "--calls", "1", *inject]
    with (
        recording(tmp_path / "run.pcap", hosts=[callee]) as pcap,
        Program(command, tmp_path, "run") as run,
        Baresip(tmp_path, "alice", password="password", answer=False, codecs=("opus/48000/2", "pcma", "pcmu")) as phone,
    ):
        run.wait_listening(callee, port)
        phone.dial(f"sip:bob@{callee}:{port}")
        time.sleep(0.5)
        for name in ("hold", "resume") if ladder == HELD else ():
            phone.command(name)
            time.sleep(0.5)
        phone.hang_up()
        done = run.wait(30)
        assert done.exit_code == 0, done.explain()
        assert phone.results()[0].rtp_received > 10
    assert [rows(each) for each in tshark_ladders(pcap)] == [ladder]
