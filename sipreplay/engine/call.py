"""The state of one call. Slotted and free of cycles: the engine runs without a garbage collector.

What few calls need stands in `More`, made on demand, so that an ordinary open call stays near one kilobyte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sipreplay.engine.dialogs import Kept

# Life of a call.
ALIVE: Final = 0
DEAD: Final = 1
"""Ended, and its Call-ID is remembered for a while (SIPp: dead call)."""

Address = tuple[str, int]
Value = bytes | float | bool | None
"""A variable: text, double, bool; None while undefined."""


class More:
    """State that only some scenarios need."""

    __slots__ = (
        "allocated",
        "branches",
        "challenge",
        "challenge_code",
        "circuit",
        "event_type",
        "finals",
        "kinds",
        "media_port",
        "next_url",
        "nonce_count",
        "playing",
        "queued",
        "resend_due",
        "routes",
        "send_deadline",
        "sources",
        "targets",
        "waiting",
    )

    def __init__(self) -> None:
        self.routes: bytes | None = None
        self.next_url = b""
        self.challenge = b""
        """The 401 or 407 that [authentication] answers."""
        self.challenge_code = 0
        self.nonce_count = 0
        self.circuit = b""
        """The TDM circuit of the call, once it was printed."""
        self.branches: dict[bytes, int] = {}
        """Branch sent to its named transaction."""
        self.finals: dict[int, bytes] = {}
        """Transaction to its final response."""
        self.queued: bytes = b""
        """A message that waits for the step that takes it."""
        self.waiting: list[bytes] = []
        """Messages that came before their step, if the scenario keeps such ones."""
        self.resend_due = 0.0
        """When a send that the socket refused is tried again."""
        self.send_deadline = 0.0
        self.media_port = 0
        self.allocated = False
        self.playing = False
        self.sources: dict[str, tuple[bool, int]] = {}
        """Medium to (own port or the shared one, offset), as last announced."""
        self.targets: dict[str, tuple[str, int]] = {}
        """Medium to the address that the peer announced."""
        self.event_type = 0
        """Payload type of telephone events in the peer's SDP; 0: it named none."""
        self.kinds: tuple[str, ...] = ()


class Call:
    """One call in progress, or its remains."""

    __slots__ = (
        "ack_pending",
        "address",
        "booked_rtds",
        "call_id",
        "cseq",
        "dead_until",
        "dialog",
        "dialogs",
        "established",
        "failure",
        "fresh",
        "head",
        "headers",
        "index",
        "invite_at",
        "invite_cseq",
        "last_received",
        "last_recv_index",
        "last_response",
        "last_send_index",
        "last_sent",
        "lines",
        "more",
        "number",
        "number_text",
        "paused_until",
        "peer_tag",
        "rang",
        "reason",
        "recv_due",
        "retrans_count",
        "retrans_delay",
        "retrans_due",
        "rtds",
        "scheduled",
        "started",
        "state",
        "trigger",
        "trigger_recv_index",
        "trigger_send_index",
        "user",
        "variables",
    )

    def __init__(self, call_id: bytes, number: int, address: Address | None, now: float) -> None:
        self.call_id = call_id
        self.number = number
        self.number_text = b"%d" % number
        self.address = address
        self.started = now
        self.state = ALIVE
        self.index = 0
        self.cseq = 0
        self.last_received = b""
        """For keywords: the last message that was taken."""
        self.fresh = b""
        """The last message taken, as long as nothing was sent after it."""
        self.trigger = b""
        """The message that `trigger_send_index` answered: if it comes again, so does the answer."""
        self.trigger_recv_index = 0
        self.trigger_send_index = 0
        self.last_recv_index = 0
        self.last_response = b""
        """A response whose To-tag was not looked at yet."""
        self.peer_tag = b""
        self.last_sent = b""
        self.last_send_index = 0
        self.retrans_due = 0.0
        self.retrans_delay = 0.0
        self.retrans_count = 0
        self.paused_until = 0.0
        self.recv_due = 0.0
        self.scheduled = 0
        """Millisecond of the one entry in the timer wheel that counts; 0: none."""
        self.invite_at = 0.0
        self.rang = False
        self.invite_cseq = -1
        self.established = False
        self.ack_pending = False
        self.rtds: list[float] | None = None
        self.booked_rtds = 0
        """Bit set of the response times that were counted."""
        self.variables: list[Value] | None = None
        self.lines: list[int] | None = None
        self.headers: dict[bytes, bytes] | None = None
        """[last_*] of `last_received` that were already printed."""
        self.head: dict[bytes, list[bytes]] | None = None
        """All headers of `last_received`, if one was asked for."""
        self.failure = ""
        """Reason of an action that failed; the call goes on and counts as failed at its end."""
        self.user = 0
        self.dead_until = 0.0
        self.reason = ""
        self.more: More | None = None
        self.dialog = 0
        """The dialog that the fields are of; 0 is the first, and for most scenarios the only one."""
        self.dialogs: dict[int, Kept] | None = None
        """All dialogs, if there are several."""

    def extra(self) -> More:
        """The rarely needed state, made on first use."""
        more = self.more
        if more is None:
            more = self.more = More()
        return more

    def forget(self) -> None:
        """Drop what a dead call does not need."""
        self.last_received = self.fresh = self.trigger = self.last_response = self.last_sent = b""
        self.headers = None
        self.head = None
        self.variables = None
        self.lines = None
        self.rtds = None
        self.more = None
