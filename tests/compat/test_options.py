from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.compat.config import settings_of
from sipreplay.compat.options import NOT_YET, OPTIONS, evaluate, help_text, split_host
from sipreplay.errors import UsageError


def test_the_host_may_stand_anywhere_and_options_take_one_or_two_dashes() -> None:
    for words in ("127.0.0.1:5070 -m 3 --r 5", "-m 3 127.0.0.1:5070 --r 5", "-m 3 --r 5 127.0.0.1:5070"):
        line = evaluate(words.split())
        assert (line.host, line.integer("m", 0), line.number("r", 0)) == ("127.0.0.1:5070", 3, 5.0)


def test_a_value_may_look_like_an_option() -> None:
    line = evaluate(["-s", "-m", "-d", "1"])
    assert line.text("s") == "-m"
    assert "m" not in line


def test_the_last_of_a_repeated_option_wins_and_lists_accumulate() -> None:
    words = "-m 1 -m 2 -inf a.csv -inf b.csv -infindex a.csv 0 -key x 1 -key y -2 -set v w"
    line = evaluate(words.split())
    assert line.integer("m", 0) == 2
    assert line.repeated == {
        "inf": [("a.csv",), ("b.csv",)],
        "infindex": [("a.csv", 0)],
        "key": [("x", "1"), ("y", "-2")],
        "set": [("v", "w")],
    }


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500", 500.0), ("500ms", 500.0), ("1.5s", 1500.0), ("2m", 120_000.0), ("1h", 3_600_000.0), (".5s", 500.0)],
)
def test_times(text: str, milliseconds: float) -> None:
    assert evaluate(["-d", text]).number("d", 0) == milliseconds


def test_the_default_unit_is_the_options() -> None:
    assert evaluate(["-timeout", "10"]).number("timeout", 0) == 10_000.0
    assert evaluate(["-rp", "10"]).number("rp", 0) == 10.0


def test_help_is_looked_for_before_anything_else_counts() -> None:
    assert "v" in evaluate(["a", "b", "c", "-m", "x", "-v"])
    assert evaluate(["-sd", "uas", "-m", "x"]).text("sd") == "uas"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-foo", "unknown option -foo"),
        ("-trace_stats", "did you mean -trace_stat"),
        ("--nope 1", "unknown option --nope"),
        ("-tls_cert x", "-tls_cert: TLS is not supported yet; use -t u1"),
        ("-plugin x.so", "-plugin: SIPp's plugins are C"),
        ("-rtpcheck_debug", "-rtpcheck_debug: .*not written"),
        ("-rxrn x", "use -rxsf"),
        ("-reconnect_close maybe", "not supported yet"),
        ("-message_overwrite maybe", "must be true or false"),
        ("-watchdog_major_maxtriggers x", "must be an integer"),
        ("-oocsn ooc_default -oocsf x.xml", "given twice; use -oocsn or -oocsf once"),
        ("a b", "'b' is a second remote host"),
        ("-m", "-m needs N"),
        ("-key a", "-key needs KEYWORD VALUE"),
        ("-m x", "must be an integer"),
        ("-m -3", "must be an integer that is not negative"),
        ("-r fast", "must be a number"),
        ("-d 5x", "must be a time"),
        ("-d 1:30", "must be a time"),
        ("-sn uac -sf x.xml", "given twice"),
        ("-users 3 -l 4", "cannot follow -users"),
    ],
)
def test_what_is_wrong_is_named(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(words.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-t ui", "-t ui is not supported yet"),
        ("-t xx", "unknown transport"),
        ("-t u", "unknown transport"),
        ("-p 70000", "from 1 to 65535"),
        ("-l 0", "at least 1"),
        ("-rp 0", "longer than 0"),
        ("-default_behaviors all,-byte", "unknown behavior '-byte'"),
        ("-rtcheck fast", "must be full or loose"),
        ("-cid_type nice", "-cid_type nice: unknown"),
        ("-lost 101", "at most 100"),
        ("-3pcc 127.0.0.1 -master m", "-3pcc and -master exclude each other"),
        ("-master m", "needs -slave_cfg"),
        ("-slave_cfg none.cfg -slave a", "none.cfg: cannot be read"),
        ("-ringbuffer_size 5 -max_log_size 5", "exclude each other"),
        ("-ringbuffer_files 5", "needs -ringbuffer_size"),
        ("-dynamicStep 0", "at least 1"),
        ("a:99999", "from 1 to 65535"),
    ],
)
def test_values_that_cannot_be(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings_of(evaluate(words.split()))


def test_no_option_is_both_built_and_not() -> None:
    assert not set(NOT_YET) & set(OPTIONS)
    text = help_text()
    assert all(f"-{name}" in text for name in OPTIONS)


def test_hosts() -> None:
    assert split_host("a") == ("a", 5060)
    assert split_host("a:1") == ("a", 1)
    assert split_host("[::1]:5070") == ("::1", 5070)
    assert split_host("::1") == ("::1", 5060)
    for bad in ("", "a:b", "[::1]x", "a b"):
        with pytest.raises(UsageError, match="not a remote host"):
            split_host(bad)


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 4711)
    words = (
        "127.0.0.2:5070 -sf dir/call.xml -r 30 -rp 2s -m 7 -l 5 -d 1500 -s bob -i 127.0.0.1 -p 5062 -mi 127.0.0.3 "
        "-mp 7000 -buff_size 9000 -timeout 90 -timeout_error -recv_timeout 2s -trace_stat -stf s.csv -trace_err "
        "-trace_msg -trace_rtt -fd 5 -au u -ap p -inf a.csv -infindex a.csv 1 -key k v -set g w "
        "-nostdin -nr -base_cseq 9"
    )
    settings = settings_of(evaluate(words.split()))
    config = settings.engine
    assert (config.scenario, config.builtin, settings.name) == (Path("dir/call.xml"), False, "call")
    assert (config.remote, config.local_ip, config.local_port) == (("127.0.0.2", 5070), "127.0.0.1", 5062)
    assert (config.rate_cps, config.calls, config.limit, config.pause_ms, config.service) == (15.0, 7, 5, 1500, "bob")
    assert (config.media_ip, config.media_port, config.buffer_bytes) == ("127.0.0.3", 7000, 9000)
    assert (settings.timeout_s, settings.timeout_error, config.recv_timeout_ms, settings.row_s) == (90, True, 2000, 5)
    assert (settings.stat_file, config.trace_errors) == (Path("s.csv"), Path("call_4711_errors.log"))
    assert (config.trace_messages, config.trace_rtt) == (Path("call_4711_messages.log"), Path("call_4711_rtt.csv"))
    assert (config.auth_user, config.auth_password, config.keys, config.set_variables) == (
        "u",
        "p",
        {"k": "v"},
        {"g": "w"},
    )
    assert (config.injection, config.injection_index) == ([Path("a.csv")], [("a.csv", 1)])
    assert (config.retransmission, config.base_cseq) == (False, 9)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("", {"bye", "abortunexp", "pingreply", "cseq"}),
        ("-nd", set()),
        ("-default_behaviors all,-bye", {"abortunexp", "pingreply", "cseq"}),
        ("-default_behaviors -bye", set()),
        ("-default_behaviors bye,+cseq", {"bye", "cseq"}),
        ("-default_behaviors all,none,pingreply", {"pingreply"}),
    ],
)
def test_a_list_of_behaviors_starts_from_nothing(words: str, left: set[str]) -> None:
    config = settings_of(evaluate(words.split())).engine
    kept = {
        "bye": config.default_bye,
        "abortunexp": config.abort_unexpected,
        "pingreply": config.answer_ping,
        "cseq": config.check_ack_cseq,
    }
    assert {name for name, on in kept.items() if on} == left


def test_rates_are_by_the_period() -> None:
    words = "-r 6 -rp 2s -rate_increase 4 -rate_max 20 -fd 5 -no_rate_quit"
    config = settings_of(evaluate(words.split())).engine
    assert (config.rate_cps, config.rate_increase_cps, config.rate_max_cps) == (3.0, 2.0, 10.0)
    assert (config.rate_interval_s, config.stop_at_rate_max) == (5.0, False)
    assert settings_of(evaluate(["-rate_increase", "4", "-rate_interval", "2"])).engine.rate_interval_s == 2.0


def test_twins_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "twins.cfg"
    file.write_text("m;127.0.0.1:6060\n\ns1;127.0.0.2\n")
    twin = settings_of(evaluate(["-slave_cfg", str(file), "-slave", "s1"])).engine.twin
    assert twin is not None
    assert (twin.name, twin.master) == ("s1", False)
    assert twin.peers == {"m": ("127.0.0.1", 6060), "s1": ("127.0.0.2", 6060)}
    with pytest.raises(UsageError, match="no line for s2"):
        settings_of(evaluate(["-slave_cfg", str(file), "-slave", "s2"]))
    file.write_text("m 127.0.0.1:6060\n")
    with pytest.raises(UsageError, match=r"twins.cfg:1: wants NAME;HOST:PORT"):
        settings_of(evaluate(["-slave_cfg", str(file), "-master", "m"]))


def test_the_local_address_is_the_one_that_reaches_the_peer() -> None:
    client = settings_of(evaluate(["127.0.0.9"])).engine
    assert (client.local_ip, client.advertise_ip) == ("0.0.0.0", "127.0.0.1")
    bound = settings_of(evaluate(["127.0.0.9", "-bind_local"])).engine
    assert (bound.local_ip, bound.advertise_ip) == ("127.0.0.1", "")
    server = settings_of(evaluate(["-sn", "uas"])).engine
    assert server.local_ip == "0.0.0.0"
    assert server.advertise_ip


def test_without_a_scenario_it_is_uac() -> None:
    settings = settings_of(evaluate(["127.0.0.1"]))
    assert (settings.engine.scenario, settings.engine.builtin, settings.name) == ("uac", True, "uac")
    assert settings.engine.calls is None
