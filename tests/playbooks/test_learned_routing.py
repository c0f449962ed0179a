"""Learned scenarios past a proxy, in our engine: every message arrives where the live Contact says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.process import EngineProcess
from sipreplay.testing import Playbook
from tests.learn.flows import ANSWER, SDP, Learned, Talk, basic_call, learned, past_proxy

PROXY = ("127.0.0.1", 5070)
"""A playbook's peer, where the first request goes to and comes from."""


def play(made: Learned, name: str, **settings: object) -> Playbook:
    injections = {path.name: path.read_text() for path in made.folder.glob("*.csv")}
    return Playbook(made.text(f"{name}.xml"), injections=injections, **settings)


def callee_ends() -> Talk:
    talk = Talk()
    talk.request(0.0, "INVITE", 1, body=SDP)
    talk.response(0.3, 200, 1, "INVITE", body=ANSWER)
    talk.request(0.31, "ACK", 1)
    talk.request(1.0, "BYE", 71, up=True)
    talk.response(1.05, 200, 71, "BYE", up=False)
    return past_proxy(talk)


@pytest.mark.parametrize(
    ("contact", "address"),
    [
        ("<sip:bob@127.0.0.9:5091;ob>;q=1", ("127.0.0.9", 5091)),
        ("sip:bob@127.0.0.9;q=1", ("127.0.0.9", 5060)),
        ('"B <sip:x@127.0.0.8>" <sip:127.0.0.9:5092>', ("127.0.0.9", 5092)),
        ("<sip:bob@[::1]:5093>", ("::1", 5093)),
        ("<sip:bob@[::1];x=y>", ("::1", 5060)),
    ],
)
def test_ack_and_bye_of_a_learned_caller_go_to_the_contact(
    tmp_path: Path, contact: str, address: tuple[str, int]
) -> None:
    conversation = play(learned(tmp_path, [past_proxy(basic_call())]), "invite-bye-uac")
    assert conversation.expects("INVITE").destination == PROXY
    conversation.replies("180 Ringing", headers={"Contact": "<sip:early@127.0.0.7:5095>"})
    conversation.replies("200 OK", headers={"Contact": contact}, body=ANSWER)
    assert conversation.expects("ACK").destination == address
    assert conversation.expects("BYE").destination == address
    conversation.replies("200 OK")
    conversation.ended(successful=1)


def test_a_repeated_answer_gets_its_ack_at_the_contact_too(tmp_path: Path) -> None:
    conversation = play(learned(tmp_path, [past_proxy(basic_call())]), "invite-bye-uac")
    conversation.expects("INVITE")
    conversation.replies("200 OK", headers={"Contact": "<sip:bob@127.0.0.9:5091>"}, body=ANSWER)
    conversation.expects("ACK")
    conversation.again()
    assert conversation.expects("ACK").destination == ("127.0.0.9", 5091)


def test_a_learned_callee_answers_the_proxy_and_then_the_caller_itself(tmp_path: Path) -> None:
    conversation = play(learned(tmp_path, [past_proxy(basic_call())]), "invite-bye-2-uas", remote=None)
    conversation.requests("INVITE", headers={"Contact": "<sip:alice@127.0.0.9:5091>"}, body=SDP)
    for word in ("100", "180", "200"):
        assert conversation.expects(word).destination == PROXY
    conversation.requests("ACK", cseq=101)
    conversation.requests("BYE")
    assert conversation.expects("200").destination == ("127.0.0.9", 5091)
    conversation.ended(successful=1)


def test_a_bye_of_a_learned_callee_goes_to_the_contact_of_the_invite(tmp_path: Path) -> None:
    conversation = play(learned(tmp_path, [callee_ends()]), "invite-bye-callee-2-uas", remote=None)
    conversation.requests("INVITE", headers={"Contact": "<sip:alice@127.0.0.9:5091>"}, body=SDP)
    assert conversation.expects("200").destination == PROXY
    conversation.requests("ACK", cseq=101)
    bye = conversation.expects("BYE")
    assert bye.destination == ("127.0.0.9", 5091)
    assert bye.message.request_uri == "sip:alice@127.0.0.9:5091"
    conversation.replies("200 OK")
    conversation.ended(successful=1)


def test_a_caller_whose_callee_hangs_up_answers_it_directly(tmp_path: Path) -> None:
    conversation = play(learned(tmp_path, [callee_ends()]), "invite-bye-callee-uac")
    conversation.expects("INVITE")
    conversation.replies("200 OK", headers={"Contact": "<sip:bob@127.0.0.9:5091>"}, body=ANSWER)
    conversation.expects("ACK")
    conversation.requests("BYE")
    assert conversation.expects("200").destination == ("127.0.0.9", 5091)
    conversation.ended(successful=1)


def test_a_contact_in_a_network_that_is_not_allowed_fails_the_call_and_names_the_option(tmp_path: Path) -> None:
    made = learned(tmp_path, [past_proxy(basic_call())])
    conversation = play(made, "invite-bye-uac")
    conversation.expects("INVITE")
    conversation.replies("200 OK", headers={"Contact": "<sip:bob@198.51.100.9:5091>"}, body=ANSWER)
    # What releases the peer goes where the run may send.
    assert [conversation.expects(word).destination for word in ("ACK", "BYE")] == [PROXY, PROXY]
    statistics = conversation.ended(failed=1)
    assert "--allow-net 198.51.100.9" in next(iter(statistics.examples.values())).got
    allowed = play(made, "invite-bye-uac", allow_net=["198.51.100.0/24"])
    allowed.expects("INVITE")
    allowed.replies("200 OK", headers={"Contact": "<sip:bob@198.51.100.9:5091>"}, body=ANSWER)
    assert allowed.expects("ACK").destination == ("198.51.100.9", 5091)


def answer(request: bytes, start: bytes, contact: str, body: str = "") -> bytes:
    """A response of a peer of flesh and sockets."""
    kept = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")
    lines = [line for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] if line.lower().startswith(kept)]
    tagged = [line + b";tag=b" if line.lower().startswith(b"to:") and b"tag=" not in line else line for line in lines]
    more = [f"Contact: <sip:bob@{contact}>".encode(), f"Content-Length: {len(body)}".encode()]
    kind = [b"Content-Type: application/sdp"] if body else []
    return b"\r\n".join([b"SIP/2.0 " + start, *tagged, *kind, *more]) + b"\r\n\r\n" + body.encode()


def test_three_addresses_on_the_wire(tmp_path: Path) -> None:
    made = learned(tmp_path, [past_proxy(basic_call())])
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as proxy,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as callee,
    ):
        proxy.bind(("127.0.0.2", 0))
        callee.bind(("127.0.0.3", 0))
        for peer in (proxy, callee):
            peer.settimeout(20)
        config = EngineConfig(
            made.folder / "invite-bye-uac.xml",
            injection=[made.folder / "invite-bye.csv"],
            local_ip="127.0.0.4",
            local_port=0,
            remote=proxy.getsockname(),
            calls=1,
            max_pause_ms=200,
        )
        with EngineProcess(config) as caller:
            invite, source = proxy.recvfrom(65536)
            contact = "{}:{}".format(*callee.getsockname())
            sdp = ANSWER.replace("203.0.113.9", "127.0.0.3")
            proxy.sendto(answer(invite, b"200 OK", contact, sdp), source)
            ack, ack_source = callee.recvfrom(65536)
            bye, _ = callee.recvfrom(65536)
            callee.sendto(answer(bye, b"200 OK", contact), source)
            result = caller.result(30)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.recv(65536)
    assert (ack.split()[0], bye.split()[0], ack_source) == (b"ACK", b"BYE", source)
    assert (result.statistics.successful, result.statistics.failed) == (1, 0)
