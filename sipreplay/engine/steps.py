"""What a scenario compiles to: int-coded steps, templates and operations, with everything constant already filled in.

Slotted classes of plain values only. Nothing here runs anything; `compile` makes them, `engine` plays them.
"""

from __future__ import annotations

from typing import Any, Final

from sipreplay.engine.headers import HeadReader

# Kinds of step.
SEND: Final = 0
RECV: Final = 1
PAUSE: Final = 2
NOP: Final = 3
SEND_COMMAND: Final = 4
"""`<sendCmd>`: `template` goes to the twin that `peer` names."""
RECV_COMMAND: Final = 5
"""`<recvCmd>`: waits for a command from the twin that `peer` names; `optional`, `operations` and so on as for RECV."""

# Optional receives.
MANDATORY: Final = 0
OPTIONAL: Final = 1
GLOBAL: Final = 2

# Slots of a template, the common ones first.
CALL_NUMBER: Final = 0
CALL_ID: Final = 1
PEER_TAG: Final = 2
LAST_HEADER: Final = 3
CSEQ: Final = 4
VARIABLE: Final = 5
FIELD: Final = 6
ROUTES: Final = 7
NEXT_URL: Final = 8
LAST_REQUEST_URI: Final = 9
LAST_CSEQ: Final = 10
LAST_MESSAGE: Final = 11
AUTO_MEDIA_PORT: Final = 12
BRANCH: Final = 13
DYNAMIC_ID: Final = 14
CLOCK_TICK: Final = 15
TIMESTAMP: Final = 16
DATE: Final = 17
USER_ID: Final = 18
FILE: Final = 19
FILL: Final = 20
AUTHENTICATION: Final = 21
LENGTH: Final = 22
CIRCUIT: Final = 23

# Scopes of a variable, in the upper bits of its reference.
CALL_SCOPE: Final = 0
USER_SCOPE: Final = 1 << 20
GLOBAL_SCOPE: Final = 2 << 20
INDEX_MASK: Final = (1 << 20) - 1
NO_VARIABLE: Final = -1

# Operations (compiled actions).
EREG: Final = 0
LOG: Final = 1
ASSIGN: Final = 2
ARITHMETIC: Final = 3
ASSIGN_STRING: Final = 4
TO_DOUBLE: Final = 5
TEST: Final = 6
STRCMP: Final = 7
TRIM: Final = 8
INDEX: Final = 9
TIME_OF_DAY: Final = 10
JUMP: Final = 11
PAUSE_RESTORE: Final = 12
LOOKUP: Final = 13
SET_DESTINATION: Final = 14
PLAY: Final = 15
INTERNAL_COMMAND: Final = 16
COMMAND: Final = 17
VERIFY_AUTH: Final = 18
INSERT: Final = 19
REPLACE: Final = 20
SAMPLE: Final = 21
URL_ENCODE: Final = 22
URL_DECODE: Final = 23
DTMF: Final = 24
STREAM: Final = 25
ECHO: Final = 26
SWITCH_ECHO: Final = 27


class Template:
    """A message or text: literal parts, and slots that a call fills. `parts` holds b"" where a slot stands."""

    __slots__ = ("authentication", "in_message", "length", "media_ports", "parts", "shortened", "slots", "source")

    def __init__(self, parts: list[bytes], slots: list[tuple[int, int, Any]], *, in_message: bool, source: str) -> None:
        self.parts = parts
        self.slots = slots
        """(position in parts, slot code, argument): argument is an offset, a header's name, a reference, ..."""
        self.length: list[tuple[int, int]] = []
        """(position, offset) of each [len] that is not constant."""
        self.authentication = -1
        """Position of [authentication], or -1."""
        self.in_message = in_message
        self.media_ports: list[tuple[str, bool, int]] = []
        """(audio, video or image; per call; offset) of the ports that this text announces."""
        self.shortened: dict[int, bytes] = {}
        """Literal parts without the white space they begin with: what is left after a line that vanished."""
        self.source = source


class Operation:
    """One compiled action. Which fields count depends on `kind`."""

    __slots__ = (
        "check",
        "check_inverse",
        "extra",
        "kind",
        "name",
        "number",
        "source",
        "source2",
        "target",
        "targets",
        "text",
        "text2",
        "text3",
    )

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.target = NO_VARIABLE
        self.targets: list[int] = []
        self.source = NO_VARIABLE
        self.source2 = NO_VARIABLE
        self.number = 0.0
        self.name = ""
        self.text: Template | None = None
        self.text2: Template | None = None
        self.text3: Template | None = None
        self.check = False
        self.check_inverse = False
        self.extra: Any = None
        """What only one kind needs: a compiled expression, the ids of a media file."""


class Step:
    """One message element. `following` is the next index when nothing dynamic decides."""

    __slots__ = (
        "ack_txn",
        "advance_state",
        "auth",
        "booked",
        "branches",
        "chance",
        "condexec",
        "condexec_inverse",
        "counter",
        "dialog",
        "expected",
        "following",
        "ignore_sdp",
        "index",
        "is_ack",
        "is_invite",
        "is_request",
        "kind",
        "line",
        "lost",
        "method",
        "methods_before",
        "next",
        "note",
        "ontimeout",
        "operations",
        "optional",
        "pattern",
        "pause_s",
        "peer",
        "plain_after",
        "repeat_rtd",
        "request",
        "response",
        "response_txn",
        "retrans_s",
        "rrs",
        "rtd_start",
        "rtd_stop",
        "sample",
        "start_txn",
        "template",
        "test",
        "timeout_s",
        "timewait",
        "unexpected",
        "uses_cseq",
        "variable",
    )

    def __init__(self, kind: int, index: int) -> None:
        self.kind = kind
        self.index = index
        self.line = 0
        self.note = ""
        # Common.
        self.following = index + 1
        self.next = -1
        self.test = NO_VARIABLE
        self.chance = 1.0
        self.branches = False
        """Whether `next` must be decided when the step is done."""
        self.ontimeout = -1
        self.condexec = NO_VARIABLE
        self.condexec_inverse = False
        self.lost = 0.0
        self.ignore_sdp = False
        self.rtd_start = -1
        self.rtd_stop = -1
        self.repeat_rtd = False
        self.counter = -1
        self.booked = False
        """Whether the step has a timer or a counter."""
        self.dialog = 0
        """Number of its dialog in the program's list; 0 is the call's own, -1 the one that the call is in."""
        self.unexpected = "fail"
        """What becomes of a message that does not fit while a call is here (`scenario.extensions`)."""
        self.operations: list[Operation] = []
        # Send.
        self.template: Template | None = None
        self.method = b""
        """Of a request that is sent; b"" for a response."""
        self.is_request = False
        self.is_ack = False
        self.is_invite = False
        self.uses_cseq = False
        """Whether sending it counts up the call's CSeq."""
        self.retrans_s = 0.0
        self.start_txn = -1
        self.ack_txn = -1
        # Receive.
        self.request = b""
        self.response = 0
        self.pattern: Any = None
        """A compiled expression for regexp_match."""
        self.optional = MANDATORY
        self.advance_state = True
        self.timeout_s = 0.0
        self.rrs = False
        self.auth = False
        self.response_txn = -1
        self.methods_before = b""
        """Methods of all sends before this step that have no transaction name, joined (SIPp's CSeq test)."""
        self.plain_after = True
        """Nothing but counting and advancing follows a match: no actions, routes, challenge or transaction."""
        # Commands.
        self.peer = ""
        """`dest` of a sendCmd, `src` of a recvCmd; "" for the one twin of -3pcc."""
        # Pause.
        self.pause_s = 0.0
        self.variable = NO_VARIABLE
        self.sample: Any = None
        """A function of a random source that draws a pause in milliseconds."""
        self.timewait = False
        self.expected = ""
        """What the step waits for or does, in words."""


class Program:
    """A scenario ready to play. Shared by all calls, changed by none."""

    __slots__ = (
        "auto_media",
        "call_variables",
        "client",
        "clock_rates",
        "counters",
        "default_messages",
        "dialogs",
        "file",
        "global_names",
        "global_variables",
        "heads",
        "init",
        "learns_events",
        "learns_sdp",
        "length_bins",
        "length_s",
        "media_kinds",
        "name",
        "rtd_bins",
        "rtds",
        "shared_media",
        "steps",
        "transactions",
        "unexpected_label",
        "unexpected_pause",
        "unexpected_return",
        "user_variables",
        "uses_cseq",
        "uses_lines",
        "warnings",
    )

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.file = file
        self.steps: list[Step] = []
        self.init: list[Step] = []
        self.client = False
        self.rtds: list[str] = []
        self.rtd_bins: dict[str, list[int]] = {}
        self.length_bins: list[int] = []
        self.heads = HeadReader(frozenset())
        """Reads the headers that [last_*] prints."""
        self.length_s = 0.0
        """Sum of the 99th percentiles of the pauses, as played."""
        self.counters: list[str] = []
        self.call_variables = 0
        self.user_variables = 0
        self.global_variables = 0
        self.global_names: dict[str, int] = {}
        self.transactions: list[str] = []
        self.dialogs: list[str] = [""]
        """Names of the dialogs of a call; "" is the first."""
        self.default_messages: dict[str, Template] = {}
        self.unexpected_label = -1
        self.unexpected_return = NO_VARIABLE
        self.unexpected_pause = NO_VARIABLE
        self.auto_media = False
        """Whether calls need a port of their own."""
        self.shared_media = False
        """Whether [media_port] is announced."""
        self.learns_sdp = False
        """Whether some step plays media, so that the peer's SDP counts."""
        self.learns_events = False
        """Whether some step sends digits, so that the peer's payload type for them counts."""
        self.media_kinds: list[str] = []
        self.clock_rates: dict[int, int] = {}
        """Payload type to Hz, as our own SDP announces: what a receiver needs to measure jitter."""
        self.uses_cseq = False
        """Whether some text prints [cseq]."""
        self.uses_lines = False
        self.warnings: list[str] = []
