from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.model import Address
from sipreplay.analysis.peers import Peer, peers
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.roles import Actor, describe_actors
from sipreplay.report.lines import plain_text
from sipreplay.report.peer_tables import actor_lines, peer_data, peer_lines

CAPTURES = Path(__file__).parents[2] / "captures"


def test_a_proxys_capture_says_who_is_who_and_how_calls_went() -> None:
    analysis = analyse([CAPTURES / "kamailio-auth-record-route.pcap"])
    actors = plain_text(actor_lines(describe_actors(analysis), 200)).splitlines()
    assert "127.0.0.20:5060" in actors[1]
    assert "proxy, registrar" in actors[1]
    assert "probably the system under test" in actors[1]
    rows = [line.split() for line in plain_text(peer_lines(peers(analysis), 200)).splitlines()[1:]]
    assert ["127.0.0.20:5060", "to", "1", "1", "100", "%"] in [row[:6] for row in rows]


def test_rates_are_never_rounded_to_a_round_number_that_they_are_not() -> None:
    peer = Peer("actor1", "10.0.0.1:5060", "to", attempts=1000, answered=999, failures={"503": 1})
    assert peer_data(peer)[4] == "99.9 %"
    assert "1 × 503" in plain_text(peer_lines([peer], 160))
    assert peer_data(Peer("actor1", "10.0.0.1:5060", "to"))[4] == "-"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_many_fit_the_width_and_are_counted(width: int) -> None:
    actors = [Actor(f"actor{n}", [Address("10.0.0.1", n)], ["UAC"], "\x1b[31m" * 20) for n in range(60)]
    rows = [Peer(f"actor{n}", f"10.0.0.{n}:5060", "to", attempts=n) for n in range(60)]
    text = plain_text([*actor_lines(actors, width), *peer_lines(rows, width)])
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert "and 48 more actors: --all" in text
    assert "and 44 more peers: --all" in text
    assert "more" not in plain_text([*actor_lines(actors, width, None), *peer_lines(rows, width, None)])
