from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipreplay.compat.main import main
from sipreplay.dumps.rtt import read_rtt
from sipreplay.dumps.stat_reader import read_stat

COPIED = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")


@contextmanager
def answering(
    status: bytes = b"200 OK", *, silent: bool = False, seen: Callable[[bytes], None] | None = None
) -> Iterator[str]:
    """A peer on loopback that answers every request (but ACK) with one status; yields its host:port.

    `seen` is called with each method that arrives.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    over = threading.Event()
    sock.settimeout(0.05)

    def serve() -> None:
        while True:
            try:
                data, peer = sock.recvfrom(65536)
            except TimeoutError:
                # What was sent before the end still waits in the socket, and counts.
                if over.is_set():
                    return
                continue
            if seen is not None:
                seen(data.partition(b" ")[0])
            if silent or data.startswith(b"ACK"):
                continue
            copied = [h for h in data.split(b"\r\n") if h.startswith(COPIED)]
            lines = [b"SIP/2.0 " + status, *copied, b"Content-Length: 0", b"", b""]
            sock.sendto(b"\r\n".join(lines), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{sock.getsockname()[1]}"
    finally:
        over.set()
        thread.join()
        sock.close()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def play(words: str) -> int:
    return main([*words.split(), "-i", "127.0.0.1", "-p", str(free_port())])


@pytest.mark.parametrize("words", [[], ["-h"], ["-help"], ["-v"], ["-sd", "uas"]])
def test_help_and_version_end_with_99(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 99
    assert capsys.readouterr().out


def test_sd_prints_a_scenario_that_can_be_edited_and_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-sd", "uac"]) == 99
    Path("mine.xml").write_text(capsys.readouterr().out)
    with answering() as peer:
        assert play(f"-sf mine.xml {peer} -m 1 -r 100") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-foo", "unknown option -foo"),
        ("-t l1 127.0.0.1", "-t l1 is not supported yet"),
        ("-sn nope 127.0.0.1", "unknown built-in scenario 'nope'"),
        ("-sn 3pcc-C-A 127.0.0.1 -i 127.0.0.1 -nostdin", "needs -3pcc"),
        ("-sn uac 127.0.0.1 -i 127.0.0.1 -nostdin -3pcc 127.0.0.1:9", "needs a scenario with <sendCmd>"),
        ("-sn uas -oocsn ooc_default", "-oocsf or -oocsn needs a scenario that places calls"),
        ("-sn uac 127.0.0.1 -oocsn uac", "must begin with a <recv>"),
        ("-sd nope", "unknown built-in"),
        ("-sf none.xml 127.0.0.1", "none.xml: cannot be read"),
        ("-sf bad.xml 127.0.0.1", "bad.xml:2: not well-formed XML"),
        ("-sf fields.xml 127.0.0.1", r"fields.xml:1: [field1] needs an injection file"),
        ("-sf fields.xml -inf none.csv 127.0.0.1", "none.csv: cannot be read"),
    ],
)
def test_what_is_wrong_before_the_start_ends_with_1(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.xml").write_text("<scenario>\n<a></scenario>")
    text = '<nop><action><log message="[field1]"/></action></nop><send><![CDATA[X a SIP/2.0]]></send>'
    Path("fields.xml").write_text(f"<scenario>{text}</scenario>")
    Path("few.csv").write_text("SEQUENTIAL\na;b\na\n")
    assert main(words.split()) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"), [("-sn uac", "give the remote host"), ("-sn uac host.invalid", "remote host 'host.invalid'")]
)
def test_no_remote_host_ends_with_255(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 255
    assert message in capsys.readouterr().err


def test_a_port_in_use_ends_with_254(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert main(["-sn", "uas", "-i", "127.0.0.1", "-p", str(sock.getsockname()[1])]) == 254
    assert "in use; choose another with -p" in capsys.readouterr().err


def test_calls_that_pass_end_with_0_and_leave_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    with answering() as peer:
        assert play(f"{peer} -sn uac -m 20 -r 200 -trace_stat -trace_rtt -trace_msg -trace_err -nostdin") == 0
    out = capsys.readouterr().out
    assert "INVITE ---------->         20        0         0" in out
    assert "Successful call        |        0                  |       20" in out
    assert out.count("Test Terminated") == 2
    name = f"uac_{os.getpid()}_"
    dump = read_stat(Path(f"{name}.csv"))
    assert dump.columns["OutgoingCall(C)"][0] == 0
    assert dump.columns["SuccessfulCall(C)"][-2:] == [20.0, 20.0]
    assert dump.columns["SuccessfulCall(P)"][-1] == 0
    assert len(read_rtt(Path(f"{name}rtt.csv")).milliseconds) == 20
    assert Path(f"{name}messages.log").read_bytes().count(b"UDP message sent") == 60
    assert not Path(f"{name}errors.log").exists()


def test_calls_that_fail_end_with_1_and_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"486 Busy Here") as peer:
        assert play(f"{peer} -m 2 -r 100 -trace_err -error_file e.log") == 1
    assert "FailedUnexpectedMessage: 2" in capsys.readouterr().err
    log = Path("e.log").read_text()
    assert log.startswith("The following events occurred:\n")
    assert log.count("unexpected") == log.count("486 Busy Here") == 2


def test_a_peer_that_does_not_answer_in_time_fails_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(silent=True) as peer:
        assert play(f"{peer} -m 1 -r 100 -recv_timeout 200") == 1
    assert "FailedTimeoutOnRecv: 1" in capsys.readouterr().err


def test_timeout_ends_open_calls_as_failed() -> None:
    with answering(silent=True) as peer:
        assert play(f"{peer} -m 1 -r 100 -timeout 1") == 1
    assert play("-sn uas -timeout 1") == 97


def test_timeout_error_is_fatal(capsys: pytest.CaptureFixture[str]) -> None:
    assert play("-sn uas -timeout 1 -timeout_error") == 255
    assert "timed out after 1 s" in capsys.readouterr().err


def test_no_calls_pass() -> None:
    with answering() as peer:
        assert play(f"{peer} -m 0") == 0


def test_users_keep_calls_open() -> None:
    with answering() as peer:
        assert play(f"{peer} -users 3 -m 12 -d 10") == 0


def test_fields_keys_and_variables_reach_the_message() -> None:
    Path("users.csv").write_text("SEQUENTIAL\nalice;1\nbob;2\n")
    message = """MESSAGE sip:[field0] SIP/2.0
        Via: SIP/2.0/UDP a
        From: a
        To: a
        Call-ID: [call_id]
        CSeq: 1 MESSAGE
        Subject: [k] [$g] [field1 line="0"]"""
    send = f"<send><![CDATA[{message}]]></send>"
    Path("x.xml").write_text(f"<scenario><Global variables='g'/>{send}<recv response='200'/></scenario>")
    with answering() as peer:
        words = f"-sf x.xml {peer} -m 2 -r 100 -inf users.csv -key k v -set g w -trace_msg -message_file m.log"
        assert play(words) == 0
    log = Path("m.log").read_text()
    assert "MESSAGE sip:alice SIP/2.0" in log
    assert "MESSAGE sip:bob SIP/2.0" in log
    assert log.count("Subject: v w 1") == 2


def interrupting(after: dict[bytes, int]) -> tuple[Callable[[bytes], None], list[bytes]]:
    """What `seen` can be: sends SIGINT when a method was seen that often; and all methods seen."""
    methods: list[bytes] = []

    def seen(method: bytes) -> None:
        methods.append(method)
        if methods.count(method) == after.get(method):
            os.kill(os.getpid(), signal.SIGINT)

    return seen, methods


def test_ctrl_c_lets_open_calls_end(capsys: pytest.CaptureFixture[str]) -> None:
    seen, methods = interrupting({b"ACK": 3})
    with answering(seen=seen) as peer:
        assert play(f"{peer} -r 50 -d 300 -trace_stat -stf s.csv") == 0
    assert methods.count(b"INVITE") == methods.count(b"BYE") < 20
    dump = read_stat(Path("s.csv"))
    assert dump.columns["SuccessfulCall(C)"][-1] == methods.count(b"INVITE")
    assert "Test Terminated" in capsys.readouterr().out


def test_ctrl_c_twice_releases_open_calls(capsys: pytest.CaptureFixture[str]) -> None:
    seen, methods = interrupting({b"INVITE": 2, b"ACK": 2})
    before = signal.getsignal(signal.SIGINT)
    with answering(seen=seen) as peer:
        assert play(f"{peer} -r 100 -m 50 -d 60000") == 1
    assert methods.count(b"BYE") >= 2
    assert signal.getsignal(signal.SIGINT) is before


def test_on_a_terminal_the_screen_is_drawn_while_calls_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with answering() as peer:
        assert play(f"{peer} -r 20 -m 20 -f 100ms") == 0
    screens = capsys.readouterr().out.split("\x1b[2J\x1b[H")[1:]
    assert len(screens) > 3
    assert screens[0].startswith("------------------------------ Scenario Screen")
    assert "[q]: Soft exit" in screens[0]
    assert "Test Terminated" in screens[-1]


def test_a_file_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with answering() as peer:
        assert play(f"{peer} -m 1 -trace_stat -stf none/s.csv") == 255
        assert play(f"{peer} -m 1 -trace_msg -message_file none/m.log") == 255
    error = capsys.readouterr().err
    assert "none/s.csv" in error
    assert "none/m.log" in error


def test_the_history_of_an_aborted_call_is_written() -> None:
    with answering(b"404 Not Found") as peer:
        assert play(f"{peer} -m 1 -trace_calldebug -calldebug_file d.log -trace_logs -log_file l.log -nostdin") == 1
    text = Path("d.log").read_text()
    name = f"1-{os.getpid()}@127.0.0.1"
    assert f"Call debugging information for call {name}:\n" in text
    order = [
        f"Starting call {name}",
        "Sending UDP message",
        "INVITE sip:",
        "incoming message",
        "404 Not Found",
        "Aborting",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_a_log_that_is_appended_to_keeps_what_was_there() -> None:
    Path("m.log").write_text("before\n")
    with answering() as peer:
        assert play(f"{peer} -m 1 -trace_msg -message_file m.log -message_overwrite false -nostdin") == 0
    assert Path("m.log").read_text().startswith("before\n--------")


def test_call_ids_are_made_as_asked_for() -> None:
    with answering() as peer:
        assert play(f"{peer} -m 2 -r 100 -cid_str own-%u%%x@%s -trace_shortmsg -shortmessage_file s.log -nostdin") == 0
        assert play(f"{peer} -m 1 -cid_type uuid -trace_shortmsg -shortmessage_file u.log -nostdin") == 0
        assert play(f"{peer} -m 1 -cid_str same -nostdin") == 1
    ids = {line.split("\t")[4] for line in Path("s.log").read_text().splitlines()}
    assert ids == {"own-1%x@127.0.0.1", "own-2%x@127.0.0.1"}
    (unique,) = {line.split("\t")[4] for line in Path("u.log").read_text().splitlines()}
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}@127\.0\.0\.1", unique)
