"""SIPp's command line: the evaluation of its options in four passes over the arguments.

Passes: 0 help and version, 1 everything ordinary in order, 2 the scenario, 3 `-set`. An option of SIPp that is not
built is an error that names it, as is an unknown one. Opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sipreplay.compat.option_table import HELP, NOT_YET, OPTIONS, ORDINARY, SCENARIO, SET, Option
from sipreplay.errors import UsageError
from sipreplay.scenario.attributes import parse_integer, parse_number

_ACCUMULATE = frozenset(("inf", "infindex", "key", "set"))
_SAME = {"rxinf": "inf"}
STATISTICS_HELP = """\
The columns of -trace_stat. (P): since the row before; (C): since the start. Times are HH:MM:SS:microseconds.

  StartTime, LastResetTime, CurrentTime   when the run, the period and the row began
  ElapsedTime(P) (C)                      duration
  TargetRate                              calls a second that are wanted, or users
  CallRate(P) (C)                         calls a second that were made
  IncomingCall, OutgoingCall (P) (C)      calls made
  TotalCallCreated, CurrentCall           all calls, open calls
  SuccessfulCall, FailedCall (P) (C)      calls that ended
  Failed<reason>(P) (C)                   failed calls by reason; a failed call may have none
  OutOfCallMsgs, DeadCallMsgs (P) (C)     messages of no call, or of one that had ended
  Retransmissions, AutoAnswered (P) (C)   messages sent again, requests answered without the scenario
  Warnings, FatalErrors (P) (C)           lines of -trace_err
  WatchdogMajor, WatchdogMinor (P) (C)    turns of the loop that came too late
  ResponseTime<name>, ...StDev (P) (C)    of each response time: mean and standard deviation
  CallLength, CallLengthStDev (P) (C)     duration of calls
  <counter>(P) (C)                        the scenario's own counters
  ResponseTimeRepartition<name>_<N, _>=N  response times below N ms, and from the last N on
  CallLengthRepartition_<N, _>=N          the same for calls
"""
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)?")
_UNIT_MS = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}

Value = str | int | float | bool


@dataclass(slots=True)
class CommandLine:
    """The evaluated arguments: option name to its value (True for a flag), times in milliseconds."""

    values: dict[str, Value] = field(default_factory=dict)
    repeated: dict[str, list[tuple[Value, ...]]] = field(default_factory=dict)
    """Options that accumulate: their arguments, in order."""
    host: str = ""
    """The word that is no option: remote_host[:port]."""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str, default: str = "") -> str:
        """Value of a text option."""
        return str(self.values.get(name, default))

    def integer(self, name: str, default: int) -> int:
        """Value of an integer option."""
        return int(self.values.get(name, default))

    def number(self, name: str, default: float) -> float:
        """Value of a float or of a time in milliseconds."""
        return float(self.values.get(name, default))


def evaluate(arguments: Sequence[str]) -> CommandLine:
    """The arguments after all four passes. If one of pass 0 is there, nothing after it is looked at.

    Raises UsageError for an option that is unknown or not built, a bad value, a second host, a second scenario.
    """
    line = CommandLine()
    for turn in (HELP, ORDINARY, SCENARIO, SET):
        _pass(arguments, turn, line)
        if turn == HELP and line.values:
            return line
    return line


def _pass(arguments: Sequence[str], turn: int, line: CommandLine) -> None:
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if not word.startswith("-") or word == "-":
            if turn == ORDINARY:
                if line.host:
                    raise UsageError(
                        f"'{word}' is a second remote host ('{line.host}' is the first); options begin with -"
                    )
                line.host = word
            continue
        option = _option(word)
        given = arguments[position : position + len(option.kinds)]
        if len(given) < len(option.kinds):
            raise UsageError(f"{word} needs {option.metavar or 'an argument'}")
        position += len(option.kinds)
        if option.turn != turn:
            continue
        if option.name == "h" and position < len(arguments) and arguments[position] == "stat":
            position += 1
        values = tuple(_value(word, kind, text) for kind, text in zip(option.kinds, given, strict=True))
        _keep(line, option, word, values)
        if turn == HELP:
            return


def _keep(line: CommandLine, option: Option, word: str, values: tuple[Value, ...]) -> None:
    name = _SAME.get(option.name, option.name)
    if name in _ACCUMULATE:
        line.repeated.setdefault(name, []).append(values)
        return
    if option.turn == SCENARIO:
        group = next(group for group in (("sn", "sf"), ("oocsn", "oocsf"), ("rxsf",)) if name in group)
        if any(other in line for other in group):
            ways = " or ".join(f"-{other}" for other in group)
            raise UsageError(f"{word}: the scenario is given twice; use {ways} once")
    if option.name == "l" and "users" in line:
        raise UsageError(f"{word} cannot follow -users, which sets the number of calls")
    line.values[option.name] = values[0] if values else True


def _option(word: str) -> Option:
    name = word.removeprefix("-").removeprefix("-")
    option = OPTIONS.get(name)
    if option is not None:
        return option
    if name in NOT_YET:
        raise UsageError(f"{word}: {NOT_YET[name]}")
    from difflib import get_close_matches

    near = get_close_matches(name, OPTIONS, 1, 0.7)
    raise UsageError(f"unknown option {word}" + (f"; did you mean -{near[0]}?" if near else "; -h lists the options"))


def _value(word: str, kind: str, text: str) -> Value:
    if kind == "text":
        return text
    if kind == "int":
        whole = parse_integer(text)
        if whole is None or not 0 <= whole < 2**63:
            raise UsageError(f"{word} {text}: must be an integer that is not negative")
        return whole
    if kind == "signed":
        whole = parse_integer(text)
        if whole is None or not -(2**31) <= whole < 2**31:
            raise UsageError(f"{word} {text}: must be an integer")
        return whole
    if kind == "bool":
        if text in ("true", "false"):
            return text == "true"
        whole = parse_integer(text)
        if whole is None:
            raise UsageError(f"{word} {text}: must be true or false")
        return whole != 0
    if kind == "float":
        number = parse_number(text)
        if number is None or number < 0:
            raise UsageError(f"{word} {text}: must be a number that is not negative")
        return number
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{word} {text}: must be a time such as 500ms, 10s, 2m or 1h (without unit: {kind})")
    return float(match.group(1)) * _UNIT_MS[match.group(2) or kind]


def help_text() -> str:
    """What `-h` prints."""
    lines = ["Usage: sipreplay sipp remote_host[:remote_port] [options]", "", "SIPp's options that are built:", ""]
    for option in OPTIONS.values():
        head = f"   -{option.name} {option.metavar}".rstrip()
        lines.append(f"{head:<28}{option.help}" if len(head) < 28 else f"{head}\n{'':28}{option.help}")
    lines += ["", "A TIME is a number with ms, s, m or h. Exit codes are SIPp's: 0 all calls passed, 1 some failed,"]
    lines += ["97 nothing done at -timeout, 99 help, 254 port in use, 255 other fatal errors.", ""]
    return "\n".join(lines)


def statistics_help() -> str:
    """What `-h stat` prints."""
    return STATISTICS_HELP


def split_host(text: str, default_port: int = 5060) -> tuple[str, int]:
    """Host and port of `host[:port]`, `[IPv6]:port` or a bare IPv6 address. Raises UsageError."""
    match = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?", text)
    if match is None and re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?", text):
        return text, default_port
    match = match or re.fullmatch(r"([^:\s]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        raise UsageError(f"'{text}' is not a remote host; write host:port, with [ ] around an IPv6 address")
    port = int(match.group(2) or default_port)
    if not 0 < port < 65536:
        raise UsageError(f"'{text}': the port must be from 1 to 65535")
    return match.group(1), port
