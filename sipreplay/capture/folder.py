"""The capture files that paths name: a path to a folder stands for those in it and in the folders below it.

Owns what is taken for a capture there: what begins like one, whatever its name. Hidden files and folders are left
alone, and links to folders are not followed. Never reads packets.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sipreplay.capture.compressed import unpacked
from sipreplay.capture.pcap import is_pcap
from sipreplay.capture.pcapng import is_pcapng

MOST_FILES = 100_000
"""Of one folder, captures or not; later ones are left out, and that is said."""
_NAMED = 5


class Found(NamedTuple):
    """One path to read, or a folder of which something was left out."""

    path: str
    note: str = ""
    """For a folder: what was left out."""


def capture_files(paths: Sequence[Path | str]) -> list[Found]:
    """The paths with folders replaced by the captures in them, in order of name; what else a folder holds is noted."""
    found: list[Found] = []
    for path in paths:
        if str(path) != "-" and os.path.isdir(path):
            found += _in_folder(str(path))
        else:
            found.append(Found(str(path)))
    return found


def _in_folder(folder: str) -> list[Found]:
    captures: list[Found] = []
    others: list[str] = []
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            seen += 1
            if seen > MOST_FILES:
                return [*captures, Found(folder, f"more than {MOST_FILES:,} files: the others were left out")]
            if _begins_like_one(path):
                captures.append(Found(path))
            else:
                others.append(os.path.relpath(path, folder))
    if others:
        named = ", ".join(others[:_NAMED]) + (" and others" if len(others) > _NAMED else "")
        one = len(others) == 1
        text = f"{len(others)} file{'' if one else 's'} in the folder {'is no capture' if one else 'are no captures'}"
        captures.append(Found(folder, f"{text}: {named}"))
    elif not captures:
        captures.append(Found(folder, "the folder holds no captures"))
    return captures


def _begins_like_one(path: str) -> bool:
    """Whether a file is, or may be, a capture. One that cannot be opened may be: reading it says why not."""
    try:
        with open(path, "rb", buffering=0) as raw:
            file = unpacked(raw)
            head = bytearray(4096)
            size = 0
            while size < len(head):
                count = file.readinto(memoryview(head)[size:])
                if not count:
                    break
                size += count
    except PermissionError:
        return True
    except OSError:
        return False
    start = bytes(head[:size])
    return is_pcap(start) or is_pcapng(start)
