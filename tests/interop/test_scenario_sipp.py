"""The scenario room against Debian's sipp: what we write it loads, what we read means the same, byte for byte."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest

from sipreplay.scenario import model
from sipreplay.scenario.builtin import builtin, builtin_names, builtin_scenario
from sipreplay.scenario.distributions import KINDS
from sipreplay.scenario.keywords import compile_default_message, compile_text
from sipreplay.scenario.reader import read_scenario
from sipreplay.scenario.writer import laid_out, write_scenario
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")


def sipp(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = ["sipp", *words, "-i", "127.0.0.1", "-p", str(free_port()), "-nostdin"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, errors="replace", timeout=30, check=False)


def first_datagram(folder: Path, xml: str) -> bytes:
    """What sipp sends first when it plays this file."""
    (folder / "x.xml").write_bytes(xml.encode("utf-8", "surrogateescape"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        ended = sipp(folder, "-sf", "x.xml", f"127.0.0.1:{sock.getsockname()[1]}", "-m", "1", "-r", "1000")
        sock.settimeout(0)
        try:
            return sock.recv(65536)
        except BlockingIOError:
            raise AssertionError(ended.stderr) from None


@pytest.mark.parametrize(
    "cdata",
    [
        "\n  ACK sip:a SIP/2.0\n  Call-ID: b\n\n  ",
        "X a SIP/2.0\nCall-ID: b",
        "\nX a SIP/2.0\nCall-ID: b\n\nbody\n",
        "\nX a SIP/2.0\nCall-ID: b\n\nbody\n\n\n  ",
        "\nX a SIP/2.0\nCall-ID: b\n\nbody",
        "\nX a SIP/2.0\nCall-ID: b\n\n  body  ",
        "X a SIP/2.0\n\t Call-ID: b\n  \t C: d",
        "X a SIP/2.0\nCall-ID: b \t\nC: d\t \nE: f",
        "X a SIP/2.0\r\nCall-ID: b\r\n\r\nbody\r\n",
        "X a SIP/2.0\nCall-ID: \\x5Bb\\x5d \\x09 \\\\ \\q",
        "X a SIP/2.0\nCall-ID: b\nC: é\udcff]",
        "X a SIP/2.0\n\n\nCall-ID: b\n\n\nbody\n \n\n",
        laid_out("X a SIP/2.0\nCall-ID: b\n\nline\n\n\n"),
    ],
)
def test_cdata_is_normalised_as_sipp_does(tmp_path: Path, cdata: str) -> None:
    xml = f'<?xml version="1.0"?>\n<scenario name="x">\n<send><![CDATA[{cdata}]]></send>\n</scenario>\n'
    send = read_scenario(xml, "x.xml").elements[0]
    assert isinstance(send, model.Send)
    ours = b"".join(part for part in compile_text(send.text, message=True) if isinstance(part, bytes))
    assert ours == first_datagram(tmp_path, xml)


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_scenarios_are_sipps(tmp_path: Path, name: str) -> None:
    theirs = read_scenario(sipp(tmp_path, "-sd", name).stdout, f"{name}.xml")
    ours = builtin_scenario(name)
    assert len(theirs.elements) == len(ours.elements)
    for their, our in zip(theirs.elements, ours.elements, strict=True):
        if isinstance(their, model.Send) and isinstance(our, model.Send):
            texts = [str(compile_text(send.text, message=True)) for send in (their, our)]
            if name == "uas":
                # A later SIPp than Debian's hands the Record-Route back.
                texts[1] = re.sub(
                    r"b'\\r\\n', Keyword\([^=]*='last_header'[^)]*Record-Route',\)\),\)\), ", "", texts[1]
                )
            assert texts[0] == texts[1]
            their.text = our.text
        if isinstance(their, model.SendCommand) and isinstance(our, model.SendCommand):
            assert compile_default_message(their.text) == compile_default_message(our.text)
            their.text = our.text
        their.line, their.comment, our.comment = 0, "", ""
    assert theirs == ours


@pytest.mark.parametrize("name", [name for name in builtin_names() if name != "uac_pcap"])
def test_sipp_loads_what_sd_prints(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.xml").write_text(builtin(name))
    twin = []
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        if name in ("3pcc-C-A", "3pcc-C-B"):
            # A connects to its twin; B would listen there itself.
            port = listening.getsockname()[1] if name == "3pcc-C-A" else free_port()
            twin = ["-3pcc", f"127.0.0.1:{port}"]
        ended = sipp(tmp_path, "-sf", "x.xml", "-m", "0", *twin, "127.0.0.1:9")
    assert ended.returncode == 0, ended.stderr


def everything() -> model.Scenario:
    """A scenario with every element, action and attribute that we write."""
    actions: list[model.Action] = [
        model.Ereg('<sip:([^>"&]*)>', ("whole", "user"), "hdr", "From:", "", 1, True, True, True),
        model.Ereg("a|b", ("_",), "var", variable="user", check_it_inverse=True),
        model.Ereg("x+", ("_",)),
        model.Ereg("x+", ("_",), "body"),
        model.Log("log", 'got "[$user]" & <[$whole]> \\x41 \n two \\w'),
        model.Log("warning", "careful"),
        model.Exec("int_cmd", "stop_gracefully"),
        model.Exec("command", "true"),
        model.Assign("assign", "n", 1.5),
        model.Assign("add", "n", None, "n"),
        model.Assign("subtract", "n", 1.0),
        model.Assign("multiply", "n", 2.0),
        model.Assign("divide", "n", 2.0),
        model.AssignStr("text", "[call_id]"),
        model.ToDouble("n", "text"),
        model.Test("n", "greater_than", 3.0, "", "flag"),
        model.Test("n", "equal", None, "n", "flag", True),
        model.Strcmp("text", "a&b", "", "n"),
        model.Strcmp("text", None, "text", "n", False, True),
        model.Trim("text"),
        model.Index("n"),
        model.GetTimeOfDay("sec", "usec"),
        model.Lookup("row", "users.csv", "[$user]"),
        model.SetDest("127.0.0.1", "5060", "udp"),
        model.PauseRestore(0.0),
        model.VerifyAuth("flag", "u", "p"),
        model.Insert("users.csv", "[$user];2"),
        model.Replace("users.csv", "0", "x;[$row]"),
        model.Sample("n", model.Distribution("exponential", (("mean", 2.0),))),
        model.CloseConnection(),
        model.RtpEcho(1.0),
        model.Exec("rtp_stream", "pause"),
        model.Exec("play_dtmf", "1234#,100"),
    ]
    message = "{} sip:a SIP/2.0\nFrom: <sip:me@x>\nTo: a\nCall-ID: [call_id]\nCSeq: 1 {}"
    common = {"condexec": "flag", "condexec_inverse": True, "chance": 0.5, "next": "end", "test": "flag"}
    invite, ack = (laid_out(message.format(method, method)) for method in ("INVITE", "ACK"))
    ack = ack.rstrip() + '\nX: [field0 line="[$row]"] [$sec][$usec]\n'
    distributions = [
        model.Distribution(name, tuple((parameter, 0.25 * (1 + n)) for n, parameter in enumerate(kind.parameters)))
        for name, kind in KINDS.items()
    ]
    elements: list[model.Element] = [
        model.Send(text=invite, retrans_ms=500, start_txn="t", actions=actions),
        model.Recv(response="100", optional="true", response_txn="t", advance_state=False),
        model.Recv(response="200", response_txn="t", rrs=True, auth=True, timeout_ms=9, ontimeout="end", rtd="1"),
        model.Send(text=ack, ack_txn="t"),
        model.Nop(display="here", start_rtd="b", hide=True, counter="c", **common),  # type: ignore[arg-type]
        model.Nop(rtd="b", repeat_rtd=True, crlf=True),
        *(model.Pause(distribution=distribution) for distribution in distributions),
        model.Pause(variable="n"),
        model.Recv(request="INVITE|BYE", regexp_match=True, optional="global", ignoresdp=True, lost=1.0),
        model.Recv(request="BYE"),
        model.Nop(actions=[model.Jump(None, "n")]),
        model.Pause(milliseconds=1, sanity_check=False, timewait=True),
    ]
    return model.Scenario(
        "every <thing> & more",
        elements,
        {"end": len(elements)},
        [model.Nop(actions=[model.AssignStr("g", "1")])],
        {},
        ["g"],
        ["u"],
        ["u", "g", "whole"],
        {"bye": laid_out("BYE [next_url] SIP/2.0\nCall-ID: [call_id]")},
        [10, 20],
        [30, 40],
        comment="a -- b\n--- c",
    )


def test_sipp_loads_every_element_action_and_attribute_that_we_write(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(write_scenario(everything()))
    (tmp_path / "users.csv").write_text("SEQUENTIAL\nme@x;1\n")
    ended = sipp(tmp_path, "-sf", "x.xml", "-inf", "users.csv", "-infindex", "users.csv", "0", "-m", "0", "127.0.0.1:9")
    assert ended.returncode == 0, ended.stderr


def test_sipp_gives_our_texts_and_expressions_the_same_meaning(tmp_path: Path) -> None:
    message = 'X sip:a SIP/2.0\nFrom: "A & B" <sip:me&you@x>;tag=1\nCall-ID: [call_id]'
    actions: list[model.Action] = [
        model.Ereg("<sip:([^>]*)>", ("whole", "user"), "hdr", "From:", check_it=True),
        model.Ereg('"([[:alpha:]]|[[:alpha:]] &)+', ("name", "_"), "hdr", "From:", check_it=True),
        model.Log("log", 'got "[$user]" & <[$whole]> \\x41 \\w [$name]'),
    ]
    scenario = model.Scenario("x", [model.Send(text=laid_out(message), actions=actions)])
    (tmp_path / "x.xml").write_text(write_scenario(scenario))
    ended = sipp(tmp_path, "-sf", "x.xml", "-m", "1", "127.0.0.1:9", "-trace_logs", "-log_file", "l.log")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "l.log").read_text() == 'got "me&you@x" & <<sip:me&you@x>> A \\w "A &\n'
    ours = read_scenario((tmp_path / "x.xml").read_bytes(), "x.xml").elements[0]
    assert ours.actions == actions
