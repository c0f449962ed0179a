"""`sipp.sh`: the command lines that play a bundle with real SIPp, pair after pair. Only text; starts nothing.

Every name in it is one that this package chose, and is quoted all the same; no value of a capture is in it.
"""

from __future__ import annotations

import math
import re
import shlex

from sipreplay.bundle.model import Bundle, BundleScenario
from sipreplay.errors import BundleError

NAME = "sipp.sh"

_HEAD = """\
#!/bin/sh
# Plays this bundle with SIPp (3.6.1 or later) on this machine, each pair of scenarios in turn:
# the answering side first, in the background, then the calling side.
#
#   sh sipp.sh                 all pairs
#   sh sipp.sh NAME...         these calling sides only
#   UAC_IP=127.0.0.5 RATE=5 sh sipp.sh
#   START_S=3 sh sipp.sh       seconds that the answering side gets to start
#
# Media is sent through raw sockets: that needs root or CAP_NET_RAW. Ends with 0 when both sides of every pair did.
set -eu
cd -- "$(dirname -- "$0")"
SIPP=${SIPP:-sipp}
UAC_IP=${UAC_IP:-127.0.0.1}
UAC_PORT=${UAC_PORT:-5062}
UAC_MEDIA_PORT=${UAC_MEDIA_PORT:-6000}
UAS_IP=${UAS_IP:-127.0.0.2}
UAS_PORT=${UAS_PORT:-5060}
UAS_MEDIA_PORT=${UAS_MEDIA_PORT:-16000}
RATE=${RATE:-10}
START_S=${START_S:-1}
LOGS=${LOGS:-logs}
mkdir -p -- "$LOGS"
failed=0
uas=
trap '[ -z "$uas" ] || kill "$uas" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

wanted() {
    for name in $names; do
        [ "$name" = "$1" ] && return 0
    done
    [ -z "$names" ]
}

# SIPp's address of the other side: an IPv6 one stands in brackets.
remote() {
    case $UAS_IP in
        *:*) echo "[$UAS_IP]:$UAS_PORT" ;;
        *) echo "$UAS_IP:$UAS_PORT" ;;
    esac
}

judge() {
    echo "$1: calling side exit $2, answering side exit $3"
    if [ "$2" -ne 0 ] || [ "$3" -ne 0 ]; then
        failed=1
        echo "  what they said: $LOGS/$1.err, $LOGS/$4.err" >&2
    fi
}

names="$*"
"""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*\Z")


def sipp_script(bundle: Bundle) -> str:
    """The text of sipp.sh. Raises BundleError for a scenario whose names could not stand in a command line."""
    by_id = {s.id: s for s in bundle.scenarios}
    parts = [_HEAD]
    for uac in in_order([s for s in bundle.scenarios if s.role == "uac"]):
        uas = by_id.get(uac.pair)
        if uas is not None:
            parts.append(_pair(uac, uas))
    parts.append('\nexit "$failed"\n')
    return "".join(parts)


def in_order(scenarios: list[BundleScenario]) -> list[BundleScenario]:
    """As listed, but each behind those it names in `after` (a circle is broken where it is met)."""
    by_id = {s.id: s for s in scenarios}
    ordered: list[BundleScenario] = []
    seen: set[str] = set()

    def visit(scenario: BundleScenario) -> None:
        if scenario.id in seen:
            return
        seen.add(scenario.id)
        for ident in scenario.after:
            if ident in by_id:
                visit(by_id[ident])
        ordered.append(scenario)

    for scenario in scenarios:
        visit(scenario)
    return ordered


def _pair(uac: BundleScenario, uas: BundleScenario) -> str:
    for text in (uac.id, uac.file, uac.injection, uas.id, uas.file, uas.injection):
        if text and not _SAFE.match(text):
            raise BundleError(
                f"scenario {uac.id!r}: {text!r} cannot stand in a command line; use letters, digits, - and _"
            )
    calls = max(1, uac.calls)
    seconds = math.ceil(calls / 10 + 2 * max(uac.duration_ms, uas.duration_ms) / 1000) + 60
    common = f"-m {calls} -nostdin -timeout {seconds}s -timeout_error -trace_err"
    transport = "t1" if uac.transport == "TCP" else "u1"
    lines = [
        f"\nif wanted {shlex.quote(uac.id)}; then",
        f'    "$SIPP" -sf {shlex.quote(uas.file)}{_injection(uas)} -t {transport} \\',
        '        -i "$UAS_IP" -p "$UAS_PORT" -mi "$UAS_IP" -mp "$UAS_MEDIA_PORT" \\',
        f"        {common} -error_file {_log(uas.id, 'err')} \\",
        f"        >{_log(uas.id, 'out')} 2>&1 </dev/null &",
        "    uas=$!",
        '    sleep "$START_S"',
        "    uac_exit=0",
        f'    "$SIPP" "$(remote)" -sf {shlex.quote(uac.file)}{_injection(uac)} -t {transport} \\',
        '        -i "$UAC_IP" -p "$UAC_PORT" -mi "$UAC_IP" -mp "$UAC_MEDIA_PORT" -r "$RATE" \\',
        f"        {common} -error_file {_log(uac.id, 'err')} \\",
        f"        >{_log(uac.id, 'out')} 2>&1 </dev/null || uac_exit=$?",
        '    [ "$uac_exit" -eq 0 ] || kill "$uas" 2>/dev/null || true',
        "    uas_exit=0",
        '    wait "$uas" || uas_exit=$?',
        "    uas=",
        f'    judge {shlex.quote(uac.id)} "$uac_exit" "$uas_exit" {shlex.quote(uas.id)}',
        "fi",
    ]
    return "\n".join(lines) + "\n"


def _injection(scenario: BundleScenario) -> str:
    if not scenario.injection:
        return ""
    name = scenario.injection
    text = f" -inf {shlex.quote(name)}"
    if scenario.injection_index >= 0:
        text += f" -infindex {shlex.quote(name.rsplit('/', 1)[-1])} {scenario.injection_index}"
    return text


def _log(ident: str, ending: str) -> str:
    return f'"$LOGS"/{shlex.quote(f"{ident}.{ending}")}'
