"""The messages of one Call-ID with names in place of texts: what decides which dialogs they are, and nothing else.

Two Call-IDs whose messages agree in this form are dialogs of the same shape. Owns the naming, and the only way to ask
what stands in the bytes of a message: every question and its answer, in names too, are noted. Never judges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from sipreplay.analysis.model import Address, CapturedMessage
from sipreplay.analysis.store import MessageStore
from sipreplay.sip.message import Message
from sipreplay.sip.via import branch_of

_OTHER_LINES = (
    rb"(?:(?![VvCcMm \t])[^\r\n]++\r\n"
    rb"|(?:Call-ID|CSeq|Max-Forwards|Content-Length|Content-Type): [^\r\n]++\r\n)*+"
)
_OTHER_LINES = (
    rb"(?:(?![VvCcMm \t])[^\r\n]++\r\n"
    rb"|(?:Call-ID|CSeq|Max-Forwards|Content-Length|Content-Type): [^\r\n]++\r\n)*+"
)
_USUAL = re.compile(
    rb"(?:SIP/2\.0 (\d{3})[^\r\n]*+\r\n|[A-Z]++ [^\r\n ]++ SIP/2\.0\r\n)"
    rb"Via: SIP/2\.0/[A-Z]++ ([0-9.]++)(?::(\d{1,5}))?+;[^,\r\n]++\r\n"
    + _OTHER_LINES
    + rb"Contact: <sips?:(?:[^@>;,\s:]++@)?+([0-9.]++)(?::(\d{1,5}))?+(?:;[a-z]++=[a-zA-Z0-9]++)*+>\r\n"
    + _OTHER_LINES
    + rb"\r\n"
).match
"""Code, and host and port of the only Via and of the only Contact, of a message that writes them as nearly all do."""


def usual_hosts(data: bytes) -> tuple[str, str] | None:
    """The hosts of the only Via and of the only Contact of a request that writes them as nearly all do, else None."""
    match = _USUAL(data)
    if match is None or match.group(1):
        return None
    return match.group(2).decode(), match.group(4).decode()


Question = tuple[str, int]
"""What is asked ("listens" or "below"), and of which message of the group."""
Answer = tuple[int, ...]
"""Numbers of addresses or branches in the group."""
UNKNOWN = -1
"""A branch that is no message's own."""

_SENT_BY = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+(\[[^\]\s]*\]|[^:;\s]+)(?:\s*:\s*(\d{1,5}))?", re.IGNORECASE)
_SIP_HOST = re.compile(r"\bsips?:(?:[^@>;,\s]*@)?(\[[^\]\s]*\]|[^:;>,?\s]+)(?::(\d{1,5}))?", re.IGNORECASE)


class Row(CapturedMessage):
    """One message in names. It is its own `message`, as far as dialogs ask."""

    __slots__ = (
        "branch",
        "cseq_method",
        "cseq_number",
        "from_tag",
        "group",
        "is_request",
        "media",
        "method",
        "place",
        "status",
        "to_tag",
    )

    def __init__(
        self, group: Group, place: int, time: float, packet: int, source: Address, destination: Address
    ) -> None:
        super().__init__(0, packet, time, source, destination, "", None, None)
        self.group = group
        self.place = place
        self.method = self.cseq_method = self.from_tag = self.to_tag = self.branch = ""
        self.status = self.cseq_number = 0
        self.is_request = self.media = False

    @property
    def message(self) -> Message:
        return cast(Message, self)

    @property
    def listens(self) -> list[Address]:
        """Where the sender says it listens, on the host that the packet came from."""
        numbers = self.group.ask(("listens", self.place))
        return [Address(self.source.host, number) for number in numbers]

    @property
    def branches(self) -> list[str]:
        """The branches of all Vias, top first; "-1" for those that are no message's own, "" where there is none."""
        return [self.branch, *(str(number) if number else "" for number in self.group.ask(("below", self.place)))]


class Group:
    """The messages of one Call-ID, or of one use of it, and their names."""

    def __init__(
        self, store: MessageStore, indexes: Sequence[int], addresses: list[Address], branches: list[int]
    ) -> None:
        """`addresses` and `branches` (hashes) by their numbers; branch 0 is none."""
        self._store = store
        self._indexes = indexes
        self._branches = branches
        self._branch_numbers: dict[int, int] | None = None
        self.addresses = list(addresses)
        """By number; those that messages only name come after those that were seen."""
        self._answers: dict[Question, Answer] = {}
        self.trail: list[tuple[Question, Answer]] = []
        """What was asked since `begin`, each once, in order."""
        self._asked: set[Question] = set()

    def begin(self) -> None:
        """Note questions from now on."""
        self.trail = []
        self._asked = set()

    def ask(self, question: Question) -> Answer:
        """What a message's bytes say, in numbers."""
        answer = self.answer(question)
        if question not in self._asked:
            self._asked.add(question)
            self.trail.append((question, answer))
        return answer

    def answer(self, question: Question) -> Answer:
        """The same, not noted."""
        known = self._answers.get(question)
        if known is None:
            captured = self._store.view(self._indexes[question[1]])
            known = self._listens(captured) if question[0] == "listens" else self._below(captured)
            self._answers[question] = known
        return known

    def _listens(self, captured: CapturedMessage) -> Answer:
        usual = _USUAL(captured.data)
        if usual is None:
            return tuple(self._number(address) for address in listens(captured))
        code, *names = usual.groups()
        host = captured.source.host.encode()
        ports = [int(names[n + 1] or 5060) for n in ((2,) if code else (0, 2)) if names[n] == host]
        return tuple(self._number(Address(captured.source.host, port)) for port in ports)

    def _number(self, address: Address) -> int:
        try:
            return self.addresses.index(address)
        except ValueError:
            self.addresses.append(address)
            return len(self.addresses) - 1

    def _below(self, captured: CapturedMessage) -> Answer:
        if self._branch_numbers is None:
            self._branch_numbers = {branch: number for number, branch in enumerate(self._branches) if number}
        found = [branch_of(part).encode("utf-8", "surrogateescape") for part in captured.message.via_values[1:]]
        return tuple(self._branch_numbers.get(hash(branch), UNKNOWN) if branch else 0 for branch in found)


def listens(captured: CapturedMessage) -> list[Address]:
    """Where the sender says it listens: its own Via (requests) and Contact, on the host that the packet came from.

    Other hosts are left out: behind a NAT many clients name the same private address, and through a proxy a Contact is
    not the neighbour's.
    """
    message = captured.message
    host = captured.source.host
    found = []
    if message.is_request:
        vias = message.via_values
        sent_by = _SENT_BY.match(vias[0]) if vias else None
        if sent_by and sent_by.group(1).strip("[]") == host:
            found.append(Address(host, int(sent_by.group(2) or 5060)))
        if len(vias) > 1:
            return found
    for contact in _SIP_HOST.finditer(message.get("contact") or ""):
        if contact.group(1).strip("[]") == host:
            found.append(Address(host, int(contact.group(2) or 5060)))
    return found


def rows_of(group: Group, fields: Sequence[Any], texts: Sequence[str]) -> list[Row]:
    """The rows of a group. `fields` of each message: (time, packet, source number, destination number, host numbers of
    both, kind (method, CSeq method, status), CSeq rank, From-tag, To-tag and branch numbers, flags); `texts` are names
    of methods."""
    rows = []
    for place, one in enumerate(fields):
        time, packet, source, destination, source_host, destination_host, kind, cseq, of, to, branch, flags = one
        row = Row(
            group, place, time, packet, Address(f"h{source_host}", source), Address(f"h{destination_host}", destination)
        )
        method, cseq_method, row.status = kind
        row.method, row.cseq_method = texts[method], texts[cseq_method]
        row.is_request = method != 0
        row.cseq_number = cseq
        row.from_tag, row.to_tag, row.branch = (str(number) if number else "" for number in (of, to, branch))
        row.retransmission, row.copy, row.media = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        rows.append(row)
    return rows
