"""What is a copy, batch after batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sipreplay.analysis.copies import CopyFilter
from sipreplay.capture.columns import RtpColumns

MS = 1_000_000


def columns(packets):
    """`packets`: (sequence, milliseconds) or with changed fields: (sequence, milliseconds, {name: value})."""
    count = len(packets)
    made = {
        name: np.array([(packet[2] if len(packet) > 2 else {}).get(name, value) for packet in packets])
        for name, value in {"ident": 7, "checksum": 9, "length": 172, "second": 0}.items()
    }
    sequence = np.array([packet[0] for packet in packets], np.uint16)
    return RtpColumns(
        buffer=np.zeros(0, np.uint8),
        packet=np.arange(count),
        time_ns=np.array([packet[1] * MS for packet in packets], np.int64),
        addresses=np.zeros(count, np.uint64),
        ports_ssrc=np.zeros(count, np.uint64),
        sequence=sequence,
        timestamp=sequence.astype(np.uint32) * 160,
        second=made["second"].astype(np.uint8),
        first=np.full(count, 0x80, np.uint8),
        ident=made["ident"].astype(np.uint16),
        checksum=made["checksum"].astype(np.uint16),
        offset=np.zeros(count, np.int64),
        length=made["length"].astype(np.int64),
    )


def kept(*batches):
    """Which packets of each batch of one stream are kept."""
    copies, out = CopyFilter(), []
    state = SimpleNamespace(packets=np.zeros(1, np.int64), _stop_sequence=np.zeros(1, np.int64))
    for batch in batches:
        rtp = columns(batch)
        places = copies.keep(np.zeros(len(batch), np.int64), np.arange(len(batch)), rtp, state)
        places = np.arange(len(batch)) if places is None else places
        out.append(places.tolist())
        if len(places):
            state.packets[0] += len(places)
            state._stop_sequence[0] = int(rtp.sequence[places[-1]])
    return out


def test_in_order_nothing_is_dropped():
    assert kept([(1, 0), (2, 20), (3, 40)], [(4, 60), (6, 100)]) == [[0, 1, 2], [0, 1]]


def test_each_twice_or_three_times():
    assert kept([(1, 0), (1, 1), (2, 20), (2, 21), (2, 22), (3, 40)]) == [[0, 2, 5]]


def test_copies_after_the_next_packet():
    assert kept([(1, 0), (2, 20), (1, 30), (3, 40), (2, 50), (3, 70)]) == [[0, 1, 3]]


def test_copies_in_the_next_batch():
    assert kept([(1, 0), (2, 20)], [(2, 21), (1, 22), (3, 40)]) == [[0, 1], [2]]
    assert kept([(1, 0)], [(2, 20)], [(1, 40), (2, 41), (3, 42)]) == [[0], [0], [2]]


def test_sequence_numbers_that_wrap():
    assert kept([(65535, 0), (65535, 1), (0, 20), (0, 21), (1, 40)]) == [[0, 2, 4]]


@pytest.mark.parametrize("change", [{"ident": 8}, {"checksum": 1}, {"length": 100}, {"second": 8}])
def test_what_differs_is_no_copy(change):
    assert kept([(1, 0), (1, 1, change), (2, 20)]) == [[0, 1, 2]]


def test_what_comes_late_is_no_copy():
    assert kept([(1, 0), (2, 20), (1, 51)]) == [[0, 1, 2]]
