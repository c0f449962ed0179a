"""What to say of captures in which neither SIP nor RTP was found: what they hold instead, and the likely reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sipreplay.analysis.model import Analysis
from sipreplay.capture.census import Census, take_census
from sipreplay.capture.reader import CaptureReader
from sipreplay.errors import CaptureError
from sipreplay.report.lines import Line
from sipreplay.report.words import count, plural, printable

MAX_FILES = 20
_TLS_PORTS = frozenset({443, 5061, 8443, 7443})
_SIP_PORTS = range(5060, 5090)


def nothing_lines(analysis: Analysis) -> Iterator[Line]:
    """For an analysis without calls and streams; the captures are read again, if they can be."""
    if analysis.messages:
        what = f"{plural(len(analysis.messages), 'SIP message')} without a Call-ID"
        yield [(f"  no call and no RTP stream found: {what}", "warn")]
        return
    yield [("  no SIP message and no RTP stream found", "warn")]
    for capture in analysis.captures[:MAX_FILES]:
        if not capture.packets:
            continue
        if not CaptureReader(capture.path).can_be_read_again:
            yield [(f"  {plural(capture.packets, 'packet')}: read from a file, they are counted by protocol", "dim")]
            continue
        try:
            census = take_census(capture.path)
        except CaptureError:
            continue  # told when it was read first
        if len(analysis.captures) > 1:
            yield [(f"  {printable(capture.path)}", "bold")]
        yield from _counts(census)
        for reason in _reasons(census, analysis):
            yield [(f"  → {reason}", "")]


def _counts(census: Census) -> Iterator[Line]:
    parts = [f"{count(number)} {name}{_ports(census, name)}" for name, number in census.protocols.most_common(8)]
    parts += [f"{count(number)} {name}" for name, number in census.not_ip.most_common(4)]
    yield [(f"  {plural(census.packets, 'packet')}: ", ""), ("; ".join(parts) or "none that can be told apart", "")]


def _ports(census: Census, name: str) -> str:
    found: Counter[int] = census.ports.get(name, Counter())
    top = ", ".join(f"{port} ({count(number)})" for port, number in found.most_common(4))
    return f" on port {top}" if top else ""


def _reasons(census: Census, analysis: Analysis) -> Iterator[str]:
    tcp, udp = census.ports["TCP"], census.ports["UDP"]
    on_tls = sum(number for port, number in tcp.items() if port in _TLS_PORTS)
    on_sip = sum(number for ports in (tcp, udp) for port, number in ports.items() if port in _SIP_PORTS)
    if on_tls:
        yield (
            f"{plural(on_tls, 'packet')} on TLS ports: SIP in TLS can be read with the session keys (--keylog FILE),"
            " if the capture holds the handshake"
        )
    elif analysis.tls:
        yield "TLS may hold SIP: it can be read with the session keys (--keylog FILE)"
    if census.cut:
        yield (
            f"{plural(census.cut, 'packet')} of {count(census.packets)} are cut: capture whole packets (tcpdump -s 0)"
        )
    if on_sip:
        yield (
            f"{plural(on_sip, 'packet')} on SIP's ports hold no SIP message: keep-alives, encryption, another protocol,"
            " or only the headers were captured"
        )
    if census.protocols.get("ESP"):
        yield f"{plural(census.protocols['ESP'], 'packet')} of ESP: encrypted IPsec cannot be read; capture inside it"
    if census.protocols.get("SCTP"):
        yield f"{plural(census.protocols['SCTP'], 'packet')} of SCTP: SIP over SCTP is not read"
    if not census.protocols and census.packets:
        yield "no IP: the capture may be of the wrong interface or of a link layer below"
    elif not (on_tls or on_sip or census.cut or analysis.tls):
        yield "the capture may be of the wrong interface, host or time; SIP is found on any port"
