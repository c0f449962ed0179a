"""Actors and peers as tables: who is there, in what role, and how calls to and from each went.

Text tables for the terminal, plain rows for the page. Never computes what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sipreplay.analysis.peers import Peer
from sipreplay.analysis.roles import Actor
from sipreplay.report.lines import Line, Span
from sipreplay.report.tables import Heading, table_lines
from sipreplay.report.words import count, duration_ms, duration_s, percent, plural, printable

MAX_ACTORS = 12
MAX_PEERS = 16

_ACTOR_HEADINGS = (
    Heading("actor", keep=True),
    Heading("roles", least=8),
    Heading("addresses", least=20),
    Heading("software", least=8),
    Heading("", drop=1),
)
_PEER_HEADINGS = (
    Heading("peer", least=15),
    Heading("calls", keep=True),
    Heading("tried", right=True, keep=True),
    Heading("answered", right=True, keep=True),
    Heading("ASR", right=True, keep=True),
    Heading("NER", right=True, keep=True, drop=2),
    Heading("PDD median", right=True, keep=True, drop=4),
    Heading("95 %", right=True, keep=True, drop=3),
    Heading("mean length", right=True, keep=True, drop=5),
    Heading("again", right=True, keep=True, drop=6),
    Heading("failed with", least=10),
    Heading("other dialogs", drop=1),
)


def actor_lines(actors: Sequence[Actor], width: int, limit: int | None = MAX_ACTORS) -> list[Line]:
    """The actors, those first that others call through; past `limit` a line counts the rest."""
    cells: list[list[Span]] = []
    endpoints = {"UAC", "UAS"}
    ranked = sorted(
        actors, key=lambda a: (not a.sut_likely, set(a.roles) <= endpoints)
    )  # who others call through first
    for actor in ranked[:limit]:
        shown = ", ".join(map(str, actor.addresses[:4]))
        more = f" and {count(len(actor.addresses) - 4)} more" if len(actor.addresses) > 4 else ""
        sut = f"probably the system under test: {actor.why}" if actor.sut_likely else ""
        cells.append(
            [
                (actor.id, "bold"),
                (", ".join(actor.roles), ""),
                (shown + more, ""),
                (printable(actor.agent), "dim"),
                (sut, "good"),
            ]
        )
    return table_lines(_ACTOR_HEADINGS, cells, width) + _more(len(actors) - len(cells), "actor")


def peer_lines(peers: Sequence[Peer], width: int, limit: int | None = MAX_PEERS) -> list[Line]:
    """A row for the calls to, and one for those from, each peer; past `limit` a line counts the rest."""
    cells = [
        [
            (peer.label, "bold"),
            (peer.direction, ""),
            (count(peer.attempts), ""),
            (count(peer.answered), ""),
            (_share(peer.asr), "warn" if peer.asr is not None and peer.asr < 0.5 else ""),
            (_share(peer.ner), ""),
            ("-" if peer.pdd_median_ms is None else duration_ms(peer.pdd_median_ms), ""),
            ("-" if peer.pdd_p95_ms is None else duration_ms(peer.pdd_p95_ms), ""),
            ("-" if peer.acd_s is None else duration_s(peer.acd_s), ""),
            (count(peer.retransmissions), "warn" if peer.retransmissions else ""),
            (_counted(peer.failures), "bad"),
            (_counted(peer.others), "dim"),
        ]
        for peer in peers[:limit]
    ]
    return table_lines(_PEER_HEADINGS, cells, width) + _more(len(peers) - len(cells), "peer")


def _share(value: float | None) -> str:
    return "-" if value is None else percent(round(value * 1e6), 10**6)


def _counted(counts: dict[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count(number)} × {printable(what)}" for what, number in ranked[:4]) + (
        ", ..." if len(ranked) > 4 else ""
    )


def _more(hidden: int, noun: str) -> list[Line]:
    return [[(f"  and {plural(hidden, f'more {noun}')}: --all shows them", "warn")]] if hidden > 0 else []


def actor_data(actor: Actor) -> list[Any]:
    """id, roles, addresses, software, whether it is probably the system under test and why: for the page."""
    addresses = [str(address) for address in actor.addresses[:50]]
    return [actor.id, ", ".join(actor.roles), addresses, printable(actor.agent), actor.why if actor.sut_likely else ""]


def peer_data(peer: Peer) -> list[Any]:
    """A peer's row, as text, in the order of the page's headings."""
    return [
        peer.label,
        peer.direction,
        count(peer.attempts),
        count(peer.answered),
        _share(peer.asr),
        _share(peer.ner),
        "-" if peer.pdd_median_ms is None else duration_ms(peer.pdd_median_ms),
        "-" if peer.pdd_p95_ms is None else duration_ms(peer.pdd_p95_ms),
        "-" if peer.acd_s is None else duration_s(peer.acd_s),
        count(peer.retransmissions),
        _counted(peer.failures),
        _counted(peer.others),
    ]
