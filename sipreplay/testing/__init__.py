"""Tools to test call flows in milliseconds: a virtual clock, a network in memory, and playbooks.

A playbook talks to one engine as its peer, on a clock that jumps over every wait:

    from sipreplay.testing import Playbook

    def test_caller_hangs_up():
        play = Playbook("uac", pause_ms=60_000)
        play.expects("INVITE")
        play.replies("180 Ringing")
        play.replies("200 OK")
        play.expects("ACK")
        play.expects("BYE", within_s=61)
        play.replies("200 OK")
        play.ended(successful=1)

A network connects engines with each other, with delay, loss, copies and disorder from a seed:

    from sipreplay.testing import Network

    network = Network(delay_s=0.02, loss=0.01, seed=7)
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, calls=100, rate_cps=50)
    network.run()
    assert uac.statistics.successful == 100

A counterpart is the other side of a scenario, made from it: it sends what the scenario expects.
"""

from sipreplay.testing.build import build_engine
from sipreplay.testing.clock import VirtualClock
from sipreplay.testing.counterpart import Counterpart
from sipreplay.testing.network import Network
from sipreplay.testing.playbook import Playbook, PlaybookError, Seen

__all__ = ["Counterpart", "Network", "Playbook", "PlaybookError", "Seen", "VirtualClock", "build_engine"]
