"""The media process's calls: ports, legs and streams, from a client's commands to a record when the call has ended.

Sits between the command loop (`server`) and the wheel and the sweep (`sender`, `receiver`), which know nothing of
calls.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sipreplay.media import commands as op
from sipreplay.media.blocks import BLOCK, Blocks
from sipreplay.media.commands import Command, socket_address
from sipreplay.media.echo import Echo
from sipreplay.media.generate import SSRC
from sipreplay.media.lanes import Address, Send
from sipreplay.media.load import Load
from sipreplay.media.receiver import Receiver, sender_key
from sipreplay.media.record import MediaRecord
from sipreplay.media.reports import Heard, Reporter, Reporting, Sent
from sipreplay.media.results import CallMedia, MediaSummary, QualityLimits
from sipreplay.media.sender import Sender
from sipreplay.media.sources import MediaSource
from sipreplay.media.sweep import PortSocket
from sipreplay.rtp.packet import HEADER_BYTES


@dataclass(slots=True, eq=False)
class Leg:
    """A call on one RTP port."""

    port: int
    number: int
    """The receiver's number of it; -1: nothing is received for it."""
    streams: list[tuple[int, int, bool]] = field(default_factory=list)
    """(stream, port offset of its flow, whether it is `rtp_stream`'s) of what plays now."""
    checked: set[int] = field(default_factory=set)
    """Streams of bit patterns."""
    checked_packets: int = 0
    """Sent by them."""
    event_sequence: int = 0
    """Packets of digits so far: SIPp numbers them on through a call."""
    sent_packets: int = 0
    sent_bytes: int = 0
    peer: tuple[int, bytes] | None = None
    """On a shared port: (its leg, the peer's address), if that tells this call from the others."""
    shared: bool = False
    reporting: Reporting | None = None
    """RTCP of our own, once something plays."""


@dataclass(slots=True, eq=False)
class Call:
    """One call of one client."""

    number: int
    base: int
    shared: bool
    legs: dict[int, Leg] = field(default_factory=dict)
    known: bool = True
    """Whether what it received can be told from what other calls on its port received."""


@dataclass(slots=True, eq=False)
class Client:
    """One engine: an address of its own, ports on it, and calls."""

    index: int
    host: str
    rewrite: bool
    """Streams get an SSRC, sequence and timestamp of their own."""
    media: int = 1
    """RTP ports of a call that are opened before the start."""
    rates: dict[int, int] = field(default_factory=dict)
    """Clock rates in Hz of payload types that have no static one."""
    clocks: int = 0
    """The receiver's table of them."""
    ports: dict[int, PortSocket] = field(default_factory=dict)
    shared_legs: dict[int, int] = field(default_factory=dict)
    """Shared port to its leg."""
    calls: dict[tuple[int, int], Call] = field(default_factory=dict)
    """By (call number, RTP port)."""
    overflows: int = 0
    aliases: dict[int, int] = field(default_factory=dict)
    """Numbers that the engine gave to sources while it ran; -1: unusable."""
    tolerance: tuple[float, float] = (1.0, 1.0)
    """Part of an audio and of a video pattern that may be missing in its echo (SIPp: less than that)."""
    ssrc: int = SSRC
    """Of the next stream that is made, if it is not rewritten."""


class CallTable:
    """All calls of all clients, and the totals of those that ended."""

    def __init__(
        self, sender: Sender, receiver: Receiver, seed: int | None = None, record: MediaRecord | None = None
    ) -> None:
        """`record` gets what is sent."""
        self._recorder = record
        self.sender = sender
        self.receiver = receiver
        self.summary = MediaSummary()
        self.sources: list[MediaSource] = []
        self.on_record: Callable[[CallMedia], None] | None = None
        self.blocks = Blocks()
        self.echo: Echo | None = None
        self.limits = QualityLimits()
        self.reporter: Reporter | None = None
        """Sends RTCP for every call that plays on a port of its own; None: no RTCP of ours."""
        self.load = Load()
        self._random = random.Random(seed)
        self._retired: list[tuple[Leg, int]] = []
        self._ended: list[tuple[Client, Call]] = []
        self._epoch_ns = time.time_ns() - time.monotonic_ns()

    def share(self, client: Client, number: int) -> None:
        """Open a port that all calls of the client use. Raises OSError if it is busy."""
        if number in client.shared_legs:
            return
        port = client.ports.get(number) or self.blocks.bind(client.ports, client.host, number)
        leg = self.receiver.open(time.time_ns(), client.clocks, shared=True)
        client.shared_legs[number] = leg
        self.receiver.attach(port, leg)
        beside = self.blocks.port(client.ports, client.host, number + 1)
        if beside is not None and beside.leg < 0:
            self.receiver.attach(beside, leg)

    def obey(self, client: Client, command: Command) -> None:
        """Do what one command says."""
        client.overflows = max(client.overflows, command.overflows)
        operation = command.operation
        if operation == op.START:
            self._start(client, command)
        elif operation == op.OPEN:
            self._open(client, command)
        elif operation == op.CLOSE:
            self._close(client, command.call_number, command.port)
        elif operation == op.ECHO:
            self._echo(client, command)
        elif operation == op.ECHO_ALL:
            self._echo_all(client, on=bool(command.flags & op.FLAG_SEND))
        elif operation in (op.STOP, op.DIRECTION, op.RETARGET):
            call = client.calls.get((command.call_number, command.port))
            leg = call.legs.get(command.port) if call else None
            if leg is None:
                return
            if operation == op.STOP:
                self._stop(leg)
            elif operation == op.DIRECTION:
                wanted = bool(command.flags & op.FLAG_STREAM)
                for stream, _, streamed in leg.streams:
                    if streamed or not wanted:
                        self.sender.mute(stream, not command.flags & op.FLAG_SEND)
            elif command.family and command.remote_port:
                self._retarget(leg, command)
            else:
                self.summary.no_destination += 1

    def close_all(self, client: Client) -> None:
        """End all calls of a client that is gone, and free its ports."""
        for number, base in list(client.calls):
            self._close(client, number, base)
        self.settle()
        for number, leg in client.shared_legs.items():
            for port in client.ports.values():
                if port.leg == leg:
                    self._quiet(port)
                    self.receiver.detach(port)
            record = CallMedia(client.index, 0, number, shared=True)
            self.receiver.finish(leg, record)
            if record.received_packets or record.rtcp_packets or record.other_datagrams:
                self._record(record)
        client.shared_legs.clear()
        self.summary.queue_overflows += client.overflows
        client.overflows = 0

    def settle(self) -> None:
        """Bring counters up to date and turn ended calls into records."""
        self._epoch_ns = time.time_ns() - time.monotonic_ns()
        sender = self.sender
        sender.collect()
        self.load.account(sender.totals.active)
        if self.reporter is not None:
            self.reporter.turn(time.monotonic_ns() // 1000)
            self.summary.sent_reports = self.reporter.sent
        for leg, stream in self._retired:
            leg.sent_packets += int(sender.tally.sent[stream])
            leg.sent_bytes += int(sender.tally.sent_bytes[stream])
            if stream in leg.checked:
                leg.checked.remove(stream)
                leg.checked_packets += int(sender.tally.sent[stream])
            sender.free(stream)
        self._retired.clear()
        for client, call in self._ended:
            self._finish(client, call)
        self._ended.clear()

    def live(self, clients: list[Client]) -> MediaSummary:
        """Totals with what the open calls have received so far. Their loss and jitter come when they end."""
        self.settle()
        self.sender.collect()
        summary = self.summary
        totals, tally = self.sender.totals, self.sender.tally
        summary.streams, summary.active_streams, summary.peak_streams = totals.streams, totals.active, totals.peak
        summary.sent_packets, summary.sent_bytes, summary.send_errors = tally.packets, tally.bytes, totals.errors
        summary.lateness_us = tally.lateness()
        summary.echoed_packets = self.echo.packets if self.echo is not None else 0
        summary.stray_datagrams = self.receiver.strays
        summary.open_calls = sum(len({id(call) for call in client.calls.values()}) for client in clients)
        summary.receive_buffer = self.blocks.least_buffer
        load = self.load
        summary.rates, summary.run_s, summary.wait_s, summary.processes = totals.rates, load.run_s, load.wait_s, 1
        if self.sender.impairer is not None:
            summary.planted_lost = self.sender.impairer.lost
            summary.planted_reordered = self.sender.impairer.reordered
        summary.cpu_s = time.process_time()
        out = MediaSummary()
        out.merge(summary)
        out.queue_overflows += sum(client.overflows for client in clients)
        packets, size = self.receiver.live()
        out.received_packets += packets
        out.received_bytes += size
        return out

    def _open(self, client: Client, command: Command) -> None:
        base = command.port
        call = Call(command.call_number, base, shared=False)
        since_ns = command.time_ns + self._epoch_ns
        for number in (base, base + 2):
            client.calls[(call.number, number)] = call
            if number in client.ports:
                self._listen(client, call, number, since_ns)

    def _listen(self, client: Client, call: Call, number: int, since_ns: int) -> Leg:
        leg = Leg(number, self.receiver.open(since_ns, client.clocks))
        call.legs[number] = leg
        for one in (number, number + 1):
            port = client.ports.get(one)
            if port is not None and port.leg < 0:
                self.receiver.attach(port, leg.number)
        return leg

    def _start(self, client: Client, command: Command) -> None:
        if not command.family or not command.remote_port:
            self.summary.no_destination += 1
            return
        source = client.aliases.get(command.source, -1) if command.source >= op.ALIASES else command.source
        if not 0 <= source < len(self.sources):
            self.summary.unplayable += 1
            return
        number = command.port
        port = self.blocks.port(client.ports, client.host, number)
        if port is None:
            self.summary.refused_ports += 1
            return
        if (command.family == 6) != (":" in client.host):
            self.summary.no_destination += 1
            return
        call = client.calls.get((command.call_number, number))
        if call is None:
            call = client.calls[(command.call_number, number)] = Call(command.call_number, number, shared=True)
        leg = call.legs.get(number)
        if leg is None:
            leg = self._new_leg(client, call, number, command)
        streamed = bool(command.flags & op.FLAG_STREAM)
        self._stop(leg, streamed)
        address = socket_address(command)
        if leg.shared:
            self._expect(client, call, leg, address)
        self._play(client, leg, command, address, self.sources[source])

    def _new_leg(self, client: Client, call: Call, number: int, command: Command) -> Leg:
        since_ns = command.time_ns + self._epoch_ns
        if not call.shared:
            return self._listen(client, call, number, since_ns)
        if number not in client.shared_legs:
            self.share(client, number)
        leg = Leg(number, self.receiver.open(since_ns, client.clocks), shared=True)
        call.legs[number] = leg
        return leg

    def _play(self, client: Client, leg: Leg, command: Command, address: Address, source: MediaSource) -> None:
        self.summary.captured_lost += source.lost
        self.summary.captured_duplicates += source.duplicates
        rewrite = (0, 0, 0)
        flows = source.flows
        if command.flags & op.FLAG_REWRITE:
            bits = self._random.getrandbits(80)
            rewrite = (bits >> 64, bits >> 32 & 0xFFFFFFFF, bits & 0xFFFFFFFF)
            flows = source.rewritten
        elif source.ticks_per_ms or source.is_events:
            rewrite = self._numbered(client, leg, command, source)
        streamed = bool(command.flags & op.FLAG_STREAM)
        laps = -1 if command.laps == op.FOR_EVER else max(command.laps, 1)
        for flow in flows:
            port = self.blocks.port(client.ports, client.host, leg.port + flow.port_offset)
            if port is None or address[1] + flow.port_offset > 65535:
                self.summary.refused_ports += 1
                continue
            self.sender.add(flow)
            target = _beside(address, flow.port_offset)
            send: Send = port.opened.sendto
            if self._recorder is not None:
                send = self._recorder.sending(port.opened)
            stream = self.sender.start(flow, send, target, command.time_ns // 1000, rewrite, laps)
            leg.streams.append((stream, flow.port_offset, streamed))
            if source.pattern is not None:
                leg.checked.add(stream)
                self.receiver.compare(leg.number, *source.pattern)
        if self.reporter is not None and client.rewrite and not leg.shared:
            self._report(client, leg, address)

    def _report(self, client: Client, leg: Leg, address: Address) -> None:
        """Begin the reports of a leg, or send them to another address."""
        port = self.blocks.port(client.ports, client.host, leg.port + 1)
        if self.reporter is None or port is None or address[1] >= 65535:
            return
        target, send = _beside(address, 1), port.opened.sendto

        def heard() -> list[Heard]:
            # The port's turn to be swept may be seconds away, and the report answers what waits there.
            if port.leg >= 0:
                self.receiver.poll(port)
            return self.receiver.heard(leg.number)

        if leg.reporting is None:
            now_us = time.monotonic_ns() // 1000
            leg.reporting = self.reporter.begin(now_us, lambda data: send(data, target), lambda: self._sent(leg), heard)
            self.receiver.reports[leg.number] = leg.reporting
        else:
            leg.reporting.send = lambda data: send(data, target)

    def _sent(self, leg: Leg) -> Sent | None:
        """Of the stream that plays, the newest first."""
        for stream, offset, _ in reversed(leg.streams):
            packets = int(self.sender.tally.sent[stream])
            if offset or not packets:
                continue
            ssrc, ticks, due_us, payload_type = self.sender.progress(stream)
            rate = self.receiver.clock(leg.number, payload_type)
            ticks += (time.monotonic_ns() // 1000 - due_us) * rate // 1_000_000
            octets = int(self.sender.tally.sent_bytes[stream]) - HEADER_BYTES * packets
            return Sent(ssrc, ticks & 0xFFFFFFFF, packets, octets)
        return None

    def _numbered(self, client: Client, leg: Leg, command: Command, source: MediaSource) -> tuple[int, int, int]:
        """As SIPp numbers a stream that is made: an SSRC after the last one, timestamps by the clock."""
        ssrc = (client.ssrc ^ SSRC) & 0xFFFFFFFF
        client.ssrc += 1
        if source.is_events:
            sequence, leg.event_sequence = leg.event_sequence, leg.event_sequence + source.packets
            return sequence & 0xFFFF, 0, ssrc
        return 0, int(command.time_ns / 1e6 * source.ticks_per_ms) & 0xFFFFFFFF, ssrc

    def _echo(self, client: Client, command: Command) -> None:
        """Begin or end the echo of one port of a call."""
        call = client.calls.get((command.call_number, command.port))
        if call is None or self.echo is None:
            return
        port = self.blocks.port(client.ports, client.host, command.port)
        if port is None:
            self.summary.refused_ports += 1
            return
        if not command.flags & op.FLAG_SEND:
            self.echo.remove(port)
            return
        if command.port not in call.legs:
            self._new_leg(client, call, command.port, command)
        self.echo.add(port)

    def _echo_all(self, client: Client, *, on: bool) -> None:
        for number in client.shared_legs:
            port = client.ports.get(number)
            if port is not None and self.echo is not None:
                self.echo.switch(port, on)

    def _quiet(self, port: PortSocket) -> None:
        if self.echo is not None:
            self.echo.remove(port)

    def _expect(self, client: Client, call: Call, leg: Leg, address: Address) -> None:
        """On a shared port, take what comes from the peer's address for this call."""
        shared = client.shared_legs[leg.port]
        if leg.peer is not None:
            self.receiver.forget(*leg.peer, leg.number)
        leg.peer = (shared, sender_key(address))
        call.known = self.receiver.expect(shared, leg.peer[1], leg.number)

    def _retarget(self, leg: Leg, command: Command) -> None:
        address = socket_address(command)
        for stream, offset, _ in leg.streams:
            self.sender.retarget(stream, _beside(address, offset))

    def _stop(self, leg: Leg, streamed: bool | None = None) -> None:
        """End what plays: all, or only what is or is not `rtp_stream`'s."""
        kept = []
        for one in leg.streams:
            if streamed is not None and one[2] != streamed:
                kept.append(one)
                continue
            self.sender.stop(one[0])
            self._retired.append((leg, one[0]))
        leg.streams = kept

    def _close(self, client: Client, number: int, base: int) -> None:
        ended: list[Call] = []
        for port in range(base, base + BLOCK):
            call = client.calls.pop((number, port), None)
            if call is not None and call not in ended:
                ended.append(call)
        for call in ended:
            for leg in call.legs.values():
                if leg.reporting is not None:
                    leg.reporting.live = False
                self._stop(leg)
                if leg.shared:
                    self.receiver.poll(client.ports[leg.port])
                    continue
                for one in (leg.port, leg.port + 1):
                    held = client.ports.get(one)
                    if held is not None and held.leg == leg.number:
                        self._quiet(held)
                        self.receiver.detach(held)
            self._ended.append((client, call))

    def _finish(self, client: Client, call: Call) -> None:
        sent = received = 0
        for leg in call.legs.values():
            record = CallMedia(client.index, call.number, leg.port, leg.sent_packets, leg.sent_bytes, shared=leg.shared)
            if leg.checked_packets:
                self._compare(client, leg, video=leg.port != call.base)
            self.receiver.finish(leg.number, record)
            if leg.reporting is not None:
                trips = leg.reporting.round_trips_us
                self.summary.round_trip_us.record_all(trips)
                record.round_trip_ms = sum(trips) / len(trips) / 1000 if trips else 0.0
                self.receiver.reports.pop(leg.number, None)
            if leg.peer is not None:
                self.receiver.forget(*leg.peer, leg.number)
            sent += leg.sent_packets
            received += record.received_packets
            if leg.port == call.base or leg.sent_packets or record.received_packets or record.other_datagrams:
                self._record(record)
        self.summary.count_call(sent, received, known=call.known)

    def _compare(self, client: Client, leg: Leg, *, video: bool) -> None:
        """Whether enough of a pattern came back (SIPp's rtpcheck)."""
        self.receiver.analyse()
        missing = leg.checked_packets - int(self.receiver.matched[leg.number])
        self.summary.checked_streams += 1
        self.summary.failed_checks += missing >= client.tolerance[video] * leg.checked_packets

    def _record(self, record: CallMedia) -> None:
        self.summary.count_port(record, self.limits)
        if self.on_record is not None:
            self.on_record(record)


def _beside(address: Address, offset: int) -> Address:
    """The same host, `offset` ports further."""
    if len(address) == 2:
        return address[0], address[1] + offset
    return address[0], address[1] + offset, 0, address[3]
