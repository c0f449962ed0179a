"""Whatever a peer sends, the engine goes on."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.testing import Playbook

CALLER = """<scenario name="x">
<send retrans="500" start_txn="a"><![CDATA[
INVITE sip:you@[remote_ip] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:me@[local_ip]>;tag=[call_number]
To: <sip:you@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
CSeq: [cseq] INVITE
Content-Length: [len]

]]></send>
<recv response="100" optional="true" response_txn="a"/>
<recv response="401" optional="true" auth="true" response_txn="a" next="again"/>
<recv response="180" optional="true" response_txn="a"/>
<recv response="200" rrs="true" response_txn="a" timeout="5000" ontimeout="end"><action>
  <ereg regexp="sip:([^@]*)@([^;>]*)" search_in="hdr" header="Contact:" assign_to="all,user,host"/>
  <ereg regexp="m=(audio|video) ([0-9]+)" search_in="body" assign_to="m,kind,port"/>
  <todouble assign_to="number" variable="port"/>
  <setdest host="[$host]" port="[$port]" protocol="udp"/>
</action></recv>
<label id="again"/>
<send ack_txn="a"><![CDATA[
ACK [next_url] SIP/2.0
[last_Via:]
[routes]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: [last_cseq_number] ACK
X: [$all] [$user] [$host] [$number] [$kind] [$m] [$port] [last_Request_URI] [last_message]
[authentication username=a password=b]
Content-Length: [len]

]]></send>
<pause milliseconds="100"/>
<label id="_unexp.main"/>
<recv request=".*" regexp_match="true" timeout="500" ontimeout="end"><action>
  <assign assign_to="back" variable="_unexp.retaddr"/><assign assign_to="_unexp.retaddr" value="0"/>
  <pauserestore variable="_unexp.pausedaddr"/></action></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Content-Length: 0

]]></send>
<nop><action><jump variable="back"/></action></nop>
<label id="end"/>
<nop/>
<Reference variables="_unexp.pausedaddr"/>
</scenario>
"""

ANSWER = (
    b"SIP/2.0 %s\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1-%d-0\r\nFrom: <sip:me@127.0.0.1>;tag=%d\r\n"
    b"To: <sip:you@127.0.0.1>;tag=x\r\nCall-ID: %d-1@127.0.0.1\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:r;lr>\r\n"
    b'WWW-Authenticate: Digest realm="a",nonce="b",qop="auth,auth-int"\r\nContact: <sip:you@127.0.0.1:5070>\r\n\r\n'
    b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n"
)
REQUEST = (
    b"%s sip:me@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1\r\n"
    b"From: <sip:you@127.0.0.1>;tag=x\r\nTo: <sip:me@127.0.0.1>;tag=%d\r\nCall-ID: %d-1@127.0.0.1\r\n"
    b"CSeq: 7 UPDATE\r\nContact: <sip:you@127.0.0.1>\r\n\r\n"
)


def damaged(message: bytes, random: Random) -> bytes:
    """The message with a few bytes changed, cut out, doubled, or a line gone."""
    data = bytearray(message)
    for _ in range(random.randint(0, 3)):
        if not data:
            break
        at = random.randrange(len(data))
        kind = random.randrange(5)
        if kind == 0:
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at : at + random.randint(1, 20)]
        elif kind == 2:
            data[at:at] = data[at : at + random.randint(1, 40)]
        elif kind == 3:
            lines = bytes(data).split(b"\r\n")
            del lines[random.randrange(len(lines))]
            data = bytearray(b"\r\n".join(lines))
        else:
            data = data[:at]
    return bytes(data)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_caller_survives_damaged_messages(seed: int) -> None:
    random = Random(seed)
    calls = 5
    play = Playbook(CALLER, calls=calls, recv_timeout_ms=5000)
    for _ in range(60):
        number = random.randint(1, calls)
        if random.random() < 0.7:
            status = random.choice((b"100 T", b"180 R", b"200 OK", b"401 U", b"500 No", b"200 OK"))
            message = ANSWER % (status, number, number, number)
        else:
            message = REQUEST % (random.choice((b"UPDATE", b"BYE", b"ACK", b"INVITE", b"CANCEL")), number, number)
        play.engine.receive(damaged(message, random), None, play.clock.now())
        if random.random() < 0.3:
            play.passes(random.random() * 0.3)
    play.passes(1000)
    statistics = play.engine.statistics
    assert statistics.current == 0
    assert statistics.successful + statistics.failed == calls


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_a_callee_survives_damaged_messages(seed: int) -> None:
    random = Random(seed)
    play = Playbook("uas", auto_answer=random.random() < 0.5)
    for _ in range(60):
        number = random.randint(1, 5)
        method = random.choice((b"INVITE", b"ACK", b"BYE", b"OPTIONS", b"CANCEL"))
        message = damaged(REQUEST % (method, number, number), random)
        play.engine.receive(message, ("127.0.0.1", 5070), play.clock.now())
        if random.random() < 0.3:
            play.passes(random.random() * 0.3)
    play.passes(60)
    statistics = play.engine.statistics
    assert statistics.successful + statistics.failed + statistics.current == statistics.incoming
