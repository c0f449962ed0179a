"""Actions."""

from __future__ import annotations

from tests.interop.differential.pair import OK, Pair, ask, hear, nop, pause, say

SEARCHES = (
    '<ereg regexp="a|ab|abc" search_in="hdr" header="X:" assign_to="longest"/>'
    '<ereg regexp="([a-z]+)([0-9]*)" search_in="hdr" header="Y: " assign_to="all,word,digits"/>'
    '<ereg regexp=".*" search_in="hdr" header="to:" case_indep="true" start_line="true" occurrence="1" assign_to="to"/>'
    '<ereg regexp="two" search_in="hdr" header="Z:" occurence="2" assign_to="second"/>'
    '<ereg regexp="m=[a-z]* ([0-9]+)" search_in="body" assign_to="_,port"/>'
    '<ereg regexp="^SIP/2.0 (2..)" search_in="msg" check_it="true" assign_to="_,code"/>'
    '<ereg regexp="b(.)" search_in="var" variable="longest" assign_to="_,after"/>'
    '<ereg regexp="nowhere" check_it_inverse="true" assign_to="_"/>'
)
FOUND = "X: [$longest]|[$all]|[$word]|[$digits]|[$to]|[$second]|[$port]|[$code]|[$after]|"
LINES = "X: zabcd\r\nY: abc12\r\nZ: one\r\nZ: two"


def failing(action: str) -> str:
    """A call of which one check fails."""
    before = nop('<assign assign_to="n" value="1"/><assignstr assign_to="s" value="one"/>')
    after = ask("INFO", "X: [$n] [$s]") + hear("200")
    return before + ask("OPTIONS") + hear("200", "", action) + after


TWICE = hear("OPTIONS") + say("200 OK") + hear("INFO") + OK
CHECKS = {
    "found-nothing": '<ereg regexp="zzz" search_in="msg" check_it="true" assign_to="_"/>',
    "no-such-header": '<ereg regexp="z" search_in="hdr" header="X-None:" check_it="true" assign_to="_"/>',
    "found-what-should-not-be": '<ereg regexp="200" check_it_inverse="true" assign_to="_"/>',
    "number-differs": '<test variable="n" compare="equal" value="2" check_it="true"/>',
    "number-equals": '<test variable="n" compare="less_than" value="2" check_it_inverse="true"/>',
    "text-differs": '<strcmp variable="s" value="two" check_it="true"/>',
    "text-equals": '<strcmp variable="s" value="one" check_it_inverse="true"/>',
}

PAIRS = [
    Pair(
        "searches",
        ask("OPTIONS") + hear("200", "", SEARCHES) + ask("INFO", FOUND) + hear("200"),
        hear("OPTIONS") + say("200 OK", *LINES.split("\r\n"), body="v=0\nm=audio 4000 RTP/AVP 0\n") + hear("INFO") + OK,
        answers={"200": LINES},
    ),
    *(Pair(f"check-{name}", failing(action), TWICE, codes=(1, 0)) for name, action in CHECKS.items()),
    Pair(
        "arithmetic",
        nop(
            '<assign assign_to="n" value="1.5"/><assign assign_to="m" variable="n"/>'
            '<add assign_to="n" value="2"/><multiply assign_to="n" variable="n"/><divide assign_to="n" value="4"/>'
            '<subtract assign_to="n" variable="m"/><add assign_to="k" variable="n"/>'
            '<subtract assign_to="k" value="0.5"/><multiply assign_to="k" value="3"/>'
            '<divide assign_to="k" variable="m"/>'
            '<assignstr assign_to="digits" value=" 0x10"/>'
            '<todouble assign_to="d" variable="digits"/><todouble assign_to="d" variable="m"/>'
        )
        + nop(
            *(
                f'<test assign_to="t{i}" variable="n" compare="{word}" value="1.5625"/>'
                for i, word in enumerate(
                    ("equal", "not_equal", "greater_than", "less_than", "greater_than_equal", "less_than_equal")
                )
            ),
            '<test assign_to="t6" variable="n" compare="equal" variable2="m"/>',
        )
        + ask("OPTIONS", "X: [$n]|[$m]|[$k]|[$d]|" + "|".join(f"[$t{i}]" for i in range(7)))
        + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "strings",
        nop(
            '<assignstr assign_to="s" value="  a [call_number] \\x41 &amp; &quot;b&quot;  "/>'
            '<assignstr assign_to="t" value="[$s]|"/><trim assign_to="s"/>'
            '<strcmp assign_to="same" variable="s" value="a 1 \\x41 &amp; &quot;b&quot;"/>'
            '<strcmp assign_to="other" variable="s" variable2="t"/>'
            '<test assign_to="differs" variable="other" compare="not_equal" value="0"/>'
            '<test assign_to="equals" variable="same" compare="less_than" value="0"/>'
        )
        + ask("OPTIONS", "X: [$s]|[$t]|[$differs]|[$equals]|")
        + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "time-of-day-and-samples",
        nop(
            '<gettimeofday assign_to="sec,usec"/>'
            '<test assign_to="now" variable="sec" compare="greater_than" value="1000000000"/>'
            '<sample assign_to="x" distribution="uniform" min="3" max="3"/>'
            '<sample assign_to="y" distribution="fixed" value="4"/>'
        )
        + ask("OPTIONS", "X: [$now] [$x] [$y]", "X-Random: [$sec] [$usec]")
        + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "logs",
        ask("OPTIONS", actions='<log message="sent [call_number] &lt;[remote_ip]&gt;"/>')
        + hear("200", "", '<log message="[last_From]|[$none]"/><warning message="warned [$none]"/>'),
        hear("OPTIONS", "", '<log message="came"/>') + OK,
        calls=3,
    ),
    Pair(
        "error",
        ask("OPTIONS") + hear("200", "", '<error message="no more"/>'),
        hear("OPTIONS") + OK,
        codes=(255, 0),
    ),
    Pair(
        "commands",
        nop('<exec command="echo [call_number] [remote_ip] > ran.txt"/>') + pause(200) + ask("OPTIONS") + hear("200"),
        hear("OPTIONS") + OK,
    ),
    Pair(
        "stop-call",
        ask("OPTIONS") + hear("200", "", '<exec int_cmd="stop_call"/>') + ask("MESSAGE", "X: never"),
        hear("OPTIONS") + OK,
        codes=(1, 0),
    ),
    Pair(
        "stop-now",
        ask("OPTIONS") + hear("200", "", '<exec int_cmd="stop_now"/>') + ask("MESSAGE", "X: never"),
        hear("OPTIONS") + OK,
        codes=(97, 0),
    ),
    Pair(
        "stop-gracefully",
        ask("OPTIONS") + hear("200", "", '<exec int_cmd="stop_gracefully"/>') + pause(300) + ask("INFO") + hear("200"),
        hear("OPTIONS") + say("200 OK") + hear("INFO") + OK,
        caller_words="-m 100 -r 1",
    ),
    Pair(
        "another-destination",
        nop('<setdest host="[remote_ip]" port="[remote_port]" protocol="udp"/>') + ask("OPTIONS") + hear("200"),
        hear("OPTIONS") + OK,
    ),
]
