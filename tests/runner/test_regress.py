"""Captured calls against a system under test that is unchanged, or changed on purpose: what the verdict says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.runner.changed_sut import PLANTED, REFUSED_ALREADY, ChangedSut

CALLER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="caller">
  <send retrans="500"><![CDATA[

INVITE sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field0]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [media_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 8
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000

]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="486" optional="true" next="busy"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[

ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:alice@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <pause milliseconds="1200"/>
  <send retrans="500"><![CDATA[

BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:alice@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" next="end"/>
  <label id="busy"/>
  <send><![CDATA[

ACK sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-5]
From: <sip:alice@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <label id="end"/>
</scenario>
"""
PATIENT = ["--max-lateness", "5000"]
LENIENT = [*PATIENT, "--time-slack", "2s", "--mos-drop", "4", "--jitter-slack", "2s"]
"""On a busy machine our own system under test keeps no time."""


def sipreplay(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sipreplay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=150)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned from a recording of a run against the unchanged system."""
    folder = tmp_path_factory.mktemp("regress")
    (folder / "caller.xml").write_text(CALLER)
    (folder / "users.csv").write_text("SEQUENTIAL\n" + "".join(f"{user};\n" for user in PLANTED))
    with ChangedSut(changed=False) as sut:
        where = [f"127.0.0.1:{sut.port}", "--inf", folder / "users.csv", "--calls", len(PLANTED)]
        done = sipreplay("run", folder / "caller.xml", *where, "--rate", 20, "--record", folder / "base.pcap", *PATIENT)
    assert done.returncode == 0, done.stdout + done.stderr
    done = sipreplay("learn", folder / "base.pcap", "-o", folder / "bundle")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bundle"


def test_an_unchanged_system_shows_no_difference(bundle: Path, tmp_path: Path) -> None:
    with ChangedSut(changed=False) as sut:
        done = sipreplay("regress", bundle, f"127.0.0.1:{sut.port}", "--junit", tmp_path / "junit.xml", *LENIENT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(PLANTED)} calls, 0 differ" in done.stdout
    suite = etree.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == (str(len(PLANTED) + 1), "0")


def test_every_planted_change_is_found_at_its_message_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    files = ["--json", tmp_path / "v.json", "--junit", tmp_path / "junit.xml", "--html", tmp_path / "v.html"]
    with ChangedSut(changed=True) as sut:
        done = sipreplay("regress", bundle, f"127.0.0.1:{sut.port}", *files, *LENIENT)
    assert done.returncode == 1, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "v.json").read_text())
    assert verdict["schema"] == "sipreplay/regress/1"
    calls = verdict["bundles"][0]["calls"]
    assert len(calls) == len(PLANTED)
    calls.sort(key=lambda call: int(call["call_id"].partition("-")[0]))
    wrong = []
    for user, call in zip(PLANTED, calls, strict=True):
        kind, words = PLANTED[user]
        found = [(d["kind"], d["what"], d["message"]) for d in call["differences"]]
        good = found[:1] and found[0][0] == kind and words in found[0][1] if kind else not found
        if not good:
            wrong.append((user, found))
    assert not wrong
    suite = etree.parse(tmp_path / "junit.xml").getroot()[0]
    assert suite.get("failures") == str(len(PLANTED) - 1)
    assert "480 instead of 486" in (tmp_path / "v.html").read_text()
    assert REFUSED_ALREADY in PLANTED


def test_pytest_plays_the_bundles_that_it_finds(bundle: Path) -> None:
    plugin = [sys.executable, "-m", "pytest", "-p", "sipreplay.testing.plugin", "-p", "no:cacheprovider"]
    for changed in (False, True):
        with ChangedSut(changed) as sut:
            where = [
                "--sipreplay-target",
                f"127.0.0.1:{sut.port}",
                "--sipreplay-max-lateness",
                "5000",
                "--sipreplay-no-media",
            ]
            command = [*plugin, *where, "--rootdir", str(bundle), "-c", "/dev/null", str(bundle)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=150)
        assert done.returncode == int(changed), done.stdout + done.stderr
        assert ("1 failed" if changed else "1 passed") in done.stdout
        assert ("480 instead of 486" in done.stdout) == changed
    assert "Traceback" not in done.stdout


def test_update_accepts_what_the_system_does_now(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "suite" / "one"
    shutil.copytree(bundle, copy)
    with ChangedSut(changed=True) as sut:
        target = f"127.0.0.1:{sut.port}"
        done = sipreplay("regress", copy, target, "--update", *LENIENT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "expects from now on" in done.stdout
    lines = [line for line in (copy / "bundle.toml").read_text().splitlines() if "< 480 INVITE" in line]
    assert lines


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (('line = "> INVITE"', 'line = "INVITE"'), "expect[1].message[1].line"),
        (("sipreplay/bundle/1", "sipreplay/bundle/9"), "update sipreplay"),
        (("[[expect]]", "[[expected]]"), "unknown key expected"),
    ],
)
def test_a_bundle_edited_by_hand_names_file_and_key(
    bundle: Path, tmp_path: Path, edit: tuple[str, str], words: str
) -> None:
    shutil.copytree(bundle, tmp_path / "copy")
    tables = tmp_path / "copy" / "bundle.toml"
    tables.write_text(tables.read_text().replace(*edit))
    done = sipreplay("regress", tmp_path / "copy", "127.0.0.1:9")
    assert done.returncode == 3, done.stdout + done.stderr
    assert str(tables) in done.stderr
    assert words in done.stderr


def test_what_cannot_be_done_is_wrong_usage(bundle: Path, tmp_path: Path) -> None:
    capture = bundle.parent / "base.pcap"
    assert sipreplay("regress", capture, "127.0.0.1:9", "--update").returncode == 2
    assert sipreplay("regress", bundle).returncode == 2
    assert sipreplay("regress", bundle, "127.0.0.1:9", "--no-media", "--mos-drop", "1").returncode == 2
    assert sipreplay("regress", bundle, capture, "127.0.0.1:9").returncode == 2
    edited = tmp_path / "unanswered"
    shutil.copytree(bundle, edited)
    text = (edited / "bundle.toml").read_text()
    (edited / "bundle.toml").write_text(re.sub(r'line = "< (\d+ )?([A-Z]+)"', r'line = "> \2"', text))
    refused = sipreplay("regress", edited, "127.0.0.1:9")
    assert refused.returncode == 3
    assert "nothing to compare with" in refused.stderr
    (tmp_path / "empty").mkdir()
    assert sipreplay("regress", tmp_path / "empty", "127.0.0.1:9").returncode == 3
