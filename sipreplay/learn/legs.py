"""Who is under test, which side of each hop stands for whom, and which leg of a call leads to which other.

Reads the analysis; what it finds are values for the bundle's tables. Never decides what an actor is (`analysis.roles`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.model import Analysis, Call, CapturedMessage, HopDialog
from sipreplay.analysis.roles import Actor, describe_actors
from sipreplay.bundle.model import Link, LinkKey
from sipreplay.errors import UsageError
from sipreplay.learn.names import UAC, UAS, address_of, ip_literal
from sipreplay.learn.unit import Unit
from sipreplay.sip.syntax import SipSyntaxError
from sipreplay.sip.uri import parse_uri

TO_SUT, FROM_SUT, BESIDE = "to the system under test", "from the system under test", "beside it"
MOST_LISTED = 12
LEAST_TOKEN = 8
"""Characters of a header value that can tell calls apart."""
LEAST_SUFFIX = 3
"""Digits at the end that a number keeps when the system under test rewrites it."""
WINDOW_MS = 10_000.0
CLOCK_SLACK_S = 0.1
"""By how much clocks of two capture ports may differ."""


@dataclass(frozen=True, slots=True)
class UnderTest:
    """The system under test."""

    actor: str
    addresses: tuple[str, ...]
    agent: str
    why: str


def find_sut(analysis: Analysis, actors: Actors, asked: str) -> UnderTest | None:
    """The actor that `--sut` names, or without it the one in the middle; None if nobody is.

    Raises UsageError, with a list of those that are, for one that is not in the captures.
    """
    described = describe_actors(analysis, actors)
    if not asked:
        middle = next((a for a in described if a.sut_likely and a.in_the_middle), None)
        return _under_test(middle, middle.why) if middle else None
    if asked.startswith("actor:"):
        ident = asked.removeprefix("actor:").strip()
        fitting = [a for a in described if a.id in (ident, f"actor{ident}")]
    else:
        host, port = _host_and_port(asked)
        fitting = [a for a in described if any(_same(x.host, host) and port in (0, x.port) for x in a.addresses)]
    if not fitting:
        raise UsageError(f"--sut {asked}: takes no part in the captured calls; there are: {_listed(described)}")
    if len(fitting) > 1:
        raise UsageError(f"--sut {asked}: several actors have this address; say which: {_listed(fitting)}")
    return _under_test(fitting[0], "named with --sut")


def _under_test(actor: Actor, why: str) -> UnderTest:
    return UnderTest(actor.id, tuple(str(a) for a in actor.addresses), actor.agent, why)


def _host_and_port(text: str) -> tuple[str, int]:
    """(host, port); port 0: none given. Raises UsageError."""
    match = re.fullmatch(r"\[([^\]\s]+)\](?::(\d{1,5}))?|([^:\[\]\s]+)(?::(\d{1,5}))?", text)
    if match:
        return match[1] or match[3], int(match[2] or match[4] or 0)
    if "[" not in text and ip_literal(text):
        return text, 0
    raise UsageError(f"--sut {text}: wants HOST, HOST:PORT, [IPv6]:PORT or actor:ID, as `sipreplay inspect` lists them")


def _same(one: str, other: str) -> bool:
    return one == other or (ip_literal(one) != "" and ip_literal(one) == ip_literal(other))


def _listed(actors: Sequence[Actor]) -> str:
    shown = [f"actor:{a.id} ({', '.join(str(x) for x in a.addresses[:3])})" for a in actors[:MOST_LISTED]]
    return ", ".join(shown) + (f" and {len(actors) - MOST_LISTED} more" if len(actors) > MOST_LISTED else "")


def part_of(unit: Unit, actors: Actors, sut: UnderTest | None) -> str:
    """Where a unit lies: TO_SUT, FROM_SUT, BESIDE; "" where nobody is under test."""
    return dialog_part(unit.dialog, actors, sut) if sut is not None else ""


def dialog_part(dialog: HopDialog, actors: Actors, sut: UnderTest) -> str:
    """The same of a hop-dialog. What the system under test has with itself lies beside it."""
    caller, callee = actors.of(dialog.caller), actors.of(dialog.callee)
    if caller == callee:
        return BESIDE
    return TO_SUT if callee == sut.actor else FROM_SUT if caller == sut.actor else BESIDE


def find_links(analysis: Analysis, actors: Actors, sut: UnderTest | None, names: Mapping[int, str]) -> list[Link]:
    """Which calling scenarios lead to which answering ones, and by what their calls can be told apart.

    `names`: hop-dialog to the name of its shape. A key holds for every captured pair of legs of a link.
    """
    if sut is None:
        return []
    calls = {call.id: call for call in analysis.calls}
    found: dict[tuple[str, str], list[tuple[HopDialog, HopDialog]]] = {}
    for second in analysis.dialogs:
        if second.id in names and dialog_part(second, actors, sut) == FROM_SUT:
            first = _leg_before(analysis, calls[second.call], second, actors, sut, names)
            # One Call-ID there and back between the same two addresses is one scenario.
            if first is not None and names[first.id] != names[second.id]:
                pair = f"{names[first.id]}-{UAC}", f"{names[second.id]}-{UAS}"
                found.setdefault(pair, []).append((first, second))
    return [
        Link(from_leg, to_leg, _keys(pairs), WINDOW_MS)
        for (from_leg, to_leg), pairs in sorted(found.items(), key=lambda item: item[1][0][1].first)
    ]


def _leg_before(
    analysis: Analysis, call: Call, second: HopDialog, actors: Actors, sut: UnderTest, names: Mapping[int, str]
) -> HopDialog | None:
    """The leg that made the system under test open this one."""
    legs = [
        dialog
        for dialog in map(analysis.dialog, call.dialogs)
        if dialog.id in names
        and dialog.kind == second.kind
        and dialog_part(dialog, actors, sut) == TO_SUT
        and dialog.first <= second.first + CLOCK_SLACK_S
    ]
    if second.upstream is not None:
        direct = next((dialog for dialog in legs if dialog.id == second.upstream), None)
        if direct is not None:
            return direct
    tied = [x for x in legs if any({x.id, second.id} <= set(item.dialogs) for item in call.evidence)]
    return max(tied or legs, key=lambda dialog: dialog.first, default=None)


def _opening(dialog: HopDialog, before: float) -> CapturedMessage:
    """The last request that opens the dialog (a second round has credentials), not later than `before`."""
    opening = dialog.messages[0]
    for captured in dialog.messages:
        message = captured.message
        if captured.time > before + CLOCK_SLACK_S:
            break
        if message.is_request and not message.to_tag and message.method.lower() == dialog.kind:
            opening = captured
    return opening


def _keys(pairs: Sequence[tuple[HopDialog, HopDialog]]) -> list[LinkKey]:
    """What every pair of legs has in common, the surest first."""
    found = [(_opening(first, second.first), _opening(second, second.last)) for first, second in pairs]
    keys = []
    if all(one.message.call_id == other.message.call_id for one, other in found):
        keys.append(LinkKey("call-id", "call-id"))
    for name in dict.fromkeys(_tokens(found[0][0])):
        values = [(one.message.get(name), other.message.get(name)) for one, other in found]
        if all(one and one == other and len(one) >= LEAST_TOKEN for one, other in values):
            keys.append(LinkKey(name, name))
    for place in ("ruri.user", "to.user", "from.user"):
        transform = _transform([(user_at(one, place), user_at(other, place)) for one, other in found])
        if transform is not None:
            keys.append(LinkKey(place, place, transform))
    return keys


def _tokens(captured: CapturedMessage) -> Iterator[str]:
    """Headers that may carry a value from leg to leg."""
    for name, _ in captured.message.headers:
        lower = name.lower()
        if lower.startswith("x-") or lower in ("session-id", "p-charging-vector"):
            yield lower


def user_at(captured: CapturedMessage, place: str) -> str:
    """The user part of the Request-URI, To or From of a captured request; "" if it has none."""
    message = captured.message
    if place == "ruri.user":
        try:
            return parse_uri(message.request_uri).user or ""
        except SipSyntaxError:
            return ""
    address = address_of(message.get(place.partition(".")[0]))
    return (address.uri.user or "") if address else ""


def _transform(values: Sequence[tuple[str, str]]) -> str | None:
    """How the first becomes the second everywhere: "" as it is, `^PREFIX -> OTHER`; None: no one rule does it."""
    if not all(one and other for one, other in values):
        return None
    if all(one == other for one, other in values):
        return ""
    one, other = next((a, b) for a, b in values if a != b)
    kept = 0
    while kept < min(len(one), len(other)) and one[-1 - kept] == other[-1 - kept]:
        kept += 1
    gone, come = one[: len(one) - kept], other[: len(other) - kept]
    fits = all(a.startswith(gone) and come + a[len(gone) :] == b for a, b in values)
    plain = re.fullmatch(r"[+0-9A-Za-z#*]*", gone + come)
    return f"^{re.escape(gone)} -> {come}" if kept >= LEAST_SUFFIX and fits and plain else None
