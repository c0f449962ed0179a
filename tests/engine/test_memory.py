"""An engine runs without a garbage collector: calls must leave no cycles, and little else."""

from __future__ import annotations

import gc

from sipreplay.engine.call import Call
from sipreplay.testing import Network


def test_calls_leave_no_cycles() -> None:
    network = Network(loss=0.02, seed=5)
    uas = network.engine("uas", port=5062, dead_call_wait_ms=1000)
    uac = network.engine("uac", port=5061, remote=uas, calls=300, rate_cps=100, pause_ms=50, dead_call_wait_ms=1000)
    gc.collect()
    gc.disable()
    try:
        network.run()
        network.run_for(40)
        for engine in (uac, uas):
            engine.advance(network.clock.now())
        alive = sum(isinstance(thing, Call) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive == 0


def test_what_peers_send_is_remembered_within_bounds() -> None:
    from sipreplay.engine.engine import MEMO_LIMIT
    from sipreplay.testing import Playbook

    play = Playbook("uac", abort_unexpected=False)
    invite = play.expects("INVITE")
    for number in range(3 * MEMO_LIMIT):
        play.replies("499 No", to=invite, headers={"X": str(number)})
        play.requests(f"METHOD{number}")
    assert all(len(state) <= MEMO_LIMIT for state in play.engine.memo)
