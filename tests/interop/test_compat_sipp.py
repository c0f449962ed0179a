"""`sipreplay sipp` beside Debian's sipp: the same messages, files and exit codes, and calls from one to the other."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sipreplay.dumps.stat_reader import read_stat
from tests.interop.command_lines import OURS, THEIRS, messages, play
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

PAIRS = [(THEIRS, OURS), (OURS, THEIRS)]
NAMES = ["sipp-ours", "ours-sipp"]


@pytest.mark.parametrize(("uac", "uas"), PAIRS, ids=NAMES)
def test_a_thousand_calls_at_two_hundred_a_second(
    tmp_path: Path, loopback: Callable[[], str], uac: list[str], uas: list[str]
) -> None:
    calls = "-m 1000 -fd 1"
    ended = play(
        tmp_path,
        uac,
        uas,
        loopback(),
        free_port(),
        uac_words=f"-sn uac -r 200 {calls}",
        uas_words=f"-sn uas -timeout 40 {calls}",
    )
    for side in ended:
        assert side.exit_code == 0, side.explain()
    for name in ("uac", "uas"):
        dump = read_stat(tmp_path / f"{name}.csv")
        assert dump.problems == []
        assert dump.columns["SuccessfulCall(C)"][-1] == 1000
        assert dump.columns["FailedCall(C)"][-1] == 0
        assert dump.columns["CurrentCall"][-1] == 0


@pytest.mark.parametrize("name", ["uac", "regexp"])
def test_the_built_in_scenarios_send_the_same_bytes(tmp_path: Path, loopback: Callable[[], str], name: str) -> None:
    port, media = free_port(), free_port()
    uac_words = f"-sn {name} -m 1 -s bob -d 50 -mp {media}"
    uas_words = f"-sn uas -m 1 -mp {media + 4}"

    def logs(uac: list[str], uas: list[str]) -> list[list[str]]:
        ip = loopback()
        folder = tmp_path / ip
        for side in play(folder, uac, uas, ip, port, uac_words=uac_words, uas_words=uas_words):
            assert side.exit_code == 0, side.explain()
        return [[text.replace(ip, "IP") for text in messages(folder / f"{side}.msg")] for side in ("uac", "uas")]

    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(logs, uac, uas) for uac in (THEIRS, OURS) for uas in (THEIRS, OURS)]
        theirs, *others = [run.result() for run in runs]
    assert [len(log) for log in theirs] == [6, 6]
    for ours in others:
        assert ours == theirs


BUILT_IN = [("uac", "uas", 20), ("regexp", "uas", 20), ("branchc", "branchs", 20)]
"""Calling and answering scenario, calls. The third-party scenarios have their own tests."""


def test_every_built_in_plays_with_sipps_counterpart(tmp_path: Path, loopback: Callable[[], str]) -> None:
    """Side by side, because branchc pauses for nine seconds."""

    def once(number: int) -> list[str]:
        (uac, uas), (caller, called, calls) = PAIRS[number % 2], BUILT_IN[number // 2]
        port = free_port()
        ends = play(
            tmp_path / str(number),
            uac,
            uas,
            addresses[number],
            port,
            uac_words=f"-sn {caller} -r 20 -m {calls} -mp {port + 200}",
            uas_words=f"-sn {called} -m {calls} -timeout 60 -mp {port + 300}",
        )
        return [end.explain() for end in ends if end.exit_code]

    addresses = [loopback() for _ in range(2 * len(BUILT_IN))]
    with ThreadPoolExecutor() as pool:
        assert [problem for found in pool.map(once, range(len(addresses))) for problem in found] == []


@pytest.mark.parametrize("base", [THEIRS, OURS], ids=["sipp", "ours"])
def test_requests_outside_of_a_call_get_their_own_scenario(
    tmp_path: Path, loopback: Callable[[], str], base: list[str]
) -> None:
    """OPTIONS to a calling side: -oocsn answers it, -aa answers it, without either it is only counted."""
    for words, answered in (("-oocsn ooc_default", True), ("-aa", True), ("", False)):
        ip, port = loopback(), free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind((ip, 0))
            peer.settimeout(20)
            there = f"{ip}:{peer.getsockname()[1]}"
            argv = [*base, "-sn", "uac", there, "-i", ip, "-p", str(port), "-m", "1", "-nostdin", *words.split()]
            argv += ["-mp", str(free_port()), "-recv_timeout", "1500"]
            calling = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            invite = peer.recv(65536)
            assert invite.startswith(b"INVITE ")
            asked = (
                f"OPTIONS sip:a@{ip}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {there};branch=z9hG4bK1\r\n"
                f"From: <sip:b@{ip}>;tag=1\r\nTo: <sip:a@{ip}>\r\nCall-ID: elsewhere\r\nCSeq: 1 OPTIONS\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            peer.sendto(asked.encode(), (ip, port))
            replies = []
            while calling.poll() is None:
                peer.settimeout(0.2)
                try:
                    replies.append(peer.recv(65536))
                except TimeoutError:
                    continue
            assert calling.wait(20) == 1
        # When it ends, sipp sends a BYE to its own out-of-call scenario's caller, which nobody wants.
        found = [reply for reply in replies if b"Call-ID: elsewhere" in reply and not reply.startswith(b"BYE")]
        assert [reply[:11] for reply in found] == ([b"SIP/2.0 200"] if answered else []), words


def test_the_statistics_files_have_the_same_columns(tmp_path: Path, loopback: Callable[[], str]) -> None:
    rows = {}
    for name, base in (("sipp", THEIRS), ("ours", OURS)):
        folder = tmp_path / name
        words = {"uac_words": "-sn uac -m 10 -r 50 -fd 60", "uas_words": "-sn uas -m 10 -fd 60"}
        for side in play(folder, base, base, loopback(), free_port(), **words):
            assert side.exit_code == 0, side.explain()
        rows[name] = [(folder / f"{side}.csv").read_text().splitlines() for side in ("uac", "uas")]
    for their_lines, our_lines in zip(rows["sipp"], rows["ours"], strict=True):
        assert our_lines[0] == their_lines[0]
        assert len(our_lines) == len(their_lines) == 4
        names = their_lines[0].split(";")
        last = [dict(zip(names, lines[-1].split(";"), strict=True)) for lines in (their_lines, our_lines)]
        for name in names[8:68]:
            assert last[1][name] == last[0][name], name


def exit_codes(folder: Path, words: str) -> tuple[int, int]:
    """Exit codes of sipp and of ours for one command line, `{}` a port of their own."""
    codes = []
    for base in (THEIRS, OURS):
        argv = [*base, *words.format(free_port()).split()]
        ended = subprocess.run(argv, cwd=folder, capture_output=True, timeout=30, stdin=subprocess.DEVNULL, check=False)
        codes.append(ended.returncode)
    return codes[0], codes[1]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("", 99),
        ("-v", 99),
        ("-h", 99),
        ("-sd uas", 99),
        ("-nosuchoption", 1),
        ("-m x 127.0.0.1", 1),
        ("-sf none.xml 127.0.0.1", 1),
        ("-sf broken.xml 127.0.0.1", 1),
        ("-sf unused.xml 127.0.0.1", 1),
        ("-sf field.xml 127.0.0.1", 1),
        ("-sn uac 127.0.0.1:9 -i 127.0.0.1 -p {} -m 0 -nostdin", 0),
        ("-sn uac 127.0.0.1:9 -i 127.0.0.1 -p {} -m 1 -r 100 -recv_timeout 200 -nostdin", 1),
    ],
)
def test_exit_codes_are_sipps(tmp_path: Path, words: str, code: int) -> None:
    (tmp_path / "broken.xml").write_text("<scenario><send></scenario>")
    send = "<send><![CDATA[X a SIP/2.0\nCall-ID: [call_id]\nA: {}\n]]></send>"
    (tmp_path / "unused.xml").write_text(f"<scenario>{send.format('[$once]')}</scenario>")
    (tmp_path / "field.xml").write_text(f"<scenario>{send.format('[field0]')}</scenario>")
    assert exit_codes(tmp_path, words) == (code, code)


def test_a_busy_port_is_254_for_both(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        words = f"-sn uas -i 127.0.0.1 -p {sock.getsockname()[1]} -nostdin"
        assert exit_codes(tmp_path, words) == (254, 254)


def test_media_of_uac_pcap_reaches_sipp(tmp_path: Path, loopback: Callable[[], str]) -> None:
    """Its packets come back from sipp's echo, and the last screen counts them."""
    port = free_port()
    uac, uas = play(
        tmp_path,
        OURS,
        THEIRS,
        loopback(),
        port,
        uac_words=f"-sn uac_pcap -m 2 -r 10 -mp {port + 100}",
        uas_words=f"-sn uas -m 2 -rtp_echo -mp {port + 200}",
    )
    for side in (uac, uas):
        assert side.exit_code == 0, side.explain()
    assert "820 Total RTP pckts sent, 820 received, 0 lost" in uac.stdout
