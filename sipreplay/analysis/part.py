"""A part of an analysis: chosen calls with what is theirs, under the numbers that they have in the whole.

What shows or writes an analysis takes a part as well. Never chooses and never analyses anything again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sipreplay.analysis.filter import matching_calls, parse_filter
from sipreplay.analysis.filter_fields import FindingLike
from sipreplay.analysis.model import Analysis, Call, HopDialog
from sipreplay.errors import UsageError


class Part(Analysis):
    """Calls, dialogs, messages and streams of an analysis that were chosen; the captures are those of the whole."""

    __slots__ = ("_by_id", "whole")

    def __init__(self, whole: Analysis, calls: Sequence[Call]) -> None:
        members = {ident for call in calls for ident in call.dialogs}
        dialogs = [dialog for dialog in whole.dialogs if dialog.id in members]
        messages = [captured for dialog in dialogs for captured in dialog.messages]
        streams = [stream for stream in whole.streams if stream.dialog in members]
        super().__init__(whole.captures, messages, 0, dialogs, list(calls), streams)
        self.whole = whole
        self._by_id = {dialog.id: dialog for dialog in dialogs}

    def dialog(self, ident: int) -> HopDialog:
        """The hop-dialog of that id."""
        return self._by_id[ident]


def choose_calls(
    analysis: Analysis, numbers: Collection[int], expression: str, findings: Sequence[FindingLike] = ()
) -> list[Call] | None:
    """The calls of these numbers that pass a filter; None where neither says anything. Raises UsageError for numbers
    that no call has, and for a filter that cannot be read."""
    known = {call.id for call in analysis.calls}
    for number in numbers:
        if number not in known:
            there = f"there are calls {min(known)} to {max(known)}" if known else "there is no call"
            raise UsageError(f"--call {number}: {there}")
    if not numbers and not expression.strip():
        return None
    calls = matching_calls(analysis, parse_filter(expression), findings) if expression.strip() else analysis.calls
    return [call for call in calls if not numbers or call.id in numbers]
