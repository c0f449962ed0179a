"""SIPp's built-in scenarios, written afresh: messages, headers, order, attributes and tables as `sipp -sd NAME` prints.

They are built as `model.Scenario` values and written by `writer`, so that `-sd` prints what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sipreplay.errors import UsageError
from sipreplay.scenario.model import (
    Action,
    Element,
    Ereg,
    Exec,
    Nop,
    Pause,
    Recv,
    RecvCommand,
    Scenario,
    Send,
    SendCommand,
)
from sipreplay.scenario.writer import laid_out, write_scenario

MEDIA_FOLDER = Path(__file__).parent
"""Where `pcap/g711a.pcap` and `pcap/dtmf_2833_1.pcap` of uac_pcap lie, if the working directory has none of its own."""

_RESPONSE_TIMES = [10, 20, 30, 40, 50, 100, 150, 200]
_CALL_LENGTHS = [10, 50, 100, 500, 1000, 5000, 10000]
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
_SDP_PCMU = """\
v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
_SDP_PCMA_AND_EVENTS = """\
v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[local_ip_type] [local_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-11,16
"""


def builtin(name: str) -> str:
    """The XML of a built-in scenario. Raises UsageError for a name that is unknown or not supported yet."""
    return write_scenario(builtin_scenario(name))


def builtin_scenario(name: str) -> Scenario:
    """The same as a value; its `file` is `NAME.xml`."""
    build = _BUILDERS.get(name)
    if build is None:
        raise UsageError(f"unknown built-in scenario '{name}'; there are {', '.join(builtin_names())}")
    scenario = build()
    scenario.file = f"{name}.xml"
    if not name.startswith("3pcc"):
        scenario.response_time_repartition = scenario.response_time_repartition or list(_RESPONSE_TIMES)
        scenario.call_length_repartition = scenario.call_length_repartition or list(_CALL_LENGTHS)
    return scenario


def builtin_names() -> list[str]:
    """All built-in scenarios, in SIPp's order."""
    return list(_BUILDERS)


def _send(text: str, comment: str = "", *, retrans: bool = False, next: str = "", test: str = "") -> Send:
    return Send(text=laid_out(text), retrans_ms=500 if retrans else 0, comment=comment, next=next, test=test)


def _dialog_request(method: str, cseq: int, tag: str, *, extra: str = "", sdp: str = "", content: str = "") -> str:
    """A request of the basic call: to `[service]` at the remote host. `content`: what stands for headers and body."""
    to_tag = "" if method == "INVITE" else "[peer_tag_param]"
    if not content:
        content = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}" if sdp else "Content-Length: 0"
    return (
        f"{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0\n{_VIA}\n"
        f"From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag{tag}[call_number]\n"
        f"To: [service] <sip:[service]@[remote_ip]:[remote_port]>{to_tag}\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\n{extra}"
        "Contact: sip:sipp@[local_ip]:[local_port]\nMax-Forwards: 70\nSubject: Performance Test\n"
        f"{content}"
    )


def _response(line: str, tag: str = "", *, expires: bool = False, record_route: bool = False, sdp: str = "") -> str:
    """A response made of the last request."""
    to_tag = f";tag=[pid]SIPpTag{tag}[call_number]" if tag else ""
    routes = "[last_Record-Route:]\n" if record_route else ""
    content = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}" if sdp else "Content-Length: 0"
    return (
        f"SIP/2.0 {line}\n[last_Via:]\n[last_From:]\n[last_To:]{to_tag}\n[last_Call-ID:]\n[last_CSeq:]\n{routes}"
        "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n"
        f"{content}" + ("\nExpires: 300" if expires else "")
    )


def _provisional(*codes: str) -> list[Element]:
    return [Recv(response=code, optional="true") for code in codes]


def _uac() -> Scenario:
    return Scenario(
        "Basic Sipstone UAC",
        [
            _send(
                _dialog_request("INVITE", 1, "00", sdp=_SDP_PCMU),
                "The Call-ID of a call that is placed here must be [call_id].",
                retrans=True,
            ),
            *_provisional("100", "180", "183"),
            Recv(response="200", rtd="1", comment='Add rrs="true" to keep the route set for [routes] and [next_url].'),
            _send(_dialog_request("ACK", 1, "00"), 'Add lost="10" to lose 10 % of these.'),
            Pause(comment="As long as -d says; or write milliseconds here."),
            _send(_dialog_request("BYE", 2, "00"), retrans=True),
            Recv(response="200", crlf=True),
        ],
    )


def _uas() -> Scenario:
    return Scenario(
        "Basic UAS responder",
        [
            Recv(request="INVITE", crlf=True, comment='Add rrs="true" to keep the route set.'),
            _send(
                _response("180 Ringing", "01"),
                "[last_X:] is header X of the last message received; the line vanishes if there was none.",
            ),
            _send(_response("200 OK", "01", record_route=True, sdp=_SDP_PCMU), retrans=True),
            Recv(request="ACK", optional="true", rtd="1", crlf=True),
            Recv(request="BYE"),
            _send(_response("200 OK")),
            Pause(milliseconds=4000, timewait=True, comment="Answers the BYE again if it is retransmitted."),
        ],
    )


def _regexp() -> Scenario:
    captured = (
        "retrievedIp: [$1]\nretrievedContact:[$6]\nretrievedSdpOrigin:[$3]\nretrievedSdpOrigin-username:[$4]\n"
        "retrievedSdpOrigin-session-id:[$5]\nretrievedSdpOrigin-version:[$8]\n"
    )
    actions: list[Action] = [
        Ereg("[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[:][0-9]{1,5}", ("1",), check_it=True),
        Ereg(".*", ("6",), "hdr", "Contact:", check_it=True),
        Ereg("o=([[:alnum:]]*) ([[:alnum:]]*) ([[:alnum:]]*)", ("3", "4", "5", "8"), check_it=True),
    ]
    return Scenario(
        "Client with regexp scenario",
        [
            _send(_dialog_request("INVITE", 1, "02", sdp=_SDP_PCMU), retrans=True),
            *_provisional("100", "180", "183"),
            Recv(response="200", start_rtd="1", actions=actions),
            _send(_dialog_request("ACK", 1, "02", extra=captured)),
            Pause(milliseconds=1000),
            _send(_dialog_request("BYE", 2, "02"), retrans=True),
            Recv(response="200", crlf=True, rtd="1"),
        ],
        response_time_repartition=[1000, 1040, 1080, 1120, 1160, 1200],
        call_length_repartition=[1000, 1100, 1200, 1300, 1400],
    )


def _branch_request(method: str, cseq: int) -> str:
    from_name = "ua[call_number]" if method == "INVITE" else "ua1"
    content = "Content-Length: 0"
    if method == "INVITE":
        content = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{_SDP_PCMU}"
    return (
        f"{method} sip:ua2@CA.cym.com SIP/2.0\n{_VIA}\n"
        f"From: {from_name} <sip:ua1@nnl.cym:[local_port]>;tag=[pid]SIPpTag07b[call_number]\n"
        f"To: ua2 <sip:ua2@nnl.cym:[remote_port]>{'' if method == 'INVITE' else '[peer_tag_param]'}\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: sip:ua1@[local_ip]:[local_port]\n"
        f"Max-Forwards: 70\nSubject: Performance Test\n{content}"
    )


def _branchc() -> Scenario:
    register = (
        f"REGISTER sip:CA.cym.com SIP/2.0\n{_VIA}\n"
        "From: ua1 <sip:ua1@nnl.cym:[local_port]>;tag=[pid]SIPpTag07[call_number]\n"
        "To: ua1 <sip:ua1@nnl.cym:[local_port]>\nCall-ID: [call_id]\nCSeq: 1 REGISTER\n"
        "Contact: sip:ua1@[local_ip]:[local_port]\nContent-Length: 0\nExpires: 300"
    )
    return Scenario(
        "branch_client",
        [
            _send(register, retrans=True),
            Recv(response="200", rtd="1", next="5", comment="The usual case goes past the next line."),
            Recv(response="200"),
            _send(_branch_request("INVITE", 1), retrans=True),
            *_provisional("100", "180", "183"),
            Recv(response="403", optional="true", next="1"),
            Recv(response="200", actions=[Ereg("ua25", ("8",), "hdr", "From: ")]),
            _send(_branch_request("ACK", 1), "The 25th call goes past the pause.", next="1", test="8"),
            Pause(milliseconds=5000),
            _send(_branch_request("BYE", 2), retrans=True),
            Recv(response="200", crlf=True),
            Pause(milliseconds=4000),
        ],
        {"5": 3, "1": 11},
    )


def _branchs() -> Scenario:
    return Scenario(
        "branch_server",
        [
            Recv(request="REGISTER"),
            _send(_response("200 OK", "08", expires=True)),
            Recv(request="INVITE", crlf=True, actions=[Ereg("ua2", ("3",), "hdr", "From: ")]),
            _send(_response("180 Ringing", "08b"), "Callers ua2... ring.", next="1", test="3"),
            _send(_response("403 Error", "08b"), "Others are refused.", next="2"),
            _send(_response("100 Trying", "08b")),
            _send(_response("200 OK", "08b", sdp=_SDP_PCMU), retrans=True),
            Recv(request="ACK", optional="true", rtd="1", crlf=True),
            Recv(request="BYE"),
            _send(_response("200 OK")),
            Pause(milliseconds=4000, timewait=True, comment="Answers the BYE again if it is retransmitted."),
        ],
        {"1": 5, "2": 8},
    )


def _uac_pcap() -> Scenario:
    return Scenario(
        "UAC with media",
        [
            _send(_dialog_request("INVITE", 1, "09", sdp=_SDP_PCMA_AND_EVENTS), retrans=True),
            *_provisional("100", "180"),
            Recv(response="200", rtd="1", crlf=True),
            _send(_dialog_request("ACK", 1, "09")),
            Nop(actions=[Exec("play_pcap_audio", "pcap/g711a.pcap")], comment="Eight seconds of G.711 A-law."),
            Pause(milliseconds=8000),
            Nop(actions=[Exec("play_pcap_audio", "pcap/dtmf_2833_1.pcap")], comment="The digit 1 (RFC 4733)."),
            Pause(milliseconds=1000),
            _send(_dialog_request("BYE", 2, "09"), retrans=True),
            Recv(response="200", crlf=True),
        ],
    )


def _ooc_default() -> Scenario:
    return Scenario(
        "Out-of-call UAS",
        [
            Recv(request=".*", regexp_match=True),
            _send(_response("200 OK")),
            Pause(milliseconds=4000, timewait=True, comment="Answers the request again if it is retransmitted."),
        ],
    )


def _ooc_dummy() -> Scenario:
    return Scenario(
        "Out-of-call UAS",
        [Recv(request="DUMMY", comment="Nothing ever matches: what -aa answers has a scenario, too.")],
    )


_3PCC_FLOW = (
    "Third party call control (RFC 3725, flow I): 3pcc-A, 3pcc-C-A = 3pcc-C-B, 3pcc-B. What A answers without having "
    "been offered anything is B's offer, and B's answer comes to A in the ACK; controllers hand both on by commands."
)


def _content(variable: str) -> list[Action]:
    """Everything from the Content-Type on: the header, the others after it, and the body."""
    return [Ereg("Content-Type:.*", (variable,), "msg")]


def _command(variable: str) -> SendCommand:
    return SendCommand(text=laid_out(f"Call-ID: [call_id]\n[${variable}]\n"))


def _controller_a() -> Scenario:
    return Scenario(
        "3PCC Controller - A side",
        [
            _send(_dialog_request("INVITE", 1, "03"), _3PCC_FLOW, retrans=True),
            *_provisional("100", "180", "183"),
            Recv(response="200", start_rtd="1", crlf=True, actions=_content("1")),
            _command("1"),
            RecvCommand(actions=_content("2")),
            Send(text=laid_out(_dialog_request("ACK", 1, "03", content="[$2]")), rtd="1"),
            Pause(milliseconds=1000),
            _send(_dialog_request("BYE", 2, "03"), retrans=True),
            Recv(response="200", crlf=True),
        ],
    )


def _controller_b() -> Scenario:
    return Scenario(
        "3PCC Controller - B side",
        [
            RecvCommand(actions=_content("1"), comment=_3PCC_FLOW),
            _send(_dialog_request("INVITE", 1, "04", content="[$1]"), retrans=True),
            *_provisional("100", "180", "183"),
            Recv(response="200", crlf=True, actions=_content("2")),
            Send(text=laid_out(_dialog_request("ACK", 1, "04")), start_rtd="1"),
            _command("2"),
            Pause(milliseconds=1000),
            Send(text=laid_out(_dialog_request("BYE", 2, "04")), retrans_ms=500, rtd="1"),
            Recv(response="200", crlf=True),
        ],
    )


def _third_party(side: str, tag: str, *, crlf: bool) -> Scenario:
    """A callee of a controller."""
    return Scenario(
        f"3PCC {side} side",
        [
            Recv(request="INVITE", crlf=True, comment=_3PCC_FLOW),
            _send(_response("200 OK", tag, sdp=_SDP_PCMU)),
            Recv(request="ACK", rtd="1", crlf=True),
            Recv(request="BYE", crlf=crlf),
            _send(_response("200 OK")),
            Pause(milliseconds=2000, timewait=True, comment="Answers the BYE again if it is retransmitted."),
        ],
    )


_BUILDERS: Mapping[str, Callable[[], Scenario]] = {
    "uac": _uac,
    "uas": _uas,
    "regexp": _regexp,
    "branchc": _branchc,
    "branchs": _branchs,
    "3pcc-C-A": _controller_a,
    "3pcc-C-B": _controller_b,
    "3pcc-A": lambda: _third_party("A", "05", crlf=True),
    "3pcc-B": lambda: _third_party("B", "06", crlf=False),
    "uac_pcap": _uac_pcap,
    "ooc_default": _ooc_default,
    "ooc_dummy": _ooc_dummy,
}
