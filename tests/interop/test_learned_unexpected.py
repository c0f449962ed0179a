"""Requests that the capture does not hold arrive in the middle of a pause: they are answered and the call goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sipreplay.learn.learner import learn
from sipreplay.learn.options import LearnOptions
from tests.interop.peers import recording, sipp_uac, sipp_uas, tshark_ladders

pytestmark = pytest.mark.interop("sipp", "tshark", "tcpdump")
Loopback = Callable[[], str]

HEADERS = """\
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: [$me];tag=[call_number]
      To: [$peer]
      Call-ID: [call_id]
      CSeq: [cseq] {method}
      Max-Forwards: 70
      Contact: <sip:[local_ip]:[local_port]>
      Content-Length: 0
"""
BEGIN = """\
<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="uas">
  <recv request="INVITE" rrs="true">
    <action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="peer"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="me"/>
    </action>
  </recv>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=- 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 8
  ]]></send>
  <recv request="ACK"/>
  <pause milliseconds="300"/>
"""
REQUEST = '  <send retrans="500"><![CDATA[\n      {method} [next_url] SIP/2.0\n' + HEADERS + "\n  ]]></send>\n"
ANSWERED = '  <recv response="200"/>\n'
ACK = "  <send><![CDATA[\n      ACK [next_url] SIP/2.0\n" + HEADERS.format(method="ACK") + "\n  ]]></send>\n"
END = """\
  <recv request="BYE"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
  ]]></send>
  <timewait milliseconds="500"/>
"""


def stranger(*methods: str) -> str:
    """A UAS that sends these requests while its caller holds the line."""
    parts = [BEGIN]
    for method in methods:
        parts += [REQUEST.format(method=method), ANSWERED, ACK if method == "INVITE" else ""]
    if "BYE" not in methods:
        parts.append(END)
    return "".join([*parts, "</scenario>\n"])


@pytest.mark.parametrize(
    ("methods", "ladder"),
    [
        (["OPTIONS", "INFO"], ">INVITE <200 >ACK <OPTIONS >200 <INFO >200 >BYE <200"),
        (["UPDATE", "INVITE"], ">INVITE <200 >ACK <UPDATE >200 <INVITE >200 <ACK >BYE <200"),
        (["BYE"], ">INVITE <200 >ACK <BYE >200"),
    ],
)
def test_requests_during_the_hold_are_answered(
    own_captures: Path, tmp_path: Path, loopback: Loopback, methods: list[str], ladder: str
) -> None:
    bundle = tmp_path / "bundle"
    learn([own_captures / "uac_pcap-g711-dtmf.pcap"], bundle, LearnOptions(max_pause_s=2.0, media=False))
    (tmp_path / "uas.xml").write_text(stranger(*methods))
    caller, callee = loopback(), loopback()
    injection = ("-inf", "invite-bye.csv", "-m", "1")
    with (
        recording(tmp_path / "run.pcap", hosts=[caller]) as pcap,
        sipp_uas(tmp_path, tmp_path / "uas.xml", callee, 15060, "-m", "1") as uas,
        sipp_uac(bundle, bundle / "invite-bye-uac.xml", caller, 15062, f"{callee}:15060", *injection) as uac,
    ):
        ends = [uac.wait(), uas.wait()]
    for end in ends:
        assert end.exit_code == 0, end.explain() + (bundle / "uac.errors.log").read_text()
    (seen,) = tshark_ladders(pcap)
    assert " ".join(f"{r.direction}{r.what}" for r in seen.rows) == ladder
