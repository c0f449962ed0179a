"""CDATA and keywords."""

from __future__ import annotations

from tests.interop.differential.pair import ANSWER, BYE, CALL, END, INVITE, OK, PROVISIONAL, Pair, ask, hear, nop, say

CHALLENGE = {
    name: f'Digest realm="r s",nonce="abc=="{parameters}'
    for name, parameters in (
        ("plain", ""),
        ("auth", ', qop="auth", algorithm=MD5'),
        ("both", ',qop="auth,auth-int",opaque="o p",stale=false'),
        ("int", ',algorithm="md5", qop="auth-int"'),
    )
}


def challenged(name: str, code: int) -> Pair:
    header = f"{'WWW' if code == 401 else 'Proxy'}-Authenticate: {CHALLENGE[name]}"
    return Pair(
        f"digest-{name}-{code}",
        ask("REGISTER")
        + hear(str(code), 'auth="true"')
        + ask("REGISTER", "[authentication username=joe password=secret]", body="a body\n")
        + hear("200"),
        hear("REGISTER")
        + say(f"{code} Who", header)
        + hear(
            "REGISTER",
            "",
            '<verifyauth assign_to="good" username="joe" password="secret"/>'
            '<verifyauth assign_to="bad" username="joe" password="wrong"/>',
        )
        + say("200 OK", "X-Good: [$good] [$bad]"),
        answers={str(code): header},
    )


PAIRS = [
    *(challenged(name, 401) for name in CHALLENGE),
    challenged("auth", 407),
    Pair(
        "digest-of-options",
        ask("REGISTER") + hear("401", 'auth="true"') + ask("REGISTER", "[authentication]") + hear("200"),
        hear("REGISTER")
        + say("401 Who", f"WWW-Authenticate: {CHALLENGE['auth']}")
        + hear("REGISTER", "", '<verifyauth assign_to="good" username="joe" password="secret"/>')
        + say("200 OK", "X-Good: [$good]"),
        caller_words="-au joe -ap secret -auth_uri sip.example.org",
        answers={"401": f"WWW-Authenticate: {CHALLENGE['auth']}"},
    ),
    Pair(
        "digest-aka",
        ask("REGISTER")
        + hear("401", 'auth="true"')
        + ask(
            "REGISTER",
            "[authentication username=joe aka_OP=0x00000000000000000000000000000000 aka_AMF=0x0000 aka_K=key]",
        )
        + hear("200"),
        hear("REGISTER") + say("401 Who", f"WWW-Authenticate: {CHALLENGE['plain']}") + hear("REGISTER") + say("200 OK"),
        answers={"401": f"WWW-Authenticate: {CHALLENGE['plain']}"},
    ),
    Pair(
        "addresses",
        ask(
            "OPTIONS",
            "A: [remote_ip] [remote_host] [remote_port] [remote_port+2] [transport] [local_ip] [local_ip_type]",
            "B: [local_port] [local_port+1] [server_ip] [media_ip] [media_ip_type] [mykey]|[empty]|",
            "C: audio [media_port] [media_port+2] [auto_media_port]",
            "D: [service] [call_number] [msg_index] [cseq] [cseq+3] [branch] [branch-1] [branch+1]",
            "E: [users] [userid] [dynamic_id] [dynamic_id] [call_id]",
        )
        + hear("200"),
        hear("OPTIONS") + OK,
        calls=3,
        caller_words="-s bob -key mykey a~value -key empty '' -dynamicStart 7 -dynamicMax 20 -dynamicStep 5",
    ),
    Pair(
        "process-and-clock",
        ask(
            "OPTIONS",
            "X-Pid: [pid]",
            "Date: [date]",
            "X-Stamp: [timestamp]",
            "X-Random: [clock_tick]",
        )
        + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "last-message",
        INVITE
        + PROVISIONAL
        + hear("200")
        + ask(
            "ACK",
            "[last_Via:]",
            "[last_X-Two];tail",
            "Z: [last_Nothing]|",
            "[last_Nothing:]",
            "P: [last_cseq_number] [last_cseq_number+2] [peer_tag_param]|[last_Request_URI]|",
            body="[last_message]\n",
        )
        + BYE,
        hear("INVITE") + say("200 OK", "X-Two: one", "x-two:  two", attributes='retrans="500"') + hear("ACK") + END,
        answers={"200": "X-Two: one\r\nX-two: two"},
    ),
    Pair(
        "compact-headers",
        ask("OPTIONS", "X: 1")
        .replace("From:", "f:")
        .replace("Call-ID:", "i:")
        .replace("Via:", "v:")
        .replace("To:", "t:"),
        "",
    ),
    Pair(
        "lengths",
        ask("OPTIONS", "X: [len+3]", body="v=0\nabc\n").replace("Content-Length: [len]", "l: 10")
        + hear("200")
        + ask("MESSAGE", body="no line end").replace("\n]]>", "]]>")
        + hear("200"),
        hear("OPTIONS") + say("200 OK", body="x\n") + hear("MESSAGE") + OK,
        proves=("keyword len",),
    ),
    Pair(
        "layout",
        ask("OPTIONS", "A: \\x41\\x5B\\x5d", "   B: indented", "C: blank at the end  ", "\tD: tab").replace(
            "\nMax", "\n      Max"
        )
        + hear("200"),
        hear("OPTIONS") + OK,
        proves=("text of a message",),
    ),
    Pair(
        "sequence-numbers",
        ask("INVITE", attributes='retrans="500"')
        + hear("200")
        + ask("ACK")
        + ask("INFO")
        + hear("200")
        + hear("NOTIFY")
        + say("200 OK", tag=" ")
        + ask("BYE")
        + hear("200"),
        hear("INVITE")
        + say("200 OK", attributes='retrans="500"')
        + hear("ACK")
        + hear("INFO")
        + say("200 OK", tag=" ")
        + ask("NOTIFY", attributes='retrans="500"').replace("CSeq: [cseq]", "CSeq: 41")
        + hear("200")
        + END,
        caller_words="-base_cseq 10",
    ),
    Pair(
        "call-ids",
        ask("OPTIONS") + hear("200"),
        hear("OPTIONS") + OK,
        calls=2,
        caller_words="-cid_str a%u-%%x%s",
    ),
    Pair(
        "variables",
        nop(
            '<assign assign_to="n" value="2.5"/><assignstr assign_to="s" value="text [call_number]"/>'
            '<assign assign_to="count" value="5"/><test assign_to="b" variable="n" compare="equal" value="2.5"/>'
        )
        + ask(
            "OPTIONS",
            'X: [$n]|[$s]|[$b]|[$none]|[fill text="ab" variable="count"]|[fill variable="count"]|',
            'Y: [file name="data.txt"]|',
            "[$none]tail",
        )
        + hear("200", "", '<log message="[$none]"/>'),
        hear("OPTIONS") + OK,
        files={"data.txt": "of a file"},
        # Set nowhere: named twice is enough.
    ),
    Pair("called-parties-words", CALL + BYE, ANSWER.replace("[last_Via:]", "[last_Via]") + END, called_words="-s x"),
]
PAIRS = [pair for pair in PAIRS if pair.called]
