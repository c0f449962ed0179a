"""Which files load: Debian's sipp and our reader accept the same ones, and refuse the same ones."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.scenario.checks import check_injection
from sipreplay.scenario.reader import read_scenario
from tests.interop.peers import free_port

pytestmark = pytest.mark.interop("sipp")

SEND = "<send><![CDATA[\nINVITE a SIP/2.0\nCall-ID: [call_id]\n{}\n]]></send>"
NUMBERS = ("10ms", "1s", "0x10", "010", "", " 5", "5 ", "abc", "7")
BOOLEANS = ("true", "false", "TRUE", "True", "1", "0", "2", "yes", "", "0x1")
KEYWORDS = [
    "[len]",
    "[len+3]",
    "[media_port+1]",
    "[call_id+1]",
    "[last_X-Y]",
    "[$]",
    "[$a,b]",
    "[fill]",
    '[fill_text="a"]',
    "[field]",
    "[file]",
    "[authentication]",
    "[authentication_foo=bar]",
    "[branch+x]",
    "[Call_id]",
    "[CALL_ID]",
    "[users]",
    "[userid]",
    "[server_ip]",
    "[msg_index]",
    "[clock_tick]",
    "[timestamp]",
    "[date]",
    "[dynamic_id]",
    "[sipp_version]",
    "[next_url]",
    "[routes]",
    "[",
    "]",
    "[]",
    "\\x5B",
    "[pid-]",
    "[remote_port+1+2]",
    "[last_Via:]x[last_To:]",
    "[nope]",
    "[field0]",
    "[$_]",
]
ACTIONS = [
    "<log/>",
    '<log message=""/>',
    '<log message="[nope]"/>',
    "<exec/>",
    '<exec int_cmd="foo"/>',
    "<ereg/>",
    '<ereg regexp="a"/>\n    ',
    '<ereg regexp="a" assign_to=""/>',
    '<ereg regexp="(" assign_to="_"/>',
    '<ereg regexp="a" assign_to="_" search_in="foo"/>\n    ',
    '<ereg regexp="a" assign_to="_" search_in="hdr"/>',
    '<ereg regexp="a" assign_to="_" search_in="var"/>\n    ',
    '<ereg regexp="a" assign_to="_" check_it="x"/>',
    '<ereg regexp="a" assign_to="_" check_it="true" check_it_inverse="true"/>\n    ',
    '<ereg regexp="a" assign_to="_"/>',
    '<assign assign_to="_"/>',
    '<assign value="1"/>',
    '<assign assign_to="_" value="1"/>\n    ',
    '<assign assign_to="_" value="1" variable="_"/>',
    '<assign assign_to="_,_" value="1"/>',
    '<assign assign_to="_" value="x"/>\n    ',
    '<divide assign_to="_" value="0"/>',
    '<test variable="_" compare="equal" value="1"/>',
    '<test variable="_" compare="eq"\n    value="1" assign_to="_"/>',
    '<test variable="_" value="1" assign_to="_"/>',
    '<test variable="_" compare="equal"\n    assign_to="_"/>',
    '<test variable="_" compare="equal" value="1" check_it="true"/>',
    '<strcmp variable="_" value="1"/>\n    ',
    '<strcmp variable="_" value="1" assign_to="_"/>',
    '<strcmp variable="_" assign_to="_"/>',
    '<todouble assign_to="_"/>\n    ',
    "<trim/>",
    "<index/>",
    '<gettimeofday assign_to="_"/>',
    '<gettimeofday assign_to="_,_"/>',
    '<gettimeofday assign_to="_,_,_"/>\n    ',
    "<jump/>",
    '<jump value="x"/>',
    '<jump value="1"/>',
    "<pauserestore/>",
    '<setdest host="a" port="1"/>\n    ',
    '<setdest host="a" port="1" protocol="UDP"/>',
    '<verifyauth assign_to="_" username="a"/>',
    "<unknown/>\n    ",
    '<assignstr assign_to="_"/>',
    '<assignstr assign_to="_" value=""/>',
    '<warning message="x"/>',
    '<insert value="b"/>',
    '<insert file="a"/>',
    '<replace file="a" value="b"/>',
    '<sample assign_to="_"/>',
    '<sample assign_to="_" distribution="fixed" value="1"/>',
    '<sample assign_to="_" distribution="flat"/>',
    '<sample distribution="fixed" value="1"/>',
    "<closecon/>",
    "<rtp_echo/>",
    '<rtp_echo value="1"/>',
    '<exec play_dtmf="1234"/>',
    '<exec play_dtmf="[nope]"/>',
    '<exec rtp_stream="pause"/>',
    '<exec rtp_stream="resume"/>',
    '<verifyauth assign_to="_" username="a" password="b"/>',
    '<lookup assign_to="_" file="a"/>',
]
PAUSES = [
    'distribution="fixed"',
    'distribution="fixed" value="x"',
    'distribution="uniform" min="1"',
    'min="1"',
    'min="1" max="2"',
    'normal="1" mean="2"',
    'distribution="weibull" lambda="1" k="1"',
    'distribution="flat"',
    'milliseconds="3000000000"',
    'milliseconds="3000000000" sanity_check="false"',
    'variable="_"',
    'variable="a"',
    'milliseconds="1.5"',
]
ELSEWHERE = (
    '<recv response="100" optional="true"/>',
    '<recv response="100" optional="true"/><pause/>',
    '<recv response="100" optional="global"/><nop/>',
    '<recv response="100" optional="true"/><recv response="200"/>',
    '<recv response="200" response_txn="a"/>',
    '<nop next="1" test="v"/><label id="1"/>',
    '<nop test="v"/>',
    '<nop next="z"/>',
    '<label id="a"/><nop/><label id="a"/>',
    '<label id="a b"/><nop next="a b"/>',
    '<nop start_rtd="a"/>',
    '<nop start_rtd="a"/><nop rtd="a"/>',
    '<nop counter="a,b"/>',
    '<nop counter="calls"/>',
    "<timewait/>",
    '<Global variables="a,b"/>' + SEND.format("[$a][$b]"),
    '<Global variables="a, b"/>' + SEND.format("[$a][$b]"),
    '<Reference variables="a"/>',
    "<init><nop/></init>",
    "<init><pause/></init>",
    '<init><label id="a"/><nop next="a"/></init>',
    '<init><nop next="q"/></init>',
    '<DefaultMessage id="bye"><![CDATA[\nBYE a SIP/2.0\nX: y\n]]></DefaultMessage>',
    '<DefaultMessage id="x"><![CDATA[\nBYE a SIP/2.0\nX: y\n]]></DefaultMessage>',
    "<ResponseTimeRepartition/>",
    '<ResponseTimeRepartition value="10, 20,"/>',
    "<send/>",
    "<send><![CDATA[x]]></send>",
    "<send><![CDATA[[call_id] a SIP/2.0\nX: y]]></send>",
    "<send><![CDATA[SIP/2.0 99 Low\nX: y]]></send>",
    "<send><![CDATA[SIP/2.0 700 High\nX: y]]></send>",
    "<send><![CDATA[SIP/2.0  200 OK\nX: y]]></send>",
    "<send><![CDATA[SIP/2.0 [service] OK\nX: y]]></send>",
    "<foo/>",
    '<recv response="2xx"/>',
    '<recv request="INVITE" regexp_match="TRUE"/>',
    '<recv response="200" request="BYE"/>',
    '<recv response="401" optional="true" advance_state="false"/><recv response="200"/>',
    '<recv response="401" advance_state="false"/>',
    '<send response_txn="a"><![CDATA[X a SIP/2.0]]></send>',
    '<send start_txn="a"><![CDATA[ACK a SIP/2.0\nX: y]]></send>',
    '<timewait milliseconds="10"/><nop/>',
    '<nop next="a" ontimeout="b"/><label id="a"/>',
    '<nop chance="2"/>',
    '<nop next="1" chance="2"/><label id="1"/>',
    '<User variables="a"/>' + SEND.format("[$a]"),
    '<Global variables=""/>',
    '<Reference variables="_"/>',
    "<label/>",
    "<action/>",
    "<nop><foo/></nop>",
    "<nop><foo/><action><bar/></action></nop>",
)


def snippets() -> Iterator[str]:
    """What stands before the message of an otherwise good scenario."""
    for value in NUMBERS:
        yield f'<recv response="200" timeout="{value}"/>'
        yield f'<pause milliseconds="{value}"/>'
        yield f'<nop next="1" chance="{value}"/><label id="1"/>'
        yield f'<nop><action><assign assign_to="_" value="{value}"/></action></nop>'
    for value in BOOLEANS:
        for attribute in ("rrs", "auth", "ignoresdp", "hide", "repeat_rtd"):
            yield f'<recv response="200" rtd="1" {attribute}="{value}"/>'
        yield f'<recv response="200" optional="{value}"/><recv response="200"/>'
    yield from (SEND.format(f"X: {keyword.replace('_text', ' text').replace('_foo', ' foo')}") for keyword in KEYWORDS)
    yield from (f"<nop><action>{action.strip()}</action></nop>" for action in ACTIONS)
    yield from (f"<pause {attributes}/>" for attributes in PAUSES)
    yield from ELSEWHERE


def test_the_same_files_load(tmp_path: Path) -> None:
    head, tail = '<?xml version="1.0"?>\n<scenario name="x">\n', f"\n{SEND.format('')}\n</scenario>\n"
    cases = [head + snippet + tail for snippet in snippets()]

    def refused(number: int) -> tuple[bool, bool, str]:
        path = tmp_path / f"{number}.xml"
        path.write_text(cases[number])
        words = ["-m", "0", "127.0.0.1:9", "-i", "127.0.0.1", "-p", str(free_port()), "-nostdin"]
        ended = subprocess.run(
            ["sipp", "-sf", path, *words], cwd=tmp_path, capture_output=True, timeout=30, check=False
        )
        try:
            check_injection(read_scenario(path.read_bytes(), path.name), [])
        except ScenarioError as error:
            return ended.returncode != 0, True, str(error)
        return ended.returncode != 0, False, ended.stderr.decode(errors="replace")

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(refused, range(len(cases))))
    assert len(cases) > 200
    assert {theirs for theirs, _, _ in results} == {True, False}
    different = [f"{case}: {why}" for case, (theirs, ours, why) in zip(cases, results, strict=True) if theirs != ours]
    assert not different, "\n".join(different)
