"""What became of a dialog."""

from __future__ import annotations

import pytest

from tests.analysis.flow import A, B, Flow


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([], "unanswered"),
        ([100], "setup"),
        ([100, 180], "ringing"),
        ([183], "ringing"),
        ([180, 200], "established"),
        ([302], "redirected"),
        ([407], "challenged"),
        ([401], "challenged"),
        ([180, 486], "rejected"),
        ([503], "rejected"),
        ([487], "rejected"),
    ],
)
def test_invite(answers: list[int], state: str) -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    for code in answers:
        flow.say(B, A, f"{code} X", "1 INVITE", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert dialog.state == state
    if 200 in answers:
        assert dialog.setup_ms == pytest.approx(20)
        assert dialog.pdd_ms == pytest.approx(10)
    else:
        assert dialog.setup_ms is None


@pytest.mark.parametrize(("final", "state"), [(None, "cancelled"), (487, "cancelled"), (200, "established")])
def test_a_cancelled_invite(final: int | None, state: str) -> None:
    flow = Flow()
    flow.say(A, B, "INVITE", "1 INVITE")
    flow.say(A, B, "CANCEL", "1 CANCEL")
    if final:
        flow.say(B, A, f"{final} X", "1 INVITE", tags=("a", "b"))
    assert [d.state for d in flow.dialogs()] == [state]


@pytest.mark.parametrize(
    ("answers", "state"),
    [([], "unanswered"), ([100], "unanswered"), ([200], "completed"), ([401], "challenged"), ([403], "rejected")],
)
def test_other_requests(answers: list[int], state: str) -> None:
    flow = Flow()
    flow.say(A, B, "REGISTER", "1 REGISTER")
    for code in answers:
        flow.say(B, A, f"{code} X", "1 REGISTER", tags=("a", "b"))
    (dialog,) = flow.dialogs()
    assert (dialog.state, dialog.pdd_ms, dialog.setup_ms) == (state, None, None)


def test_the_last_round_of_a_registration_counts() -> None:
    flow = Flow()
    for number, code in enumerate((401, 200, 403), 1):
        flow.say(A, B, "REGISTER", f"{number} REGISTER", via=f"r{number}")
        flow.say(B, A, f"{code} X", f"{number} REGISTER", via=f"r{number}", tags=("a", "s"))
    assert [d.state for d in flow.dialogs()] == ["rejected"]
