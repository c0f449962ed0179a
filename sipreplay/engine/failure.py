"""How a call, or the whole run, ends badly inside the engine."""

from __future__ import annotations

from sipreplay.errors import SipReplayError


class CallFailed(Exception):
    """This call cannot go on. `reason` is a column of SIPp's statistics or ""; `text` says what happened."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class FatalError(SipReplayError):
    """The run cannot go on: an `<error>` action, or a scenario that asks for the impossible while it runs."""


class StopNow(FatalError):
    """The scenario said stop_now: the run is over, at once, and that is no error."""
