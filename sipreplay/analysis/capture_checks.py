"""Checks of captures as a whole: storms, what was seen only in part, copies, clocks, and what could not be read.

What cannot be seen is a finding too. Each check is a function from an analysis to findings, listed in `CHECKS`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sipreplay.analysis.case import Case, places, printable
from sipreplay.analysis.findings import Finding, Severity
from sipreplay.analysis.model import Analysis, CapturedMessage
from sipreplay.analysis.store import COPY, SHORT, MessageStore

STORM = 10
"""So many equal failures …"""
STORM_S = 10.0
"""… within this time are a storm."""
_STORMS = (408, 480, 500, 503, 504)
MOST_HOPS = 16
MOST_LOOKED_AT = 200_000
"""Messages that are made objects of for one check."""
_SIP_TLS_PORTS = frozenset({5061, 5063, 5081})
_SIP_WSS_PORTS = frozenset({4443, 7443, 8089})
"""Where servers take SIP over WebSocket by default: OpenSIPS and Kamailio, FreeSWITCH, Asterisk."""
CLOCK_SLACK_S = 0.001


def _with(analysis: Analysis, *, statuses: Sequence[int] = (), flag: int = 0) -> tuple[list[CapturedMessage], int]:
    """The messages of these statuses, or with that flag of the store, and how many; of a store, the first of them only,
    without an object for the others."""
    messages = analysis.messages
    if isinstance(messages, MessageStore):
        rows = messages.rows
        wanted = np.isin(rows["status"], statuses) if statuses else (rows["flags"] & flag) != 0
        indices = np.flatnonzero(wanted)
        return [messages[index] for index in indices[:MOST_LOOKED_AT].tolist()], len(indices)
    found = [m for m in messages if (m.message.status in statuses if statuses else m.copy)]
    return found, len(found)


def storms(analysis: Analysis) -> Iterator[Finding]:
    """Many failures of one kind from one host in a short time."""
    failures: dict[tuple[str, int], list[CapturedMessage]] = defaultdict(list)
    for captured in _with(analysis, statuses=_STORMS)[0]:
        if not (captured.copy or captured.retransmission):
            failures[captured.source.host, captured.message.status].append(captured)
    calls = _calls_by_call_id(analysis)
    for (host, status), found in failures.items():
        worst, at = _busiest(found)
        if worst >= STORM:
            shown = found[at : at + worst]
            yield Finding(
                severity=Severity.ERROR,
                rule=f"storm-{status}",
                title=f"{host} answers {status} {printable(shown[0].message.reason)} to many requests at once",
                why=f"{worst:,} of {len(found):,} within {STORM_S:.0f} s, from packet {shown[0].packet} on",
                remedy="the host is overloaded, or what it depends on is down: look at its load and its own next hop",
                calls=tuple(sorted({c for m in shown for c in calls.get(m.message.call_id, ())})),
                packets=places(*shown[:16]),
                count=worst,
            )


def _busiest(found: list[CapturedMessage]) -> tuple[int, int]:
    """(most within the time of a storm, place of the first of them)."""
    found.sort(key=lambda m: m.time)
    best, at, start = 0, 0, 0
    for number, captured in enumerate(found):
        while captured.time - found[start].time > STORM_S:
            start += 1
        if number - start + 1 > best:
            best, at = number - start + 1, start
    return best, at


def _calls_by_call_id(analysis: Analysis) -> dict[str, set[int]]:
    known: dict[str, set[int]] = {}
    for dialog in analysis.dialogs:
        known.setdefault(dialog.call_id, set()).add(dialog.call)
    return known


def unreadable(analysis: Analysis) -> Iterator[Finding]:
    """What looked like SIP and was none, and what the files themselves lack."""
    if analysis.malformed:
        yield Finding(
            Severity.WARNING,
            "malformed",
            "messages that look like SIP could not be read",
            f"{analysis.malformed:,} payloads have a SIP start line and no readable message"
            + (f"; the first is packet {analysis.malformed_packets[0][1]}" if analysis.malformed_packets else ""),
            "see whether something else uses the port, or a peer sends broken SIP (scanners do)",
            packets=analysis.malformed_packets,
            count=analysis.malformed,
        )
    for number, capture in enumerate(analysis.captures):
        for problem in capture.problems[:100]:
            tls = _OF_TLS.match(problem.what) is not None
            yield Finding(
                Severity.NOTE,
                "tls-problem" if tls else "capture-problem",
                f"{printable(capture.path)} could not be " + ("decrypted" if tls else "used") + " in full",
                printable(problem.what),
                "give the key log that one of the ends wrote, of these connections and whole (--keylog FILE)"
                if tls
                else "packets that are cut: capture without a limit on their size (tcpdump -s 0); a damaged file: let"
                " the capturing tool end by itself, and copy the file whole",
                packets=((number, problem.packet),) if problem.packet else (),
            )


_OF_TLS = re.compile(r"[\d,.]+ (?:(?:more )?TLS connections?|lines? of the key log) ")
"""What problems of decryption begin with."""


def copies(analysis: Analysis) -> Iterator[Finding]:
    """Packets that a mirror port, or a second capture point, shows twice."""
    found, count = _with(analysis, flag=COPY)
    if found:
        yield Finding(
            Severity.NOTE,
            "copies",
            "packets were captured more than once",
            f"{count:,} of {len(analysis.messages):,} messages are copies; the first is packet {found[0].packet}",
            "nothing is counted twice; capture one side of the mirror port to make the file smaller",
            packets=places(*found[:16]),
        )


def short_bodies(analysis: Analysis) -> Iterator[Finding]:
    """Messages with less of a body than their Content-Length says, though the capture holds the whole packet."""
    cut = {(at, problem.packet) for at, capture in enumerate(analysis.captures) for problem in capture.problems}
    found = [m for m in _short(analysis) if (m.capture, m.packet) not in cut]
    if found:
        first = found[0]
        missing = first.message.missing
        yield Finding(
            Severity.WARNING,
            "body-shorter-than-said",
            "messages end before the body that Content-Length says",
            f"{len(found):,} messages; of the first, packet {first.packet} from {first.source}, {missing:,} bytes of"
            f" {first.message.content_length or 0:,} are missing",
            "a receiver discards such a request over UDP, or answers 400 (RFC 3261 18.3), and over TCP waits for the"
            " rest: see what changed the body (an ALG, a script) and not the length",
            packets=places(*found[:16]),
            count=len(found),
        )


def _short(analysis: Analysis) -> list[CapturedMessage]:
    messages = analysis.messages
    if isinstance(messages, MessageStore):
        first = _with(analysis, flag=SHORT)[0]
    else:
        first = [m for d in analysis.dialogs for m in d.messages if b"ength" in m.data and m.message.missing]
    return [m for m in first if not m.copy]


class Clocks:
    """Answers that were seen before their requests: clocks of capture points disagree."""

    def __init__(self) -> None:
        self._worst: tuple[float, CapturedMessage, CapturedMessage] | None = None
        self._dialogs: dict[int, int] = {}
        """Dialog to call."""

    def look(self, case: Case) -> None:
        """Take one dialog into account."""
        if not case.outline.early_answer:
            return
        for transaction in case.dialog.transactions:
            answer = transaction.responses[0] if transaction.responses else None
            if answer is None or answer.time >= transaction.request.time - CLOCK_SLACK_S:
                continue
            early_s = transaction.request.time - answer.time
            self._dialogs[case.dialog.id] = case.dialog.call
            if self._worst is None or early_s > self._worst[0]:
                self._worst = early_s, transaction.request, answer

    def findings(self) -> Iterator[Finding]:
        """One for all dialogs, with the worst case."""
        if self._worst is None:
            return
        early_s, request, answer = self._worst
        yield Finding(
            Severity.NOTE,
            "clocks-differ",
            "the clocks of capture points disagree",
            f"packet {answer.packet} answers packet {request.packet}, and was seen {early_s * 1000:.0f} ms before it",
            "delays between these points mean little: set the clocks (NTP), or shift a file with editcap -t",
            calls=tuple(sorted(set(self._dialogs.values()))),
            dialogs=tuple(sorted(self._dialogs)),
            packets=places(request, answer),
            count=len(self._dialogs),
        )


def encrypted(analysis: Analysis) -> Iterator[Finding]:
    """TLS connections that may carry SIP and could not be read."""
    for session in analysis.tls:
        sip = session.server_port in _SIP_TLS_PORTS | _SIP_WSS_PORTS or any(
            name.partition("/")[0].lower() in ("sip", "sips") for name in session.protocols
        )
        if (session.decrypted and not session.failed) or (not sip and not session.decrypted):
            continue
        who = f"{session.client}:{session.client_port} to {session.server}:{session.server_port}"
        named = f" for {printable(session.server_name)}" if session.server_name else ""
        yield Finding(
            Severity.WARNING,
            "tls-unread" if not session.decrypted else "tls-partly-read",
            f"TLS from {who} could not be read" + ("" if not session.decrypted else " in full"),
            f"{session.version or 'TLS'}{named} from packet {session.packet} on: {session.why or 'records failed'}",
            "give the key log that one of the ends wrote (--keylog FILE), or capture behind the TLS end",
            packets=((session.capture, session.packet),),
        )


def left_apart(analysis: Analysis) -> Iterator[Finding]:
    """Evidence that was not used to tie dialogs."""
    seen = set()
    calls = {dialog.id: dialog.call for dialog in analysis.dialogs}
    for call in analysis.calls:
        for item in call.left_apart:
            if item in seen:
                continue
            seen.add(item)
            yield Finding(
                Severity.NOTE,
                "not-tied",
                f"dialogs may belong together, and {printable(item.rule)} does not say which",
                "; ".join(printable(value) for value in item.values[:3]),
                "name a header that both legs carry with --correlate HEADER",
                calls=tuple(sorted({calls[ident] for ident in item.dialogs if ident in calls})),
                dialogs=item.dialogs,
            )


def seen_in_part(case: Case) -> Iterator[Finding]:
    """One dialog of which the capture shows one direction, or not the beginning or the end."""
    dialog = case.hop
    if case.half_seen:
        yield case.finding(
            Severity.WARNING,
            "half-seen",
            f"only one direction between {dialog.caller} and {dialog.callee} was captured",
            case.half_seen,
            "capture where both directions pass (asymmetric routing, a filter on source or destination)",
            *dialog.messages[:4],
        )
        return
    first = dialog.messages[0].message
    if not first.is_request or (first.to_tag and first.method != "REGISTER"):
        yield case.finding(
            Severity.NOTE,
            "cut-at-begin",
            "dialogs had begun before the capture did",
            f"the first message of dialog {dialog.id} is {printable(dialog.messages[0].message.start_line)}",
            "what was agreed before is not known; start the capture before the calls",
            dialog.messages[0],
        )
    if dialog.kind == "invite" and dialog.state in ("established", "ringing", "setup"):
        yield case.finding(
            Severity.NOTE,
            "cut-at-end",
            "calls were not over when the capture ended",
            f"dialog {dialog.id} is {dialog.state} at its last message, {case.end - dialog.last:.1f} s before the end",
            "let the capture run until the calls are over; a call that nobody ended may also be a lost BYE",
            dialog.messages[-1],
        )


def many_hops(analysis: Analysis) -> Iterator[Finding]:
    """Requests that pass very many hops."""
    hops = Counter((d.call_id, d.conversation) for d in analysis.dialogs if d.upstream is not None)
    deepest: dict[tuple[str, int], int] = {}
    for dialog in analysis.dialogs:
        key = dialog.call_id, dialog.conversation
        deepest[key] = max(deepest.get(key, 0), dialog.hop)
    for dialog in analysis.dialogs:
        count = hops.get((dialog.call_id, dialog.conversation), 0)
        if dialog.hop == 0 and dialog.upstream is None and count >= MOST_HOPS:
            depth = deepest[dialog.call_id, dialog.conversation]
            if depth < MOST_HOPS:
                continue
            yield Finding(
                Severity.WARNING,
                "many-hops",
                f"a request from {dialog.caller} passes {depth + 1} hops",
                f"Call-ID {printable(dialog.call_id)}",
                "see whether proxies send it to each other (a loop ends in 482 or 483 only after 70 hops)",
                calls=(dialog.call,),
                dialogs=(dialog.id,),
                packets=places(dialog.messages[0]),
            )


CHECKS: tuple[Callable[[Analysis], Iterator[Finding]], ...] = (
    storms,
    unreadable,
    short_bodies,
    copies,
    encrypted,
    left_apart,
    many_hops,
)
