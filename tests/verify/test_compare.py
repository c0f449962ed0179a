"""Two calls compared: what differs is told once, at its message; what may differ is not."""

from dataclasses import replace

import pytest

from sipreplay.bundle.model import Expect, ExpectedMessage, ExpectedStream
from sipreplay.verify.compare import compare
from sipreplay.verify.difference import Tolerance

SDP = ["audio sendrecv PCMU/8000 telephone-event/8000 ptime=20"]
LINES = ["> INVITE", "< 180 INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"]


def call(*lines: str, headers: list[str] | None = None, sdp: list[str] | None = None, **changes: object) -> Expect:
    messages = [ExpectedMessage(line, 10.0 * place) for place, line in enumerate(lines or LINES)]
    for message in messages:
        if message.line == "< 200 INVITE":
            message.headers = ["allow: INVITE, ACK", "server: one/1.0"] if headers is None else headers
            message.sdp = SDP if sdp is None else sdp
    stream = ExpectedStream("< audio PCMU", 100, mos=4.4, digits="12", duration_ms=2000)
    made = Expect("uac", 1, "a@b", setup_ms=20.0, pdd_ms=10.0, message=messages, stream=[stream])
    return replace(made, **changes)  # type: ignore[arg-type]


def told(run: Expect | None, expected: Expect | None = None, tolerance: Tolerance | None = None) -> list[str]:
    verdict = compare(expected or call(), run, tolerance or Tolerance())
    return [f"{d.kind} {d.message}: {d.what}" for d in verdict.differences]


def test_the_same_call_differs_in_nothing() -> None:
    assert told(call()) == []
    assert told(call(headers=["server: two/2.0", "allow: ACK,INVITE"])) == [], "the order of a list says nothing"


def test_how_the_messages_of_both_sides_lie_between_each_other_is_no_difference() -> None:
    assert told(call("> INVITE", "< 180 INVITE", "< 200 INVITE", "> ACK", "< 200 BYE", "> BYE")) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["> INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"], "missing < 180 INVITE"),
        (["> INVITE", "< 180 INVITE", "< 183 INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"], "extra < 183"),
        (["> INVITE", "< 200 INVITE", "< 180 INVITE", "> ACK", "> BYE", "< 200 BYE"], "order <"),
        (["> INVITE", "< 180 INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 481 BYE"], "status < 481 BYE"),
        (["> INVITE", "< 180 INVITE", "< 486 INVITE", "> ACK"], "status < 486 INVITE"),
    ],
)
def test_a_sequence_that_differs_names_the_message(lines: list[str], expected: str) -> None:
    assert told(call(*lines))[0].startswith(expected)


def test_headers_are_compared_by_a_list_unless_strict_or_ignored() -> None:
    changed = call(headers=["allow: INVITE", "server: two/2.0"])
    assert told(changed) == ["header < 200 INVITE: Allow without ack"]
    assert told(changed, tolerance=Tolerance(ignored=frozenset({"allow"}))) == []
    strict = told(changed, tolerance=Tolerance(strict=True))
    assert "header < 200 INVITE: Server is two/2.0 instead of one/1.0" in strict


def test_answers_times_and_media_are_compared() -> None:
    assert told(call(sdp=["audio rejected"])) == [f"sdp < 200 INVITE: audio rejected instead of {SDP[0]}"]
    assert told(call(sdp=[])) == ["sdp < 200 INVITE: the SDP is missing"]
    assert told(call(setup_ms=5000.0))[0].startswith("time")
    assert told(call(setup_ms=900.0)) == []
    assert told(call(stream=[])) == ["media : no audio from the callee's side: PCMU in the capture, 100 packets"]
    silent = replace(call().stream[0], digits="1")
    assert told(call(stream=[silent])) == ["digits : audio PCMU received: digits 1 instead of 12"]
    assert told(call(stream=[]), tolerance=Tolerance(media=False)) == []


def test_a_call_that_the_capture_cuts_is_judged_as_far_as_it_goes() -> None:
    cut = call(*LINES[:4], cut="the call has no BYE in the capture")
    assert told(call(), cut) == []
    assert told(call("> INVITE", "< 200 INVITE", "> ACK"), cut)[0].startswith("missing < 180")


def test_a_call_that_was_not_seen_is_one_difference() -> None:
    assert told(None) == ["call : no message of this call was sent or received"]
