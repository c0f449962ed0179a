from __future__ import annotations

from collections.abc import Callable

import pytest

from sipreplay.analysis.model import Address, Analysis, CapturedMessage
from sipreplay.report.ladder import Ladder, call_ladder, messages_ladder
from sipreplay.report.ladder_text import ladder_text


@pytest.fixture
def ladder(analysis: Analysis) -> Ladder:
    return call_ladder(analysis, analysis.calls[0])


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_every_line_fits_the_width(ladder: Ladder, width: int) -> None:
    assert max(len(line) for line in ladder_text(ladder, width).splitlines()) <= width


def test_arrows_carry_method_cseq_and_point_the_right_way(ladder: Ladder) -> None:
    lines = ladder_text(ladder, 140).splitlines()
    invite = next(line for line in lines if "INVITE  1 INVITE ─" in line)
    assert invite.index("│") < invite.index("▶")
    ringing = next(line for line in lines if "180 Ringing" in line)
    assert "◀" in ringing
    assert "▶" not in ringing


def test_repeated_messages_are_one_line_with_a_count(ladder: Ladder) -> None:
    text = ladder_text(ladder, 160)
    assert "INVITE  1 INVITE ×3 until +1.5s (1 copy)" in text
    assert text.count("×3") == 1


def test_times_are_absolute_and_since_the_row_before(ladder: Ladder) -> None:
    lines = ladder_text(ladder, 120).splitlines()
    assert any("14:45:28.850   +1.59" in line for line in lines)


def test_rtp_is_drawn_inside_with_double_lines_and_its_numbers(ladder: Ladder) -> None:
    lines = ladder_text(ladder, 140).splitlines()
    index = next(i for i, line in enumerate(lines) if "══ RTP PCMA ══" in line and "▶" in line)
    assert "598 packets · 3 lost" in lines[index + 1]


def test_ascii_only_is_ascii(ladder: Ladder) -> None:
    text = ladder_text(ladder, 100, ascii_only=True)
    assert text.isascii()
    assert "---- INVITE" in text or "-- INVITE" in text
    assert "==== RTP PCMA ====" in text


def test_no_terminal_escape_from_a_capture_comes_through(ladder: Ladder) -> None:
    assert "\x1b" not in ladder_text(ladder)


@pytest.mark.parametrize("hosts", [2, 3, 4, 5, 7])
def test_any_number_of_lifelines_keeps_every_message(hosts: int, message: Callable[..., CapturedMessage]) -> None:
    chain = [Address(f"10.0.0.{n}", 5060) for n in range(hosts)]
    messages = [
        message(n, n / 100, chain[n], chain[n + 1], "OPTIONS sip:a SIP/2.0", "1 OPTIONS", branch=f"z9hG4bK{n}")
        for n in range(hosts - 1)
    ]
    text = ladder_text(messages_ladder("chain", messages), 80)
    assert sum("OPTIONS" in line for line in text.splitlines()) == hosts - 1


def test_an_empty_call_says_so() -> None:
    assert "no message" in ladder_text(Ladder("Call 9", [], [], 0.0))


def test_a_message_to_the_sender_itself_is_shown(message: Callable[..., CapturedMessage]) -> None:
    here = Address("10.0.0.1", 5060)
    other = message(2, 0.1, here, Address("10.0.0.2", 5060), "OPTIONS sip:a SIP/2.0", "1 OPTIONS")
    text = ladder_text(messages_ladder("spiral", [message(1, 0, here, here, "BYE sip:a SIP/2.0", "1 BYE"), other]), 100)
    assert "⟲ BYE" in text


def test_a_capture_that_claims_an_absurd_time_is_drawn(ladder: Ladder) -> None:
    ladder.start = 1e18
    for row in ladder.rows:
        row.time = 1e18
    assert "9999-12-31" in ladder_text(ladder)
