"""Third party call control with Debian's sipp in every seat: controllers A and B, and extended masters and slaves."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from sipreplay.scenario.builtin import builtin
from tests.interop.command_lines import OURS, THEIRS, messages
from tests.interop.process import Finished, Program, free_port, wait_until

pytestmark = pytest.mark.interop("sipp")

CALLS = 2


def is_listening(ip: str, port: int) -> bool:
    """Whether the kernel lists a listening TCP socket there, or on all addresses."""
    wanted = f":{port:04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(wanted in f"{line.split()[1]} " and line.split()[3] == "0A" for line in lines[1:])


def third_party(folder: Path, ip: str, controllers: tuple[list[str], list[str]]) -> dict[str, Finished]:
    """Four instances of the built-in scenarios, the controllers as given; how each ended."""
    ports = [free_port(ip) for _ in range(5)]
    twin = f"{ip}:{ports[4]}"
    base = ["-i", ip, "-nostdin", "-trace_msg", "-trace_err", "-timeout", "30"]

    def argv(program: list[str], name: str, port: int, *more: str) -> list[str]:
        # sipp opens its media port whether there is media or not.
        files = ["-message_file", f"{name}.msg", "-error_file", f"{name}.err.log", "-mp", str(free_port(ip))]
        # sipp's B gives up the calls that have not ended when A has: A's last a little longer.
        scenario = ["-sf", "3pcc-C-A.xml"] if name == "3pcc-C-A" else ["-sn", name]
        return [*program, *scenario, "-p", str(port), *base, *files, *more]

    folder.mkdir(exist_ok=True)
    (folder / "3pcc-C-A.xml").write_text(builtin("3pcc-C-A").replace('milliseconds="1000"', 'milliseconds="1500"'))
    with ExitStack() as stack:
        callees = []
        for name, port in (("3pcc-A", ports[0]), ("3pcc-B", ports[1])):
            callee = stack.enter_context(Program(argv(THEIRS, name, port, "-m", str(CALLS)), folder, name))
            callee.wait_listening(ip, port)
            callees.append(callee)
        b = stack.enter_context(
            Program(argv(controllers[1], "3pcc-C-B", ports[3], "-3pcc", twin, f"{ip}:{ports[1]}"), folder, "cb")
        )
        wait_until(lambda: not b.running or is_listening(ip, ports[4]), 15, b.describe)
        a = stack.enter_context(
            Program(
                argv(controllers[0], "3pcc-C-A", ports[2], "-3pcc", twin, "-m", str(CALLS), f"{ip}:{ports[0]}"),
                folder,
                "ca",
            )
        )
        ends = {"3pcc-C-A": a.wait(40), "3pcc-C-B": b.wait(40)}
        for name, callee in zip(("3pcc-A", "3pcc-B"), callees, strict=True):
            ends[name] = callee.wait(40)
        return ends


def said(log: Path, ip: str) -> list[str]:
    """The messages and commands of a log, without what differs from run to run. Calls may overlap: sorted by call."""
    text = log.read_bytes().decode("latin-1").replace("TCP control message", "TCPcontrol message")
    plain = log.with_suffix(".plain")
    plain.write_bytes(text.replace(ip, "IP").encode("latin-1"))
    out = [re.sub(r"(:|audio )[0-9]{5}\b", r"\1PORT", message).replace("\x1b", "") for message in messages(plain)]
    return sorted(out, key=lambda message: re.findall(r"Call-ID: ([0-9]+)", message)[0])


def test_controllers_play_the_same_with_either_twin(tmp_path: Path, loopback: Callable[[], str]) -> None:
    pairs = list(itertools.product((THEIRS, OURS), repeat=2))
    addresses = [loopback() for _ in pairs]

    def played(n: int) -> list[list[str]]:
        folder = tmp_path / str(n)
        ends = third_party(folder, addresses[n], pairs[n])
        for end in ends.values():
            assert end.exit_code == 0, "\n".join(e.explain() for e in ends.values())
        return [said(folder / f"{name}.msg", addresses[n]) for name in ("3pcc-C-A", "3pcc-C-B")]

    logs = [played(n) for n in range(len(pairs))]
    assert [len(log) for log in logs[0]] == [7 * CALLS, 7 * CALLS]
    assert logs[1] == logs[0]
    assert logs[2] == logs[0]
    assert logs[3] == logs[0]


MASTER = """<?xml version="1.0"?><scenario name="master">
<nop/>
<sendCmd dest="s1"><![CDATA[
    Call-ID: [call_id]
    From: m
    ask: one
]]></sendCmd>
<recvCmd src="s1"><action><ereg regexp="answer: ([a-z]+)" search_in="msg" assign_to="_,got"/>
<log message="[$got]"/></action></recvCmd>
<sendCmd dest="s2"><![CDATA[
    Call-ID: [call_id]
    From: m
    ask: [$got]
]]></sendCmd>
<recvCmd src="s2"><action><ereg regexp="answer: ([a-z]+)" search_in="msg" assign_to="_,got"/></action></recvCmd>
<send><![CDATA[
    OPTIONS sip:[remote_ip] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:b@[remote_ip]>
    Call-ID: [call_id]
    CSeq: 1 OPTIONS
    X-Got: [$got]
    Content-Length: 0
]]></send>
<recv response="200"/>
</scenario>
"""
SLAVE = """<?xml version="1.0"?><scenario name="slave">
<recvCmd src="m"><action><ereg regexp="ask: ([a-z]+)" search_in="msg" assign_to="_,asked"/></action></recvCmd>
<send><![CDATA[
    OPTIONS sip:[remote_ip] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:a@[local_ip]>;tag=[call_number]
    To: <sip:b@[remote_ip]>
    Call-ID: NAME///[call_id]
    CSeq: 1 OPTIONS
    X-Asked: [$asked]
    Content-Length: 0
]]></send>
<recv response="200"/>
<sendCmd dest="m"><![CDATA[
    Call-ID: [call_id]
    From: NAME
    answer: ANSWER
]]></sendCmd>
</scenario>
"""
ANSWERING = """<?xml version="1.0"?><scenario name="answering">
<recv request="OPTIONS"/><send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0
]]></send></scenario>
"""


@pytest.mark.parametrize(
    ("ours", "slaves"),
    # Debian's sipp ends with an assertion, now and then, when it has two slaves, or is one of two.
    [({"m"}, ["s1"]), ({"s1"}, ["s1"]), ({"m", "s1", "s2"}, ["s1", "s2"])],
    ids=["master", "slave", "all"],
)
def test_a_master_and_its_slaves(
    tmp_path: Path, loopback: Callable[[], str], ours: set[str], slaves: list[str]
) -> None:
    ip = loopback()
    ports = {name: free_port(ip) for name in ("m", "s1", "s2", "uas", "m-sip", "s1-sip", "s2-sip")}
    (tmp_path / "twins.cfg").write_text("".join(f"{name};{ip}:{ports[name]}\n" for name in ("m", *slaves)))
    asking_s2 = MASTER[MASTER.index('<sendCmd dest="s2">') : MASTER.index("<send>")]
    (tmp_path / "m.xml").write_text(MASTER if "s2" in slaves else MASTER.replace(asking_s2, ""))
    (tmp_path / "s1.xml").write_text(SLAVE.replace("NAME", "s1").replace("ANSWER", "word"))
    (tmp_path / "s2.xml").write_text(SLAVE.replace("NAME", "s2").replace("ANSWER", "two"))
    (tmp_path / "uas.xml").write_text(ANSWERING)

    def argv(name: str) -> list[str]:
        role = "-master" if name == "m" else "-slave"
        words = ["-sf", f"{name}.xml", role, name, "-slave_cfg", "twins.cfg", "-i", ip, "-nostdin", "-timeout", "12"]
        words += ["-trace_err", "-error_file", f"{name}.err.log", "-trace_msg", "-message_file", f"{name}.msg"]
        words += ["-mp", str(free_port(ip))]
        words += ["-m", "2"] if name == "m" else []
        return [*(OURS if name in ours else THEIRS), *words, "-p", str(ports[f"{name}-sip"]), f"{ip}:{ports['uas']}"]

    with ExitStack() as stack:
        uas = [
            *OURS,
            "-sf",
            "uas.xml",
            "-callid_slash_ign",
            "-i",
            ip,
            "-p",
            str(ports["uas"]),
            "-nostdin",
            "-trace_msg",
            "-timeout",
            "40",
        ]
        answering = stack.enter_context(Program([*uas, "-message_file", "uas.msg"], tmp_path, "uas"))
        answering.wait_listening(ip, ports["uas"])
        started = []
        for name in slaves:
            slave = stack.enter_context(Program(argv(name), tmp_path, name))
            wait_until(lambda s=slave, n=name: not s.running or is_listening(ip, ports[n]), 15, slave.describe)
            started.append(slave)
        master = stack.enter_context(Program(argv("m"), tmp_path, "m"))
        ended = master.wait(40)
        assert ended.exit_code == 0, ended.explain() + "".join(slave.describe() for slave in started)
        for name, slave in zip(slaves, started, strict=True):
            code = slave.wait(40).exit_code
            # Debian's sipp may end with an assertion of its own when its master has gone; nothing else aborts it.
            gone = name not in ours and code == -signal.SIGABRT and "pollset_process" in slave.output()
            assert code in (0, 97) or gone, slave.describe()
        answering.stop()
    text = (tmp_path / "m.msg").read_text()
    assert text.count("X-Got: two" if "s2" in slaves else "X-Got: word") == 2
    if "s2" in slaves:
        assert (tmp_path / "s2.msg").read_text().count("X-Asked: word") == 2


def test_a_call_that_fails_here_is_given_up_there(tmp_path: Path, loopback: Callable[[], str]) -> None:
    """The callee of B refuses: B tells A by 3pcc_abort, and A releases its own callee."""
    ip = loopback()
    ports = [free_port(ip) for _ in range(5)]
    (tmp_path / "busy.xml").write_text(
        '<?xml version="1.0"?><scenario name="busy"><recv request="INVITE"/><send><![CDATA[\n'
        "SIP/2.0 486 Busy Here\n[last_Via:]\n[last_From:]\n[last_To:];tag=1\n[last_Call-ID:]\n[last_CSeq:]\n"
        'Content-Length: 0\n\n]]></send><recv request="ACK"/></scenario>'
    )
    common = ["-i", ip, "-nostdin", "-timeout", "30", "-m", "1"]
    with ExitStack() as stack:
        for name, port, words in (("a", ports[0], ["-sn", "3pcc-A"]), ("b", ports[1], ["-sf", "busy.xml"])):
            words += ["-mp", str(free_port(ip))]
            callee = stack.enter_context(Program([*THEIRS, *words, *common, "-p", str(port)], tmp_path, name))
            callee.wait_listening(ip, port)
        twin = ["-3pcc", f"{ip}:{ports[4]}"]
        words = ["-sn", "3pcc-C-B", *twin, *common[:-2], "-mp", str(free_port(ip)), "-p", str(ports[3])]
        b = stack.enter_context(Program([*THEIRS, *words, f"{ip}:{ports[1]}"], tmp_path, "cb"))
        wait_until(lambda: not b.running or is_listening(ip, ports[4]), 15, b.describe)
        traced = ["-trace_err", "-error_file", "ca.err.log", "-trace_msg", "-message_file", "ca.msg"]
        a = stack.enter_context(
            Program(
                [*OURS, "-sn", "3pcc-C-A", *twin, *common, *traced, "-p", str(ports[2]), f"{ip}:{ports[0]}"],
                tmp_path,
                "ca",
            )
        )
        ended = a.wait(40)
    assert ended.exit_code == 1, ended.explain()
    assert "the twin gave the call up" in (tmp_path / "ca.err.log").read_text()
    log = (tmp_path / "ca.msg").read_text()
    assert "internal-cmd: abort_call" in log
    assert "BYE sip:" in log
