"""A pair of scenarios that play against each other, and the words to write them shortly. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pair:
    """What is played four ways. `caller` and `called` are the elements of a scenario, without its root.

    `{folder}` in words is the run's own folder, in which `files` lie. A run in which more or fewer messages than
    `resent` are sent again was disturbed by the machine.
    """

    name: str
    caller: str
    called: str
    codes: tuple[int, int] = (0, 0)
    caller_words: str = ""
    called_words: str = ""
    calls: int = 1
    files: Mapping[str, str] = field(default_factory=dict)
    transport: str = "u1"
    resent: int = 0
    """How many messages are sent again, by both."""
    silent: bool = False
    """Nothing reaches the wire."""
    proves: tuple[str, ...] = ()
    """Rows of the table that are not seen in the files and words themselves."""
    loose: tuple[str, ...] = ()
    """Columns of statistics and counts that chance or time decide in this pair (parts of their names)."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """For the peer made of a scenario: headers that its messages carry, by method or code."""


def scenario(elements: str, name: str) -> str:
    """The file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{elements}\n</scenario>\n'


def _message(lines: list[str], body: str, attributes: str, actions: str) -> str:
    text = "\n".join(lines) + "\nContent-Length: [len]\n\n" + body
    return f"<send{_blank(attributes)}><![CDATA[\n{text}\n]]>{_actions(actions)}</send>\n"


def _blank(attributes: str) -> str:
    return f" {attributes}" if attributes else ""


def _actions(actions: str) -> str:
    return f"<action>{actions}</action>" if actions else ""


def ask(
    method: str,
    *more: str,
    body: str = "",
    attributes: str = "",
    actions: str = "",
    uri: str = "sip:[service]@[remote_ip]:[remote_port]",
    call_id: str = "[call_id]",
) -> str:
    """A `<send>` of a request, with these further headers."""
    lines = [
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "From: <sip:a@[local_ip]>;tag=t[call_number]",
        "To: <sip:b@[remote_ip]>[peer_tag_param]",
        f"Call-ID: {call_id}",
        f"CSeq: [cseq] {method}",
        "Contact: <sip:a@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        *more,
    ]
    return _message(lines, body, attributes, actions)


def say(status: str, *more: str, body: str = "", attributes: str = "", actions: str = "", tag: str = "") -> str:
    """A `<send>` of a response to the last request."""
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        f"[last_To:]{tag or ';tag=x[call_number]'}",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:b@[local_ip]:[local_port]>",
        *more,
    ]
    return _message(lines, body, attributes, actions)


def hear(what: str, attributes: str = "", actions: str = "") -> str:
    """A `<recv>` of a method or a code."""
    kind = "response" if what[:1].isdigit() else "request"
    inside = _actions(actions)
    end = f">{inside}</recv>\n" if inside else "/>\n"
    return f'<recv {kind}="{what}"{_blank(attributes)}{end}'


def nop(*actions: str, attributes: str = "") -> str:
    inside = _actions("".join(actions))
    return f"<nop{_blank(attributes)}>{inside}</nop>\n" if inside else f"<nop{_blank(attributes)}/>\n"


def pause(ms: int, attributes: str = "") -> str:
    return f'<pause milliseconds="{ms}"{_blank(attributes)}/>\n'


SDP = "v=0\no=u 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0\n"
PROVISIONAL = hear("100", 'optional="true"') + hear("180", 'optional="true"')
INVITE = ask("INVITE", "Content-Type: application/sdp", body=SDP, attributes='retrans="500"')
CALL = INVITE + PROVISIONAL + hear("200") + ask("ACK")
BYE = ask("BYE", attributes='retrans="500"') + hear("200")
RING = hear("INVITE") + say("180 Ringing")
ANSWER = RING + say("200 OK", "Content-Type: application/sdp", body=SDP, attributes='retrans="500"') + hear("ACK")
WAIT = '<timewait milliseconds="100"/>\n'
END = hear("BYE") + say("200 OK", tag=" ") + WAIT
OPTIONS = ask("OPTIONS", attributes='retrans="500"') + hear("200")
OK = say("200 OK") + WAIT
