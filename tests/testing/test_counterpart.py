"""The other side of a scenario, made from the scenario, on a virtual clock."""

from __future__ import annotations

from sipreplay.scenario.reader import read_scenario
from sipreplay.testing import Counterpart, Playbook

HEAD = "Via: SIP/2.0/UDP h;branch=[branch]\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>[peer_tag_param]\nCall-ID: [call_id]\n"


def send(method: str, attributes: str = "") -> str:
    text = f"{method} sip:c@d SIP/2.0\n{HEAD}CSeq: [cseq] {method}\nContent-Length: 0\n\n"
    return f"<send{attributes}><![CDATA[\n{text}]]></send>"


def played(elements: str, seconds: float = 3.0) -> tuple[Playbook, Counterpart, list[str]]:
    """The scenario against its counterpart; the first words of what it sent."""
    xml = f"<scenario>{elements}</scenario>"
    play = Playbook(xml, pause_ms=100)
    peer = Counterpart(read_scenario(xml, "x.xml"), "127.0.0.1:5070", pause_ms=100)
    inbox: list[bytes] = []
    play.engine.send = lambda data, address: inbox.append(data)
    peer.start(play.clock.now())
    words: list[str] = []
    for _ in range(int(seconds / 0.02)):
        play.passes(0.02)
        while inbox:
            data = inbox.pop(0)
            words.append(data.split(b" ")[0].decode())
            peer.hears(data, play.clock.now())
        for data in peer.says(play.clock.now()):
            play.sends(data)
    return play, peer, words


def test_it_answers_a_caller_to_the_end() -> None:
    call = send("INVITE") + '<recv response="180" optional="true"/><recv response="200" rrs="true"/>' + send("ACK")
    play, peer, words = played(call + "<pause/>" + send("BYE") + '<recv response="200"/>')
    assert words == ["INVITE", "ACK", "BYE"]
    assert peer.ended
    assert peer.problems == []
    play.ended(successful=1)


def test_it_calls_who_waits_and_hangs_up_after_the_pause() -> None:
    lines = "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n\n"
    answer = f"<send><![CDATA[\n{lines}]]></send>"
    play, peer, words = played(
        '<recv request="INVITE"/>' + answer + '<recv request="ACK"/><pause/><recv request="BYE"/>' + answer
    )
    assert words == ["SIP/2.0", "SIP/2.0"]
    assert peer.ended
    play.ended(successful=1)


def test_what_it_hears_decides_where_a_test_does() -> None:
    loop = (
        '<label id="again"/>' + send("INFO") + '<recv response="200" next="again" test="more"><action>'
        '<add assign_to="n" value="1"/><test assign_to="more" variable="n" compare="less_than" value="3"/>'
        "</action></recv>" + send("BYE") + '<recv response="200"/>'
    )
    play, peer, words = played(loop)
    assert words == ["INFO", "INFO", "INFO", "BYE"]
    assert peer.problems == []
    play.ended(successful=1)


def test_a_challenge_comes_where_the_scenario_expects_one() -> None:
    register = send("REGISTER") + '<recv response="401" auth="true"/>'
    again = send("REGISTER").replace("Content-Length", "[authentication username=a password=b]\nContent-Length")
    play, _, words = played(register + again + '<recv response="200"/>')
    assert words == ["REGISTER", "REGISTER"]
    play.ended(successful=1)


def test_a_message_that_does_not_belong_there_is_a_problem() -> None:
    peer = Counterpart(read_scenario(f"<scenario>{send('OPTIONS')}</scenario>", "x.xml"), "127.0.0.1:5070")
    peer.start(0.0)
    peer.hears(b"INVITE sip:x SIP/2.0\r\nCall-ID: 1\r\n\r\n", 0.0)
    assert peer.problems == ["INVITE is not sent here"]
    assert not peer.ended
