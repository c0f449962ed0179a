"""What each actor is: the roles it was seen in, what it calls itself, which one is likely the system under test.

Roles follow from what an actor did, by the table `ROLES`. Never decides who is one actor with whom (`actors` does).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sipreplay.analysis.actors import Actors, passed_on, route_addresses, via_count
from sipreplay.analysis.model import Address, Analysis, HopDialog
from sipreplay.analysis.rows import usual_hosts
from sipreplay.analysis.states import initial_transactions

ROLES = {
    "UAC": "sends a request that has no Via but its own",
    "UAS": "answers a request and does not send it on",
    "proxy": "sends a request on with one Via more, or records a route for one that it answers for others",
    "B2BUA": "takes one leg of a call and makes another, as evidence other than the Call-ID says",
    "registrar": "answers REGISTER with 200 and does not send it on",
}
"""Role to what it is seen by."""
_B2BUA_RULES = frozenset({"B2BUA", "Session-ID", "icid-value", "X-Call-ID", "HEP correlation id"})
_LONGEST_NAME = 80
ENOUGH = 64
"""Dialogs of one kind, with one outcome, between two actors whose answers are looked at: more show the same."""


@dataclass(slots=True)
class Actor:
    """One actor, described."""

    id: str
    addresses: list[Address]
    roles: list[str] = field(default_factory=list)
    """In the order of ROLES."""
    agent: str = ""
    """The User-Agent or Server that it named for itself; "" when it named none."""
    sut_likely: bool = False
    in_the_middle: bool = False
    """Whether it passed requests on, as a proxy or B2BUA does."""
    why: str = ""
    """For the likely system under test: why it is taken for that."""


@dataclass(slots=True)
class _Seen:
    roles: set[str] = field(default_factory=set)
    names: Counter[str] = field(default_factory=Counter)
    looked: Counter[tuple[object, ...]] = field(default_factory=Counter)
    """How many dialogs of a kind were looked at closely."""
    incoming: int = 0
    outgoing: int = 0
    passed: int = 0
    """Dialogs that it took and sent on, by proxy or B2BUA."""
    sources: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)


def describe_actors(analysis: Analysis, actors: Actors | None = None) -> list[Actor]:
    """All actors that take part in signalling, in order of their ids."""
    actors = actors or Actors(analysis.dialogs)
    seen: dict[str, _Seen] = defaultdict(_Seen)
    sent_on = _sent_on(analysis)
    legs = _b2bua_legs(analysis, actors, seen)
    for dialog in analysis.dialogs:
        if dialog.alias_of is None:
            _look(dialog, actors, seen, sent_on, legs)
    found = []
    for ident, addresses in actors.addresses.items():
        if ident in seen:
            facts = seen[ident]
            name = facts.names.most_common(1)[0][0] if facts.names else ""
            roles = [role for role in ROLES if role in facts.roles]
            found.append(Actor(ident, list(addresses), roles, name, in_the_middle=facts.passed > 0))
    _mark_sut(found, seen, len(analysis.dialogs))
    return found


def _sent_on(analysis: Analysis) -> set[int]:
    """Ids of the dialogs whose callee sent the request on, as captured."""
    found = set()
    for dialog in analysis.dialogs:
        if dialog.upstream is not None and passed_on(analysis.dialog(dialog.upstream), dialog):
            found.add(dialog.upstream)
    return found


def _b2bua_legs(analysis: Analysis, actors: Actors, seen: dict[str, _Seen]) -> set[tuple[int, str]]:
    """(dialog, actor) where an actor is the B2BUA in that dialog."""
    legs: set[tuple[int, str]] = set()
    for call in analysis.calls:
        for item in call.evidence:
            if item.rule not in _B2BUA_RULES and not item.rule.startswith("--correlate"):
                continue
            members = [analysis.dialog(ident) for ident in item.dialogs[:32]]
            for one in members:
                for other in members:
                    middle = actors.of(one.callee)
                    tied = one.call_id != other.call_id and one.first <= other.first
                    if tied and middle == actors.of(other.caller) and actors.of(one.caller) != middle:
                        legs |= {(one.id, middle), (other.id, middle)}
                        seen[middle].roles.add("B2BUA")
    for _, middle in legs:
        seen[middle].passed += 1
    return legs


def _look(
    dialog: HopDialog, actors: Actors, seen: dict[str, _Seen], sent_on: set[int], legs: set[tuple[int, str]]
) -> None:
    """Take down what the two sides of a dialog did."""
    caller, callee = actors.of(dialog.caller), actors.of(dialog.callee)
    first = dialog.messages[0]
    originates = first.message.is_request and (usual_hosts(first.data) is not None or via_count(first) <= 1)
    if caller != callee:
        seen[caller].outgoing += 1
        seen[caller].targets.add(callee)
        seen[callee].incoming += 1
        seen[callee].sources.add(caller)
    if dialog.id in sent_on:
        seen[callee].passed += 1
        seen[callee].roles.add("proxy")
    if first.message.is_request:
        if originates:
            if (dialog.id, caller) not in legs:
                seen[caller].roles.add("UAC")
            if seen[caller].outgoing <= ENOUGH:
                _name(seen[caller], first.message.get("user-agent") or "")
        elif caller != callee:
            seen[caller].roles.add("proxy")
    alike = caller, callee, dialog.kind, dialog.state, dialog.id in sent_on, originates, (dialog.id, callee) in legs
    seen[callee].looked[alike] += 1
    if seen[callee].looked[alike] > ENOUGH:
        return
    rounds = initial_transactions(dialog)
    final = next((t.final for t in reversed(rounds) if t.final is not None), None)
    if final is None or dialog.id in sent_on:
        return
    status = final.message.status
    own = set(actors.addresses.get(callee, ()))
    if own & set(route_addresses(final)) and status < 300:
        seen[callee].roles.add("proxy")
        return  # it answers for somebody behind it, whose hop was not captured
    if dialog.kind == "register" and 200 <= status < 300:
        seen[callee].roles.add("registrar")
    elif (dialog.id, callee) not in legs:
        seen[callee].roles.add("UAS")
    name = final.message.get("server") or final.message.get("user-agent") or ""
    if dialog.kind != "register" or name != first.message.get("user-agent"):  # some registrars echo the phone's
        _name(seen[callee], name)


def _name(facts: _Seen, name: str) -> None:
    if name.strip():
        facts.names[name.strip()[:_LONGEST_NAME]] += 1


def _mark_sut(found: list[Actor], seen: dict[str, _Seen], dialogs: int) -> None:
    """Mark the actor in the middle: the one that passes on most; else the hub that all dialogs meet at."""
    passing = sorted((a for a in found if seen[a.id].passed), key=lambda a: -seen[a.id].passed)
    if passing:
        best = seen[passing[0].id]
        if len(passing) > 1 and seen[passing[1].id].passed == best.passed:
            return  # two of a kind: nobody can say which of them is tested
        passing[0].sut_likely = True
        passing[0].why = (
            f"in the middle: takes {best.incoming} dialog{'s'[: best.incoming != 1]} from {_actors(best.sources)}, "
            f"opens {best.outgoing} to {_actors(best.targets)}, passes {best.passed} on"
        )
        return
    hubs = [
        a
        for a in found
        if seen[a.id].incoming
        and seen[a.id].incoming + seen[a.id].outgoing == dialogs
        and len(seen[a.id].sources | seen[a.id].targets) > 1
    ]
    if len(hubs) == 1:
        hub = seen[hubs[0].id]
        hubs[0].sut_likely = True
        hubs[0].why = f"all {dialogs} dialogs end at it: {hub.incoming} come in, {hub.outgoing} go out"


def _actors(found: set[str]) -> str:
    return f"{len(found)} actor{'s' * (len(found) != 1)}"
