from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipreplay.analysis.filter import DEEPEST, matching_calls, parse_filter
from sipreplay.analysis.filter_fields import ALIASES, FIELDS, subjects
from sipreplay.analysis.filter_regexp import compile_bounded
from sipreplay.analysis.model import Address, Analysis, Stream
from sipreplay.errors import UsageError
from tests.analysis.flow import Flow, sdp

A, P, B = Address("192.0.2.1", 5060), Address("192.0.2.9", 5070), Address("2001:db8::2", 5060)
START = 1_714_571_110.0
"""2024-05-01 13:45:10 UTC."""


def stream(call_dialog: int, codec: str, mos: float | None, lost: int, jitter_ms: float) -> Stream:
    return Stream(
        Address("192.0.2.1", 4000), Address("198.51.100.7", 6000), 0xABCD, [0], codec, 100 - lost, lost, 0, 0,
        20.0, 20.0, jitter_ms, jitter_ms, mos, "12#" if codec == "PCMU" else "", START, START + 2, call_dialog,
    )  # fmt: skip


@cache
def three_calls() -> Analysis:
    """1: answered after a retransmission, with poor media; 2: busy, over IPv6's far side; 3: a registration."""
    flow = Flow("answered@a")
    flow.say(A, P, "INVITE", "1 INVITE", at=START, headers="User-Agent: Phone/1.0", body=sdp("192.0.2.1", 4000))
    flow.say(A, P, "INVITE", "1 INVITE", at=START + 0.5, headers="User-Agent: Phone/1.0", body=sdp("192.0.2.1", 4000))
    flow.say(P, A, "180 Ringing", "1 INVITE", tags=("a", "b"), at=START + 1.5)
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"), at=START + 2)
    flow.say(A, P, "ACK", "1 ACK", via="b2", tags=("a", "b"), at=START + 2.1)
    flow.say(A, P, "BYE", "2 BYE", via="b3", tags=("a", "b"), at=START + 12)
    flow.say(P, A, "200 OK", "2 BYE", via="b3", tags=("a", "b"), at=START + 12.1)
    flow.say(B, Address("2001:db8::1", 5060), "INVITE", "1 INVITE", via="c1", at=START + 100, call_id="busy@a")
    flow.say(Address("2001:db8::1", 5060), B, "486 Busy Here", "1 INVITE", via="c1", tags=("a", "x"),
             at=START + 100.2, call_id="busy@a")  # fmt: skip
    flow.say(A, P, "REGISTER", "1 REGISTER", via="d1", at=START + 200, call_id="reg@a", transport="TCP")
    flow.say(P, A, "200 OK", "1 REGISTER", via="d1", tags=("a", "y"), at=START + 200.1, call_id="reg@a",
             transport="TCP")  # fmt: skip
    analysis = flow.analysis()
    analysis.streams += [stream(1, "PCMU", 2.9, 5, 22.5), stream(1, "PCMA", 4.4, 0, 0.5)]
    return analysis


FINDINGS = [SimpleNamespace(rule="one-way-audio", severity="ERROR", calls=(1,))]


def chosen(expression: str) -> list[int]:
    return [call.id for call in matching_calls(three_calls(), parse_filter(expression), FINDINGS)]


@pytest.mark.parametrize(
    ("expression", "calls"),
    [
        ("method==INVITE and status>=400", [2]),
        ("METHOD == invite && Status >= 400", [2]),
        ("method==BYE or kind==register", [1, 3]),
        ("method==BYE || kind==register and status==404", [1]),
        ("(method==BYE or kind==register) and status==404", []),
        ("not method==INVITE", [3]),
        ("!(method==INVITE)", [3]),
        ("method != INVITE", [3]),
        ("method=ACK", [1]),
        ("status == 4xx", [2]),
        ("status != 2xx", [2]),
        ("status in (486, 487)", [2]),
        ("status not in (486, 2xx)", []),
        ("final==200", [1, 3]),
        ("reason ~ busy", [2]),
        ("state in (rejected, cancelled)", [2]),
        ("call_id==BUSY@A", [2]),
        ("call-id ~ ^reg", [3]),
        ("from==alice", [1, 2, 3]),
        ("from=='alice@example.com' and to!=bob", []),
        ("host==example.com", [1, 2, 3]),
        ("source==192.0.2.1", [1, 3]),
        ("source==192.0.2.1:5060 and destination==192.0.2.9:5070", [1, 3]),
        ("source==192.0.2.1:5061", []),
        ("ip in 198.51.100.0/24", [1]),
        ("ip == 2001:db8::/32", [2]),
        ("source == [2001:db8::2]:5060", [2]),
        ("source ~ ^2001:", [2]),
        ("port==6000", [1]),
        ("transport==tcp", [3]),
        ("ua ~ phone", [1]),
        ("text ~ '^User-Agent: Phone/1\\.0$'", [1]),
        ("duration > 10", [1]),
        ("duration > 10s and duration<0.3min", [1]),
        ("pdd > 1s", [1]),
        ("pdd>=1500 and pdd<=1500ms", [1]),
        ("setup", [1]),
        ("not setup", [2, 3]),
        ("retransmissions > 0", [1]),
        ("messages<=2", [2, 3]),
        ("codec in (PCMA, opus)", [1]),
        ("mos < 3.5", [1]),
        ("mos >= 3.5 and mos<3.5", [1]),  # of different streams: any fits
        ("loss > 4.9%", [1]),
        ("loss > 5.1%", []),
        ("lost==5", [1]),
        ("jitter > 20ms", [1]),
        ("ssrc==0xabcd", [1]),
        ("dtmf ~ #$", [1]),
        ("rule==one-way-audio", [1]),
        ("finding ~ way|loop and severity==error", [1]),
        ("start >= 2024-05-01T13:48", [3]),
        ('start == "2024-05-01 13:45"', [1]),
        ("start==2024-05-01", [1, 2, 3]),
        ("start > 2024-05-01", [1, 2, 3]),
        ("start < 13:46", [1]),
        ("start == 13:48:30", [3]),
        ("start > 1714571200", [2, 3]),
        ("call in (1, 3)", [1, 3]),
        ("method ~ ^(BYE|REGISTER)$ and not call==1", [3]),
        ("call_id ~ 'answered'and(status==200)", [1]),
    ],
)
def test_a_filter_chooses(expression: str, calls: list[int]) -> None:
    assert chosen(expression) == calls


@pytest.mark.parametrize(
    ("expression", "column", "said"),
    [
        ("", 1, "an expression is wanted"),
        ("metod==INVITE", 1, "did you mean method?"),
        ("status>=400 and colour==1", 17, "no field is called 'colour'; "),
        ("status>=abc", 9, "compared with a number, not with 'abc'"),
        ("status>=", 9, "a value is wanted"),
        ("status>=400 or", 15, "ends too early"),
        ("(status>=400", 1, "not closed"),
        ("status>=400)", 12, "closes nothing"),
        ("status>=400 method==BYE", 13, "and, or, or the end"),
        ("from=='bob", 7, "not closed"),
        ("status in (1, 2", 11, "this list is not closed"),
        ("status not 5", 12, "in is wanted"),
        ("from < bob", 6, "has no order"),
        ("pdd>5%", 5, "'%' is no unit of pdd: it takes us, ms, s, min or h"),
        ("loss>5ms", 6, "'ms' is no unit of loss: it takes %"),
        ("status==5s", 9, "it takes no unit"),
        ("state==reject", 8, "never 'reject'"),
        ("source==bob", 9, "is no address"),
        ("ip==10.0.0.0/99", 5, "is no network"),
        ("start>=yesterday", 8, "is no time"),
        ("start>=25:00", 8, "no time of day"),
        ("from ~ (", 8, "no regular expression"),
        ("from ~ '(a+)+$'", 8, "may run for ever"),
        ("from ~ '(a|aa)*$'", 8, "may run for ever"),
        ("from ~ .*.*.*.*", 8, "unbounded repeats"),
        ("from ~ " + "a" * 201, 8, "longer than"),
        ("(" * (DEEPEST + 1), DEEPEST + 1, "levels deep"),
    ],
)
def test_an_error_points_at_its_column(expression: str, column: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filter(expression)
    text = str(caught.value)
    assert f"column {column}: " in text
    assert said in text
    if expression:
        *_, shown, mark = text.split("\n")
        assert shown[mark.index("^") : mark.index("^") + 5] == (expression + " ")[column - 1 : column + 4].rstrip() or (
            column > len(expression)
        )


_TOKENS = st.sampled_from(
    [*FIELDS, "==", "!=", "<", ">=", "~", "!~", "in", "not", "and", "or", "(", ")", ",", "'", '"', "INVITE", "5ms", "%",
     "10.0.0.0/8", "[::1]:5", "13:45", "4xx", "0x", "2024-05-01", "-", "!", "(a|b", "[", "\\", "{2,", "&&", "||", " "]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(_TOKENS, max_size=12).map(" ".join), st.lists(_TOKENS).map("".join)))
@example("start==99999999999999999999999")
@example("start==nan")
@example("start>0001-01-01T00:00-23:59")
@example("call==" + "9" * 400)
@example("ssrc==0x" + "f" * 400)
@example("from ~ [a")
@example("from ~ (?P<n>a)(?P=n)")
def test_only_usage_errors_are_raised(expression: str) -> None:
    try:
        test = parse_filter(expression)
    except UsageError:
        return
    for subject in subjects(three_calls(), FINDINGS):
        assert test(subject) in (True, False)


@pytest.mark.parametrize("pattern", ["(a?a?)+$", "(a{1,2})*$", "(a*){8}$", r"((a)\w*)+", "(?:x+x+)+y", "((a|b)c){2,}"])
def test_patterns_that_may_never_end_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"for ever|unbounded"):
        compile_bounded(pattern)


@pytest.mark.parametrize(
    "pattern", ["^(invite|options)$", "[*+]+x", r"\(a+\)+", "(ab)+", "(?i:ab)", "a{1,3}b?", "x(|y)"]
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    compile_bounded(pattern)


def test_the_worst_pattern_that_is_taken_ends() -> None:
    flow = Flow("long")
    flow.say(A, P, "OPTIONS", "1 OPTIONS", headers="X: " + "a" * 5000)
    assert matching_calls(flow.analysis(), parse_filter("text ~ 'a*a*#'")) == []


def test_the_documentation_has_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "filter.md").read_text()
    for field in FIELDS.values():
        assert f"| `{field.name}` | {field.what} |" in page
    for alias in ALIASES:
        assert f"`{alias}`" in page
