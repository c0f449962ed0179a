"""A call of a capture against its replay: messages, headers, answers, times, media (spec/learning.md 5).

Compares only. Each side's messages are compared in their own order: how those of both sides lie between each other
depends on the network, not on the peer. Copies, retransmissions and 100 are not in what is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from sipreplay.bundle.model import Expect, ExpectedMessage, ExpectedStream
from sipreplay.verify.difference import (
    AHEAD,
    CALL,
    DIGITS,
    EXTRA,
    HEADER,
    MEDIA,
    MISSING,
    ORDER,
    SDP,
    STATUS,
    TIME,
    CallVerdict,
    Difference,
    Row,
    Tolerance,
)

COMPARED = frozenset(
    {
        "accept",
        "accept-encoding",
        "allow",
        "allow-events",
        "content-disposition",
        "content-encoding",
        "content-type",
        "event",
        "expires",
        "min-expires",
        "min-se",
        "privacy",
        "proxy-authenticate",
        "proxy-require",
        "reason",
        "refer-sub",
        "require",
        "session-expires",
        "subscription-state",
        "supported",
        "unsupported",
        "www-authenticate",
    }
)
"""Headers whose values are compared without `strict`. Of others only how often they are there."""
VOLATILE = frozenset({"date", "timestamp", "rack", "rseq", "sip-etag", "sip-if-match", "session-id", "retry-after"})
"""Headers whose values differ from call to call by themselves: never compared by value."""
LISTS = frozenset({"accept", "accept-encoding", "allow", "allow-events", "proxy-require", "require", "supported"})
"""Headers whose order of values says nothing."""


def compare(expected: Expect, run: Expect | None, tolerance: Tolerance) -> CallVerdict:
    """The verdict on one call. `run` None: nothing of it was seen."""
    verdict = CallVerdict(expected.scenario, expected.number, expected.call_id, run.call_id if run else "")
    if run is None:
        verdict.differences.append(Difference(CALL, "no message of this call was sent or received"))
        return verdict
    theirs, pairs = _sequence(expected, run, AHEAD)
    ours, _ = _sequence(expected, run, ">")
    found = theirs + ours
    for expected_at, run_at in pairs:
        if expected.message and run.message:
            found += _message(expected.message[expected_at], run.message[run_at], expected_at, run_at, tolerance)
    # What came instead is the cause of what did not come.
    found.sort(key=lambda d: (d.run_at if d.run_at >= 0 else len(run.lines), d.kind == MISSING, d.expected_at))
    found += _times(expected, run, tolerance)
    if tolerance.media:
        found += _media(expected, run, tolerance)
    verdict.differences = found
    verdict.rows = side_by_side(expected.lines, run.lines)
    return verdict


def side_by_side(expected: Sequence[str], run: Sequence[str]) -> list[Row]:
    """Both ladders, equal messages on one line; unequal ones too, as long as each side has some."""
    rows: list[Row] = []
    for tag, a, b, c, d in SequenceMatcher(None, expected, run, autojunk=False).get_opcodes():
        if tag in ("equal", "replace"):
            both = min(b - a, d - c)
            rows += [Row(a + n, c + n) for n in range(both)]
            rows += [Row(n, -1) for n in range(a + both, b)] + [Row(-1, n) for n in range(c + both, d)]
        else:
            rows += [Row(n, -1) for n in range(a, b)] + [Row(-1, n) for n in range(c, d)]
    return rows


def _sequence(expected: Expect, run: Expect, side: str) -> tuple[list[Difference], list[tuple[int, int]]]:
    """Differences of one side's messages, and the places of those that are in both."""
    there = [place for place, line in enumerate(expected.lines) if line.startswith(side)]
    here = [place for place, line in enumerate(run.lines) if line.startswith(side)]
    old, new = [expected.lines[p] for p in there], [run.lines[p] for p in here]
    pairs: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    """(place in the expected call, where in the run it should have come)"""
    more: list[tuple[int, int]] = []
    found: list[Difference] = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += [(there[a + n], here[c + n]) for n in range(b - a)]
            continue
        if d == len(new) == c and expected.cut and a == len(old):
            continue
        while a < b and c < d and _answers_alike(old[a], new[c]):
            found.append(_status(old[a], new[c], there[a], here[c]))
            a, c = a + 1, c + 1
        next_here = here[d] if d < len(here) else len(run.lines)
        next_there = there[b] if b < len(there) else len(expected.lines)
        gone += [(there[n], here[c] if c < d else next_here) for n in range(a, b)]
        if not (expected.cut and b == len(old)):
            more += [(there[a] if a < b else next_there, here[n]) for n in range(c, d)]
    return found + _moved(expected, run, gone, more), pairs


def _answers_alike(old: str, new: str) -> bool:
    """Whether both are responses to the same method, so that one stands for the other: both final, or both not."""
    one, other = old.split(" "), new.split(" ")
    return len(one) == len(other) == 3 and one[2] == other[2] and (one[1][0] == "1") == (other[1][0] == "1")


def _status(old: str, new: str, expected_at: int, run_at: int) -> Difference:
    before, after = old.split(" "), new.split(" ")
    return Difference(STATUS, f"{after[1]} instead of {before[1]} to {after[2]}", new, expected_at, run_at)


def _moved(expected: Expect, run: Expect, gone: list[tuple[int, int]], more: list[tuple[int, int]]) -> list[Difference]:
    """What is missing and what is too much; a message that is both came at another place."""
    found = []
    left = list(more)
    for expected_at, should_be in gone:
        line = expected.lines[expected_at]
        moved = next((one for one in left if run.lines[one[1]] == line), None)
        if moved is not None:
            left.remove(moved)
            found.append(Difference(ORDER, f"{_words(line)} at another place", line, expected_at, moved[1]))
        else:
            found.append(Difference(MISSING, f"{_words(line)} is missing", line, expected_at, should_be))
    for before, run_at in left:
        line = run.lines[run_at]
        found.append(Difference(EXTRA, f"{_words(line)} is too much", line, before, run_at))
    return found


def _words(line: str) -> str:
    side = "the callee's side" if line.startswith(AHEAD) else "the caller"
    _, *words = line.split(" ")
    return f"{words[0]} of {side}" if len(words) == 1 else f"{words[0]} to {words[1]} of {side}"


def _message(
    old: ExpectedMessage, new: ExpectedMessage, expected_at: int, run_at: int, tolerance: Tolerance
) -> list[Difference]:
    """Headers and SDP of one message of the callee's side."""
    found = []
    before, after = _by_name(old.headers), _by_name(new.headers)
    for name in dict.fromkeys([*before, *after]):
        if name in tolerance.ignored:
            continue
        what = _header(name, before.get(name, []), after.get(name, []), tolerance.strict)
        if what:
            found.append(Difference(HEADER, what, new.line, expected_at, run_at))
    for what in _sdp(old.sdp, new.sdp):
        found.append(Difference(SDP, what, new.line, expected_at, run_at))
    return found


def _by_name(headers: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for header in headers:
        name, _, value = header.partition(": ")
        found.setdefault(name, []).append(value)
    return found


def _header(name: str, old: list[str], new: list[str], strict: bool) -> str:
    """How a header differs; "" if it does not."""
    shown = "-".join(word.capitalize() for word in name.split("-"))
    if not new:
        return f"{shown} is missing" + (f" ({old[0]})" if name in COMPARED else "")
    if not old:
        return f"{shown} was added ({new[0]})"
    by_value = (name in COMPARED or strict) and name not in VOLATILE
    if name in LISTS:
        one, other = _values(old), _values(new)
        if by_value and one != other:
            lost, added = sorted(one - other), sorted(other - one)
            changes = [*(f"without {value}" for value in lost), *(f"with {value}" for value in added)]
            return f"{shown} {', '.join(changes)}"
        return ""
    if len(old) != len(new):
        return f"{shown} is there {len(new)} times instead of {len(old)}"
    if by_value and [v.lower() for v in old] != [v.lower() for v in new]:
        return f"{shown} is {', '.join(new)} instead of {', '.join(old)}"
    return ""


def _values(written: Sequence[str]) -> set[str]:
    return {value.strip().lower() for line in written for value in line.split(",") if value.strip()}


def _sdp(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """How an SDP differs, medium by medium."""
    if old == new:
        return []
    if not new or not old:
        return ["the SDP is missing" if old else "an SDP was added"]
    if len(old) != len(new):
        return [f"{len(new)} media ({', '.join(new)}) instead of {len(old)} ({', '.join(old)})"]
    found = []
    for before, after in zip(old, new, strict=True):
        if before == after:
            continue
        one, other = before.split(" "), after.split(" ")
        kind = other[0]
        if one[0] != other[0] or "rejected" in (one[1], other[1]):
            found.append(f"{after} instead of {before}")
            continue
        if one[1] != other[1]:
            found.append(f"{kind} is {other[1]} instead of {one[1]}")
        codecs, others = ([w for w in words[2:] if not w.startswith("ptime=")] for words in (one, other))
        if codecs != others:
            found.append(f"{kind} codecs {' '.join(others)} instead of {' '.join(codecs)}")
        times, other_times = ([w for w in words[2:] if w.startswith("ptime=")] for words in (one, other))
        if times != other_times:
            found.append(f"{kind} {_one(other_times, 'no ptime')} instead of {_one(times, 'none')}")
    return found


def _one(words: Sequence[str], none: str) -> str:
    return words[0] if words else none


def _times(expected: Expect, run: Expect, tolerance: Tolerance) -> list[Difference]:
    found = []
    for name, old, new in (
        ("post-dial delay", expected.pdd_ms, run.pdd_ms),
        ("setup time", expected.setup_ms, run.setup_ms),
    ):
        if old is None or new is None:
            continue
        low = old / tolerance.time_factor - tolerance.time_slack_ms
        high = old * tolerance.time_factor + tolerance.time_slack_ms
        if not low <= new <= high:
            band = f"{max(low, 0.0):.0f} to {high:.0f} ms"
            line, at = _answer(run, new)
            found.append(Difference(TIME, f"{name} {new:.0f} ms, captured {old:.0f} ms ({band} allowed)", line, -1, at))
    return found


def _answer(run: Expect, at_ms: float) -> tuple[str, int]:
    """The response that ended a time: the first of the callee's side not before it."""
    for place, message in enumerate(run.message):
        if message.line.startswith("< ") and message.at_ms >= at_ms - 0.01:
            return message.line, place
    return "", -1


def _media(expected: Expect, run: Expect, tolerance: Tolerance) -> list[Difference]:
    """Streams of both directions; quality and digits of what was received only."""
    old, new = ({stream.line: stream for stream in call.stream} for call in (expected, run))
    found = []
    for line in [line for line in old if line not in new]:
        direction, kind, codec = line.split(" ", 2)
        who = "from the callee's side" if direction == AHEAD else "to the callee's side"
        others = [o.split(" ", 2)[2] for o in new if o.startswith(f"{direction} {kind} ") and o not in old]
        if others:
            found.append(Difference(MEDIA, f"{kind} {who} is {', '.join(others)} instead of {codec}"))
        else:
            found.append(Difference(MEDIA, f"no {kind} {who}: {codec} in the capture, {old[line].packets} packets"))
    kinds = Counter(tuple(line.split(" ", 2)[:2]) for line in old)
    for line in [line for line in new if line not in old and not kinds[tuple(line.split(" ", 2)[:2])]]:
        direction, kind, codec = line.split(" ", 2)
        who = "from the callee's side" if direction == AHEAD else "to the callee's side"
        if not expected.cut:
            found.append(Difference(MEDIA, f"{kind} {who} ({codec}) that the capture does not have"))
    for line, stream in new.items():
        if line.startswith(AHEAD) and line in old:
            found += _quality(old[line], stream, tolerance)
    return found


def _quality(old: ExpectedStream, new: ExpectedStream, tolerance: Tolerance) -> list[Difference]:
    _, kind, codec = old.line.split(" ", 2)
    name = f"{kind} {codec} received"
    found = []
    before, after = (100 * s.lost / max(s.lost + s.packets, 1) for s in (old, new))
    if after > before + tolerance.loss_percent:
        found.append(Difference(MEDIA, f"{name}: {after:.1f} % lost, captured {before:.1f} %"))
    if new.jitter_ms > old.jitter_ms + tolerance.jitter_ms:
        found.append(Difference(MEDIA, f"{name}: jitter {new.jitter_ms:.1f} ms, captured {old.jitter_ms:.1f} ms"))
    if old.mos is not None and new.mos is not None and new.mos < old.mos - tolerance.mos:
        found.append(Difference(MEDIA, f"{name}: MOS {new.mos:.2f}, captured {old.mos:.2f}"))
    spacing = old.duration_ms / max(old.packets - 1, 1)
    if new.packets > 10 and new.duration_ms / (new.packets - 1) > 2 * spacing + 10:
        found.append(Difference(MEDIA, f"{name}: a packet in {new.duration_ms / (new.packets - 1):.0f} ms"))
    if old.digits != new.digits:
        found.append(Difference(DIGITS, f"{name}: digits {new.digits or 'none'} instead of {old.digits or 'none'}"))
    return found
