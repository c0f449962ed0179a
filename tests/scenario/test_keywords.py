from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.errors import ScenarioError
from sipreplay.scenario.keywords import (
    FIXED_KEYWORDS,
    Keyword,
    compile_text,
    escape_literal,
    keywords_in,
    normalise,
    sent_kind,
)
from sipreplay.scenario.writer import laid_out


def rendered(text: str) -> bytes:
    """A message without keywords as it goes on the wire."""
    parts = compile_text(text, message=True)
    assert all(isinstance(part, bytes) for part in parts)
    return b"".join(part for part in parts if isinstance(part, bytes))


@pytest.mark.parametrize(
    ("cdata", "wire"),
    [
        # No body: one empty line is added after the headers, whatever stood there.
        ("\n  ACK sip:a SIP/2.0\n  A: b\n\n  ", b"ACK sip:a SIP/2.0\r\nA: b\r\n\r\n"),
        ("ACK sip:a SIP/2.0\nA: b", b"ACK sip:a SIP/2.0\r\nA: b\r\n\r\n"),
        # A body on lines of its own keeps its last line end; one that touches ]]> has none.
        ("\nX a SIP/2.0\nL: 5\n\nbody\n", b"X a SIP/2.0\r\nL: 5\r\n\r\nbody\r\n"),
        ("\nX a SIP/2.0\nL: 5\n\nbody\n\n\n  ", b"X a SIP/2.0\r\nL: 5\r\n\r\nbody\r\n"),
        ("\nX a SIP/2.0\nL: 4\n\nbody", b"X a SIP/2.0\r\nL: 4\r\n\r\nbody"),
        ("\nX a SIP/2.0\nL: 4\n\nbody  ", b"X a SIP/2.0\r\nL: 4\r\n\r\nbody"),
        # Blanks go before tabs, so a line indented by a tab and then a blank stays folded.
        ("X a SIP/2.0\n\t A: b", b"X a SIP/2.0\r\n A: b\r\n\r\n"),
        ("X a SIP/2.0\n \tA: b", b"X a SIP/2.0\r\nA: b\r\n\r\n"),
        ("X a SIP/2.0\nA: b \t\nC: d", b"X a SIP/2.0\r\nA: b \r\nC: d\r\n\r\n"),
        # Bytes.
        ("X a SIP/2.0\nA: \\x5Bb\\x5d \\x09\\x0a.", b"X a SIP/2.0\r\nA: [b] \t\n.\r\n\r\n"),
        ("X a SIP/2.0\nA: \\x4Z \\xZ", b"X a SIP/2.0\r\nA: \x04Z \\xZ\r\n\r\n"),
        ("X a SIP/2.0\nA: é\udcff]", b"X a SIP/2.0\r\nA: \xc3\xa9\xff]\r\n\r\n"),
    ],
)
def test_cdata_reaches_the_wire_byte_for_byte(cdata: str, wire: bytes) -> None:
    assert rendered(cdata) == wire


def test_a_default_message_does_not_gain_a_line_end() -> None:
    assert normalise("\nX a SIP/2.0\nA: b\n\nbody\n\n", send=False).endswith("\n\nbody")


@pytest.mark.parametrize("cdata", ["", "  \n\t", "X", " \n X \n"])
def test_an_empty_message_is_refused(cdata: str) -> None:
    with pytest.raises(ScenarioError, match="empty"):
        compile_text(cdata, message=True)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("[call_id]", Keyword("call_id")),
        ("[branch-2]", Keyword("branch", -2)),
        ("[cseq+1]", Keyword("cseq", 1)),
        ("[len-10]", Keyword("len", -10)),
        ("[service+3]", Keyword("service")),
        ("[last_cseq_number+1]", Keyword("last_cseq_number", 1)),
        ("[last_Via]", Keyword("last_header", 0, (("name", (b"Via",)),))),
        ("[last_Via:]", Keyword("last_header", 0, (("name", (b"Via",)),))),
        ("[last_P-3GPP-Id:]", Keyword("last_header", 0, (("name", (b"P-3GPP-Id",)),))),
        ("[$user]", Keyword("variable", 0, (("name", (b"user",)),))),
        ("[field3]", Keyword("field", 0, (("index", (b"3",)),))),
        (
            '[field3 file=users-1.csv line="[$row]"]',
            Keyword(
                "field",
                0,
                (
                    ("index", (b"3",)),
                    ("file", (b"users-1.csv",)),
                    ("line", (Keyword("variable", 0, (("name", (b"row",)),)),)),
                ),
            ),
        ),
        ("[file name=a-1.txt]", Keyword("file", 0, (("name", (b"a-1.txt",)),))),
        ('[fill text="ab" variable=n]', Keyword("fill", 0, (("text", (b"ab",)), ("variable", (b"n",))))),
        (
            '[authentication username="a]b" password=0x4142 realm=ignored]',
            Keyword("authentication", 0, (("username", (b"a]b",)), ("password", (b"AB",)))),
        ),
        ("[authentication]", Keyword("authentication")),
    ],
)
def test_keywords_are_read_as_sipp_reads_them(text: str, keyword: Keyword) -> None:
    assert compile_text(f"a{text}b", message=False) == (b"a", keyword, b"b")


def test_every_fixed_keyword_of_the_reference_is_known() -> None:
    for name in FIXED_KEYWORDS:
        assert compile_text(f"[{name}]", message=False) == (Keyword(name),)


def test_a_key_given_on_the_command_line_is_literal_text() -> None:
    assert compile_text("x[who]y", message=False, keys={"who": "[call_id]"}) == (b"x[call_id]y",)
    assert compile_text("x[who]y", message=False, keys={"who": ""}) == (b"xy",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[brnach]", r"unknown keyword \[brnach\]; did you mean \[branch\]"),
        ("[a:b]", r"unknown keyword.*x5B"),
        ("[", "no closing"),
        ("[call_id", "no closing"),
        ('[authentication username="a]', "no closing"),
        ("[]", "not a keyword"),
        ("[$]", "not the name of a variable"),
        ("[$a,b]", "not the name of a variable"),
        ("[last_]", "does not name a header"),
        ("[file]", "name="),
        ("[fill text=a]", "variable="),
        ("[" + "x" * 300 + "]", "longer"),
        ("[cryptotag3audio]", r"unknown keyword \[cryptotag3audio\]; did you mean \[cryptotag.audio\]"),
    ],
)
def test_a_keyword_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        compile_text(text, message=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[call_id] a SIP/2.0", "not with a keyword"),
        ("INVITE[call_id] SIP/2.0", "not with a keyword"),
        ("SIP/2.0 99 Low", "100 to 699"),
        ("SIP/2.0 700 High", "100 to 699"),
        ("SIP/2.0 [$code] Ok", "100 to 699"),
        ("INVITE sip:[media_port] SIP/2.0\nA: b", "first line"),
        ("INVITE a SIP/2.0\n[authentication]\n[authentication]", "one .authentication. only"),
    ],
)
def test_a_message_that_sipp_refuses_is_refused(text: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        compile_text(text, message=True)


def test_the_kind_of_a_message() -> None:
    assert sent_kind(compile_text("INVITE a SIP/2.0", message=True)) == ("INVITE", 0)
    assert sent_kind(compile_text("SIP/2.0 183 Progress", message=True)) == ("", 183)


def test_nested_keywords_are_found() -> None:
    parts = compile_text('[field0 line="[$row]"] [call_id]', message=False)
    assert [keyword.name for keyword in keywords_in(parts)] == ["field", "variable", "call_id"]


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12), max_size=6)


@given(LINES, LINES, st.booleans())
def test_what_is_escaped_and_laid_out_arrives_unchanged(headers: list[str], body: list[str], ends: bool) -> None:
    """Any header and body text can be carried literally: the learner relies on it."""
    head = "X a SIP/2.0\n" + "".join(f"H: {line}.\n" for line in headers)
    message = head + "\n" + "\n".join(f"{line}." for line in body) + ("\n" if ends and body else "")
    wire = rendered(laid_out(escape_literal(message)))
    assert wire == message.replace("\n", "\r\n").encode()


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ScenarioError):
        compile_text(text, message=True)


def test_media_and_aka_keywords_are_read_with_their_parameters() -> None:
    assert compile_text("[rtpstream_audio_port+1]", message=False) == (Keyword("rtpstream_audio_port", 1),)
    assert compile_text("[cryptokeyparams1audio-1]", message=False) == (Keyword("cryptokeyparams1audio", -1),)
    assert compile_text("[cryptosuiteaescm128sha1802video]", message=False)[0] == Keyword(
        "cryptosuiteaescm128sha1802video"
    )
    (word,) = compile_text('[authentication username=u aka_K=0x465b aka_OP="[$op]" aka_AMF=0xb9b]', message=False)
    assert isinstance(word, Keyword)
    assert word.argument("aka_K") == (b"\x46\x5b",)
    assert word.argument("aka_AMF") == (b"\xb9\xb0",)
    assert word.argument("aka_OP") == (Keyword("variable", 0, (("name", (b"op",)),)),)
