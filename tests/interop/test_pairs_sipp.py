"""Pairs of scenarios played four ways, sipp and ours on either side: equal exit codes and equal bytes on the wire."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.interop.command_lines import OURS, THEIRS, messages, play
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

INVITE = """<send retrans="500"{attributes}><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:b@[remote_ip]>
    Call-ID: [call_id]
    CSeq: [cseq] INVITE
    Contact: <sip:a@[local_ip]:[local_port]>
    Max-Forwards: 70{headers}
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    c=IN IP4 [media_ip]
    m=audio [media_port] RTP/AVP 0
    ]]></send>"""


def invite(attributes: str = "", headers: str = "") -> str:
    return INVITE.format(attributes=attributes, headers=headers and f"\n    {headers}")


def request(method: str, headers: str = "", attributes: str = "", to: str = "[next_url]") -> str:
    retrans = "" if method == "ACK" else ' retrans="500"'
    return f"""<send{retrans}{attributes}><![CDATA[
    {method} {to} SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:b@[remote_ip]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: [cseq] {method}
    [routes]
    Max-Forwards: 70{headers and chr(10) + headers}
    Content-Length: 0
    ]]></send>"""


def response(line: str, headers: str = "", attributes: str = "") -> str:
    return f"""<send{attributes}><![CDATA[
    SIP/2.0 {line}
    [last_Via:]
    [last_From:]
    [last_To:];tag=x[call_number]
    [last_Call-ID:]
    [last_CSeq:]
    Contact: <sip:b@[local_ip]:[local_port]>{headers and chr(10) + headers}
    Content-Length: 0
    ]]></send>"""


RINGING = '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
CALL = invite() + RINGING + '<recv response="200" rrs="true"/>' + request("ACK")
HANG_UP = request("BYE") + '<recv response="200"/>'
ANSWER = (
    '<recv request="INVITE"/>'
    + response("180 Ringing")
    + response("200 OK", "Record-Route: <sip:[local_ip]:[local_port];lr>", ' retrans="500"')
    + '<recv request="ACK"/>'
)
WAIT = '<timewait milliseconds="200"/>'
END = '<recv request="BYE"/>' + response("200 OK") + WAIT

CAPTURE_CALLER = (
    invite(headers="X-User: bob@example.com, alice@x") + '<recv response="200" rrs="true"><action>'
    '<ereg regexp="(a|ab)(c|bcd)(d*)" search_in="hdr" header="X-Alt:" check_it="true" assign_to="all,one,two,three"/>'
    '<ereg regexp="tag=([^;]*)" search_in="hdr" header="To:" assign_to="_,tag"/>'
    "</action></recv>"
    + request("ACK")
    + request("BYE", "X: [$all]-[$one]-[$two]-[$three] [$tag]")
    + '<recv response="200"/>'
)
CAPTURE_CALLED = (
    '<recv request="INVITE"><action><ereg regexp="([[:alnum:]]+)@([a-z.]+)" search_in="hdr" header="X-User:" '
    'assign_to="all,user,domain"/></action></recv>'
    + response("200 OK", "X-Alt: abcd\nX-Got: [$all] [$user] [$domain]")
    + '<recv request="ACK"/>'
    + END
)
COUNT = (
    '<nop><action><assign assign_to="i" value="0"/></action></nop><label id="again"/>'
    + request("INFO", "X-Count: [$text]")
    + '<recv response="200"><action><add assign_to="i" value="1"/><assignstr assign_to="text" value="n[$i]"/>'
    '<test variable="i" compare="less_than" value="3" assign_to="more"/></action></recv><nop next="again" test="more"/>'
)
TAKE_INFO = (
    '<label id="wait"/><recv request="INFO" optional="true" next="info"/><recv request="BYE" next="bye"/>'
    '<label id="info"/>' + response("200 OK", "", ' next="wait"') + '<label id="bye"/>' + response("200 OK") + WAIT
)
TRANSACTIONS = (
    invite(' start_txn="i"')
    + RINGING.replace("/>", ' response_txn="i"/>')
    + '<recv response="200" response_txn="i" rrs="true"/>'
    + request("ACK", "", ' ack_txn="i"')
    + request("BYE", "", ' start_txn="b"')
    + '<recv response="200" response_txn="b"/>'
)
HANDLER = (
    CALL
    + '<pause milliseconds="300"/>'
    + HANG_UP
    + '<nop next="over"/><label id="_unexp.main"/><recv request="INFO|UPDATE" regexp_match="true"/>'
    + response("200 OK", "X-Handled: yes")
    + '<nop><action><jump variable="_unexp.retaddr"/><pauserestore variable="_unexp.pausedaddr"/></action></nop>'
    '<label id="over"/><nop><action><assign assign_to="_unexp.retaddr" value="0"/>'
    '<assign assign_to="_unexp.pausedaddr" value="0"/></action></nop>'
)
DISTURB = (
    ANSWER
    + request("INFO", "", "", "sip:a@x").replace(";tag=[call_number]", ";tag=1").replace("[peer_tag_param]", "")
    + '<recv response="200"/>'
    + END
)

PAIRS = {
    "route": (CALL + HANG_UP, ANSWER + END, (0, 0)),
    "capture": (CAPTURE_CALLER, CAPTURE_CALLED, (0, 0)),
    "loop": (CALL + COUNT + HANG_UP, ANSWER + TAKE_INFO, (0, 0)),
    "reject": (
        invite() + '<recv response="486"/>' + request("ACK", to="sip:x"),
        '<recv request="INVITE"/>' + response("486 Busy Here") + '<recv request="ACK"/>',
        (0, 0),
    ),
    "unexpected": (
        invite() + '<recv response="180"/><recv response="200"/>',
        '<recv request="INVITE"/>' + response("404 Not Found") + '<recv request="ACK"/>',
        (1, 0),
    ),
    "timeout": (
        invite() + '<recv response="200" timeout="300"/>',
        '<recv request="INVITE"/><pause milliseconds="500"/>',
        (1, 0),
    ),
    "timeout-label": (
        invite() + '<recv response="200" timeout="300" ontimeout="late"/><label id="late"/><nop/>',
        '<recv request="INVITE"/><pause milliseconds="500"/>',
        (0, 0),
    ),
    "transactions": (TRANSACTIONS, ANSWER + END, (0, 0)),
    "unexpected-handler": (HANDLER, DISTURB, (0, 0)),
}
"""Caller, called, their exit codes."""


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_of_scenarios_plays_alike(tmp_path: Path, loopback: Callable[[], str], name: str) -> None:
    caller, called, codes = PAIRS[name]
    for side, text in (("caller", caller), ("called", called)):
        (tmp_path / f"{side}.xml").write_text(f'<?xml version="1.0"?>\n<scenario name="{name}">\n{text}\n</scenario>\n')
    port, media = free_port(), free_port()
    uac_words = f"-sf {tmp_path}/caller.xml -m 1 -mp {media}"
    uas_words = f"-sf {tmp_path}/called.xml -m 1 -mp {media + 4} -timeout 20"
    addresses = [loopback() for _ in range(4)]

    def logs(ip: str, uac: list[str], uas: list[str]) -> tuple[list[int], list[list[str]], str]:
        ends = play(tmp_path / ip, uac, uas, ip, port, uac_words=uac_words, uas_words=uas_words)
        texts = [messages(tmp_path / ip / f"{side}.msg") for side in ("uac", "uas")]
        plain = [[text.replace(ip, "IP") for text in log] for log in texts]
        return [end.exit_code for end in ends], plain, "\n".join(end.explain() for end in ends)

    with ThreadPoolExecutor() as pool:
        ways = [(uac, uas) for uac in (THEIRS, OURS) for uas in (THEIRS, OURS)]
        runs = [pool.submit(logs, ip, *way) for ip, way in zip(addresses, ways, strict=True)]
        results = [run.result() for run in runs]
    for exit_codes, _, explained in results:
        assert tuple(exit_codes) == codes, explained
    theirs, *others = [texts for _, texts, _ in results]
    assert theirs[0]
    for ours in others:
        assert ours == theirs
