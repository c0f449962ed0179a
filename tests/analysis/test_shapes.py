"""Dialogs looked up by the form of their messages are those that would have been worked out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.analysis.dialogs import Shapes, build_dialogs
from sipreplay.analysis.model import Address, HopDialog
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.store import MessageStore
from tests.analysis.flow import Flow, call
from tests.interop.conftest import shared_folder

CAPTURES = sorted(
    path for folder in (shared_folder(), Path("captures")) if folder is not None for path in folder.glob("*.pcap*")
)


def said(dialogs: list[HopDialog]) -> list[Any]:
    """All that dialogs hold, by value."""
    return [
        (
            *(getattr(dialog, name) for name in dialog.__slots__ if name not in ("messages", "transactions", "call")),
            list(dialog.messages),
            list(dialog.transactions),
            dialog.methods,
            list(dialog.messages.media()),  # type: ignore[attr-defined]
        )
        for dialog in dialogs
    ]


def both(store: MessageStore, shapes: Shapes) -> tuple[list[Any], list[Any]]:
    """Built twice with a memory of shapes, and without."""
    build_dialogs(store, shapes)
    return said(build_dialogs(store, shapes)), said(build_dialogs(store, Shapes(0)))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_captures(path: Path) -> None:
    store = analyse([path]).messages
    assert isinstance(store, MessageStore)
    looked_up, worked_out = both(store, Shapes())
    assert looked_up == worked_out


def test_many_calls_of_one_shape_are_worked_out_once() -> None:
    flow = Flow()
    for number in range(50):
        flow.call_id = f"call-{number}"
        call(flow, Address("192.0.2.1", 5060 + number), Address("192.0.2.2", 5060))
    shapes = Shapes()
    dialogs = build_dialogs(flow.messages, shapes)  # type: ignore[arg-type]
    assert (len(dialogs), shapes.worked_out) == (50, 1)


def test_what_a_contact_says_tells_shapes_apart() -> None:
    flow = Flow()
    a, b, elsewhere = Address("192.0.2.1", 5060), Address("192.0.2.2", 5060), Address("192.0.2.1", 5070)
    for number, contact in enumerate((a, elsewhere, a, elsewhere)):
        flow.call_id = f"call-{number}"
        flow.say(a, b, "INVITE", "1 INVITE", headers=f"Contact: <sip:a@{contact}>")
        flow.say(b, a, "200 OK", "1 INVITE", tags=("a", "b"))
        flow.say(b, elsewhere, "BYE", "1 BYE", via="c1", tags=("b", "a"))
    shapes = Shapes()
    dialogs = build_dialogs(flow.messages, shapes)  # type: ignore[arg-type]
    assert shapes.worked_out == 2
    assert [elsewhere in dialog.caller_addresses for dialog in dialogs] == [False, True, False, True]


ADDRESSES = [Address(f"192.0.2.{host}", port) for host in (1, 2, 9) for port in (5060, 5062)]
ADDRESS = st.sampled_from(ADDRESSES)
TAG = st.sampled_from(["", "a", "b", "c"])
MESSAGE = st.tuples(
    ADDRESS,
    ADDRESS,
    st.sampled_from(
        ["INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "NOTIFY", "100 t", "180 r", "200 OK", "302 m", "401 c", "487 t"]
    ),
    st.sampled_from([1, 2, 10]),
    st.sampled_from(["INVITE", "BYE", "CANCEL", "REGISTER", "NOTIFY"]),
    st.sampled_from(["x", "y", "z", "y,x", "z,y,x", "w@192.0.2.1:5062"]),
    st.tuples(TAG, TAG),
    st.sampled_from(["", "Contact: <sip:a@192.0.2.1:5062>", "Contact: <sip:b@192.0.2.9:5060>"]),
    st.sampled_from([0, 1, 10, 40_000]),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(MESSAGE, min_size=1, max_size=9), min_size=1, max_size=4))
def test_any_messages(groups: list[list[Any]]) -> None:
    flow = Flow()
    for repeat in range(2):  # the second time with other texts, of the same form
        for number, group in enumerate(groups):
            flow.call_id = f"{repeat}-{number}"
            for source, destination, start, cseq, method, via, tags, headers, wait_ms in group:
                named = (f"{tags[0]}{repeat}" if tags[0] else "", f"{tags[1]}{repeat}" if tags[1] else "")
                asked = start if start[0].isalpha() else method
                parts = [part.partition("@") for part in via.split(",")]
                via = ",".join(f"{branch}{repeat}{at}{host}" for branch, at, host in parts)
                flow.say(
                    source, destination, start, f"{cseq} {asked}", via=via, tags=named, headers=headers,
                    at=flow.time + wait_ms / 1000,
                )  # fmt: skip
    store = flow.messages
    assert isinstance(store, MessageStore)
    looked_up, worked_out = both(store, Shapes())
    assert looked_up == worked_out
