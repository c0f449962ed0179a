"""What a user must know before a bundle is played: who is under test, who is emulated, what the former must be told.

Texts only, from the bundle's tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sipreplay.bundle.model import Actor, Bundle
from sipreplay.learn.legs import UnderTest, user_at
from sipreplay.learn.names import UAC, UAS
from sipreplay.learn.shapes import Shape

MOST_NAMED = 8
PAIRS = "nobody stands in the middle: both ends of each hop are learned as a pair; --sut names who is under test"


def under_test(bundle: Bundle, sut: UnderTest | None, shapes: Mapping[str, Shape]) -> list[str]:
    """The lines. `shapes`: name of each pair of scenarios to its shape."""
    if sut is None:
        return [PAIRS]
    agent = f", {sut.agent}" if sut.agent else ""
    lines = [f"{sut.actor} ({', '.join(sut.addresses)}{agent}) is under test: {sut.why}"]
    told = []
    for actor in bundle.actors:
        if actor.id == sut.actor:
            continue
        registers, calls, answers = (_names(bundle, shapes, actor, sut, role) for role in ("register", UAC, UAS))
        does = [word for word, names in (("registers", registers),) if names]
        does += [f"calls ({named(calls)})"] if calls else []
        does += [f"answers ({named(answers)})"] if answers else []
        if does:
            lines.append(f"{actor.id} ({', '.join(actor.captured)}) is emulated: {', '.join(does)}")
        if answers and not registers:
            numbers = named(sorted(_called(shapes, actor, answers)))
            told.append(f"tell it: route {numbers or 'its calls'} to where `sipreplay run` answers for {actor.id}")
        elif answers:
            told.append(f"tell it: nothing of where {actor.id} is, which registers; the accounts need their passwords")
    for link in bundle.links:
        keys = dict.fromkeys(f"{k.source} ({k.transform})" if k.transform else k.source for k in link.keys)
        lines.append(f"{link.from_leg} leads to {link.to_leg}, matched by {', '.join(keys) or 'nothing they share'}")
    return lines + told


def _names(bundle: Bundle, shapes: Mapping[str, Shape], actor: Actor, sut: UnderTest, role: str) -> list[str]:
    """Ids of the scenarios that stand for an actor towards the system under test."""
    mine = set(actor.captured)
    found = []
    for scenario in bundle.scenarios:
        registers = shapes[scenario.id.removesuffix(f"-{scenario.role}")].unit.kind == "register"
        wanted = UAC if role == "register" else role
        fits = scenario.role == wanted and scenario.peer == sut.actor
        fits = fits and (role == UAS or registers == (role == "register"))
        if fits and mine & set(scenario.emulates):
            found.append(scenario.id)
    return found


def _called(shapes: Mapping[str, Shape], actor: Actor, answers: Sequence[str]) -> set[str]:
    """The numbers that were called at an actor."""
    mine = set(actor.captured)
    return {
        user_at(dialog.messages[0], "ruri.user")
        for ident in answers
        for member in shapes[ident.removesuffix(f"-{UAS}")].members
        for dialog in member.unit.dialogs
        if str(dialog.callee) in mine
    } - {""}


def named(names: Iterable[str]) -> str:
    """A few of them, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
