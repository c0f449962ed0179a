"""From a unit to the steps of one side: what it sends and when, what it waits for, which values it carries along.

SIPp's rules that shape it: no optional recv straight before a send, `[last_*]` is the last message received, a pending
retransmission holds the next send back. Texts of single messages are `rewrite`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sipreplay.learn import variables
from sipreplay.learn.draft import Draft, Step
from sipreplay.learn.names import Names, Parties
from sipreplay.learn.options import LearnOptions
from sipreplay.learn.rewrite import Sending, rewrite
from sipreplay.learn.routing import follow_contact
from sipreplay.learn.text import BranchOf, Column, Live, MessageText, Piece, injectable
from sipreplay.learn.unexpected import END, add_end, add_handler
from sipreplay.learn.unit import CALLER, Event, Exchange, Unit
from sipreplay.scenario.model import Action, Nop, Pause, Recv, Send
from sipreplay.sip.body import sdp_body
from sipreplay.sip.message import Message
from sipreplay.sip.syntax import parse_parameters

RETRANS_MS = 500
"""T1 (RFC 3261 17)."""
PROVISIONAL = ("100", "180", "183")
"""May come before a final response to INVITE, captured or not (a proxy's 100 ends a re-INVITE without it)."""
NEVER = "NOTHING"
"""A method that nobody sends: waits for an answer that the capture does not hold."""
MOST_WAIT_MS = 32000.0
SHORT_WAIT_MS = 1000.0


@dataclass(slots=True)
class _Exchange:
    """What the steps know of an exchange."""

    exchange: Exchange
    prefix: str
    """Of its variables: invite, invite2, bye, ..."""
    step: int = -1
    """Of its request."""
    saved: set[str] = field(default_factory=set)
    moved: bool = False
    """Since the request was sent `[cseq]` may have changed."""
    payloads: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Builder:
    unit: Unit
    names: Names
    options: LearnOptions
    draft: Draft
    exchanges: list[_Exchange]
    tags: dict[str, int] = field(default_factory=dict)
    last_request: int = -1
    """Exchange whose request is the last message received; -1: another message is."""
    dialog_response: int = -1
    """Step of the last mandatory recv that could record the route set."""
    challenge: int = -1
    """Step of the last recv of a challenge."""
    records_route: bool = False
    clock: float = 0.0
    session: MessageText | None = None
    progress: bool = False
    sent_last: bool = False
    rtcp: dict[str, int] = field(default_factory=dict)
    """Variables that hold RTCP ports, to their distance from the media port."""
    final_steps: dict[int, int] = field(default_factory=dict)
    """Exchange to the step that receives its final response."""
    places: dict[int, int] = field(default_factory=dict)
    """`id` of a captured message to the step that receives it, unless that is optional."""

    # ---- the walk

    def build(self, media_end: float) -> Draft:
        events = self.unit.events
        self.clock = events[0].time
        position = 0
        while position < len(events):
            event = events[position]
            if event.sender == self.names.side:
                self.send(event, position)
                position += 1
            elif event.is_request:
                self.receive_request(event, position)
                position += 1
            else:
                run = self.run_of_responses(position)
                self.receive_responses(run, position + len(run))
                position += len(run)
        self.finish(media_end)
        return self.draft

    def add(self, step: Step) -> int:
        self.draft.steps.append(step)
        return len(self.draft.steps) - 1

    def since(self, event: Event) -> float:
        """Milliseconds since the event before, and the clock goes on."""
        delay, self.clock = (event.time - self.clock) * 1000, max(self.clock, event.time)
        return max(0.0, delay)

    def says(self, event: Event) -> str:
        captured = event.captured
        more = f" of capture {captured.capture + 1}" if captured.capture else ""
        return f"packet {captured.packet}{more}"

    # ---- sending

    def send(self, event: Event, position: int) -> None:
        delay = self.since(event)
        state = self.exchanges[event.transaction]
        message = event.captured.message
        if position and message.method != "ACK" and event.status != 100:
            self.add(Step(Pause(milliseconds=0, comment=f"until {self.says(event)}"), delay_ms=delay, time=event.time))
        sending = Sending(message, self.names)
        if event.is_request:
            self.prepare_request(sending, event, state)
        else:
            self.prepare_response(sending, event, state)
        sent = rewrite(sending)
        element = Send(text="", comment=self.says(event), retrans_ms=self.retransmits(event, position))
        step = self.add(Step(element, sent.text, time=event.time, sdp=sent.has_sdp))
        self.draft.notes += [note for note in dict.fromkeys(sent.notes) if note not in self.draft.notes]
        if sent.has_sdp:
            self.session = sent.text
        state.payloads |= sent.payload_variables
        self.rtcp |= sent.rtcp_variables
        if event.is_request and message.method != "ACK":
            state.step = step
            if message.method != "CANCEL":
                for other in self.exchanges:
                    other.moved |= other is not state and other.step >= 0
        self.sent_last = True

    def retransmits(self, event: Event, position: int) -> int:
        """T1 if the message is repeated until an answer comes, which the next step must then be."""
        events = self.unit.events
        following = events[position + 1] if position + 1 < len(events) else None
        exchange = self.exchanges[event.transaction].exchange
        if following is None:
            return RETRANS_MS if event.is_request and exchange.retransmitted and exchange.final is None else 0
        if following.sender == self.names.side:
            return 0
        if event.is_request:
            return 0 if event.method == "ACK" or event.captured.message.method == "ACK" else RETRANS_MS
        reliable = event.captured.message.get("rseq") is not None and following.method == "PRACK"
        acknowledged = exchange.method == "INVITE" and event.status >= 200 and exchange.ack is not None
        return RETRANS_MS if reliable or acknowledged else 0

    def prepare_request(self, sending: Sending, event: Event, state: _Exchange) -> None:
        message = event.captured.message
        caller = self.names.side == CALLER
        sending.own_tag = self.tag(message.from_tag)
        sending.to_tag = bool(message.to_tag)
        inside = bool(message.to_tag)
        if message.method in ("ACK", "CANCEL"):
            final = state.exchange.final
            invite = state if message.method == "ACK" else self.pending_invite(event)
            sending.cseq = self.cseq_of(invite)
            if message.method == "CANCEL" or (final is not None and final.status >= 300):
                # Same branch, Request-URI and route as the INVITE (RFC 3261 9.1, 17.1.1.3).
                if invite is not None and invite.step >= 0:
                    sending.branch = BranchOf(invite.step)
                    inside = bool(invite.exchange.request.captured.message.to_tag)
                else:
                    inside = False
        if caller:
            if inside and self.knows_route():
                sending.target, sending.routes = (Live("[next_url]"),), True
        else:
            self.speak_as_callee(sending, message)
        sending.credentials = self.credentials(message)
        self.flow_into_request(sending, message)

    def speak_as_callee(self, sending: Sending, message: Message) -> None:
        """A request of the answering side: `[last_From]` and `[last_To]` cannot be swapped, so they were saved."""
        first = self.exchanges[0]
        if first.step < 0:
            return
        first.saved |= {"from", "to"}
        tagged = bool(first.exchange.request.captured.message.to_tag)
        own: Piece = Live("" if tagged or not sending.own_tag else f";tag={sending.own_tag}")
        sending.me = (Live(f"[${first.prefix}_to]"), own)
        sending.peer = (Live(f"[${first.prefix}_from]"),)
        element = self.draft.steps[first.step].element
        if isinstance(element, Recv):
            element.rrs = True
            sending.target, sending.routes = (Live("[next_url]"),), True

    def pending_invite(self, event: Event) -> _Exchange | None:
        """The INVITE that a CANCEL ends."""
        number = event.captured.message.cseq_number
        for state in reversed(self.exchanges[: event.transaction]):
            exchange = state.exchange
            same = exchange.request.captured.message.cseq_number == number
            if exchange.method == "INVITE" and exchange.sender == event.sender and same:
                return state
        return None

    def cseq_of(self, state: _Exchange | None) -> str:
        """The CSeq number of a request already sent: SIPp's counter, or what was kept if that has moved on."""
        if state is None or not state.moved or state.step < 0:
            return "[cseq]"
        variable = f"{state.prefix}_cseq"
        actions = self.draft.steps[state.step].element.actions
        if not actions:
            actions.append(variables.sent_cseq(variable))
        return f"[${variable}]"

    def knows_route(self) -> bool:
        """Whether a response recorded the route set; the last one that could is told to."""
        if not self.records_route and self.dialog_response >= 0:
            element = self.draft.steps[self.dialog_response].element
            assert isinstance(element, Recv)
            element.rrs = self.records_route = True
        return self.records_route

    def credentials(self, message: Message) -> tuple[Column, Column] | None:
        """The columns for `[authentication]`, if a challenge came before."""
        value = message.get("authorization") or message.get("proxy-authorization")
        if value is None or self.challenge < 0 or message.method in ("ACK", "CANCEL"):
            return None
        element = self.draft.steps[self.challenge].element
        assert isinstance(element, Recv)
        element.auth = True
        user = (parse_parameters(value.partition(" ")[2].replace(",", ";")).get("username") or "").strip('"')
        columns = self.names.parties.columns
        if "auth_user" not in columns:
            plain = injectable(user) and not set(user) & set('"\\[]')
            columns["auth_user"] = user if user and plain else "user"
            columns["auth_password"] = "password"
        return Column("auth_user", columns["auth_user"]), Column("auth_password", columns["auth_password"])

    def flow_into_request(self, sending: Sending, message: Message) -> None:
        """Values that a response gave and a request gives back: RAck (RFC 3262), SIP-If-Match (RFC 3903)."""
        if message.method == "PRACK" and message.get("rack") and self.dialog_response >= 0:
            invite = next((s for s in self.exchanges if s.exchange.method == "INVITE" and s.step >= 0), None)
            if invite is not None:
                self.keep(self.dialog_response, "rseq", variables.header_value("RSeq", "rseq"))
                invite.moved = True
                sending.values["rack"] = f"[$rseq] {self.cseq_of(invite)} INVITE"
        tag = message.get("sip-if-match")
        if tag:
            for number, state in enumerate(self.exchanges):
                final = state.exchange.final
                if final is not None and final.captured.message.get("sip-etag") == tag:
                    place = self.final_steps.get(number)
                    if place is not None:
                        self.keep(place, "etag", variables.header_value("SIP-ETag", "etag"))
                        sending.values["sip-if-match"] = "[$etag]"

    def keep(self, step: int, variable: str, action: Action) -> None:
        actions = self.draft.steps[step].element.actions
        if action not in actions:
            actions.append(action)

    # ---- responses of this side

    def prepare_response(self, sending: Sending, event: Event, state: _Exchange) -> None:
        asked = state.exchange.request.captured.message
        message = event.captured.message
        sending.answered = asked
        if not asked.to_tag and message.to_tag and event.status > 100:
            sending.own_tag = self.tag(message.to_tag)
        rang = any(100 < r.status < 200 for r in state.exchange.responses)
        late = state.exchange.method == "INVITE" and not asked.to_tag and event.status >= 200 and rang
        if self.last_request != event.transaction or late:
            # Anything may arrive while a call rings, and `[last_*]` would be of that.
            sending.saved = state.prefix
            state.saved |= {"via", "from", "to", "cseq"}
            if 101 <= event.status < 300 and asked.method in ("INVITE", "SUBSCRIBE", "REFER") and not asked.to_tag:
                state.saved.add("routes")
        sending.live_offer = asked.method in ("INVITE", "UPDATE") and bool(asked.body)
        for name, value in message.headers:
            lower = name.lower()
            copied = lower.startswith("x-") or lower in ("session-id", "p-charging-vector", "timestamp")
            plain = name.isascii() and name.replace("-", "").isalnum()
            if copied and plain and not sending.saved and value == asked.get(name) and len(value) >= 8:
                sending.values[lower] = f"[last_{name}:]"

    def tag(self, captured: str) -> str:
        """The live tag for a captured one: the same for the same, another for another."""
        if not captured:
            return ""
        number = self.tags.setdefault(captured, len(self.tags))
        more = f"-{number + 1}" if number else ""
        return f"{self.names.role}[pid]-[call_number]{more}"

    # ---- receiving

    def receive_request(self, event: Event, position: int) -> None:
        delay = self.since(event)
        state = self.exchanges[event.transaction]
        method = event.captured.message.method
        step = self.add(
            Step(Recv(request=method, comment=self.says(event)), delay_ms=delay, time=event.time, sdp=has_sdp(event))
        )
        self.places[id(event.captured)] = step
        self.sent_last = False
        if method == "ACK":
            self.last_request = -1
            self.may_be_lost(step, state, position)
            return
        state.step = step
        self.last_request = event.transaction
        for other in self.exchanges:
            other.moved |= other is not state and other.step >= 0

    def may_be_lost(self, step: int, state: _Exchange, position: int) -> None:
        """The ACK of a rejection is sent once: if it is lost, the caller's next request stands for it."""
        events = self.unit.events
        following = events[position + 1] if position + 1 < len(events) else None
        final = state.exchange.final
        rejected = final is not None and final.status >= 300
        element = self.draft.steps[step].element
        if rejected and following is not None and following.is_request and following.sender != self.names.side:
            assert isinstance(element, Recv)
            element.optional = "true"

    def run_of_responses(self, position: int) -> list[Event]:
        """Consecutive responses to one request, up to and with the final one."""
        events = self.unit.events
        run = [events[position]]
        for event in events[position + 1 :]:
            same = event.transaction == run[0].transaction and event.sender == run[0].sender
            if run[-1].status >= 200 or event.is_request or not same:
                break
            run.append(event)
        return run

    def receive_responses(self, run: list[Event], after: int) -> None:
        state = self.exchanges[run[0].transaction]
        invite = state.exchange.method == "INVITE"
        events = self.unit.events
        following = events[after] if after < len(events) else None
        waits_for_more = following is not None and following.sender != self.names.side
        final = run[-1] if run[-1].status >= 200 else None
        last = run[-1]
        if final is None and not waits_for_more and last.status == 100:
            last = next((e for e in reversed(run) if e.status > 100), last)
        delays = {event.captured.packet: self.since(event) for event in run}
        mandatory = last if final is not None or not waits_for_more else None
        captured = {e.status: e for e in run if mandatory is None or e.status != mandatory.status}
        codes = [str(code) for code in captured]
        if invite and (final is not None or waits_for_more):
            more = [c for c in PROVISIONAL if c not in codes and not (mandatory and c == str(mandatory.status))]
            codes = sorted([*codes, *more], key=lambda c: c != "100")
        cancels = final is None and following is not None and following.captured.message.method == "CANCEL"
        label = ""
        if cancels and mandatory is not None:
            label = f"{state.prefix}_progress"
            codes += [c for c in PROVISIONAL if c not in codes and c != str(mandatory.status)]
        self.progress |= final is None
        for code in codes:
            event = captured.get(int(code))
            element = Recv(response=code, optional="true", next=label if label and code != "100" else "")
            element.comment = self.says(event) if event else ""
            self.add(
                Step(element, delay_ms=sum(delays.values()), time=event.time if event else 0.0, extra=event is None)
            )
        if mandatory is not None:
            self.receive_mandatory(mandatory, state, sum(delays.values()))
        if label:
            self.draft.labels.append((label, len(self.draft.steps)))
        self.last_request = -1
        self.sent_last = False

    def receive_mandatory(self, event: Event, state: _Exchange, delay: float) -> None:
        message = event.captured.message
        element = Recv(response=str(event.status), comment=self.says(event))
        step = self.add(Step(element, delay_ms=delay, time=event.time, sdp=has_sdp(event)))
        self.places[id(event.captured)] = step
        if 100 < event.status < 300 and message.to_tag and state.exchange.method in ("INVITE", "SUBSCRIBE", "REFER"):
            self.dialog_response = step
        if event.status in (401, 407) and (message.get("www-authenticate") or message.get("proxy-authenticate")):
            self.challenge = step
        if event.status >= 200:
            self.final_steps[event.transaction] = step

    # ---- the end

    def finish(self, media_end: float) -> None:
        unit, draft = self.unit, self.draft
        invites = [e for e in unit.exchanges if e.method == "INVITE"]
        self.wait_for_nothing()
        answered = any(e.final is not None and e.final.status < 300 for e in invites)
        ended = any(e.method in ("BYE", "CANCEL") for e in unit.exchanges)
        if answered and not ended:
            hold = max(0.0, media_end - self.clock) * 1000
            draft.steps.append(Step(Pause(milliseconds=0, comment="the capture ends here"), delay_ms=hold))
        self.save_headers()
        follow_contact(unit, self.names.side, draft, self.places)
        self.set_rtcp_ports()
        self.leave_main()
        draft.main_end = len(draft.steps)
        mine = {e.method for e in unit.exchanges if e.sender == self.names.side}
        theirs = {e.method for e in unit.exchanges if e.sender != self.names.side}
        add_handler(
            draft,
            invite=answered,
            session=self.session,
            late=(*PROVISIONAL, "200") if "CANCEL" in mine else PROVISIONAL if self.progress else (),
            acks="INVITE" in theirs,
            methods=theirs,
        )
        wait = float(self.options.timewait_ms)
        if not self.sent_last:
            wait = min(wait, SHORT_WAIT_MS)
        last_event = unit.events[-1]
        if last_event.is_request and last_event.sender != self.names.side and last_event.method != "ACK":
            # The other side waits for an answer that never comes; over TCP it must find us there as long.
            wait += self.window(last_event)
        add_end(draft, wait)

    def window(self, event: Event) -> float:
        """For how many milliseconds the capture shows that a request stays without an answer."""
        return max(500.0, min(MOST_WAIT_MS, self.options.paced_ms((self.unit.end - event.time) * 1000)))

    def wait_for_nothing(self) -> None:
        """A request of this side that the capture shows no answer to: none is waited for, for as long as was seen."""
        state = self.exchanges[self.unit.events[-1].transaction]
        if state.exchange.sender != self.names.side or self.unit.events[-1] is not state.exchange.request:
            return
        element = Recv(request=NEVER, timeout_ms=round(self.window(state.exchange.request)), ontimeout=END)
        element.comment = "The capture shows no answer: none is expected."
        self.add(Step(element, extra=True))
        last = self.draft.steps[state.step].element
        if isinstance(last, Send) and last.retrans_ms:
            last.ontimeout = END

    def save_headers(self) -> None:
        """Give the recv of each request the actions that keep what is needed of it."""
        for number, state in enumerate(self.exchanges):
            if state.step < 0 or state.exchange.sender == self.names.side:
                continue
            actions = self.draft.steps[state.step].element.actions
            if number == 0 and self.names.wants_callee:
                actions.append(variables.request_user())
            actions += variables.saved_headers(state.prefix, state.saved)
            for variable, (payload_type, codec) in state.payloads.items():
                actions += variables.live_payload(variable, payload_type, codec)

    def set_rtcp_ports(self) -> None:
        """Before the first SDP goes out: in a step of its own, or with the first message that comes in."""
        actions = [a for variable, offset in self.rtcp.items() for a in variables.rtcp_port(variable, offset)]
        first = self.draft.steps[0].element
        if not actions:
            return
        if isinstance(first, Recv | Nop):
            first.actions += actions
        else:
            self.draft.shift(Step(Nop(actions=actions), extra=True))

    def leave_main(self) -> None:
        """Jump over the handler."""
        last = self.draft.steps[-1].element
        if isinstance(last, Recv) and last.request == NEVER:
            return
        plain = not last.next and not last.ontimeout and isinstance(last, Recv | Send)
        if plain and getattr(last, "optional", "false") == "false":
            last.next = END
        else:
            self.add(Step(Nop(next=END), extra=True))


def has_sdp(event: Event) -> bool:
    """Whether the message carries SDP."""
    message = event.captured.message
    return sdp_body(message) is not None


def build_draft(unit: Unit, parties: Parties, role: str, options: LearnOptions, media_end: float = 0.0) -> Draft:
    """The steps of one side of a unit. `media_end`: time of its last RTP packet."""
    counts: dict[str, int] = {}
    states = []
    for exchange in unit.exchanges:
        word = "".join(c for c in exchange.method.lower() if c.isalnum())[:20] or "request"
        counts[word] = counts.get(word, 0) + 1
        states.append(_Exchange(exchange, word + (str(counts[word]) if counts[word] > 1 else "")))
    builder = _Builder(unit, Names(parties, role), options, Draft(role), states)
    draft = builder.build(media_end)
    for note in unit.notes:
        if note not in draft.notes:
            draft.notes.append(note)
    return draft
