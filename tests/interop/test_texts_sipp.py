"""What texts and actions put on the wire: the same conversation with Debian's sipp and with us, byte for byte."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sipreplay.scenario.reader import read_scenario
from sipreplay.sip.digest import parse_credentials, verify
from sipreplay.testing import Playbook
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

HEAD = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:me@x>;tag=[call_number]
To: <sip:you@[remote_ip]>
Call-ID: [call_id]"""
USERS = "SEQUENTIAL\nann;secret;a b;[authentication username=eve password=adam]\nbob;other;;\n"
NUMBERS = "SEQUENTIAL,PRINTF=5,PRINTFOFFSET=100,PRINTFMULTIPLE=3\nu%d;%05d;x%3dy\nv%d;%-4d|;\n"


def send(text: str, method: str = "OPTIONS", attributes: str = "", body: str = "", after: str = "") -> str:
    """A request with these further lines."""
    lines = f"{method} sip:you@x SIP/2.0\n{HEAD}\nCSeq: [cseq] {method}\n{text}"
    return f"<send{attributes}><![CDATA[\n{lines}\n\n{body}]]>{after}</send>"


def nop(*actions: str) -> str:
    return f"<nop><action>{''.join(actions)}</action></nop>"


def recv(attributes: str = "", actions: str = "", code: int = 200) -> str:
    return f'<recv response="{code}"{attributes}>' + (f"<action>{actions}</action>" if actions else "") + "</recv>"


def reply(status: str = "200 OK", extra: str = "", body: str = "") -> Callable[[bytes], bytes]:
    """A peer that answers a request so."""

    def answer(request: bytes) -> bytes:
        copied = re.findall(rb"(?m)^(?:Via|From|Call-ID|CSeq): [^\r]*\r\n", request)
        to = re.search(rb"(?m)^To: [^\r]*", request)
        told = to.group() + b";tag=theirs\r\n" if to is not None else b""
        lines = extra.replace("\n", "\r\n").encode() + b"\r\n" if extra else b""
        end = f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        return f"SIP/2.0 {status}\r\n".encode() + b"".join(copied) + told + lines + end

    return answer


def requested(line: str, extra: str = "") -> Callable[[bytes], bytes]:
    """A peer that answers 200, and sends this request then."""

    def answer(request: bytes) -> bytes:
        call_id = re.search(rb"Call-ID: [^\r]*\r\n", request)
        assert call_id is not None
        lines = extra.replace("\n", "\r\n") + "\r\n" if extra else ""
        head = f"{line}\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKt\r\n"
        head += "From: <sip:you@x>;tag=theirs\r\nTo: <sip:me@x>;tag=1\r\n"
        return (head + lines).encode() + call_id.group() + b"Content-Length: 0\r\n\r\n"

    return answer


def by_sipp(
    folder: Path, xml: str, replies: Sequence[Callable[[bytes], bytes]], options: Sequence[str]
) -> tuple[list[bytes], list[bytes]]:
    """The datagrams that sipp sends: as they are, and with our pid and ports."""
    (folder / "x.xml").write_text(xml, encoding="utf-8")
    own = free_port()
    waiting = list(replies)
    sent: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.02)
        peer = sock.getsockname()[1]
        words = ["-m", "1", "-nr", "-i", "127.0.0.1", "-p", str(own), "-nostdin", "-timeout", "5", *options]
        program = subprocess.Popen(
            ["sipp", "-sf", "x.xml", *words, f"127.0.0.1:{peer}"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            while True:
                over = program.poll() is not None
                try:
                    data, address = sock.recvfrom(65536)
                except TimeoutError:
                    if over:
                        break
                    continue
                sent.append(data)
                if waiting and not data.startswith((b"ACK", b"SIP/2.0")):
                    sock.sendto(waiting.pop(0)(data), address)
        finally:
            program.kill()
            errors = program.communicate()[1].decode(errors="replace")
    assert sent, errors
    ports = {b"%d" % own: b"5060", b"%d" % peer: b"5070"}
    return sent, [
        re.sub(
            rb"(?<=[:|])([0-9]+)\b",
            lambda match: ports.get(match.group(), match.group()),
            re.sub(b"-%d(?=[-@])" % program.pid, b"-1", data),
        )
        for data in sent
    ]


def by_us(xml: str, replies: Sequence[Callable[[bytes], bytes]], folder: Path, **settings: object) -> list[bytes]:
    waiting = list(replies)
    sent: list[bytes] = []
    play = Playbook(
        read_scenario(xml, "x.xml", {"key": "a value"}),
        calls=0,
        read_file=lambda name: (folder / name).read_bytes(),
        **settings,
    )
    inbox: list[bytes] = []

    def take(data: bytes, address: object) -> None:
        sent.append(data)
        if waiting and not data.startswith((b"ACK", b"SIP/2.0")):
            inbox.append(waiting.pop(0)(data))

    play.engine.send = take
    play.engine.config.calls = 1
    for _ in range(50):
        play.silent_for(0.05)
        while inbox:
            play.sends(inbox.pop(0))
    return sent


CASES: dict[str, tuple[list[str], list[Callable[[bytes], bytes]]]] = {
    "length": (
        [
            send("Content-Length: [len]", body="v=0\na=[call_number]\n"),
            send("X: [len+3]|", body="v=0\n"),
            send("X: [len-2]|", body="abc"),
            send("Content-Length: [len]"),
            send("l: [len]", body="no line end"),
        ],
        [],
    ),
    "last headers": (
        [
            send("A: 1"),
            recv(),
            send(
                "[last_Via:]\n[last_Via]\n[last_From:];x=[last_Call-ID:]\n[last_X-Two]\n[last_X-Two:]|"
                "\nZ: [last_Nothing]|"
                "\n[last_Nothing:]\nB: 2\n[last_Nothing]tail\n  [last_Nothing]\nC: 3\n[last_Contact:]\n[last_Subject:]"
            ),
        ],
        [reply(extra="X-Two: one\nx-TWO:two  \nContact: <sip:a@b>;q=1\nSubject: spaced")],
    ),
    "last header before the body": (
        [send("A: 1"), recv(), send("Content-Length: [len]\n[last_Nothing:]\nZ: 1", body="x\n")],
        [reply()],
    ),
    "numbers of a message": (
        [
            send("A: 1"),
            recv(),
            send(
                "P: [last_cseq_number] [last_cseq_number+4] [last_cseq_number-1]|[peer_tag_param]|[last_Request_URI]|"
            ),
            recv(),
            send("X: [cseq+5] [cseq-1] [msg_index] [branch-2] [branch+1] [call_number]"),
        ],
        [reply(), reply()],
    ),
    "the whole last message": ([send("A: 1"), recv(), send("", body="[last_message]\n")], [reply()]),
    "cseq and acks": (
        [
            send("A: 1", "INVITE"),
            recv(),
            send("A: 1", "ACK"),
            send("A: 1", "INFO"),
            recv(),
            send("A: 1", "CANCEL"),
            recv(),
            send("A: 1", "BYE"),
        ],
        [reply(), reply(), reply()],
    ),
    "cseq of a request that came": (
        [
            send("A: 1"),
            '<recv request="NOTIFY"/>',
            "<send><![CDATA[\nSIP/2.0 200 "
            "OK\n[last_Via:]\n[last_To:]\n[last_From:]\n[last_Call-ID:]\n[last_CSeq:]\n\n]]></send>",
            send("A: 2"),
        ],
        [requested("NOTIFY sip:me@x SIP/2.0", "CSeq: 41 NOTIFY")],
    ),
    "routes": (
        [
            send("A: 1", "INVITE"),
            recv(' rrs="true"'),
            send("[routes]\nX: [next_url]|", "ACK"),
            send("B: 2\n[routes]\nC: 3", "BYE"),
        ],
        [
            reply(
                extra="Record-Route: <sip:p1@a;lr>, <sip:p2@b;lr>\nRecord-Route: <sip:p3@c;lr>"
                "\nContact: <sip:u@d:7;x=y>"
            )
        ],
    ),
    "a strict router": (
        [send("A: 1", "INVITE"), recv(' rrs="true"'), send("[routes]\nX: [next_url]|", "ACK")],
        [reply(extra="Record-Route: <sip:p1@a>\nContact: <sip:u@d:7;x=y>")],
    ),
    "no routes": (
        [send("A: 1", "INVITE"), recv(' rrs="true"'), send("B: 1\n[routes]\nX: [next_url]|", "ACK")],
        [reply(extra="Contact: <sip:u@d:7>")],
    ),
    "variables": (
        [
            nop(
                '<assign assign_to="n" value="1.5"/><add assign_to="n" value="2"/><multiply '
                'assign_to="n" variable="n"/>',
                '<divide assign_to="n" value="4"/><subtract assign_to="n" value="0.0625"/>',
                '<assignstr assign_to="s" value="  a [call_number] \\x41 &amp; &quot;b&quot;  "/>'
                '<assignstr assign_to="t" value="[$s]|"/>',
                '<trim assign_to="s"/><test assign_to="yes" variable="n" compare="equal" value="3"/>',
                '<test assign_to="no" variable="n" compare="less_than" variable2="n"/>',
                '<todouble assign_to="d" variable="digits"/><assignstr assign_to="digits" value=" 0x10"/>',
                '<todouble assign_to="e" variable="digits"/><strcmp assign_to="c" variable="s" value="zz"/>',
            ),
            nop('<index assign_to="i"/>'),
            send("X: [$n]|[$s]|[$t]|[$yes]|[$no]|[$e]|[$none]|\n[$none]\nY: 1\n[$none]tail\nZ: [$i]", after=""),
            nop('<log message="[$c][$d]"/>', '<assignstr assign_to="none" value=""/>'),
        ],
        [],
    ),
    "regular expressions": (
        [
            send("A: 1"),
            recv(
                actions='<ereg regexp="a|ab|abc" search_in="hdr" header="X:" assign_to="longest"/>'
                '<ereg regexp="([a-z]+)([0-9]*)" search_in="hdr" header="Y: " assign_to="all,word,digits"/>'
                '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>'
                '<ereg regexp=".*" search_in="hdr" header="to:" case_indep="true" start_line="true" '
                'occurrence="2" assign_to="to2"/>'
                '<ereg regexp="m=[a-z]* ([0-9]+)" search_in="body" assign_to="_,port"/>'
                '<ereg regexp="^SIP/2.0 (2..) (.*)$" assign_to="_,code,rest"/>'
                '<ereg regexp="b(.)d" search_in="var" variable="longest" assign_to="_,middle"/>'
                '<ereg regexp="(x)|(b)" search_in="hdr" header="X:" assign_to="any,ex,be"/>'
            ),
            send(
                "R: [$longest]|[$all]|[$word]|[$digits]|[$to]|[$to2]|[$port]|[$code]|[$middle]|[$any]|[$ex]|[$be]|",
                body="[$rest]",
            ),
        ],
        [
            reply(
                extra="X: zabcd\nY: abc123 d\nReply-To: <sip:r@x>\nTO: second", body="v=0\r\nm=audio 4000 RTP/AVP 0\r\n"
            )
        ],
    ),
    "a check that fails goes on": (
        [
            send("A: 1"),
            recv(
                actions='<ereg regexp="z" search_in="hdr" header="X:" check_it="true" assign_to="a"/>'
                '<assignstr assign_to="b" value="seen"/>'
            ),
            send("X: [$a]|[$b]|"),
        ],
        [reply(extra="X: y")],
    ),
    "fields": (
        [
            send(
                'X: [field0]|[field1]|[field2]|[field0 file="users.csv"]|[field1 line=1]|[field0 '
                'line="[$row]"]|[field0 line=7]|'
            ),
            nop('<assign assign_to="row" value="1"/>'),
            send(
                'Y: [field0 line="[$row]"]|[field0 file=numbers.csv]|[field1 file="numbers.csv"]|'
                "[field2 file=numbers.csv]|"
            ),
            send("Z: [field0 file=numbers.csv line=3]|[field1 file=numbers.csv line=3]|"),
            nop('<lookup assign_to="row" file="users.csv" key="bob"/>'),
            send('W: [field1 line="[$row]"]|'),
            nop(
                '<insert file="users.csv" value="eve;[$row]"/><lookup assign_to="row" file="users.csv" key="eve"/>',
                '<replace file="users.csv" line="0" value="zoe;new"/>',
            ),
            send('V: [field0 line="[$row]"]|[field1 line="[$row]"]|[field0]|[field1]|'),
        ],
        [],
    ),
    "fill and file": (
        [
            nop('<assign assign_to="n" value="5"/>'),
            nop('<assignstr assign_to="name" value="data.txt"/>'),
            send('X: [fill text="ab" variable="n"]|[fill variable="n"]|[file name=data.txt]|[file name="[$name]"]|'),
        ],
        [],
    ),
    "fixed words": (
        [
            send(
                "X: [remote_ip]|[remote_host]|[remote_port]|[transport]|[local_ip]|[local_ip_type]|[local_port]"
                "|[media_ip]|[media_ip_type]|audio [media_port]|[media_port+2]|[service]|[users]|"
                "[userid]|[server_ip]|[key]|"
                "[dynamic_id]|[dynamic_id]|\\x5b\\x5Da\\x09b\\\\x5B|"
            )
        ],
        [],
    ),
    **{
        f"authentication {code} {name}": (
            [
                send("A: 1", "REGISTER"),
                recv(' auth="true"', code=code),
                send(
                    '[authentication username="[field0]" password=secret]\nContent-Length: [len]',
                    "REGISTER",
                    body="body [call_number]\n",
                ),
                send("[field3]\nContent-Length: [len]", "MESSAGE", body="b\n"),
            ],
            [
                reply(
                    f"{code} No",
                    f'{"WWW" if code == 401 else "Proxy"}-Authenticate: Digest realm="r s",nonce="abc=="{parameters}',
                )
            ],
        )
        for code in (401, 407)
        for name, parameters in (
            ("plain", ""),
            ("auth", ', qop="auth", algorithm=MD5'),
            ("both", ',qop="auth,auth-int",opaque="o p",stale=false'),
            ("int", ',algorithm="md5", qop="auth-int"'),
        )
    },
}


def lines(data: bytes) -> list[str]:
    return data.decode().split("\r\n")


EXTRA = {"fields": ("-infindex", "users.csv", "0")}
NONCES = re.compile(rb'cnonce="[0-9a-f]+"|response="[0-9a-f]{32}"')


@pytest.mark.parametrize("name", CASES)
def test_the_same_bytes(tmp_path: Path, name: str) -> None:
    elements, replies = CASES[name]
    body = "\n".join(elements)
    used = set(re.findall(r'(?:assign_to|variable2?)="([^"]*)"', body)) | set(re.findall(r"\[\$(\w+)\]", body))
    references = sorted({word for names in used for word in names.split(",")} - {"_"})
    reference = f'<Reference variables="{",".join(references)}"/>' if references else ""
    xml = f'<?xml version="1.0"?>\n<scenario name="x">\n{body}\n{reference}</scenario>\n'
    (tmp_path / "users.csv").write_text(USERS)
    (tmp_path / "numbers.csv").write_text(NUMBERS)
    (tmp_path / "data.txt").write_text("data; of a file")
    options = ["-inf", "users.csv", "-inf", "numbers.csv", *EXTRA.get(name, ()), "-key", "key", "a value"]
    raw, theirs = by_sipp(tmp_path, xml, replies, options)
    ours = by_us(
        xml,
        replies,
        tmp_path,
        injections={"users.csv": USERS, "numbers.csv": NUMBERS},
        injection_index=[("users.csv", 0)],
        keys={"key": "a value"},
    )
    if name.startswith("authentication"):
        for data, user, password in zip(raw[1:], ("ann", "eve"), ("secret", "adam"), strict=True):
            # With sipp's cnonce: its digest is right, and so is ours, of the same body.
            match = re.search(rb"Authorization: ([^\r]*)", data)
            assert match is not None
            given = parse_credentials(match.group(1).decode())
            method, body = data.partition(b" ")[0].decode(), data.partition(b"\r\n\r\n")[2]
            assert verify(given, username=user, password=password, method=method, body=body)
        theirs, ours = ([NONCES.sub(b"", data) for data in sent] for sent in (theirs, ours))
    assert [lines(data) for data in ours] == [lines(data) for data in theirs]
