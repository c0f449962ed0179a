"""A SIPp scenario as values: elements, actions, labels. Texts are kept as written; `keywords` gives them meaning.

Every attribute is SIPp's, with SIPp's default. What the reader does not know is an error there, never dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Action:
    """Base of all actions. `line` is the line in the file, from 1; 0 if generated."""

    line: int = field(default=0, kw_only=True, compare=False)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A named distribution of milliseconds, parameters by SIPp's attribute names."""

    name: str
    parameters: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Ereg(Action):
    """POSIX extended search. `assign_to`: whole match, then groups."""

    regexp: str
    assign_to: tuple[str, ...]
    search_in: str = "msg"
    """msg, hdr, body or var."""
    header: str = ""
    variable: str = ""
    occurrence: int = 1
    case_indep: bool = False
    start_line: bool = False
    check_it: bool = False
    check_it_inverse: bool = False


@dataclass(frozen=True, slots=True)
class Log(Action):
    """`log`, `warning` or `error` by `level`; `message` is a keyword text."""

    level: str
    message: str


@dataclass(frozen=True, slots=True)
class Exec(Action):
    """One media or process command. `kind` is the attribute's name: play_pcap_audio, play_dtmf, command, ..."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Assign(Action):
    """`assign`, `add`, `subtract`, `multiply`, `divide` by `operation`; exactly one of `value`, `variable` is given."""

    operation: str
    assign_to: str
    value: float | None = None
    variable: str = ""


@dataclass(frozen=True, slots=True)
class AssignStr(Action):
    """`value` is a keyword text."""

    assign_to: str
    value: str


@dataclass(frozen=True, slots=True)
class ToDouble(Action):
    """Numeric conversion."""

    assign_to: str
    variable: str


@dataclass(frozen=True, slots=True)
class Test(Action):
    """Compare doubles. `compare`: equal, not_equal, greater_than, less_than, greater_than_equal, less_than_equal."""

    variable: str
    compare: str
    value: float | None = None
    variable2: str = ""
    assign_to: str = ""
    check_it: bool = False
    check_it_inverse: bool = False


@dataclass(frozen=True, slots=True)
class Strcmp(Action):
    """C strcmp; the result, a double (0 equal), goes to `assign_to`."""

    variable: str
    value: str | None = None
    variable2: str = ""
    assign_to: str = ""
    check_it: bool = False
    check_it_inverse: bool = False


@dataclass(frozen=True, slots=True)
class Trim(Action):
    """Strip white space of a string variable."""

    assign_to: str


@dataclass(frozen=True, slots=True)
class Index(Action):
    """Current message index."""

    assign_to: str


@dataclass(frozen=True, slots=True)
class GetTimeOfDay(Action):
    """Seconds and microseconds."""

    seconds: str
    microseconds: str


@dataclass(frozen=True, slots=True)
class Jump(Action):
    """To a numeric message index."""

    value: float | None = None
    variable: str = ""


@dataclass(frozen=True, slots=True)
class PauseRestore(Action):
    """Set the end of an interrupted pause (ms tick)."""

    value: float | None = None
    variable: str = ""


@dataclass(frozen=True, slots=True)
class Lookup(Action):
    """Line number of `key` in the index of `file`, or -1; both keyword texts."""

    assign_to: str
    file: str
    key: str


@dataclass(frozen=True, slots=True)
class SetDest(Action):
    """Change this call's peer; keyword texts."""

    host: str
    port: str
    protocol: str


@dataclass(frozen=True, slots=True)
class VerifyAuth(Action):
    """Check the Authorization of the received request; result bool."""

    assign_to: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Insert(Action):
    """Append a line to an injection file, in memory; keyword texts."""

    file: str
    value: str


@dataclass(frozen=True, slots=True)
class Replace(Action):
    """Replace a line (from 0) of an injection file, in memory; keyword texts."""

    file: str
    row: str
    """SIPp's attribute `line`."""
    value: str


@dataclass(frozen=True, slots=True)
class Sample(Action):
    """A number drawn from a distribution."""

    assign_to: str
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class UrlCode(Action):
    """`urlencode` or `urldecode` by `operation`: a variable's text, in place."""

    operation: str
    variable: str


@dataclass(frozen=True, slots=True)
class CloseConnection(Action):
    """`closecon`: close this call's connection; the next send opens another."""


@dataclass(frozen=True, slots=True)
class RtpEcho(Action):
    """Switch the echo of `-rtp_echo`, for all calls; 0 is off."""

    value: float | None = None
    variable: str = ""


@dataclass(slots=True, kw_only=True)
class Element:
    """What all message elements share (spec: common attributes)."""

    start_rtd: str = ""
    rtd: str = ""
    repeat_rtd: bool = False
    counter: str = ""
    crlf: bool = False
    next: str = ""
    test: str = ""
    chance: float = 1.0
    ontimeout: str = ""
    condexec: str = ""
    condexec_inverse: bool = False
    lost: float | None = None
    ignoresdp: bool = False
    hide: bool = False
    display: str = ""
    unexpected: str = ""
    """Beyond SIPp: what becomes of a message that does not fit while a call is here; "": what the scenario says."""
    dialog: str = ""
    """Beyond SIPp: the dialog of the message, "" for the call's first."""
    actions: list[Action] = field(default_factory=list)
    comment: str = ""
    """The XML comment directly before the element."""
    line: int = 0


@dataclass(slots=True, kw_only=True)
class Send(Element):
    """`text` is the CDATA as written (before SIPp's normalisation)."""

    text: str
    retrans_ms: int = 0
    timeout_ms: int = 0
    start_txn: str = ""
    ack_txn: str = ""


@dataclass(slots=True, kw_only=True)
class Recv(Element):
    """At most one of `request`, `response` is set ("" otherwise); without both it matches nothing."""

    request: str = ""
    response: str = ""
    optional: str = "false"
    """false, true or global."""
    advance_state: bool = True
    regexp_match: bool = False
    timeout_ms: int = 0
    rrs: bool = False
    auth: bool = False
    response_txn: str = ""


@dataclass(slots=True, kw_only=True)
class Pause(Element):
    """Duration: `variable`, else `distribution`, else `milliseconds`, else the command line's `-d`."""

    milliseconds: int | None = None
    variable: str = ""
    distribution: Distribution | None = None
    sanity_check: bool = True
    timewait: bool = False


@dataclass(slots=True, kw_only=True)
class Nop(Element):
    """No SIP activity."""


@dataclass(slots=True, kw_only=True)
class SendCommand(Element):
    """`<sendCmd>` (3PCC): `text` as of a Send; `dest` names the peer of extended 3PCC."""

    text: str
    dest: str = ""


@dataclass(slots=True, kw_only=True)
class RecvCommand(Element):
    """`<recvCmd>` (3PCC): `src` names the peer of extended 3PCC."""

    src: str = ""
    optional: str = "false"
    """false, true or global."""


@dataclass(slots=True)
class Scenario:
    """A whole file."""

    name: str
    elements: list[Element] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    """Label id to the index of the next element; len(elements) at the end of the file."""
    init: list[Element] = field(default_factory=list)
    init_labels: dict[str, int] = field(default_factory=dict)
    global_variables: list[str] = field(default_factory=list)
    user_variables: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    default_messages: dict[str, str] = field(default_factory=dict)
    response_time_repartition: list[int] = field(default_factory=list)
    call_length_repartition: list[int] = field(default_factory=list)
    unexpected: str = ""
    """Beyond SIPp: what becomes of messages that do not fit (`extensions`); "" is SIPp's way."""
    file: str = ""
    comment: str = ""
    """Head comment of a generated file."""
    warnings: list[str] = field(default_factory=list, compare=False)
    """What was mended or is odd, each with file and line."""

    @property
    def is_client(self) -> bool:
        """Whether the first message or command that is neither pause nor nop is sent (spec 1.4)."""
        deciding = Send | SendCommand | Recv | RecvCommand
        return next((isinstance(e, Send | SendCommand) for e in self.elements if isinstance(e, deciding)), False)
