from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipreplay.errors import ScenarioError
from sipreplay.scenario import model
from sipreplay.scenario.distributions import KINDS
from sipreplay.scenario.reader import read_scenario
from sipreplay.scenario.writer import laid_out, write_scenario

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="[]\ufffe\uffff"))
ATTRIBUTES = TEXTS | st.text('&;ltgampquo\\nrx"<>\n\r\t ')
NAMES = st.sampled_from(["a", "b", "c1", "_x"])
"""Every name is also in `references`, so no variable is used once only."""
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40).map(float)
FLAGS = st.booleans()
MILLISECONDS = st.integers(0, 10**6)


def either(value: st.SearchStrategy[float], variable: str) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({"value": value}) | st.fixed_dictionaries({variable: NAMES})


CHECKS = st.sampled_from([{}, {"check_it": True}, {"check_it_inverse": True}])
EREGS = st.builds(
    lambda regexp, names, where, checks: model.Ereg(regexp, tuple(names), **where, **checks),
    st.sampled_from(["a|b", "<sip:([^>]*)>", '"&amp;"', "\\w+\\\\", "x{2}"]),
    st.lists(NAMES, min_size=1, max_size=3),
    st.sampled_from(
        [
            {},
            {"search_in": "body"},
            {"search_in": "var", "variable": "a"},
            {"search_in": "hdr", "header": "To: ", "occurrence": 2, "case_indep": True},
            {"search_in": "hdr", "header": 'X"&lt;', "start_line": True},
        ]
    ),
    CHECKS,
)
DISTRIBUTIONS = st.sampled_from(sorted(KINDS)).map(
    lambda name: model.Distribution(name, tuple((p, 0.25 * (1 + n)) for n, p in enumerate(KINDS[name].parameters)))
)
ACTIONS = st.one_of(
    EREGS,
    st.builds(model.Log, st.sampled_from(["log", "warning", "error"]), ATTRIBUTES),
    st.builds(model.Exec, st.sampled_from(["play_pcap_audio", "int_cmd"]), ATTRIBUTES.filter(bool)),
    st.builds(
        lambda operation, name, rest: model.Assign(operation, name, **rest),
        st.sampled_from(["assign", "add", "subtract", "multiply"]),
        NAMES,
        either(NUMBERS, "variable"),
    ),
    st.builds(model.AssignStr, NAMES, ATTRIBUTES | st.just("[$a] [call_id]")),
    st.builds(model.ToDouble, NAMES, NAMES),
    st.builds(
        lambda v, compare, rest, target, checks: model.Test(v, compare, **rest, assign_to=target, **checks),
        NAMES,
        st.sampled_from(["equal", "less_than_equal"]),
        either(NUMBERS, "variable2"),
        NAMES,
        CHECKS,
    ),
    st.builds(
        lambda v, rest, target, checks: model.Strcmp(v, **rest, assign_to=target, **checks),
        NAMES,
        either(ATTRIBUTES, "variable2"),  # type: ignore[arg-type]
        NAMES,
        CHECKS,
    ),
    st.builds(model.Trim, NAMES),
    st.builds(model.Index, NAMES),
    st.builds(model.GetTimeOfDay, NAMES, NAMES),
    st.builds(lambda rest: model.Jump(**rest), either(NUMBERS, "variable")),
    st.builds(lambda rest: model.PauseRestore(**rest), either(NUMBERS, "variable")),
    st.builds(model.Lookup, NAMES, ATTRIBUTES, ATTRIBUTES),
    st.builds(model.VerifyAuth, NAMES, ATTRIBUTES, ATTRIBUTES),
    st.builds(model.Insert, ATTRIBUTES, ATTRIBUTES),
    st.builds(model.Replace, ATTRIBUTES, ATTRIBUTES, ATTRIBUTES),
    st.builds(model.Sample, NAMES, DISTRIBUTIONS),
    st.builds(model.UrlCode, st.sampled_from(["urlencode", "urldecode"]), NAMES),
    st.just(model.CloseConnection()),
    st.builds(lambda rest: model.RtpEcho(**rest), either(NUMBERS, "variable")),
    st.builds(model.Exec, st.just("rtp_stream"), st.sampled_from(["pause", "a.wav,-1,96,iLBC/8000", "[$a],2"])),
    st.builds(model.SetDest, ATTRIBUTES, ATTRIBUTES, st.just("udp")),
)
COMMON = st.fixed_dictionaries(
    {},
    optional={
        "rtd": NAMES | st.just("1"),
        "counter": NAMES,
        "crlf": FLAGS,
        "condexec": NAMES,
        "condexec_inverse": FLAGS,
        "lost": st.floats(0, 100),
        "ignoresdp": FLAGS,
        "hide": FLAGS,
        "display": ATTRIBUTES,
        "actions": st.lists(ACTIONS, max_size=3),
        "comment": TEXTS | st.just("a -- b\n--- c-"),
    },
)
JUMPS = st.fixed_dictionaries({}, optional={"ontimeout": st.just("la&lt;bel")}) | st.fixed_dictionaries(
    {"next": st.just("one")}, optional={"test": NAMES, "chance": st.floats(0, 1)}
)
MESSAGES = st.lists(TEXTS, max_size=4).map(
    lambda lines: "\n".join(["MESSAGE [call_id] SIP/2.0".replace("[call_id]", "a"), *lines])
)
SENDS = st.builds(
    lambda text, common, jumps, rest: model.Send(text=text, **common, **jumps, **rest),
    MESSAGES.map(laid_out) | MESSAGES,
    COMMON,
    JUMPS,
    st.fixed_dictionaries({}, optional={"retrans_ms": MILLISECONDS, "timeout_ms": MILLISECONDS}),
)
RECVS = st.builds(
    lambda kind, common, jumps, rest: model.Recv(**kind, **common, **jumps, **rest),
    st.sampled_from(
        [
            {"request": "INVITE"},
            {"response": "200"},
            {"request": "A|B", "regexp_match": True},
            {"response": "18.", "regexp_match": True},
        ]
    ),
    COMMON,
    JUMPS,
    st.fixed_dictionaries({}, optional={"timeout_ms": MILLISECONDS, "rrs": FLAGS, "auth": FLAGS}),
)
PAUSES = st.builds(
    lambda duration, common: model.Pause(**duration, **common, sanity_check=False),
    st.one_of(
        st.just({}),
        st.fixed_dictionaries({"milliseconds": st.integers(0, 2**33)}),
        st.fixed_dictionaries({"variable": NAMES}),
        st.fixed_dictionaries({"distribution": DISTRIBUTIONS}),
    ),
    COMMON,
)
NOPS = st.builds(lambda common, jumps: model.Nop(**common, **jumps), COMMON, JUMPS)
COMMANDS = st.builds(
    lambda text, common, dest: model.SendCommand(text=text, dest=dest, **common), MESSAGES, COMMON, ATTRIBUTES
) | st.builds(lambda common, src: model.RecvCommand(src=src, **common), COMMON, ATTRIBUTES)


@st.composite
def scenarios(draw: st.DrawFn) -> model.Scenario:
    elements = [*draw(st.lists(st.one_of(SENDS, RECVS, PAUSES, NOPS, COMMANDS), max_size=6)), draw(SENDS)]
    init = draw(st.lists(st.builds(lambda c: model.Nop(**c), COMMON), max_size=2))
    names = ["a", "b", "c1", "_x"]
    places = sorted(draw(st.lists(st.integers(0, len(elements)), min_size=2, max_size=2)))
    return model.Scenario(
        name=draw(ATTRIBUTES),
        elements=elements,
        labels={"one": places[0], "la&lt;bel": places[1]},
        init=init,
        init_labels={"one": draw(st.integers(0, len(init)))} if init else {},
        global_variables=names,
        user_variables=draw(st.lists(st.just("u"), max_size=1)),
        references=[*names, "u"],
        default_messages=draw(st.dictionaries(st.sampled_from(["bye", "200"]), MESSAGES.map(laid_out))),
        response_time_repartition=sorted(draw(st.lists(st.integers(0, 10**6), max_size=4))),
        call_length_repartition=sorted(draw(st.lists(st.integers(0, 10**6), max_size=4))),
        comment=draw(TEXTS),
    )


def without_notes(scenario: model.Scenario) -> model.Scenario:
    """Comments and lines are for people; they are not read back."""
    for element in (*scenario.elements, *scenario.init):
        element.comment, element.line = "", 0
    return dataclasses.replace(scenario, comment="", file="")


@settings(max_examples=200, deadline=None)
@given(scenarios())
def test_what_is_written_is_read_back_equal(scenario: model.Scenario) -> None:
    if not scenario.user_variables:
        scenario.references.remove("u")
    text = write_scenario(scenario)
    assert without_notes(read_scenario(text, "t.xml")) == without_notes(scenario)


def test_it_looks_as_if_written_by_hand() -> None:
    scenario = model.Scenario(
        "Example",
        [
            model.Send(text=laid_out("INVITE sip:a SIP/2.0\nCall-ID: [call_id]"), retrans_ms=500, comment="packet 1"),
            model.Recv(response="100", optional="true"),
            model.Recv(response="200", rtd="1", actions=[model.Ereg('a"<', ("1",), check_it=True)], rrs=True),
            model.Pause(milliseconds=10, comment="first -- line\nsecond"),
            model.Nop(next="end", test="1"),
        ],
        {"end": 5},
        response_time_repartition=[10, 20],
    )
    assert (
        write_scenario(scenario)
        == """<?xml version="1.0" encoding="UTF-8" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">

<scenario name="Example">

  <!-- packet 1 -->
  <send retrans="500">
    <![CDATA[

      INVITE sip:a SIP/2.0
      Call-ID: [call_id]

    ]]>
  </send>

  <recv response="100" optional="true">
  </recv>

  <recv response="200" rrs="true" rtd="true">
    <action>
      <ereg regexp="a&quot;&lt;" search_in="msg" check_it="true" assign_to="1"/>
    </action>
  </recv>

  <!-- first - - line
       second -->
  <pause milliseconds="10"/>

  <nop next="end" test="1"/>

  <label id="end"/>

  <ResponseTimeRepartition value="10, 20"/>

</scenario>
"""
    )


def test_bytes_that_xml_forbids_are_written_as_escapes() -> None:
    scenario = model.Scenario("x", [model.Send(text="X a SIP/2.0\nA: \x00\x1b\r]]>")])
    text = write_scenario(scenario)
    assert re.search(r"A: \\x00\\x1B\\x0D\]\]\\x3E\]\]>", text)
    with pytest.raises(ScenarioError, match="cannot hold"):
        write_scenario(model.Scenario("x", [model.Nop(display="\0")]))


def test_a_label_that_points_nowhere_is_refused() -> None:
    with pytest.raises(ScenarioError, match="label"):
        write_scenario(model.Scenario("x", [model.Nop()], {"a": 2}))
