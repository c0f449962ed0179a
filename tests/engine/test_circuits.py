"""TDM circuits: names as SIPp prints them, each taken once."""

from random import Random

import pytest

from sipreplay.engine.circuits import Circuits
from sipreplay.errors import UsageError


def test_every_circuit_is_handed_out_once_and_again_when_it_is_free() -> None:
    circuits = Circuits("{0-1}{99}{5-6}{1-2}")
    random = Random(1)
    names = [circuits.take(random) for _ in range(8)]
    assert sorted(names) == [b"%d.99.%d/%d" % (a, b, c) for a in (0, 1) for b in (5, 6) for c in (1, 2)]
    assert circuits.take(random) == b""
    circuits.release(b"1.99.5/2")
    assert circuits.take(random) == b"1.99.5/2"


@pytest.mark.parametrize(
    "text", ["", "{0-3}", "{3-0}{99}{5-8}{1-31}", "{0-99}{1}{0-99}{0-99}", "{0-3}{99}{5-8}{1-31}x"]
)
def test_a_map_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="-tdmmap"):
        Circuits(text)
