"""Names of scenarios say what happens in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.learn.flows import ANSWER, SDP, Talk, learned

HELD = SDP + "a=sendonly\r\n"
OLD_HOLD = SDP.replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0")
OTHER = SDP.replace("RTP/AVP 0 101", "RTP/AVP 8 101").replace("0 PCMU", "8 PCMA")


def name_of(tmp_path: Path, *offers: str, up: bool = False) -> str:
    """The name of a call with these offers in re-INVITEs."""
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    talk.response(0.1, 200, 1, "INVITE", body=ANSWER)
    talk.request(0.2, "ACK", 1)
    for number, offer in enumerate(offers, 2):
        talk.request(number, "INVITE", number, body=offer, in_dialog=True, up=up)
        talk.response(number + 0.1, 200, number, "INVITE", body=ANSWER, up=not up)
        talk.request(number + 0.2, "ACK", number, up=up)
    talk.request(20.0, "BYE", 20)
    talk.response(20.1, 200, 20, "BYE")
    return learned(tmp_path, [talk]).report.scenarios[0].name


@pytest.mark.parametrize(
    ("offers", "name"),
    [
        ((HELD, SDP), "invite-hold-resume-bye"),
        ((OLD_HOLD, SDP), "invite-hold-resume-bye"),
        ((HELD.replace("sendonly", "inactive"),), "invite-hold-bye"),
        ((OTHER,), "invite-reinvite-bye"),
        ((SDP, HELD), "invite-reinvite-hold-bye"),
        (("",), "invite-reinvite-bye"),
    ],
)
def test_hold_and_resume_are_named(tmp_path: Path, offers: tuple[str, ...], name: str) -> None:
    assert name_of(tmp_path, *offers) == name


def test_who_holds_is_named(tmp_path: Path) -> None:
    assert name_of(tmp_path, HELD, up=True) == "invite-hold-callee-bye"
