"""Flows that no capture here holds, made by hand and learned: in sipp's run tshark sees the same ladders."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.options import LearnOptions
from tests.interop.peers import recording, tshark_ladders
from tests.learn.flows import ANSWER, SDP, Talk, learned

pytestmark = pytest.mark.interop("sipp", "tshark", "tcpdump")
Loopback = Callable[[], str]


def answered(talk: Talk, *, body: str = SDP) -> Talk:
    talk.request(0.0, "INVITE", 1, body=body)
    talk.response(0.05, 180, 1, "INVITE")
    talk.response(0.3, 200, 1, "INVITE", body=ANSWER)
    talk.request(0.31, "ACK", 1, body="" if body else SDP)
    return talk


def ended(talk: Talk, at: float, cseq: int) -> Talk:
    talk.request(at, "BYE", cseq)
    talk.response(at + 0.05, 200, cseq, "BYE")
    return talk


def reliable(talk: Talk) -> None:
    """PRACK and UPDATE while the INVITE is pending."""
    talk.request(0.0, "INVITE", 1, body=SDP, more="Supported: 100rel\r\n")
    talk.response(0.1, 183, 1, "INVITE", body=ANSWER, more="Require: 100rel\r\nRSeq: 555\r\n")
    talk.request(0.2, "PRACK", 2, more="RAck: 555 1 INVITE\r\n")
    talk.response(0.25, 200, 2, "PRACK")
    talk.request(0.3, "UPDATE", 3, body=SDP)
    talk.response(0.35, 200, 3, "UPDATE", body=ANSWER)
    talk.response(0.5, 180, 1, "INVITE")
    talk.response(0.7, 200, 1, "INVITE")
    talk.request(0.71, "ACK", 1)
    ended(talk, 1.2, 4)


def info_both_ways(talk: Talk) -> None:
    answered(talk)
    talk.request(0.5, "INFO", 2)
    talk.response(0.51, 200, 2, "INFO")
    talk.request(0.6, "INFO", 300, up=True)
    talk.response(0.61, 200, 300, "INFO", up=False)
    talk.request(0.8, "MESSAGE", 3, in_dialog=True, body="hi", more="Content-Type: text/plain\r\n")
    talk.response(0.81, 202, 3, "MESSAGE")
    ended(talk, 1.0, 4)


def reinvite_from_callee(talk: Talk) -> None:
    answered(talk)
    talk.request(0.6, "INVITE", 70, up=True, body=ANSWER)
    talk.response(0.62, 100, 70, "INVITE", up=False)
    talk.response(0.65, 200, 70, "INVITE", up=False, body=SDP)
    talk.request(0.66, "ACK", 70, up=True)
    talk.request(1.0, "BYE", 71, up=True)
    talk.response(1.05, 200, 71, "BYE", up=False)


def rejected_reinvite(talk: Talk) -> None:
    answered(talk)
    talk.request(0.6, "INVITE", 2, in_dialog=True, body=SDP, branch="z9hG4bK-re")
    talk.response(0.65, 488, 2, "INVITE")
    talk.request(0.66, "ACK", 2, branch="z9hG4bK-re")
    ended(talk, 1.0, 3)


def late_offer(talk: Talk) -> None:
    ended(answered(talk, body=""), 1.0, 2)


def subscription(talk: Talk) -> None:
    talk.request(0.0, "SUBSCRIBE", 1, more="Event: presence\r\nExpires: 60\r\n")
    talk.response(0.05, 200, 1, "SUBSCRIBE", more="Expires: 60\r\n")
    talk.request(0.1, "NOTIFY", 9, up=True, more="Event: presence\r\nSubscription-State: active\r\n")
    talk.response(0.15, 200, 9, "NOTIFY", up=False)
    talk.request(0.5, "SUBSCRIBE", 2, in_dialog=True, more="Event: presence\r\nExpires: 0\r\n")
    talk.response(0.55, 200, 2, "SUBSCRIBE", more="Expires: 0\r\n")
    talk.request(0.6, "NOTIFY", 10, up=True, more="Event: presence\r\nSubscription-State: terminated\r\n")
    talk.response(0.65, 200, 10, "NOTIFY", up=False)


def transfer(talk: Talk) -> None:
    answered(talk)
    talk.request(0.6, "REFER", 2, in_dialog=True, more="Refer-To: <sip:carol@example.com>\r\n")
    talk.response(0.65, 202, 2, "REFER")
    talk.request(0.7, "NOTIFY", 5, up=True, more="Event: refer\r\nSubscription-State: active\r\n")
    talk.response(0.75, 200, 5, "NOTIFY", up=False)
    talk.request(1.0, "BYE", 6, up=True)
    talk.response(1.05, 200, 6, "BYE", up=False)


def publication(talk: Talk) -> None:
    talk.request(0.0, "PUBLISH", 1, more="Event: presence\r\nExpires: 60\r\n", body="<a/>")
    talk.response(0.05, 200, 1, "PUBLISH", more="SIP-ETag: etag-one\r\n")
    talk.request(0.5, "PUBLISH", 2, more="Event: presence\r\nSIP-If-Match: etag-one\r\nExpires: 0\r\n")
    talk.response(0.55, 200, 2, "PUBLISH", more="SIP-ETag: etag-two\r\n")


def redirect(talk: Talk) -> None:
    talk.request(0.0, "INVITE", 1, body=SDP, branch="z9hG4bK-r")
    talk.response(0.1, 302, 1, "INVITE")
    talk.request(0.11, "ACK", 1, branch="z9hG4bK-r")


def cancelled_after_trying(talk: Talk) -> None:
    talk.request(0.0, "INVITE", 1, body=SDP, branch="z9hG4bK-c")
    talk.response(0.01, 100, 1, "INVITE")
    talk.request(0.6, "CANCEL", 1, branch="z9hG4bK-c")
    talk.response(0.61, 487, 1, "INVITE")
    talk.response(0.62, 200, 1, "CANCEL")
    talk.request(0.63, "ACK", 1, branch="z9hG4bK-c")


def crossing_byes(talk: Talk) -> None:
    answered(talk)
    talk.request(1.0, "BYE", 2)
    talk.request(1.001, "BYE", 7, up=True)
    talk.response(1.05, 200, 2, "BYE")
    talk.response(1.051, 200, 7, "BYE", up=False)


def two_challenges(talk: Talk) -> None:
    challenge = 'Digest realm="r", nonce="{}", algorithm=MD5, qop="auth"\r\n'
    login = 'Digest username="alice", realm="r", nonce="one", uri="sip:x", response="00"\r\n'
    talk.request(0.0, "REGISTER", 1)
    talk.response(0.05, 401, 1, "REGISTER", more="WWW-Authenticate: " + challenge.format("one"))
    talk.request(0.1, "REGISTER", 2, more="Authorization: " + login)
    talk.response(0.15, 401, 2, "REGISTER", more="WWW-Authenticate: " + challenge.format("two"))
    talk.request(0.2, "REGISTER", 3, more="Authorization: " + login)
    talk.response(0.25, 200, 3, "REGISTER")
    talk.request(0.8, "REGISTER", 4, more="Authorization: " + login + "Expires: 0\r\n")
    talk.response(0.85, 200, 4, "REGISTER")


FLOWS = [
    reliable,
    info_both_ways,
    reinvite_from_callee,
    rejected_reinvite,
    late_offer,
    subscription,
    transfer,
    publication,
    redirect,
    cancelled_after_trying,
    crossing_byes,
    two_challenges,
]


def counted(pcap: Path) -> Counter[str]:
    return Counter(" ".join(f"{r.direction}{r.what}" for r in ladder.rows) for ladder in tshark_ladders(pcap))


def play(folder: Path, pcap: Path, loopback: Loopback) -> None:
    """Run the bundle's sipp.sh and record it."""
    uac, uas = loopback(), loopback()
    with recording(pcap, hosts=[uac]):
        done = subprocess.run(
            ["sh", str(folder / "sipp.sh")],
            env={**os.environ, "UAC_IP": uac, "UAS_IP": uas, "START_S": "0.5", "TERM": "xterm"},
            capture_output=True,
            text=True,
            timeout=200,
            stdin=subprocess.DEVNULL,
        )
    logs = "".join(f"--- {p.name}\n{p.read_text(errors='replace')[-2500:]}\n" for p in (folder / "logs").glob("*.err"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def test_made_flows(tmp_path: Path, loopback: Loopback) -> None:
    talks = []
    for number, flow in enumerate(FLOWS):
        talk = Talk(call_id=f"{flow.__name__}@x", caller=f"a{number}", callee=f"b{number}", start=1000.0 + 10 * number)
        flow(talk)
        talks.append(talk)
    made = learned(tmp_path, talks, LearnOptions(timewait_ms=600))
    assert not made.report.left_out
    play(made.folder, tmp_path / "again.pcap", loopback)
    assert counted(tmp_path / "again.pcap") == counted(tmp_path / "calls.pcap")


def headers(pcap: Path) -> Counter[str]:
    """Request-URI user and Server of every OPTIONS, as tshark reads them."""
    fields = ["-e", "sip.r-uri.user", "-e", "sip.from.user", "-e", "sip.User-Agent", "-e", "sip.Server"]
    argv = ["tshark", "-n", "-r", str(pcap), "-Y", "sip", "-T", "fields", *fields]
    return Counter(subprocess.run(argv, capture_output=True, check=True, text=True, timeout=60).stdout.splitlines())


def test_each_call_of_a_shape_keeps_its_own_values_on_both_sides(tmp_path: Path, loopback: Loopback) -> None:
    talks = []
    for number in range(5):
        talk = Talk(call_id=f"c{number}", caller=f"30{number}", callee=f"40{number}", start=1000.0 + number)
        talk.request(0.0, "OPTIONS", 1, more=f"User-Agent: phone {number % 3}\r\n")
        talk.response(0.03, 200, 1, "OPTIONS", more=f"Server: box {number}\r\n")
        talks.append(talk)
    made = learned(tmp_path, talks, LearnOptions(timewait_ms=600))
    assert [row.calls for row in made.report.scenarios] == [5]
    play(made.folder, tmp_path / "again.pcap", loopback)
    assert headers(tmp_path / "again.pcap") == headers(tmp_path / "calls.pcap")
