"""Elements, their attributes, and the ways through a scenario."""

from __future__ import annotations

from tests.interop.differential.pair import (
    ANSWER,
    BYE,
    CALL,
    END,
    INVITE,
    OK,
    OPTIONS,
    PROVISIONAL,
    RING,
    SDP,
    WAIT,
    Pair,
    ask,
    hear,
    nop,
    pause,
    say,
)

ROUTED = hear("100", 'optional="true"') + hear("180", 'optional="true"') + hear("200", 'rrs="true"')
IN_ROUTE = "Record-Route: <sip:[local_ip]:[local_port];lr>"
EMPTY_HANDED = hear("INVITE") + pause(400)
TABLES = (
    '<ResponseTimeRepartition value="1000, 2000,3000"/>\n<CallLengthRepartition value="5000,10000"/>\n'
    '<Reference variables="seen"/>\n'
)

PAIRS = [
    Pair("call", CALL + BYE, ANSWER + END),
    Pair("many-calls", CALL + pause(30) + BYE, ANSWER + END, calls=12, caller_words="-r 100"),
    Pair("tcp", CALL + BYE, ANSWER + END.replace(WAIT, ""), transport="t1", calls=3),
    Pair(
        "refused",
        INVITE + hear("486") + ask("ACK"),
        hear("INVITE") + say("486 Busy Here", attributes='retrans="500"') + hear("ACK"),
    ),
    Pair(
        "provisional",
        INVITE + PROVISIONAL + hear("183", 'optional="true" crlf="true"') + hear("200") + ask("ACK") + BYE,
        hear("INVITE", 'crlf="true"')
        + say("100 Trying")
        + pause(20)
        + say("183 Session Progress")
        + pause(20)
        + say("200 OK", attributes='retrans="500"')
        + hear("ACK", 'optional="true"')
        + END,
    ),
    Pair(
        "route-set",
        INVITE
        + ROUTED
        + ask("ACK", "[routes]", uri="[next_url]")
        + ask("BYE", "[routes]", uri="[next_url]")
        + hear("200"),
        RING
        + say("200 OK", IN_ROUTE, "Record-Route: <sip:p2@[local_ip]:[local_port];lr>", attributes='retrans="500"')
        + hear("ACK")
        + END,
        answers={"200": IN_ROUTE},
    ),
    Pair(
        "route-set-of-a-request",
        ask("INVITE", "Record-Route: <sip:one@[local_ip];lr>, <sip:two@[local_ip];lr>", attributes='retrans="500"')
        + hear("200")
        + ask("ACK")
        + hear("BYE")
        + say("200 OK", tag=" "),
        hear("INVITE", 'rrs="true"')
        + say("200 OK", attributes='retrans="500"')
        + hear("ACK")
        + ask("BYE", "[routes]", uri="[next_url]", attributes='retrans="500"')
        + hear("200"),
        answers={"INVITE": IN_ROUTE},
    ),
    Pair(
        "jumps",
        '<label id="begin"/>\n'
        + OPTIONS.replace("<recv ", '<recv next="over" ')
        + ask("MESSAGE", "X: never")
        + '<label id="over"/>\n'
        + ask("OPTIONS", "X: again", attributes='next="last" chance="1"')
        + '<label id="last"/>\n'
        + hear("200", 'next="end" chance="0"')
        + nop(attributes='display="here" next="end"')
        + ask("MESSAGE", "X: never")
        + '<label id="end"/>\n',
        hear("OPTIONS") + say("200 OK") + hear("OPTIONS") + OK,
    ),
    Pair(
        "tests",
        nop(
            '<assign assign_to="one" value="1"/>',
            '<test assign_to="yes" variable="one" compare="equal" value="1"/>',
            '<test assign_to="no" variable="one" compare="not_equal" value="1"/>',
            attributes='hide="true"',
        )
        + nop(attributes='next="wrong" test="no"')
        + nop(attributes='next="right" test="yes"')
        + '<label id="wrong"/>\n'
        + ask("MESSAGE", "X: never")
        + '<label id="right"/>\n'
        + ask("INFO", "X: skipped", attributes='condexec="no"')
        + ask("INFO", "X: skipped", attributes='condexec="yes" condexec_inverse="true"')
        + ask("OPTIONS", "X: sent", attributes='condexec="yes"')
        + hear("200")
        + ask("OPTIONS", "X: sent too", attributes='condexec="no" condexec_inverse="true"')
        + hear("200", 'hiderest="true"'),
        hear("OPTIONS") + say("200 OK") + hear("OPTIONS") + OK,
    ),
    Pair(
        "loop",
        nop('<assign assign_to="i" value="1"/>')
        + '<label id="again"/>\n'
        + ask("INFO", "X-Count: [$i]")
        + hear(
            "200",
            'next="again" test="more"',
            '<add assign_to="i" value="1"/><test assign_to="more" variable="i" compare="less_than" value="4"/>',
        )
        + ask("BYE")
        + hear("200"),
        '<label id="wait"/>\n'
        + hear("INFO", 'optional="true" next="info"')
        + hear("BYE", 'next="bye"')
        + '<label id="info"/>\n'
        + say("200 OK", attributes='next="wait"')
        + '<label id="bye"/>\n'
        + OK,
    ),
    Pair(
        "global-receive",
        nop(attributes='next="begin"')
        + '<label id="in"/>\n'
        + say("200 OK", "X: to INFO", attributes='next="rest"')
        + '<label id="begin"/>\n'
        + CALL
        + hear("INFO", 'optional="global" next="in"')
        + hear("UPDATE")
        + say("200 OK", tag=" ")
        + '<label id="rest"/>\n'
        + hear("NOTIFY")
        + say("200 OK", tag=" "),
        ANSWER + ask("INFO") + hear("200") + ask("NOTIFY") + hear("200"),
    ),
    Pair(
        "stays-where-it-is",
        CALL + hear("INFO", 'optional="true" advance_state="false"') + hear("BYE") + say("200 OK", tag=" "),
        ANSWER + ask("INFO") + pause(60) + ask("BYE", attributes='retrans="500"') + hear("200"),
    ),
    Pair(
        "any-method",
        ask("OPTIONS") + hear("200") + ask("MESSAGE") + hear("200"),
        hear("(OPTIONS|INFO)", 'regexp_match="true"') + say("200 OK") + hear("M.*E", 'regexp_match="true"') + OK,
    ),
    Pair(
        "receive-timeout",
        INVITE + hear("200", 'timeout="150"'),
        EMPTY_HANDED,
        codes=(1, 0),
    ),
    Pair(
        "receive-timeout-label",
        INVITE + hear("200", 'timeout="150" ontimeout="late"') + ask("ACK") + '<label id="late"/>\n' + nop(),
        EMPTY_HANDED,
    ),
    Pair(
        "receive-timeout-to-the-end",
        INVITE + hear("200", 'timeout="150" ontimeout="late"') + ask("ACK") + '<label id="late"/>\n',
        EMPTY_HANDED,
        codes=(1, 0),
    ),
    Pair(
        "sent-again-in-vain",
        ask("OPTIONS", attributes='retrans="60"') + hear("200"),
        hear("OPTIONS") + pause(600),
        codes=(1, 0),
        caller_words="-max_non_invite_retrans 2",
        resent=2,
    ),
    Pair(
        "sent-again-label",
        ask("INVITE", attributes='retrans="60" ontimeout="gone"')
        + hear("200")
        + '<label id="gone"/>\n'
        + nop('<log message="gone"/>'),
        hear("INVITE") + pause(600),
        caller_words="-max_invite_retrans 2",
        resent=2,
    ),
    Pair(
        "answered-late",
        ask("OPTIONS", attributes='retrans="150"') + hear("200"),
        hear("OPTIONS") + pause(250) + OK,
        resent=1,
    ),
    Pair(
        "answered-again",
        ask("INVITE", attributes='retrans="200"') + hear("200") + pause(600) + ask("ACK"),
        hear("INVITE") + say("200 OK", attributes='retrans="250"') + hear("ACK"),
        resent=1,
        # While the caller pauses, a repeated 200 is only counted.
    ),
    Pair(
        "lost-on-purpose",
        ask("OPTIONS", attributes='lost="100" retrans="50" ontimeout="go"')
        + hear("200")
        + '<label id="go"/>\n'
        + ask("OPTIONS", "X: second", attributes='lost="0"')
        + hear("200"),
        hear("OPTIONS") + OK,
        caller_words="-max_retrans 1",
        resent=1,
    ),
    Pair(
        "transactions",
        ask("INVITE", attributes='retrans="500" start_txn="invite"')
        + hear("100", 'optional="true" response_txn="invite"')
        + hear("180", 'optional="true" response_txn="invite"')
        + hear("200", 'response_txn="invite"')
        + ask("ACK", attributes='ack_txn="invite"')
        + ask("INFO", attributes='start_txn="info"')
        + hear("200", 'response_txn="info"')
        + ask("BYE", attributes='start_txn="bye"')
        + hear("200", 'response_txn="bye"'),
        ANSWER + hear("INFO") + say("200 OK", tag=" ") + END,
    ),
    Pair(
        "response-times",
        ask("OPTIONS", attributes='start_rtd="true" counter="asked"')
        + hear("200", 'rtd="true" counter="4"')
        + ask("OPTIONS", attributes='start_rtd="second"')
        + hear("200", 'rtd="second" repeat_rtd="true"')
        + pause(20, 'rtd="second" repeat_rtd="true" counter="4"')
        + nop(attributes='rtd="whole" counter="asked"')
        + TABLES.replace('<Reference variables="seen"/>\n', ""),
        hear("OPTIONS", 'start_rtd="1"') + say("200 OK", attributes='rtd="1"') + hear("OPTIONS") + OK,
        calls=3,
    ),
    Pair(
        "init-and-globals",
        '<Global variables="seen,word"/>\n<User variables="mine"/>\n'
        '<init><nop><action><assign assign_to="seen" value="7"/></action></nop></init>\n'
        + nop('<add assign_to="seen" value="1"/>', '<add assign_to="mine" value="1"/>')
        + ask("OPTIONS", "X: [$seen] [$mine] [$word]")
        + hear("200", "", '<assignstr assign_to="unused" value="x"/>')
        + '<Reference variables="unused"/>\n',
        hear("OPTIONS") + OK,
        calls=3,
        caller_words="-set word given -r 20",
    ),
    Pair(
        "users",
        '<User variables="mine"/>\n'
        + nop('<add assign_to="mine" value="1"/>')
        + ask("OPTIONS", "X: [$mine] [userid] [users]")
        + hear("200"),
        hear("OPTIONS") + OK,
        calls=4,
        caller_words="-users 1",
    ),
    Pair(
        "pauses",
        "".join(
            f"<pause {attributes}/>\n"
            for attributes in (
                'distribution="fixed" value="10"',
                'distribution="uniform" min="5" max="9"',
                'distribution="normal" mean="5" stdev="1"',
                'distribution="lognormal" mean="1" stdev="0.1"',
                'distribution="exponential" mean="2"',
                'distribution="weibull" lambda="3" k="4"',
                'distribution="pareto" k="9" x_m="2"',
                'distribution="gamma" k="3" theta="1"',
                'distribution="gpareto" shape="0.1" scale="1" location="1"',
                'min="3" max="6"',
                'normal="true" mean="5" stdev="1"',
                'exponential="true" mean="2"',
                'milliseconds="3" sanity_check="false"',
            )
        )
        + nop('<assign assign_to="ms" value="30"/>')
        + '<pause variable="ms"/>\n<pause/>\n'
        + OPTIONS,
        hear("OPTIONS") + OK,
        caller_words="-d 15",
    ),
    Pair(
        "actions-of-a-pause",
        '<pause milliseconds="40"><action><assignstr assign_to="when" value="start"/></action></pause>\n'
        + ask("OPTIONS", "X: [$when]")
        + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "position",
        nop()
        + nop('<index assign_to="here"/><jump value="3"/>')
        + ask("MESSAGE", "X: never")
        + ask("OPTIONS", "X: [$here]")
        + hear("200", "", '<assign assign_to="to" value="7"/>')
        + nop('<jump variable="to"/>')
        + ask("MESSAGE", "X: never")
        + nop('<log message="at the end"/>'),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "unexpected-handler",
        CALL
        + pause(1200)
        + BYE
        + nop(attributes='next="over"')
        + '<label id="_unexp.main"/>\n'
        + hear("INFO|UPDATE", 'regexp_match="true"')
        + say("200 OK", "X-Handled: yes", tag=" ")
        + nop('<jump variable="_unexp.retaddr"/><pauserestore variable="_unexp.pausedaddr"/>')
        + '<label id="over"/>\n'
        + nop('<assign assign_to="_unexp.retaddr" value="0"/><assign assign_to="_unexp.pausedaddr" value="0"/>'),
        ANSWER + ask("INFO", attributes='retrans="500"') + hear("200") + END,
    ),
    Pair(
        "ignored-sdp",
        INVITE + PROVISIONAL + hear("200", 'ignoresdp="true"') + ask("ACK") + BYE,
        RING + say("200 OK", "Content-Type: application/sdp", body=SDP, attributes='retrans="500"') + hear("ACK") + END,
    ),
    Pair(
        "send-timeout",
        ask("OPTIONS", attributes='timeout="500"') + hear("200"),
        hear("OPTIONS") + OK,
        caller_words="-send_timeout 800 -recv_timeout 5000",
    ),
    Pair(
        "called-in-a-row",
        OPTIONS + pause(20) + ask("MESSAGE", "Content-Type: text/plain", body="hello") + hear("202"),
        hear("OPTIONS") + say("200 OK") + hear("MESSAGE") + say("202 Accepted") + WAIT,
        calls=6,
    ),
]
