"""Kamailio as a peer: registrar and stateful, record-routing proxy, with digest authentication if asked for."""

from __future__ import annotations

from pathlib import Path

from tests.interop.process import Program

CONFIGURATION = """\
#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
server_header="Server: kamailio"
user_agent_header="User-Agent: kamailio"
{tcp}
{listen}

loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"

modparam("rr", "append_fromtag", 1)
modparam("auth", "nonce_expire", 300)
modparam("usrloc", "db_mode", 0)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    if (!is_method("ACK")) {{ t_check_trans(); }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{
            if (t_check_trans()) {{ t_relay(); }}
            exit;
        }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    if (is_method("REGISTER")) {{
        {register_auth}
        if (!save("location")) {{ sl_reply_error(); }}
        exit;
    }}
    {request_auth}
    {record_route}
    {routes}
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    if (!t_relay()) {{ sl_reply_error(); }}
}}
"""

CHALLENGE = """if (!pv_{kind}_authenticate("{realm}", "{password}", "0")) {{
            auth_challenge("{realm}", "0");
            exit;
        }}
        consume_credentials();"""


def kamailio(
    log_dir: Path,
    ip: str,
    port: int = 5060,
    *,
    password: str = "",
    realm: str = "",
    challenge_register: bool = True,
    challenge_invite: bool = True,
    routes: dict[str, str] | None = None,
    tcp: bool = False,
    record_route: bool = True,
) -> Program:
    """Start it on ip:port and wait until it listens.

    With `password`, every user's password is that one: REGISTER is challenged with 401, other new requests with 407.
    `routes` sends users to a fixed "host:port" instead of to their registered contact. Without `record_route` it takes
    no part in a dialog: requests inside one must go past it, and get 404 from it.
    """
    realm = realm or ip
    fill = {"realm": realm, "password": password}
    fixed = "".join(
        f'if ($rU == "{user}") {{ $du = "sip:{target}"; t_relay(); exit; }}\n    '
        for user, target in (routes or {}).items()
    )
    listen = f"listen=udp:{ip}:{port}" + (f"\nlisten=tcp:{ip}:{port}" if tcp else "")
    text = CONFIGURATION.format(
        tcp="" if tcp else "disable_tcp=yes",
        listen=listen,
        register_auth=CHALLENGE.format(kind="www", **fill) if password and challenge_register else "",
        request_auth=CHALLENGE.format(kind="proxy", **fill) if password and challenge_invite else "",
        routes=fixed,
        record_route='if (is_method("INVITE|SUBSCRIBE")) { record_route(); }' if record_route else "",
    )
    run_dir = log_dir / "kamailio"
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "kamailio.cfg"
    path.write_text(text)
    argv = ["kamailio", "-f", path, "-DD", "-E", "-m", "16", "-M", "4", "-w", run_dir, "-Y", run_dir]
    program = Program(argv, run_dir, "kamailio")
    try:
        program.wait_listening(ip, port)
    except BaseException:
        program.stop()
        raise
    return program
