from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.errors import ScenarioError
from sipreplay.scenario import model
from sipreplay.scenario.checks import check_injection, media_kinds
from sipreplay.scenario.injection import read_injection
from sipreplay.scenario.keywords import compile_text
from sipreplay.scenario.reader import read_scenario

SEND = "<send><![CDATA[\nINVITE sip:a SIP/2.0\nCall-ID: [call_id]\n]]></send>"


def scenario(inside: str, *, send: str = SEND) -> model.Scenario:
    return read_scenario(f'<?xml version="1.0"?>\n<scenario name="t">\n{inside}\n{send}\n</scenario>', "t.xml")


def actions(inside: str) -> list[model.Action]:
    return scenario(f"<nop><action>{inside}</action></nop>").elements[0].actions


def test_elements_attributes_and_labels() -> None:
    read = scenario(
        """
        <label id="a"/>
        <recv request="INVITE|OPTIONS" regexp_match="true" optional="global" advance_state="false" timeout="0x10"
          rrs="1" auth="TRUE" ontimeout="a" start_rtd="x" rtd="true" repeat_rtd="true" counter="c" crlf="" next="end"
          test="v" chance="0.5" condexec="v" condexec_inverse="true" lost="1.5" ignoresdp="true" hide="true"/>
        <recv response="200"/>
        <nop rtd="x" display="hello"/>
        """,
        send=SEND + '<label id="end"/>',
    )
    first = read.elements[0]
    assert isinstance(first, model.Recv)
    assert (first.request, first.regexp_match, first.optional, first.advance_state) == (
        "INVITE|OPTIONS",
        True,
        "global",
        False,
    )
    assert (first.timeout_ms, first.rrs, first.auth, first.ontimeout) == (16, True, True, "a")
    assert (first.start_rtd, first.rtd, first.repeat_rtd, first.counter, first.crlf) == ("x", "1", True, "c", True)
    assert (first.next, first.test, first.chance) == ("end", "v", 0.5)
    assert (first.condexec, first.condexec_inverse, first.lost, first.ignoresdp, first.hide) == (
        "v",
        True,
        1.5,
        True,
        True,
    )
    assert read.labels == {"a": 0, "end": 4}
    assert first.line == 5
    assert not read.is_client


def test_hiderest_is_the_default_of_what_follows() -> None:
    read = scenario('<nop/><nop hiderest="true"/><nop/><nop hide="false"/><nop hiderest="false"/>')
    assert [element.hide for element in read.elements] == [False, True, True, False, False, False]


@pytest.mark.parametrize(
    ("xml", "duration"),
    [
        ("<pause/>", (None, "", None)),
        ('<pause milliseconds="010"/>', (10, "", None)),
        ('<pause variable="v" distribution="fixed" value="1"/><Reference variables="v"/>', (None, "v", None)),
        ('<pause distribution="normal" mean="10" stdev="2"/>', (None, "", ("normal", 10.0, 2.0))),
        ('<pause normal="true" mean="10" stdev="2"/>', (None, "", ("normal", 10.0, 2.0))),
        ('<pause milliseconds="1.5"/>', (None, "", ("fixed", 1.5))),
        ('<pause milliseconds="1e3"/>', (1000, "", None)),
        ('<pause milliseconds=""/>', (0, "", None)),
        ('<pause min="1" max="2.5" milliseconds="9"/>', (None, "", ("uniform", 1.0, 2.5))),
        ('<pause distribution="gpareto" shape="1" scale="2" location="3"/>', (None, "", ("gpareto", 1.0, 2.0, 3.0))),
    ],
)
def test_the_duration_of_a_pause(xml: str, duration: tuple[object, ...]) -> None:
    pause = scenario(xml).elements[0]
    assert isinstance(pause, model.Pause)
    shown = pause.distribution and (pause.distribution.name, *(value for _, value in pause.distribution.parameters))
    assert (pause.milliseconds, pause.variable, shown) == duration


def test_attribute_values_pass_two_layers() -> None:
    log, compare = actions(
        r'<log message="a\n\&quot;b\\ \w &amp;lt; \x5B"/>'
        '<strcmp variable="v" value="&amp;quot;x&amp;quot;" assign_to="v"/>'
    )
    assert isinstance(log, model.Log)
    assert log.message == 'a\n"b\\ \\w < \\x5B'
    assert isinstance(compare, model.Strcmp)
    assert compare.value == '"x"'


def test_what_sipp_takes_lightly_is_taken_lightly() -> None:
    read = scenario(
        """<nop test="once" chance="7"/><recv response="200" timeout="" rrs="" lost=""/>
           <CallLengthRepartition value="30,,10 , 20,"/><ResponseTimeRepartition value=""/>"""
    )
    first, second = read.elements[:2]
    assert (first.test, first.chance) == ("", 1.0)
    assert isinstance(second, model.Recv)
    assert (second.timeout_ms, second.rrs, second.lost) == (0, False, 0.0)
    assert (read.call_length_repartition, read.response_time_repartition) == ([10, 20, 30], [])


def test_all_actions_are_read() -> None:
    read = actions(
        """<ereg regexp="(a)(b)?" search_in="hdr" header="To:" occurence="2" case_indep="true" start_line="true"
             check_it="true" assign_to="v,w"/>
           <ereg regexp="x|y" search_in="var" variable="v" check_it_inverse="true" assign_to="w"/>
           <warning message="[$v]"/>
           <exec int_cmd="stop_gracefully"/>
           <assign assign_to="n" value="1.5"/> <divide assign_to="n" variable="m"/>
           <assignstr assign_to="s" value="[call_id]"/>
           <todouble assign_to="m" variable="s"/>
           <test variable="n" compare="greater_than" value="3" check_it="true"/>
           <strcmp variable="s" variable2="v" assign_to="m"/>
           <trim assign_to="s"/> <index assign_to="m"/> <gettimeofday assign_to="sec,usec"/>
           <log message="[$sec] [$usec]"/>
           <jump variable="m"/> <jump value="1"/> <pauserestore variable="m"/>
           <setdest host="127.0.0.1" port="[$m]" protocol="udp"/>
           <lookup assign_to="m" file="u.csv" key="[$s]"/>
           <verifyauth assign_to="m" username="u" password="[$s]"/>"""
    )
    assert " ".join(type(action).__name__ for action in read) == (
        "Ereg Ereg Log Exec Assign Assign AssignStr ToDouble Test Strcmp Trim Index GetTimeOfDay Log Jump Jump "
        "PauseRestore SetDest Lookup VerifyAuth"
    )
    assert read[0] == model.Ereg("(a)(b)?", ("v", "w"), "hdr", "To:", "", 2, True, True, True)


def test_meta_elements_may_stand_anywhere() -> None:
    read = scenario(
        """<CallLengthRepartition value="30, 10,20"/><Global variables="g,h"/><User variables="u"/>
           <Reference variables="g,h,u"/><ResponseTimeRepartition value="5"/>
           <DefaultMessage id="bye"><![CDATA[
             BYE x SIP/2.0
             [routes]
           ]]></DefaultMessage>
           <init><label id="i"/><nop next="i" test="g"/></init>"""
    )
    assert read.call_length_repartition == [10, 20, 30]
    assert read.response_time_repartition == [5]
    assert (read.global_variables, read.user_variables, read.references) == (["g", "h"], ["u"], ["g", "h", "u"])
    assert "[routes]" in read.default_messages["bye"]
    assert read.init_labels == {"i": 0}


def test_bytes_reach_the_message_whatever_the_declaration_says() -> None:
    for declared in ("ISO-8859-1", "UTF-8", "us-ascii"):
        for raw in (b"caf\xc3\xa9", b"caf\xe9"):
            text = f'<?xml version="1.0" encoding="{declared}"?>\n<scenario><send><![CDATA[X a SIP/2.0\nS: '.encode()
            read = read_scenario(text + raw + b"]]></send></scenario>", "t.xml")
            send = read.elements[0]
            assert isinstance(send, model.Send)
            assert compile_text(send.text, message=True) == (b"X a SIP/2.0\r\nS: " + raw + b"\r\n\r\n",)


def test_a_file_with_cr_lf_and_a_byte_order_mark_is_read() -> None:
    text = b'\xef\xbb\xbf<?xml version="1.0"?>\n<scenario>' + SEND.encode() + b"</scenario>"
    assert read_scenario(text.replace(b"\n", b"\r\n"), "t.xml").elements == read_scenario(text, "t.xml").elements


def test_an_entity_reads_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sip:secret")
    text = f"""<!DOCTYPE scenario [<!ENTITY f SYSTEM "{secret.as_uri()}">]>
    <scenario name="n"><nop>&f;</nop>{SEND.replace("<![CDATA[", "&f;<![CDATA[")}</scenario>"""
    assert "secret" not in repr(read_scenario(text, "t.xml"))


def test_an_entity_bomb_stays_closed() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE scenario [<!ENTITY e0 "lol">{bomb}]>\n<scenario name="&e11;">{SEND}</scenario>'
    read = read_scenario(text, "t.xml")
    assert read.name == "&e11;"
    assert read.warnings == ["t.xml:2: <scenario>: in name=, write & as &amp;"]


@pytest.mark.parametrize(
    ("inside", "line", "words"),
    [
        ("<foo/>", 3, "unknown element"),
        ("<nop>\n<action>\n<bar/></action></nop>", 5, "<bar>: unknown action"),
        ("<nop\n next='z'\n/>", 3, "there is no such label"),
        ("<label id='a'/>\n<label id='a'/>", 4, "used twice"),
        ("<recv response='2..'/>", 3, "regexp_match"),
        ("<recv request='('  regexp_match='true'/>", 3, "regular expression"),
        ("<recv response='200' optional='yes'/>", 3, "true, false or global"),
        ("<recv response='200' timeout='5s'/>", 3, "timeout.*integer"),
        ("<recv response='200' rrs='maybe'/>", 3, "rrs.*true or false"),
        ("<recv response='100' optional='true'/>\n<pause/>", 4, "recv> before <pause> sequence without a mandatory"),
        ("<recv response='100' optional='true'/>", 4, "recv> before <send> sequence without a mandatory"),
        ("<timewait milliseconds='1'/>", 4, "must be the last"),
        ("<nop/><timewait next='a'/>", 3, "not allowed on <timewait>"),
        ("<nop start_rtd='a'/>", 3, "never stopped"),
        ("<nop repeat_rtd='true'/>", 3, "needs rtd"),
        ("<nop next='a' chance='2'/><label id='a'/>", 3, "from 0 to 1"),
        ("<nop condexec='v'/>", 3, r"variable \$v is referenced only once"),
        ("<Reference variables='v'/>", 0, "nothing else names"),
        ("<nop><action>\n<log message='[$v]'/></action></nop>", 4, "referenced only once"),
        (
            "<nop><action><ereg regexp='a' assign_to='v' check_it='1' check_it_inverse='1'/></action></nop>",
            3,
            "exclude",
        ),
        ("<nop><action><ereg regexp='[a' assign_to='_'/></action></nop>", 3, "regular expression"),
        ("<nop><action><ereg regexp='a' search_in='hdr' assign_to='_'/></action></nop>", 3, "header="),
        ("<nop><action><log message='[nope]'/></action></nop>", 3, "unknown keyword"),
        ("<nop><action><assign assign_to='_' value='1' variable='_'/></action></nop>", 3, "exclude"),
        ("<nop><action><assign assign_to='_'/></action></nop>", 3, "value= or variable="),
        ("<nop><action><divide assign_to='_' value='0'/></action></nop>", 3, "divide by 0"),
        (
            "<nop><action><test variable='_' compare='x' value='1' assign_to='_'/></action></nop>",
            3,
            "must be one of",
        ),
        ("<nop><action><exec/></action></nop>", 3, "illegal <exec>"),
        ("<nop><action><exec play_pcap_audio='[media]'/></action></nop>", 3, "-key media"),
        ("<send></send>", 3, "CDATA"),
        ("<send><![CDATA[  ]]></send>", 3, "empty"),
        ("<send><![CDATA[[call_id] x SIP/2.0]]></send>", 3, "keyword"),
        ("<send response_txn='a'><![CDATA[X a SIP/2.0]]></send>", 3, "response_txn"),
        ("<send start_txn='a'><![CDATA[X a SIP/2.0]]></send>", 3, "has no response"),
        ("<recv response='200' response_txn='a'/>", 3, "never started"),
        ("<send start_txn='a'><![CDATA[INVITE a SIP/2.0]]></send><recv response='200' response_txn='a'/>", 3, "no ACK"),
        ("<pause distribution='flat'/>", 3, "must be one of"),
        ("<pause distribution='normal' mean='3'/>", 3, "stdev"),
        ("<pause distribution='fixed' value='9e12'/>", 3, "sanity_check"),
        ("<init><pause/></init>", 3, "<nop> and <label>"),
        ("<DefaultMessage id='ok'><![CDATA[X a SIP/2.0]]></DefaultMessage>", 3, "must be one of"),
        ("<CallLengthRepartition value='1;2'/>", 3, "comma list"),
        (f"<CallLengthRepartition value='{'1' * 5000}x'/>", 3, "comma list"),
        # Commands, and the actions on files, numbers and media.
        ("<sendCmd/>", 3, r"<sendCmd>: needs its message"),
        ("<sendCmd><![CDATA[Call-ID: [nope]]]></sendCmd>", 3, r"unknown keyword \[nope\]"),
        ("<recvCmd optional='yes'/>", 3, "<recvCmd>: optional="),
        ("<nop><action><insert file='a'/></action></nop>", 3, "<insert>: needs value="),
        ("<nop><action><replace file='a' value='b'/></action></nop>", 3, "<replace>: needs line="),
        ("<nop><action><urlencode/></action></nop>", 3, "<urlencode>: needs variable="),
        ("<nop><action><sample assign_to='_'/></action></nop>", 3, "<sample>: needs distribution="),
        ("<nop><action><sample assign_to='_' distribution='fixed'/></action></nop>", 3, "needs value="),
        ("<nop><action><rtp_echo/></action></nop>", 3, "<rtp_echo>: needs value= or variable="),
        ("<nop><action><exec rtp_stream='a.wav,x'/></action></nop>", 3, "number of loops must be a number"),
        ("<nop><action><exec rtp_stream='apattern,7'/></action></nop>", 3, "pattern 7 does not exist"),
        ("<nop><action><exec rtp_stream='a.wav,1,96'/></action></nop>", 3, "96 can be named iLBC/8000 or H264/90000"),
        ("<nop><action><exec rtp_stream='a.wav,1,34'/></action></nop>", 3, "payload type 34 is not one of"),
        ("<nop><action><exec play_dtmf='xyz'/></action></nop>", 3, "names none of the digits"),
        ("<nop><action><exec rtp_echo='begin'/></action></nop>", 3, "rtp_echo: 'begin' must be one of startaudio"),
        ("<nop><action><erge/></action></nop>", 3, "<erge>: unknown action; did you mean <ereg>"),
        ("<nop><action><verifyauth assign_to='_' username='a'/></action></nop>", 3, "password="),
    ],
)
def test_every_fatal_names_file_line_and_cause(inside: str, line: int, words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        scenario(inside)
    assert (caught.value.file, caught.value.line) == ("t.xml", line)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "not well-formed"),
        ("no xml", 1, "begins with <scenario>"),
        ("<scenario>\n<nop>\n</scenario>", 2, "not well-formed XML: <nop> is never closed"),
        ("<scenario><nop/>\n</scenario><scenario/>", 2, "stands after </scenario>"),
        ("<scenario>\n<nop a=1/></scenario>", 2, 'not in quotes; write a="1"'),
        ("<scenario>\n<nop a='1/></scenario>", 2, "a= has no closing '"),
        ("<scenario>\n<nop></nob></scenario>", 2, "</nob> closes nothing: the <nop> of line 2 is open"),
        ("<scenario>\n<!-- a </scenario>", 2, "never closed; close it with -->"),
        ("<scenario>\n<send><![CDATA[ </scenario>", 2, "never closed; close it with ]]>"),
        ("<scenario>\n<nop", 2, "the tag is never closed"),
        ("<scenario>\n< nop/></scenario>", 2, "write &lt;"),
        ("<scenario>\n<nop a='\x01'/></scenario>", 2, "control character"),
        ("<scenario>" + "<nop>" * 100, 1, "nested more than"),
        ("<scenarios/>", 1, "not <scenario>"),
        ("<scenario/>", 0, "neither sends nor receives"),
        ("<scenario><nop/></scenario>", 0, "neither sends nor receives"),
    ],
)
def test_a_file_that_is_not_a_scenario_says_where_and_what_to_do(text: str, line: int, words: str) -> None:
    with pytest.raises(ScenarioError, match=words) as caught:
        read_scenario(text, "t.xml")
    assert (caught.value.file, caught.value.line) == ("t.xml", line)


def test_injection_files_are_checked_against_the_scenario() -> None:
    read = scenario(
        '<nop><action><assignstr assign_to="_" value="[field1]"/></action></nop>\n'
        '<nop><action><assignstr assign_to="_" value="[field0 file=other.csv]"/></action></nop>'
    )
    users = read_injection("SEQUENTIAL\na;b\n", "dir/users.csv")
    other = read_injection("SEQUENTIAL\na\n", "other.csv")
    check_injection(read, [users, other])
    with pytest.raises(ScenarioError, match=r"t.xml:3: \[field1\] needs an injection file"):
        check_injection(read, [])
    with pytest.raises(ScenarioError, match=r"t.xml:4: .*'other.csv' was not given"):
        check_injection(read, [users])
    with pytest.raises(ScenarioError, match=r"other.csv:2: the line has 1 field,"):
        check_injection(read, [other, users])


def test_the_comment_directly_before_an_element_is_kept() -> None:
    read = scenario(
        "<!-- far -->\n<!-- packet 7\n     of the capture -->\n<nop/>\n<recv response='200'/>\n<!-- é -->",
        send=SEND.replace("<![CDATA[", "<!-- <![CDATA[no]]> --><![CDATA["),
    )
    assert [element.comment for element in read.elements] == ["packet 7\nof the capture", "", "é"]
    send = read.elements[2]
    assert isinstance(send, model.Send)
    assert send.text.startswith("\nINVITE")


def test_media_is_noticed() -> None:
    assert media_kinds(scenario("<nop/>")) == set()
    assert media_kinds(scenario('<nop><action><exec play_pcap_audio="a.pcap"/></action></nop>')) == {"audio"}


def test_keys_are_keywords() -> None:
    text = '<scenario><nop><action><exec play_pcap_audio="[m]"/></action></nop>' + SEND.replace("sip:a", "[to]")
    read = read_scenario(text + "</scenario>", "t.xml", {"m": "a.pcap", "to": "sip:b"})
    assert read.elements[0].actions == [model.Exec("play_pcap_audio", "a.pcap")]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(ScenarioError):
        read_scenario(data, "t.xml")
