from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.errors import ScenarioError
from sipreplay.scenario.posix import SUBJECT_CAP, Posix, compile_posix, translate


@pytest.mark.parametrize(
    ("pattern", "subject", "groups"),
    [
        # The longest alternative wins, not the first.
        ("a|ab|abc", b"xabcd", (b"abc",)),
        ("(a|ab)(c|bcd)", b"abcd", (b"abcd", b"a", b"bcd")),
        ("(ab?)+(bc)?", b"abbc", (b"abbc", b"ab", b"bc")),
        # Line ends are characters like others, anchors stand at the ends of the text.
        ("a.b", b"a\nb", (b"a\nb",)),
        ("a[^x]b", b"a\nb", (b"a\nb",)),
        ("^b", b"a\nb", None),
        ("a$", b"a\nb", None),
        ("b$", b"b\n", None),
        # Bracket classes and glibc's escapes.
        ("o=([[:alnum:]]*) ([0-9]+)", b"v=0\r\no=user1 53 2", (b"o=user1 53", b"user1", b"53")),
        ("[]x]+", b"a]x]", (b"]x]",)),
        ("[a\\]+]*", b"a\\]]b", (b"a\\]]",)),
        ("[^]]*", b"ab]c", (b"ab",)),
        ("\\w+", b"--ab_1-", (b"ab_1",)),
        ("\\bfoo\\b", b"a foo b", (b"foo",)),
        ("x{2,3}", b"xxxx", (b"xxx",)),
        ("sip:([^@]*)@([^;>]*)", b"To: <sip:bob@example.com;x>", (b"sip:bob@example.com", b"bob", b"example.com")),
        ("(a)?b", b"b", (b"b", None)),
        ("a\\.b", b"axb a.b", (b"a.b",)),
        ("", b"abc", (b"",)),
        # A byte is a character, valid UTF-8 or not.
        ("(a|b).*c", b"a\xff\xc3\xa9c", (b"a\xff\xc3\xa9c", b"a")),
        ("(a|b).c", b"a\xffc", (b"a\xffc", b"a")),
        ("(é|e)t", b"\xc3\xa9t", (b"\xc3\xa9t", b"\xc3\xa9")),
    ],
)
def test_matches_as_posix_says(pattern: str, subject: bytes, groups: tuple[bytes | None, ...] | None) -> None:
    assert compile_posix(pattern).search(subject) == groups


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}", "*" * 5000, "[[:nope:]]"])
def test_a_bad_pattern_is_refused_in_the_librarys_words(pattern: str) -> None:
    with pytest.raises(ScenarioError, match="regular expression"):
        compile_posix(pattern)


def test_a_text_beyond_the_cap_is_cut_not_searched_forever() -> None:
    pattern = compile_posix("(a|ab)c")
    assert pattern.search(b"x" * SUBJECT_CAP + b"ac") is None
    assert pattern.search(b"x" * 1000 + b"ac") == (b"ac", b"a")


def test_many_stars_on_a_long_text_end() -> None:
    assert compile_posix(".*a.*b.*c.*d").search(b"abc" * 20_000) is None


def test_alternatives_and_repeated_groups_go_to_the_library() -> None:
    assert translate("a|b") is None
    assert translate("(ab)*") is None
    assert translate("(a|ab)c") is None
    assert translate("x*(a|b)") is None
    assert translate("(a|b)*") is None
    assert translate("SIP/2.0/(UDP|TCP)x*") == b"SIP/2.0/(UDP|TCP)x*"
    assert translate("[[:alpha:]]+ (x)") == b"[A-Za-z]+\\ (x)"


ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "\\w", "(ab?)", "(a*b)", "(a|ab)", "(b|c)*", "(a|bc)", "(ab|ba|c)"]
)
QUANTIFIED = st.tuples(ATOMS, st.sampled_from(["", "", "*", "?", "+", "{0,2}", "{1,2}"])).map("".join)


@given(st.lists(QUANTIFIED, min_size=1, max_size=5).map("".join), st.text("abc\né", max_size=8))
def test_python_and_the_library_agree_where_python_is_used(pattern: str, subject: str) -> None:
    quick = compile_posix(pattern)
    library = Posix(pattern)
    library.python = None
    assert quick.search(subject.encode()) == library.search(subject.encode())
