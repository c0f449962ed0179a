"""What SIPp calls its files: scenario base name, process id, kind of trace."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {
    "stat": "_.csv",
    "rtt": "_rtt.csv",
    "counts": "_counts.csv",
    "error_codes": "_error_codes.csv",
    "messages": "_messages.log",
    "shortmessages": "_shortmessages.log",
    "errors": "_errors.log",
    "logs": "_logs.log",
    "calldebug": "_calldebug.log",
    "screen": "_screen.log",
}
"""By the name of the trace."""


def base_name(scenario: str) -> str:
    """The base name of a scenario file without `.xml`; of a built-in scenario, its name."""
    return Path(scenario).name.removesuffix(".xml")


def trace_name(scenario: str, pid: int, trace: str) -> str:
    """The default name of a trace file, such as `uac_4711_.csv`."""
    return f"{base_name(scenario)}_{pid}{SUFFIXES[trace]}"
