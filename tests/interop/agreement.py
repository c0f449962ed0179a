"""Where our reading of a capture and tshark's differ, file by file, and why; and what the documentation says of it.

`python -m tests.interop.agreement` writes them into docs/analysis.md.
"""

from __future__ import annotations

import re
import textwrap
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.model import Analysis
from sipreplay.analysis.reading import analyse
from tests.interop.conftest import REPOSITORY, own_names, shared_folder, shared_names
from tests.interop.tshark_reading import Figures, Key, tshark_reading

PRINTED_MS = 0.00101
"""tshark prints microseconds; a value half-way between two may be rounded either way."""
MOST_FILES = 5
PAGE = REPOSITORY / "docs" / "analysis.md"
_BLOCK = re.compile(r"(<!-- agreement -->\n).*?(<!-- /agreement -->)", re.DOTALL)


class Difference(NamedTuple):
    """In one file tshark is wrong, or blind."""

    what: str
    """Of: messages, methods, codes, Call-IDs, streams, figures."""
    packet: int
    """The packet that shows it."""
    why: str


DIFFERENCES: dict[str, Difference] = {}
"""By file name. At most MOST_FILES."""


@cache
def our_reading(path: Path) -> Analysis:
    """The analysis of a capture, made once."""
    return analyse([path])


def our_streams(path: Path) -> dict[Key, list[Figures]]:
    """Our figures of RTP streams, as tshark keys them."""
    found: dict[Key, list[Figures]] = {}
    for s in our_reading(path).streams:
        if s.kind != "t38":
            figures = Figures(s.packets, s.lost, s.mean_delta_ms, s.max_delta_ms, s.mean_jitter_ms, s.max_jitter_ms)
            found.setdefault((*s.source, *s.destination, s.ssrc), []).append(figures)
    return found


def differences(path: Path) -> list[str]:
    """What the two readings of a capture do not have in common."""
    theirs, sip = tshark_reading(path), inspect_json(our_reading(path))["sip"]
    found = []
    if sip["messages"] != theirs.messages:
        found.append(f"messages: {sip['messages']} here, {theirs.messages} in tshark")
    if sip["requests"] != dict(theirs.requests):
        found.append(f"methods: {sip['requests']} here, {dict(theirs.requests)} in tshark")
    if sip["responses"] != dict(theirs.responses):
        found.append(f"codes: {sip['responses']} here, {dict(theirs.responses)} in tshark")
    call_ids = {m.message.call_id for m in our_reading(path).messages if m.message.call_id}
    if call_ids != theirs.call_ids:
        found.append(f"Call-IDs: only here {call_ids - theirs.call_ids}, only in tshark {theirs.call_ids - call_ids}")
    ours = our_streams(path)
    for key in sorted(ours.keys() | theirs.streams.keys()):
        mine, their = ours.get(key, []), theirs.streams.get(key)
        if their is None or len(mine) != 1:
            found.append(f"streams: {key} {len(mine)} times here, {'not' if their is None else 'once'} in tshark")
        elif mine[0][:2] != their[:2] or any(
            abs(x - y) > PRINTED_MS for x, y in zip(mine[0][2:], their[2:], strict=True)
        ):
            found.append(f"figures: {key} {mine[0]} here, {their} in tshark")
    return found


def captures() -> list[Path]:
    """All captures that are compared: the project's own, and shared ones where there are some."""
    shared = shared_folder()
    own = [REPOSITORY / "captures" / name for name in own_names()]
    return own + ([shared / name for name in shared_names()] if shared else [])


def text() -> str:
    """What the documentation says of it."""
    paths = captures()
    readings = [tshark_reading(path) for path in paths]
    streams = [figures for reading in readings for figures in reading.streams.values()]
    said = (
        f"Compared with tshark on {len(paths)} captures ({len(own_names())} of this project, the others public):"
        f" {sum(reading.messages for reading in readings):,} SIP messages, {len(streams)} RTP streams with"
        f" {sum(figures.packets for figures in streams):,} packets. Messages by method and by status code, the set of"
        " Call-IDs, and the set of streams are the same; so are each stream's packets and loss, and its delta and"
        " jitter to 0.001 ms."
    )
    lines = [textwrap.fill(said, 120), ""]
    if DIFFERENCES:
        lines += ["Files that differ, and the packet that shows why:", "", "| file | what | packet | why |"]
        lines += ["|---|---|---|---|"]
        lines += [f"| {name} | {d.what} | {d.packet} | {d.why} |" for name, d in sorted(DIFFERENCES.items())]
    else:
        lines += ["No file differs."]
    return "\n".join(lines) + "\n"


def page_text() -> str:
    """What stands in the documentation now."""
    match = _BLOCK.search(PAGE.read_text())
    return match.group(0).partition("\n")[2].rpartition("\n")[0] + "\n" if match else ""


def write() -> None:
    """Put `text` into the documentation."""
    page = PAGE.read_text()
    PAGE.write_text(_BLOCK.sub(lambda match: match.group(1) + text() + match.group(2), page))


if __name__ == "__main__":
    write()
