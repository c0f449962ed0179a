"""SIPp's ways to write times, and their readers. Pure; local time where SIPp uses local time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def timestamp(wall: float, *, rfc3339: bool = False) -> str:
    """A moment (seconds since 1970) as `2026-11-23<TAB>03:38:23.808358<TAB>1795405103.808358`, or by RFC 3339."""
    microseconds = round(wall * 1_000_000)
    seconds, fraction = divmod(microseconds, 1_000_000)
    local = time.localtime(seconds)
    if not rfc3339:
        return time.strftime("%Y-%m-%d\t%H:%M:%S", local) + f".{fraction:06d}\t{seconds}.{fraction:06d}"
    offset = local.tm_gmtoff // 60
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}" if offset else "Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{fraction:06d}{zone}"


def universal(wall: float) -> str:
    """A moment by RFC 3339 in UTC: `2026-11-23T03:37:43.808590Z`, as in the message log."""
    microseconds = round(wall * 1_000_000)
    seconds, fraction = divmod(microseconds, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:06d}Z"


def elapsed(seconds: float) -> str:
    """`HH:MM:SS`, cut to whole seconds."""
    whole = int(max(seconds, 0))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration(microseconds: float) -> str:
    """`HH:MM:SS:uuuuuu`."""
    whole = round(max(microseconds, 0))
    return f"{elapsed(whole // 1_000_000)}:{whole % 1_000_000:06d}"


def read_timestamp(text: str) -> float:
    """Seconds since 1970 of either form of `timestamp`. Raises ValueError."""
    parts = text.split("\t")
    if len(parts) == 3:
        return float(parts[2])
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


LONGEST_MS = 10 * 365 * 24 * 3600 * 1000.0


def read_duration(text: str) -> float:
    """Milliseconds of `HH:MM:SS` or `HH:MM:SS:uuuuuu`. Raises ValueError.

    0.0 for the absurd value (292 million years) that SIPp writes where it divided by zero.
    """
    parts = text.split(":")
    if not 3 <= len(parts) <= 4:
        raise ValueError(text)
    hours, minutes, seconds = (int(part) for part in parts[:3])
    value = (hours * 3600 + minutes * 60 + seconds) * 1000.0 + (int(parts[3]) / 1000.0 if len(parts) == 4 else 0.0)
    return value if 0 <= value < LONGEST_MS else 0.0
