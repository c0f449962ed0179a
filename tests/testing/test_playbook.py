from __future__ import annotations

import doctest

import pytest

import sipreplay.testing
from sipreplay.testing import Network, Playbook, PlaybookError, VirtualClock


def test_a_wrong_message_shows_the_conversation() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("200 OK")
    with pytest.raises(PlaybookError) as caught:
        play.expects("BYE")
    text = str(caught.value)
    assert text.startswith("expected BYE, got ACK sip:service@")
    assert "engine -> INVITE sip:service@127.0.0.1:5070 SIP/2.0" in text
    assert "engine <- SIP/2.0 200 OK" in text


def test_silence_and_noise_are_told_apart() -> None:
    play = Playbook("uac", pause_ms=1000)
    with pytest.raises(PlaybookError, match="nothing was sent"):
        Playbook("uas").expects("200")
    play.expects("INVITE")
    with pytest.raises(PlaybookError, match="expected silence for 1 s"):
        play.silent_for(1)


def test_the_count_of_calls_is_checked() -> None:
    play = Playbook("uac")
    play.expects("INVITE")
    play.replies("404 Not Found")
    play.expects("ACK")
    with pytest.raises(PlaybookError, match="expected 1 successful and 0 failed"):
        play.ended(successful=1)


def test_the_example_of_the_documentation_runs() -> None:
    text = sipreplay.testing.__doc__ or ""
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    source = "\n".join(lines) + "\ntest_caller_hangs_up()\n"
    assert "network.run()" in source
    exec(compile(source, "example", "exec"), {})
    assert doctest.testmod(sipreplay.testing).failed == 0


def test_a_network_is_the_same_every_time() -> None:
    def words() -> list[tuple[float, str]]:
        network = Network(loss=0.1, duplication=0.1, reordering=0.1, seed=11)
        uas = network.engine("uas", port=5062)
        network.engine("uac", port=5061, remote=uas, calls=30, rate_cps=20)
        network.run()
        return [(packet.time, packet.word) for packet in network.packets]

    assert words() == words()


def test_a_run_that_does_not_end_is_told() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    network.engine("uac", port=5061, remote=uas, rate_cps=1)
    with pytest.raises(AssertionError, match="not done after 5"):
        network.run(5)


def test_the_clock_does_not_go_back() -> None:
    clock = VirtualClock()
    clock.advance(2)
    clock.jump(clock.now() - 1)
    assert clock.now() == 1002.0
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
