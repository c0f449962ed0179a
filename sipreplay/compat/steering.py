"""What SIPp's keys and commands do to a run: rate, users, limit, pausing, ending, screens, traces, dumps, resets.

Reads nothing: `keyboard` does, and signals come as letters.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sipreplay.compat import screens
from sipreplay.engine.call import ALIVE
from sipreplay.engine.loop import Loop

if TYPE_CHECKING:
    from sipreplay.compat.reports import Reports

INTERRUPTED, SOFT, SCREENS, ALARM = "I", "1", "2", "A"
"""Signals as letters: SIGINT, SIGUSR1, SIGUSR2, the alarm of -timeout."""
_STEPS = {"+": 1.0, "-": -1.0, "*": 10.0, "/": -10.0}
_TRACES = {"error": "errors", "logs": "logs", "messages": "messages", "shortmessages": "shortmessages"}
_ON_OFF = {"on": True, "true": True, "off": False, "false": False}
_DUMPED = 1000
_BACKSPACES = ("\x7f", "\x08")


class Steering:
    """The wheel of one run."""

    def __init__(self, loop: Loop, reports: Reports, *, period_ms: float, scale: float, logs: dict[str, Path]) -> None:
        """`logs`: where logs go that are switched on later, by kind."""
        self._loop = loop
        self._reports = reports
        self._period_ms = period_ms
        self._scale = scale
        self._logs = logs
        self.command: str | None = None
        """What was typed after `c` so far; None outside of a command."""
        self.timed_out = False
        self._quitting = 0

    def keys(self, text: str) -> None:
        """Keys in their order; after `c`, a command up to the end of the line."""
        for letter in text:
            if self.command is not None:
                self._typed(letter)
            elif letter == "c":
                self.command = ""
            else:
                self.key(letter)
        self._reports.draw()

    def _typed(self, letter: str) -> None:
        typed = self.command or ""
        if letter in "\r\n":
            self.command = None
            self.obey(typed)
        elif letter in _BACKSPACES:
            self.command = typed[:-1]
        elif letter.isprintable():
            self.command = typed + letter

    def datagram(self, text: str) -> None:
        """The control socket's: `c` and a command, or one key."""
        if text.startswith("c"):
            self.obey(text[1:])
        elif text:
            self.key(text[0])

    def signalled(self, letter: str) -> None:
        """A signal has come."""
        if letter == SCREENS:
            self._reports.dump_screens()
            self._loop.traces.flush()
        elif letter == ALARM:
            self.timed_out = True
            self._quit(20)
        else:
            self._quit(10)

    def key(self, letter: str) -> None:
        """One key."""
        engine, now = self._loop.engine, time.monotonic()
        if letter in _STEPS:
            step = _STEPS[letter] * self._scale
            if engine.users is not None:
                engine.set_users(int(engine.users.count + step), now)
            elif engine.rate is not None:
                engine.set_rate(max(engine.rate.rate_cps + step * 1000.0 / self._period_ms, 0.0), now)
        elif letter in "123456789":
            self._reports.screen = int(letter)
        elif letter == "p":
            engine.pause(not engine.paused, now)
        elif letter == "q":
            self._quit(10)
        elif letter == "Q":
            self._quit(20)
        elif letter == "s":
            self._reports.dump_screens()

    @property
    def last_line(self) -> str:
        """What the last line of a screen says now."""
        engine = self._loop.engine
        if self._quitting or engine.stopping:
            return screens.WAITING
        if engine.paused:
            return screens.PAUSED
        if self._loop.role.value:
            left = 18 if "passive" in self._loop.role.value else 23
            return f"{'-' * left} {self._loop.role.value} ".ljust(screens.WIDTH, "-")
        return screens.CLIENT_MODE if engine.client else screens.SERVER_MODE

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end."""
        return bool(self._quitting)

    def _quit(self, weight: int) -> None:
        """10: no new calls; 11 and more together: open ones are released as well."""
        engine = self._loop.engine
        self._quitting += weight
        if self._quitting >= 11:
            self._loop.abort()
        else:
            self._loop.reason = self._loop.reason or "stopped"
            engine.stop_gracefully(time.monotonic())

    # Commands.

    def obey(self, command: str) -> None:
        """One command. What is wrong with it is a warning, as in SIPp."""
        words = command.split()
        act = {"set": self._set, "trace": self._trace, "dump": self._dump, "reset": self._reset}
        if not words or words[0] not in act:
            self._warn(f"Unrecognized command: '{command.strip()}'; there are set, trace, dump and reset")
            return
        act[words[0]](words[1:])

    def _warn(self, text: str) -> None:
        self._loop.engine.warn(text)

    def _set(self, words: list[str]) -> None:
        name, value = (*words, "", "")[:2]
        engine, now = self._loop.engine, time.monotonic()
        if name == "display":
            if not self._reports.display(value):
                self._warn(f"Unknown display scenario: '{value}'; this run has {', '.join(self._reports.displays)}")
            return
        if name == "hide":
            if value not in _ON_OFF:
                self._warn(f"set hide {value}: must be true or false")
            else:
                self._reports.hidden = _ON_OFF[value]
            return
        try:
            number = float(value)
            if not 0 <= number < 1e9:
                raise ValueError
        except ValueError:
            self._warn(f"set {name} {value}: wants a number that is not negative")
            return
        if name == "rate" and engine.rate is not None:
            engine.set_rate(number * 1000.0 / self._period_ms, now)
        elif name == "rate-scale":
            self._scale = number
        elif name == "users" and engine.users is not None:
            engine.set_users(int(number), now)
        elif name == "limit" and engine.rate is not None:
            engine.set_limit(int(number))
        else:
            self._warn(
                f"set {name}: cannot be set in this run; there are rate, rate-scale, users, limit, display, hide"
            )

    def _trace(self, words: list[str]) -> None:
        name, value = (*words, "", "")[:2]
        if name not in _TRACES or value not in _ON_OFF:
            self._warn(f"trace {name} {value}: wants {', '.join(_TRACES)}, and on or off")
            return
        kind = _TRACES[name]
        try:
            self._loop.traces.switch(kind, self._logs[kind] if _ON_OFF[value] else None)
        except OSError as error:
            self._warn(f"{self._logs[kind]}: {error.strerror}")
        self._loop.wire()

    def _dump(self, words: list[str]) -> None:
        engine = self._loop.engine
        if words == ["tasks"]:
            calls = [call for call in engine.calls.values() if call.state == ALIVE]
            lines = [f"Active calls: {len(calls)}"]
            for call in calls[:_DUMPED]:
                step = engine.steps[min(call.index, engine.end - 1)]
                name = call.call_id.decode("utf-8", "replace")
                lines.append(f"{name}: at index {call.index}, line {step.line}: {step.expected}")
            if len(calls) > _DUMPED:
                lines.append(f"and {len(calls) - _DUMPED} more")
            self._warn("\n".join(lines))
        elif words == ["variables"]:
            names = engine.program.global_names
            values = (f"{name} = {engine.globals[number & 0xFFFFF]!r}" for name, number in names.items())
            self._warn("\n".join([f"{len(names)} global variables:", *values]))
        else:
            self._warn(f"dump {' '.join(words)}: wants tasks or variables")

    def _reset(self, words: list[str]) -> None:
        if words != ["stats"]:
            self._warn(f"reset {' '.join(words)}: wants stats")
            return
        self._loop.engine.reset_statistics()
        self._loop.companions.each(lambda engine: engine.reset_statistics())
        self._reports.restart()
