"""What happens to a message that comes: unexpected ones, releases, automatic answers, options that change it."""

from __future__ import annotations

from tests.interop.differential.pair import (
    ANSWER,
    BYE,
    CALL,
    END,
    INVITE,
    OK,
    RING,
    Pair,
    ask,
    hear,
    nop,
    pause,
    say,
)

DEFAULTS = """<DefaultMessage id="bye"><![CDATA[
    BYE sip:gone SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-default
    [last_From]
    [last_To]
    Call-ID: [call_id]
    CSeq: [last_cseq_number+1] BYE
    X-Default: bye
    Content-Length: 0
]]></DefaultMessage>
<DefaultMessage id="ack"><![CDATA[
    ACK sip:gone SIP/2.0
    [last_Via]
    [last_From]
    [last_To]
    Call-ID: [call_id]
    CSeq: [last_cseq_number] ACK
    X-Default: ack
    Content-Length: 0
]]></DefaultMessage>
<DefaultMessage id="cancel"><![CDATA[
    CANCEL sip:gone SIP/2.0
    [last_Via]
    [last_From]
    [last_To]
    Call-ID: [call_id]
    CSeq: [last_cseq_number] CANCEL
    X-Default: cancel
    Content-Length: 0
]]></DefaultMessage>
<DefaultMessage id="200"><![CDATA[
    SIP/2.0 200 Default
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    X-Default: 200
    Content-Length: 0
]]></DefaultMessage>
"""

PAIRS = [
    Pair(
        "unexpected-refusal",
        INVITE + hear("180") + hear("200"),
        hear("INVITE") + say("404 Not Found") + hear("ACK"),
        codes=(1, 0),
    ),
    Pair(
        "unexpected-provisional",
        INVITE + hear("200"),
        hear("INVITE") + say("183 Session Progress") + hear("CANCEL"),
        codes=(1, 0),
    ),
    Pair(
        "unexpected-answer",
        INVITE + hear("183"),
        hear("INVITE") + say("200 OK") + hear("CANCEL"),
        codes=(1, 0),
    ),
    Pair(
        "default-messages-ack",
        DEFAULTS + INVITE + hear("200"),
        hear("INVITE") + say("486 Busy") + hear("ACK"),
        codes=(1, 0),
    ),
    Pair(
        "default-messages-cancel",
        DEFAULTS + INVITE + hear("100", 'optional="true"') + hear("200", 'timeout="200"'),
        hear("INVITE") + say("100 Trying") + hear("CANCEL"),
        codes=(1, 0),
    ),
    Pair(
        "default-messages-bye",
        DEFAULTS + CALL + hear("INFO", 'timeout="200"'),
        ANSWER + hear("BYE"),
        codes=(1, 0),
    ),
    Pair(
        "default-messages-200",
        DEFAULTS + CALL + pause(1200) + BYE,
        ANSWER + ask("INFO", attributes='retrans="500"') + hear("200") + END,
        caller_words="-aa",
    ),
    Pair(
        "early-bye",
        CALL + hear("INFO"),
        ANSWER + ask("BYE", attributes='retrans="500"') + hear("200"),
        codes=(1, 0),
    ),
    Pair(
        "cancel-of-the-caller",
        INVITE + hear("180") + ask("CANCEL") + hear("200") + hear("487") + ask("ACK"),
        RING + hear("CANCEL") + say("200 OK", tag=" ") + say("487 Request Terminated", tag=" ") + hear("ACK"),
    ),
    Pair(
        "unexpected-cancel",
        INVITE + hear("180") + ask("CANCEL") + hear("200"),
        RING + hear("ACK"),
        codes=(0, 1),
    ),
    Pair(
        "answers-by-itself",
        CALL + pause(1200) + BYE,
        ANSWER
        + "".join(
            ask(method, attributes='retrans="500"') + hear("200") for method in ("INFO", "NOTIFY", "UPDATE", "OPTIONS")
        )
        + END,
        caller_words="-aa",
    ),
    Pair(
        "no-defaults",
        INVITE + hear("200"),
        hear("INVITE") + say("183 Session Progress") + pause(30) + say("200 OK") + pause(100),
        caller_words="-nd",
    ),
    Pair(
        "no-bye",
        CALL + hear("INFO", 'timeout="150"'),
        ANSWER + hear("BYE", 'timeout="400" ontimeout="none"') + '<label id="none"/>\n' + nop(),
        codes=(1, 0),
        caller_words="-default_behaviors all,-bye",
    ),
    Pair(
        "goes-on-when-unexpected",
        CALL + hear("INFO") + say("200 OK", tag=" "),
        ANSWER + ask("MESSAGE") + pause(60) + ask("INFO") + hear("200"),
        caller_words="-default_behaviors all,-abortunexp",
    ),
    Pair(
        "ignored-while-pausing",
        CALL + pause(200) + BYE,
        ANSWER + ask("INFO") + pause(20) + END,
        caller_words="-pause_msg_ign",
    ),
    Pair(
        "several-call-ids",
        ask("OPTIONS", call_id="first///[call_id]")
        + hear("200")
        + ask("MESSAGE", call_id="second///[call_id]")
        + hear("200"),
        hear("OPTIONS") + say("200 OK") + hear("MESSAGE") + OK,
    ),
    Pair(
        "slashes-mean-nothing",
        ask("OPTIONS", call_id="[call_id]") + hear("200"),
        hear("OPTIONS") + OK,
        caller_words="-cid_str first///%u@%s -callid_slash_ign",
        called_words="-callid_slash_ign",
    ),
    Pair(
        "receive-timeout-of-all",
        INVITE + hear("200"),
        hear("INVITE") + pause(300),
        codes=(1, 0),
        caller_words="-recv_timeout 150",
    ),
    Pair(
        "no-retransmission",
        ask("OPTIONS", attributes='retrans="50"') + hear("200"),
        hear("OPTIONS") + pause(200) + OK,
        caller_words="-nr",
    ),
    Pair(
        "loose-copies",
        ask("INVITE", attributes='retrans="200"') + hear("200") + ask("ACK"),
        hear("INVITE") + pause(400) + say("200 OK") + hear("ACK"),
        called_words="-rtcheck loose",
        resent=1,
    ),
    Pair(
        "t2",
        ask("OPTIONS", attributes='retrans="100"') + hear("200"),
        hear("OPTIONS") + pause(600) + OK,
        caller_words="-T2 200",
        resent=3,
    ),
    Pair(
        "all-lost",
        ask("OPTIONS", attributes='retrans="50"') + hear("200"),
        hear("OPTIONS") + OK,
        codes=(1, 255),
        caller_words="-max_retrans 1 -lost 100",
        called_words="-timeout 1 -timeout_error",
        resent=1,
        silent=True,
    ),
]
