"""What an ereg searches, what it sets, and what it says when it finds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sipreplay.engine.call import Call
from sipreplay.engine.searching import HEADER_CAP, Search, ereg
from sipreplay.scenario.model import Ereg
from sipreplay.testing.build import build_engine
from sipreplay.testing.clock import VirtualClock

MESSAGE = (
    b"SIP/2.0 200 OK\r\nReply-To: <sip:r@x>\r\nTo: <sip:one@x>;tag=1\r\nTO: second\r\nLong: "
    + b"a" * 5000
    + b"\r\nOdd: with\nline end\r\n\r\nm=audio 4000\r\nTo: body\r\n"
)


def searched(regexp: str, *targets: str, **settings: Any) -> tuple[str, list[Any]]:
    """The reason it gives, and the variables in order ("old" before the search)."""
    engine = build_engine("uac", lambda data, address: None, VirtualClock(), remote=("127.0.0.1", 5070))
    call = Call(b"x", 1, None, 0.0)
    call.variables = ["old"] * len(targets)  # type: ignore[list-item]
    reason = ereg(engine, call, Search(Ereg(regexp, targets, **settings), list(range(len(targets))), 0), MESSAGE)
    return reason, call.variables


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"header": "To:"}, b" <sip:r@x>"),
        ({"header": "To:", "start_line": True}, b" <sip:one@x>;tag=1"),
        ({"header": "to:", "start_line": True, "case_indep": True, "occurrence": 2}, b" second"),
        ({"header": "To:", "occurrence": 3}, b" body"),
        ({"header": "Long: "}, b"a" * HEADER_CAP),
        ({"header": "Odd: "}, b"with"),
        ({"header": "To"}, b": <sip:r@x>"),
    ],
)
def test_the_part_after_a_text_to_the_end_of_its_line(settings: dict[str, Any], found: bytes) -> None:
    assert searched(".*", "a", search_in="hdr", **settings) == ("", [found])


def test_groups_and_those_that_took_no_part() -> None:
    assert searched("(audio|video) ([0-9]+)(x)?", "a", "b", "c", "d", search_in="body") == (
        "",
        [b"audio 4000", b"audio", b"4000", "old"],
    )
    assert searched("SIP/2.0 (2..)|(3..)", "a", "b", "c", "d") == ("", [b"SIP/2.0 200", b"200", "old", "old"])


@pytest.mark.parametrize(
    ("regexp", "settings", "reason"),
    [
        ("nothing", {}, ""),
        ("nothing", {"check_it": True}, "RegexpDoesntMatch"),
        ("nothing", {"check_it_inverse": True}, ""),
        ("OK", {"check_it": True}, ""),
        ("OK", {"check_it_inverse": True}, "RegexpShouldntMatch"),
        ("x", {"check_it": True, "search_in": "hdr", "header": "None:"}, "RegexpHdrNotFound"),
        ("x", {"check_it_inverse": True, "search_in": "hdr", "header": "None:"}, ""),
    ],
)
def test_checks(regexp: str, settings: dict[str, Any], reason: str) -> None:
    assert searched(regexp, "a", **settings)[0] == reason
