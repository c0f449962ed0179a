"""How numbers read: one way for counts, times, rates and sizes, shared by the terminal, the page and the charts."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def count(value: int) -> str:
    """12345 as "12,345"."""
    return f"{value:,}"


def plural(value: int, noun: str, many: str = "") -> str:
    """ "1 call", "2 calls", "1,200 calls"."""
    return f"{count(value)} {noun if value == 1 else many or noun + 's'}"


def duration_ms(value: float) -> str:
    """Milliseconds with the unit that reads best: "0.42 ms", "38.1 ms", "1.84 s", "2 min 05 s"."""
    if not math.isfinite(value):
        return "-"
    if value < 10:
        return f"{value:.2f} ms"
    if value < 1000:
        return f"{value:.1f} ms"
    return duration_s(value / 1000.0)


def duration_s(value: float) -> str:
    """Seconds: "0.42 s", "38.1 s", "2 min 05 s", "1 h 02 min"."""
    if not math.isfinite(value):
        return "-"
    if value < 10:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


LAST_SECOND = 253_402_300_799.0
"""Of the year 9999: the last that Python's calendar knows. A capture may claim any 64-bit time."""


def utc(seconds: float) -> datetime:
    """A moment, seconds since 1970, in UTC; what lies outside the calendar is put at its end."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), LAST_SECOND), UTC)


def rate(value: float) -> str:
    """Calls a second: three significant places, no trailing zeros."""
    if value >= 1000:
        return count(round(value))
    text = f"{value:.1f}" if value >= 100 else f"{value:.2f}"
    return text.rstrip("0").rstrip(".")


def percent(part: float, whole: float) -> str:
    """Share, never rounded to a round 100 or 0 that it is not."""
    if not whole:
        return "-"
    share = 100.0 * part / whole
    for digits in (1, 2, 3):
        text = f"{share:.{digits}f}"
        if (part == 0 or float(text) != 0.0) and (part == whole or float(text) != 100.0):
            break
    else:
        text = ">99.999" if share > 50 else "<0.001"
    if "." in text and text.rstrip("0").endswith("."):
        text = text.rstrip("0").rstrip(".")
    return f"{text} %"


def size(octets: float) -> str:
    """Bytes: "512 B", "208 KiB", "3.4 MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if octets < 1024 or unit == "GiB":
            break
        octets /= 1024
    return f"{octets:.0f} {unit}" if octets >= 100 or unit == "B" else f"{octets:.1f} {unit}"


def clip(text: str, width: int) -> str:
    """At most `width` characters, an ellipsis where it was cut."""
    if len(text) <= width:
        return text
    return text[: max(width - 1, 0)] + "…" if width > 0 else ""


def printable(text: str) -> str:
    """Text from a capture for a terminal or an XML file: control characters and lone surrogates are shown, not sent.

    A captured display name may hold an escape sequence; a terminal must never see it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _shown(character) for character in text)


def _shown(character: str) -> str:
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    return f"\\x{point:02x}" if point < 0x100 else "\ufffd"
