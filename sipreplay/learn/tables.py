"""Rows of bundle.toml, heads of injection files and scenarios, notes of the report. Only values and texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.model import Analysis, HopDialog
from sipreplay.bundle.model import Actor, BundleScenario, CapturedCall, Expect, Link, MediaFile
from sipreplay.learn.expectation import MOST_DETAILED, expectation
from sipreplay.learn.legs import UnderTest, user_at
from sipreplay.learn.media import StreamTable
from sipreplay.learn.names import UAC
from sipreplay.learn.shapes import Shape
from sipreplay.learn.text import for_comment
from sipreplay.learn.unit import Unit


def units(shape: Shape) -> list[Unit]:
    """The calls of a shape, in captured order."""
    return sorted((member.unit for member in shape.members), key=lambda unit: unit.events[0].time)


def injection_text(columns: Sequence[str], text: str) -> bytes:
    """An injection file with the names of its columns in a comment under the first line."""
    mode, _, rows = text.partition("\n")
    return f"{mode}\n# columns: {';'.join(columns)}\n{rows}".encode("utf-8", "surrogateescape")


def head_comment(shape: Shape, role: str, injection: str, media: Sequence[MediaFile]) -> str:
    """What a reader of the XML should know first."""
    unit = shape.unit
    dialog = unit.dialog
    side = "Calling" if role == UAC else "Answering"
    mine, theirs = (dialog.caller, dialog.callee) if role == UAC else (dialog.callee, dialog.caller)
    lines = [f"{side} side, learned from {len(shape.members)} captured call{'s' * (len(shape.members) != 1)}."]
    lines.append(f"Stands for {mine} towards {theirs}, {unit.transport}; Call-ID {for_comment(dialog.call_id)}.")
    if injection and shape.columns and (role == UAC or shape.drafts[role].uses_lookup):
        columns = ", ".join(f"field{number} {name}" for number, name in enumerate(shape.columns))
        lines.append(f"Injection file {injection}: {columns}.")
        if "auth_password" in shape.columns:
            lines.append("auth_password is not in any capture: write it into the injection file.")
    lines += [f"{m.file}: {m.kind} {for_comment(m.codec)}, {m.packets} packets; {m.note}" for m in media if m.note]
    lines += [f"Note: {for_comment(note, 200)}." for note in shape.drafts[role].notes]
    return "\n".join(lines)


def media_text(role: str, media: MediaFile) -> str:
    """One file as the report shows it."""
    side = "caller" if role == UAC else "callee"
    digits = f", digits {media.dtmf}" if media.dtmf else ""
    return f"{side} {media.codec or media.kind} {media.packets:,} packet{'s' * (media.packets != 1)}{digits}"


TRUNK_NUMBERS = 3
"""An actor that does not register and answers that many numbers is a trunk."""


def actors(known: Actors, learned: Iterable[Unit], sut: UnderTest | None = None) -> list[Actor]:
    """The actors of the learned calls."""
    seen: dict[str, Actor] = {}
    behind: dict[str, set[str]] = {}
    for unit in learned:
        for dialog in unit.dialogs:
            for address in (dialog.caller, dialog.callee):
                ident = known.of(address)
                if ident not in seen:
                    captured = [str(a) for a in known.addresses.get(ident, [address])]
                    seen[ident] = Actor(ident, "endpoint", captured)
            if dialog.kind == "register":
                seen[known.of(dialog.caller)].reach = "register"
            else:
                behind.setdefault(known.of(dialog.callee), set()).add(_called(dialog))
    for ident, actor in seen.items():
        if sut is not None and ident == sut.actor:
            actor.role, actor.reach = "sut", "static"
        elif actor.reach == "static" and len(behind.get(ident, ())) >= TRUNK_NUMBERS:
            actor.role = "trunk"
    return list(seen.values())


def _called(dialog: HopDialog) -> str:
    return user_at(dialog.messages[0], "ruri.user")


def register_first(scenarios: Sequence[BundleScenario], links: Sequence[Link]) -> None:
    """What must register before the second leg of a call can be reached must have done so before the first."""
    by_id = {scenario.id: scenario for scenario in scenarios}
    for link in links:
        first, second = by_id[link.from_leg], by_id[link.to_leg]
        for ident in by_id[second.pair].after:
            if ident not in first.after:
                first.after.append(ident)


def calls(analysis: Analysis, legs: dict[int, str]) -> list[CapturedCall]:
    """Captured calls with the scenarios that replay them."""
    found = []
    for call in analysis.calls:
        names = list(dict.fromkeys(legs[d] for d in call.dialogs if d in legs))
        if names:
            found.append(CapturedCall(call.id, names))
    return found


def expects(shapes: dict[str, Shape], streams: StreamTable) -> list[Expect]:
    """What the capture showed of every learned call, by scenario and line of its injection file.

    `shapes`: name without -uac to shape.
    """
    all_units = [member.unit for shape in shapes.values() for member in shape.members]
    origin = min((unit.events[0].time for unit in all_units), default=0.0)
    found: list[Expect] = []
    for name, shape in shapes.items():
        for number, member in enumerate(shape.members):
            detailed = len(found) < MOST_DETAILED
            one = expectation(member.unit, f"{name}-uac", streams, detailed=detailed, origin=origin)
            one.number, one.cut = number, _cut(member.unit)
            found.append(one)
    return found


def set_order(scenarios: Sequence[BundleScenario], shapes: dict[str, Shape]) -> None:
    """Fill `after`: a call comes after the registration of one of its two ends that the capture shows before it."""
    registrations = {name: shape for name, shape in shapes.items() if shape.unit.kind == "register"}
    by_id = {scenario.id: scenario for scenario in scenarios}
    for name, shape in shapes.items():
        if name in registrations:
            continue
        first = min(unit.events[0].time for unit in units(shape))
        ends = {a for m in shape.members for d in m.unit.dialogs for a in (d.caller.host, d.callee.host)}
        for other, registration in registrations.items():
            begins = min(unit.events[0].time for unit in units(registration))
            registered = {d.caller.host for m in registration.members for d in m.unit.dialogs}
            if begins < first and ends & registered:
                by_id[f"{name}-uac"].after.append(f"{other}-uac")


def blind_spots(analysis: Analysis, learned: Sequence[Unit]) -> list[str]:
    """What the captures may hold and nobody could see, or hold only in part."""
    spots = []
    for capture in analysis.captures:
        spots += [f"{capture.path}: packet {problem.packet}: {problem.what}" for problem in capture.problems[:5]]
        if len(capture.problems) > 5:
            spots.append(f"{capture.path}: {len(capture.problems) - 5} more such problems")
    if analysis.malformed:
        spots.append(f"{analysis.malformed} messages that look like SIP could not be read")
    for unit in learned:
        spots += [f"dialog {unit.dialog.id}: {note}" for note in unit.notes]
        cut = _cut(unit)
        if cut:
            spots.append(f"dialog {unit.dialog.id} ({unit.kind}): {cut}; learned as far as seen")
    loose = [s for s in analysis.streams if s.dialog is None]
    if loose:
        spots.append(f"{len(loose)} RTP streams belong to no SDP in the captures and are not replayed")
    return spots


def _cut(unit: Unit) -> str:
    """Why a unit is not whole; "" if it is."""
    for exchange in unit.exchanges:
        if exchange.final is None and exchange.method != "CANCEL":
            said = "unanswered" if not exchange.responses else "without a final response"
            return f"{exchange.method} is {said} in the capture"
    invites = [e for e in unit.exchanges if e.method == "INVITE"]
    if any(e.final is not None and e.ack is None for e in invites):
        return "a final response to INVITE is without its ACK in the capture"
    answered = any(e.final is not None and e.final.status < 300 for e in invites)
    if answered and not any(e.method == "BYE" for e in unit.exchanges):
        return "the call has no BYE in the capture"
    return ""
