"""SIPp's media actions and options between Debian's sipp and ours: streams, digits, echo, patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.command_lines import OURS, THEIRS, play
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

CALL = """<?xml version="1.0"?>
<scenario name="streams">
  <send retrans="8000"><![CDATA[
    INVITE sip:service@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:service@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:a@[local_ip]:[local_port]>
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=a 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [{port}] RTP/AVP 0 96
    a=rtpmap:96 telephone-event/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200"/>
  <send><![CDATA[
    ACK sip:service@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:service@[remote_ip]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Content-Length: 0

  ]]></send>
  <nop><action>{action}</action></nop>
  <pause milliseconds="{pause}"/>
  <send retrans="8000"><![CDATA[
    BYE sip:service@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:service@[remote_ip]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 2 BYE
    Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"""


def scenario(folder: Path, action: str, *, port: str = "rtpstream_audio_port", pause: int = 1000) -> Path:
    path = folder / "streams.xml"
    path.write_text(CALL.replace("{port}", port).replace("{action}", action).replace("{pause}", str(pause)))
    return path


@pytest.mark.parametrize(("echo", "code"), [("-rtp_echo", 0), ("", 253)])
def test_a_pattern_comes_back_from_sipps_echo_or_the_run_says_so(
    tmp_path: Path, loopback: Callable[[], str], echo: str, code: int
) -> None:
    port = free_port()
    path = scenario(tmp_path, '<exec rtp_stream="apattern,3,0,PCMU/8000"/>')
    uac, uas = play(
        tmp_path,
        OURS,
        THEIRS,
        loopback(),
        port,
        uac_words=f"-sf {path} -m 2 -r 10 -min_rtp_port {port + 100}",
        uas_words=f"-sn uas -m 2 {echo} -mp {port + 200}",
    )
    assert uas.exit_code == 0, uas.explain()
    assert uac.exit_code == code, uac.explain()
    assert f"{0 if echo else 2} of 2 patterns failed" in uac.stdout


@pytest.mark.parametrize("uas", [THEIRS, OURS])
def test_what_sipp_streams_comes_back_from_our_echo_too(
    tmp_path: Path, loopback: Callable[[], str], uas: list[str]
) -> None:
    (tmp_path / "a.ulaw").write_bytes(bytes(range(256)) * 25)
    port = free_port()
    path = scenario(tmp_path, '<exec rtp_stream="a.ulaw,1,0"/>', pause=1200)
    words = {
        "uac_words": f"-sf {path} -m 1 -min_rtp_port {port + 100}",
        "uas_words": f"-sn uas -m 1 -rtp_echo -mp {port + 200} -trace_screen -screen_file uas.screen",
    }
    if uas is OURS:
        words["uac_words"] = words["uac_words"].replace("min_rtp_port", "mp")
        ended = play(tmp_path, THEIRS, OURS, loopback(), port, **words)
        assert "40 Total echo RTP pckts" in ended[1].stdout
    else:
        ended = play(tmp_path, OURS, THEIRS, loopback(), port, **words)
        assert "40 Total RTP pckts sent, 40 received, 0 lost" in ended[0].stdout
    for side in ended:
        assert side.exit_code == 0, side.explain()


def test_our_digits_are_as_many_packets_as_sipps(tmp_path: Path, loopback: Callable[[], str]) -> None:
    counts = []
    for base in (THEIRS, OURS):
        port = free_port()
        path = scenario(tmp_path, '<exec play_dtmf="15#,100"/>', port="media_port", pause=1500)
        uac, uas = play(
            tmp_path,
            base,
            OURS,
            loopback(),
            port,
            uac_words=f"-sf {path} -m 1 -mp {port + 100}",
            uas_words=f"-sn uas -m 1 -rtp_echo -mp {port + 200}",
        )
        for side in (uac, uas):
            assert side.exit_code == 0, side.explain()
        counts.append(re.findall(r"([0-9]+) received, ([0-9]+) lost, ([0-9]+) Total echo", uas.stdout)[0])
    (theirs, _, _), ours = counts
    # sipp's filler leaves out every other sequence number, so that its receivers count a loss.
    assert ours == (theirs, "0", theirs)
