"""Injection files, and options of load, addresses and files."""

from __future__ import annotations

from tests.interop.differential.pair import ANSWER, BYE, CALL, END, OK, OPTIONS, Pair, ask, hear, nop, pause

USERS = "SEQUENTIAL\n# a comment\nann;secret;a b;[authentication username=eve password=adam]\nbob;other;;\n\nnot;read\n"
NUMBERS = "SEQUENTIAL,PRINTF=5,PRINTFOFFSET=100,PRINTFMULTIPLE=3\nu%d;%05d;x%3dy\nv%d;%-4d|;\n"
ONE = "RANDOM\nonly;one\n"
BY_USER = "USER\nfirst;1\nsecond;2\n"
ANSWERS = hear("OPTIONS") + OK

PAIRS = [
    Pair(
        "fields",
        ask(
            "OPTIONS",
            "X: [field0]|[field1]|[field2]|[field0 file=users.csv]|[field1 line=1]|[field0 line=7]|",
            "Y: [field0 file=numbers.csv]|[field1 file=numbers.csv]|[field2 file=numbers.csv]|[field0 file=one.csv]|",
        )
        + hear("200"),
        ANSWERS,
        calls=4,
        caller_words="-inf users.csv -inf numbers.csv -inf one.csv",
        files={"users.csv": USERS, "numbers.csv": NUMBERS, "one.csv": ONE},
    ),
    Pair(
        "fields-of-users",
        ask("OPTIONS", "X: [field0] [field1] [userid]") + hear("200"),
        ANSWERS,
        calls=2,
        caller_words="-users 2 -inf users.csv",
        files={"users.csv": BY_USER},
    ),
    Pair(
        "fields-of-the-called",
        OPTIONS,
        hear("OPTIONS") + OK.replace("Contact:", "X: [field0]\nContact:"),
        calls=3,
        called_words="-inf users.csv",
        files={"users.csv": USERS},
    ),
    Pair(
        "lookups",
        nop('<lookup assign_to="row" file="users.csv" key="bob"/><lookup assign_to="none" file="users.csv" key="zoe"/>')
        + ask("OPTIONS", 'X: [field1 line="[$row]"] [$row] [$none]')
        + hear("200")
        + nop(
            '<insert file="users.csv" value="eve;[$row]"/><lookup assign_to="row" file="users.csv" key="eve"/>'
            '<replace file="users.csv" line="0" value="zoe;new"/>'
        )
        + ask("INFO", 'X: [field0 line="[$row]"] [field1 line="[$row]"] [field0]')
        + hear("200"),
        hear("OPTIONS") + OK.partition("<timewait")[0] + hear("INFO") + OK,
        caller_words="-inf users.csv -infindex users.csv 0",
        files={"users.csv": USERS},
    ),
    Pair(
        "credentials-in-a-file",
        ask("REGISTER") + hear("401", 'auth="true"') + ask("REGISTER", "[field3]") + hear("200"),
        hear("REGISTER")
        + OK.replace("200 OK", '401 Who\nWWW-Authenticate: Digest realm="r",nonce="n"').partition("<timewait")[0]
        + hear("REGISTER", "", '<verifyauth assign_to="good" username="eve" password="adam"/>')
        + OK.replace("Contact:", "X: [$good]\nContact:"),
        caller_words="-inf users.csv",
        files={"users.csv": USERS},
        answers={"401": 'WWW-Authenticate: Digest realm="r",nonce="n"'},
    ),
    Pair("rate-and-period", OPTIONS, ANSWERS, calls=6, caller_words="-r 10 -rp 200 -l 4 -rate_scale 2"),
    Pair(
        "limited",
        ask("OPTIONS") + hear("200") + pause(60),
        ANSWERS,
        calls=4,
        caller_words="-r 200 -l 1",
    ),
    Pair(
        "climbing-rate",
        OPTIONS,
        ANSWERS,
        calls=8,
        caller_words="-r 10 -rate_increase 40 -rate_interval 1 -rate_max 50 -no_rate_quit",
        loose=("TargetRate",),
    ),
    Pair(
        "small-turns",
        CALL + BYE,
        ANSWER + END,
        calls=6,
        caller_words="-max_recv_loops 1 -max_sched_loops 1 -timer_resol 5 -skip_rlimit -buff_size 100000",
        called_words="-watchdog_interval 0 -deadcall_wait 0 -sendbuffer_warn false",
    ),
    Pair(
        "watchdog",
        CALL + BYE,
        ANSWER + END,
        caller_words="-watchdog_interval 300 -watchdog_minor_threshold 20000 -watchdog_major_threshold 30000 "
        "-watchdog_minor_maxtriggers -1 -watchdog_major_maxtriggers -1 -watchdog_reset 1000",
    ),
    Pair(
        "control-port",
        OPTIONS,
        ANSWERS,
        caller_words="-ci 127.0.0.1 -bind_local -f 2 -sleep 1",
        proves=("option bind_local",),
    ),
    Pair(
        "files",
        OPTIONS,
        ANSWERS,
        caller_words="-periodic_rtd -trace_shortmsg -shortmessage_file caller.short -trace_calldebug "
        "-calldebug_file caller.debug -calldebug_overwrite true -message_overwrite true -error_overwrite true "
        "-log_overwrite true -shortmessage_overwrite true -trace_screen -screen_file caller.screen "
        "-screen_overwrite true -ringbuffer_files 3 -ringbuffer_size 1000000",
        called_words="-max_log_size 1000000",
    ),
    Pair(
        "sending-elsewhere",
        OPTIONS,
        ANSWERS,
        caller_words="-rsa {remote}",
    ),
    Pair("ends-in-time", OPTIONS + pause(100), ANSWERS, caller_words="-timeout 20", called_words="-timeout 20"),
    Pair(
        "circuits",
        ask("OPTIONS", "X: [tdmmap]") + hear("200"),
        ANSWERS,
        caller_words="-tdmmap {1-1}{9}{2-2}{3-3}",
    ),
]
