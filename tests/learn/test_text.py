"""Captured text survives SIPp's language byte for byte, and never becomes a part of it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipreplay.learn.text import (
    BranchOf,
    Column,
    Literal,
    Live,
    MessageText,
    for_comment,
    injectable,
    text_line,
    write_line,
    write_message,
)
from sipreplay.scenario.keywords import Keyword, compile_text
from sipreplay.scenario.model import Scenario, Send
from sipreplay.scenario.reader import read_scenario
from sipreplay.scenario.writer import laid_out, write_scenario

captured = st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape"))
attacks = st.sampled_from(
    [
        "[file name=/etc/passwd]",
        "[branch]",
        "\\x41",
        "]]>",
        "]]><exec command='id'/>",
        "-->",
        "[$var]",
        "[[",
        "[authentication username=a]",
        "&lt;",
        "<![CDATA[",
        "%d",
        " lead",
        "trail \t",
        "\x00",
        "\ufffe",
        "é",
    ]
)
texts = st.one_of(captured, attacks, st.lists(st.one_of(captured, attacks), max_size=4).map("".join))


def no_column(column: Column) -> str:
    return "[field0]"


def no_branch(step: int) -> str:
    return "[branch-1]"


def sent(message: MessageText) -> tuple[bytes | Keyword, ...]:
    """What a scenario that holds the message sends, after it was written as XML and read again."""
    scenario = Scenario("t", [Send(text=laid_out(write_message(message, no_column, no_branch)))])
    data = write_scenario(scenario).encode("utf-8", "surrogateescape")
    element = read_scenario(data, "t").elements[0]
    assert isinstance(element, Send)
    return compile_text(element.text, message=True)


@settings(deadline=None)
@given(texts, texts)
@example("[file name=/etc/passwd]", "x")
def test_any_header_value_and_body_is_sent_as_captured(value: str, body: str) -> None:
    message = MessageText(
        (text_line("OPTIONS sip:x SIP/2.0"), (Literal("X-Any:"), Literal(value, fixed=False)), text_line("X-Last: 1")),
        (text_line("first"), text_line(body), text_line("last"), ()),
    )
    wanted = f"OPTIONS sip:x SIP/2.0\r\nX-Any:{value}\r\nX-Last: 1\r\n\r\nfirst\r\n{body}\r\nlast\r\n"
    assert sent(message) == (wanted.encode("utf-8", "surrogateescape"),)


@settings(deadline=None)
@given(texts)
def test_a_body_may_end_without_a_line_end(body: str) -> None:
    message = MessageText((text_line("OPTIONS sip:x SIP/2.0"),), (text_line("a"), text_line(body + ".")))
    wanted = f"OPTIONS sip:x SIP/2.0\r\n\r\na\r\n{body}."
    assert sent(message) == (wanted.encode("utf-8", "surrogateescape"),)


@settings(deadline=None)
@given(texts)
def test_captured_text_beside_keywords_stays_text(value: str) -> None:
    line = (
        Literal("X: "),
        Literal(value),
        Live("[call_id]"),
        Literal(value),
        Column("a", "b"),
        Literal(value),
        BranchOf(0),
    )
    parts = sent(MessageText((text_line("OPTIONS sip:x SIP/2.0"), line)))
    keywords = [part.name for part in parts if isinstance(part, Keyword)]
    assert keywords == ["call_id", "field", "branch"]
    literals = b"".join(part for part in parts if isinstance(part, bytes))
    assert literals == f"OPTIONS sip:x SIP/2.0\r\nX: {value}{value}{value}\r\n\r\n".encode("utf-8", "surrogateescape")


@settings(deadline=None)
@given(st.text())
def test_a_comment_cannot_be_left(text: str) -> None:
    said = for_comment(text)
    assert "--" not in said
    assert "<" not in said
    assert said.isprintable()
    assert len(said) <= 60


def test_what_an_injection_file_carries() -> None:
    assert injectable("+49 30 1234")
    assert injectable("a[b]")
    for bad in ("a;b", "#a", "a\nb", "a\rb", "a\0b", "[authentication username=x]", "[Authentication x]"):
        assert not injectable(bad)


def test_blanks_inside_a_line_are_not_escaped() -> None:
    assert write_line((Literal("X: "), Live("[pid]"), Literal(" b ")), no_column, no_branch) == "X: [pid] b\\x20"
