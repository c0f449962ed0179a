"""A part of an analysis: chosen calls with what is theirs, under the numbers that they have in the whole.

What shows or writes an analysis takes a part as well. Never chooses and never analyses anything again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import overload

from sipreplay.analysis.filter import asks_for_findings, matching_calls, parse_filter
from sipreplay.analysis.filter_fields import FindingLike
from sipreplay.analysis.model import Analysis, Call, CapturedMessage, HopDialog, Stream
from sipreplay.errors import UsageError


class _Messages(Sequence[CapturedMessage]):
    """The messages of dialogs, looked up when they are asked for."""

    def __init__(self, dialogs: Sequence[HopDialog]) -> None:
        self._dialogs = dialogs

    def __len__(self) -> int:
        return sum(len(dialog.messages) for dialog in self._dialogs)

    def __iter__(self) -> Iterator[CapturedMessage]:
        for dialog in self._dialogs:
            yield from dialog.messages

    @overload
    def __getitem__(self, index: int) -> CapturedMessage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CapturedMessage]: ...
    def __getitem__(self, index: int | slice) -> CapturedMessage | Sequence[CapturedMessage]:
        return list(self)[index]


class Part(Analysis):
    """Calls, dialogs, messages and streams of an analysis that were chosen; the captures are those of the whole."""

    __slots__ = ("_by_id", "whole")

    def __init__(self, whole: Analysis, calls: Sequence[Call], streams: Sequence[Stream] | None = None) -> None:
        """`streams`: those of the calls, from a caller who knows them; else they are looked for among all."""
        members = {ident for call in calls for ident in call.dialogs}
        dialogs = [whole.dialog(ident) for ident in sorted(members)]
        if streams is None:
            streams = [stream for stream in whole.streams if stream.dialog in members]
        super().__init__(whole.captures, _Messages(dialogs), 0, dialogs, list(calls), list(streams))
        self.whole = whole
        self._by_id = {dialog.id: dialog for dialog in dialogs}

    def dialog(self, ident: int) -> HopDialog:
        """The hop-dialog of that id."""
        return self._by_id[ident]


def choose_calls(
    analysis: Analysis,
    numbers: Collection[int],
    expression: str,
    findings: Callable[[Analysis], Sequence[FindingLike]] = lambda _: (),
) -> list[Call] | None:
    """The calls of these numbers that pass a filter; None where neither says anything. `findings` is asked for them if
    the filter asks. Raises UsageError for numbers that no call has, and for a filter that cannot be read.
    """
    known = {call.id for call in analysis.calls}
    for number in numbers:
        if number not in known:
            there = f"there are calls {min(known)} to {max(known)}" if known else "there is no call"
            raise UsageError(f"--call {number}: {there}")
    if not numbers and not expression.strip():
        return None
    calls = analysis.calls
    if expression.strip():
        found = findings(analysis) if asks_for_findings(expression) else ()
        calls = matching_calls(analysis, parse_filter(expression), found)
    return [call for call in calls if not numbers or call.id in numbers]
