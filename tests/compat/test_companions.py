"""Scenarios beside the main one: for requests outside of any call (-oocsn), for calls that come in (-rxsf)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sipreplay.scenario.builtin import builtin
from tests.compat.test_keys import free_port, started, udp

REQUEST = (
    "{method} sip:a@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bK{cseq}{method}\r\n"
    "From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
    "Contact: <sip:b@{peer}>\r\nContent-Length: 0\r\n\r\n"
)


class Peer:
    """A peer that a client calls, and that calls back."""

    def __init__(self, folder: Path, words: str) -> None:
        self.sock = udp()
        self.sock.settimeout(20)
        self.name = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.process = started(
            folder, f"-sn uac {self.name} -nostdin -cp {free_port()} {words}", stdout=subprocess.DEVNULL
        )
        self.invite, self.address = self.sock.recvfrom(65536)
        assert self.invite.startswith(b"INVITE")

    def asks(self, method: str, call_id: str, cseq: int) -> None:
        text = REQUEST.format(method=method, port=self.address[1], peer=self.name, call_id=call_id, cseq=cseq)
        self.sock.sendto(text.encode(), self.address)

    def hears(self, call_id: str) -> bytes:
        """The first line of the next message of a call."""
        while True:
            data = self.sock.recv(65536)
            if f"Call-ID: {call_id}\r\n".encode() in data:
                return data.partition(b"\r\n")[0]

    def answers(self) -> None:
        """200 to the INVITE."""
        copied = [line for line in self.invite.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"C"))]
        kept = [line for line in copied if line[:8] not in (b"Contact:", b"Content-")]
        self.sock.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]), self.address)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.sock.close()


def test_calls_come_in_while_others_go_out(tmp_path: Path) -> None:
    (tmp_path / "rx.xml").write_text(builtin("uas").replace('milliseconds="4000"', 'milliseconds="100"'))
    peer = Peer(tmp_path, "-m 1 -rxsf rx.xml -recv_timeout 15s -trace_err -error_file e.log")
    try:
        peer.asks("INVITE", "incoming", 1)
        assert peer.hears("incoming") == b"SIP/2.0 180 Ringing"
        assert peer.hears("incoming") == b"SIP/2.0 200 OK"
        peer.asks("ACK", "incoming", 1)
        peer.asks("BYE", "incoming", 2)
        assert peer.hears("incoming") == b"SIP/2.0 200 OK"
        # Our own call goes on meanwhile, and its failure decides the exit code.
        peer.answers()
        own = next(line[9:] for line in peer.invite.decode().split("\r\n") if line.startswith("Call-ID"))
        while not peer.hears(own).startswith(b"ACK"):
            pass
        peer.asks("INFO", own, 7)
        while not peer.hears(own).startswith(b"BYE"):
            pass
        assert peer.process.wait(20) == 1
        assert "Aborting call on unexpected message" in (tmp_path / "e.log").read_text()
    finally:
        peer.close()


@pytest.mark.parametrize(
    ("words", "reply"), [("-oocsn ooc_default", b"SIP/2.0 200 OK"), ("-oocsf late.xml", b"SIP/2.0 480 L")]
)
def test_requests_outside_of_calls(tmp_path: Path, words: str, reply: bytes) -> None:
    text = builtin("ooc_default").replace("200 OK", "480 L")
    (tmp_path / "late.xml").write_text(text)
    peer = Peer(tmp_path, f"-m 1 {words} -recv_timeout 2s -trace_stat -stf s.csv")
    try:
        peer.asks("OPTIONS", "elsewhere", 1)
        assert peer.hears("elsewhere") == reply
        peer.asks("OPTIONS", "elsewhere", 1)
        assert peer.hears("elsewhere") == reply
        assert peer.process.wait(20) == 1
        header, *_, last = (tmp_path / "s.csv").read_text().splitlines()
        row = dict(zip(header.split(";"), last.split(";"), strict=True))
        assert (row["AutoAnswered(C)"], row["TotalCallCreated"], row["OutOfCallMsgs(C)"]) == ("1", "1", "0")
    finally:
        peer.close()
