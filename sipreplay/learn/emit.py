"""A merged shape's side as a `Scenario`: pauses and timeouts in milliseconds, media, labels, texts laid out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import median

from sipreplay.learn.draft import Draft, Play, Step
from sipreplay.learn.fit import best_fit
from sipreplay.learn.names import UAC, UAS
from sipreplay.learn.options import LearnOptions
from sipreplay.learn.response_time import measure
from sipreplay.learn.shapes import Shape
from sipreplay.learn.text import Column, write_message
from sipreplay.learn.unexpected import END
from sipreplay.scenario.model import (
    Action,
    Distribution,
    Element,
    Exec,
    Lookup,
    Nop,
    Pause,
    Recv,
    Scenario,
    Send,
)
from sipreplay.scenario.writer import laid_out

SHORTEST_PAUSE_MS = 20.0
"""A shorter one is the time that programs take, not what anybody meant."""
SHORTEST_SPLIT_MS = 200.0
LEAST_TIMEOUT_MS = 32000
"""64 T1."""


@dataclass(slots=True)
class Emitted:
    """A side as a scenario."""

    scenario: Scenario
    duration_ms: float
    """What its pauses take, on average."""
    spreads: list[str]
    """Pauses that differ between the calls, in words."""


@dataclass(slots=True)
class _Writer:
    shape: Shape
    draft: Draft
    options: LearnOptions
    injection: str
    spreads: list[str] = field(default_factory=list)

    def delays(self, step: int) -> list[float]:
        """The delay of a step in all calls, as replayed."""
        return [self.options.paced_ms(m.delays[self.draft.role][step]) for m in self.shape.members]

    def column(self, column: Column) -> str:
        number = self.shape.columns.index(column.name)
        return f'[field{number} line="[$row]"]' if self.draft.role == UAS else f"[field{number}]"

    def pause(self, number: int, step: Step, plays: bool) -> Pause | None:
        """The pause before a captured send; None if it is too short to be one. `plays`: media starts inside it."""
        element = step.element
        assert isinstance(element, Pause)
        delays = self.delays(number)
        middle, least, most = median(delays), min(delays), max(delays)
        if most < SHORTEST_PAUSE_MS:
            return None
        if len(delays) > 2 and most - least > max(SHORTEST_SPLIT_MS, 0.2 * middle):
            # Media that starts inside cuts the pause in two, which only a uniform one survives.
            fit = best_fit((least, most) if plays else delays)
            self.spreads.append(f"pause {element.comment}: {least / 1000:.3g} to {most / 1000:.3g} s, {fit.says()}")
            return Pause(distribution=fit.distribution, comment=element.comment, next=element.next)
        return Pause(milliseconds=round(middle), comment=element.comment, next=element.next)

    def timeout(self, number: int, step: Step) -> int:
        """The larger of three times what the capture waited and 32 s."""
        return max(LEAST_TIMEOUT_MS, math.ceil(3 * max(self.delays(number))))


def emit(shape: Shape, role: str, name: str, injection: str, plays: list[Play], options: LearnOptions) -> Emitted:
    """The scenario of one side. `injection`: base name of the injection file, "" if there is none."""
    draft = shape.drafts[role]
    writer = _Writer(shape, draft, options, injection)
    elements: list[Element] = []
    places: list[int] = []
    """Index of each step's element, or of the next one where the step is dropped."""
    texts: list[tuple[int, Step]] = []
    duration = 0.0
    waiting: dict[int, list[Play]] = {}
    for play in plays:
        waiting.setdefault(play.step, []).append(play)
    for number, step in enumerate(draft.steps):
        places.append(len(elements))
        element = replace(step.element, actions=[_named(a, injection) for a in step.element.actions])
        if isinstance(element, Pause) and not element.timewait:
            inside = waiting.pop(number - 1, [])
            elements += _split(writer.pause(number, step, bool(inside)), inside)
            duration += sum(writer.delays(number)) / len(shape.members)
            continue
        if isinstance(element, Recv) and not element.timeout_ms and number < draft.main_end:
            element.timeout_ms = writer.timeout(number, step)
            if not number:
                # A call that begins with another request (a ping) is answered by the handler, and then forgotten.
                element.ontimeout = END
        if step.message is not None:
            texts.append((len(elements), step))
        elements.append(element)
        later = [p for p in waiting.get(number, []) if p.delay_ms >= SHORTEST_SPLIT_MS and _is_pause(draft, number + 1)]
        for play in waiting.pop(number, []):
            if play not in later:
                elements += _started(elements[-1], play)
        waiting[number] = later
    places.append(len(elements))
    for place, step in texts:
        element = elements[place]
        assert isinstance(element, Send)
        assert step.message is not None
        element.text = laid_out(write_message(step.message, writer.column, _Branch(place, places)))
    labels = {label: places[at] for label, at in draft.labels}
    scenario = Scenario(name, elements, labels, references=["_unexp.pausedaddr"])
    if role == UAC:
        measure(scenario)
    return Emitted(scenario, duration, writer.spreads)


@dataclass(slots=True)
class _Branch:
    """Writes the branch of an earlier step's message as SIPp does: by how many elements it is back."""

    here: int
    places: list[int]

    def __call__(self, step: int) -> str:
        return f"[branch-{self.here - self.places[step]}]"


def _named(action: Action, injection: str) -> Action:
    return replace(action, file=injection) if isinstance(action, Lookup) else action


def _is_pause(draft: Draft, number: int) -> bool:
    if number >= len(draft.steps):
        return False
    element = draft.steps[number].element
    return isinstance(element, Pause) and not element.timewait


def _play(play: Play) -> Exec:
    return Exec(f"play_pcap_{play.kind}", play.file)


def _started(element: Element, play: Play) -> list[Element]:
    """Start media after an element: a nop of its own, unless SIPp would not reach that in time."""
    if isinstance(element, Recv) or (isinstance(element, Send) and element.retrans_ms):
        element.actions.append(_play(play))
        return []
    nop = Nop(actions=[_play(play)], comment="media as captured", next=element.next)
    element.next = ""
    return [nop]


def _split(pause: Pause | None, plays: list[Play]) -> list[Element]:
    """A pause in the middle of which media starts."""
    parts: list[Element] = []
    spent = 0
    length = _least(pause)
    for play in sorted(plays, key=lambda p: p.delay_ms):
        before = round(min(play.delay_ms, length)) - spent
        if before > 0:
            parts.append(Pause(milliseconds=before))
            spent += before
        parts.append(Nop(actions=[_play(play)], comment="media as captured"))
    if pause is None:
        return parts
    if pause.distribution is not None and not plays:
        return [pause]
    if pause.distribution is not None:
        bounds = tuple((name, value - spent) for name, value in pause.distribution.parameters)
        return [*parts, replace(pause, distribution=Distribution("uniform", bounds))]
    rest = (pause.milliseconds or 0) - spent
    return [*parts, replace(pause, milliseconds=rest)] if rest > 0 else parts


def _least(pause: Pause | None) -> float:
    """The shortest that a pause takes."""
    if pause is None:
        return 0.0
    return pause.distribution.parameters[0][1] if pause.distribution is not None else float(pause.milliseconds or 0)
