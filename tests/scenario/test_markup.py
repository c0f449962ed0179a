"""Well-formed files read as lxml reads them; others as SIPp reads them, with a problem that can be mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sipreplay.errors import ScenarioError
from sipreplay.scenario import builtin, model
from sipreplay.scenario.keywords import compile_text
from sipreplay.scenario.markup import PROBLEM_LIMIT, Element, parse
from sipreplay.scenario.mending import mend
from sipreplay.scenario.reader import examine_scenario, read_scenario
from tests.scenario.broken import HEAD, REFUSED, REPAIRED, Broken, file, logged, message

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = st.sampled_from(["send", "nop", "a", "x:y", "_1", "action"])
VALUES = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff") | st.just("\n"))
INSIDE = VALUES.filter(lambda text: "]]>" not in text)


def by_lxml(data: bytes) -> Any:
    return etree.fromstring(data, etree.XMLParser(strip_cdata=False, resolve_entities=False, remove_pis=True))


def native(text: str) -> str:
    return text.encode("latin-1").decode()


def same(ours: Element, theirs: Any) -> None:
    assert native(ours.tag) == theirs.tag
    assert {native(name): native(value) for name, value in ours.attributes.items()} == dict(theirs.attrib)
    before = theirs.getprevious()
    assert native(ours.comment) == (before.text or "" if before is not None and before.tag is etree.Comment else "")
    children = [child for child in theirs if isinstance(child.tag, str)]
    assert len(ours.children) == len(children)
    for our, their in zip(ours.children, children, strict=True):
        same(our, their)


def meaning(scenario: model.Scenario) -> model.Scenario:
    """A scenario with its texts as they reach the wire, without comments and lines."""
    for element in scenario.elements:
        element.comment, element.line = "", 0
        if isinstance(element, model.Send):
            element.text = str(compile_text(element.text, message=True))
    return scenario


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(NAMES) if depth else "scenario"
    attributes = draw(st.dictionaries(st.sampled_from(["id", "next", "a-b", "v.1"]), VALUES, max_size=3))
    quote = draw(st.sampled_from("\"'"))
    escaped = {
        key: value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&#39;")
        for key, value in attributes.items()
    }
    blank = draw(st.sampled_from([" ", "\n  ", "\t"]))
    equals = draw(st.sampled_from(["=", " = "]))
    start = f"<{name}" + "".join(f"{blank}{key}{equals}{quote}{value}{quote}" for key, value in escaped.items())
    if draw(st.booleans()) and depth:
        return start + draw(st.sampled_from(["/>", " />"]))
    parts = [
        documents(depth + 1) if depth < 3 else st.just("<leaf/>"),
        INSIDE.map(lambda text: f"<![CDATA[{text}]]>"),
        st.sampled_from(["<!-- a < b & \"c' - d -->", "<!---->", "<?pi x?>", " text > \" ' ", "&amp;&#x41;", "\n"]),
    ]
    return start + ">" + "".join(draw(st.lists(st.one_of(parts), max_size=4))) + f"</{name}>"


@given(documents())
def test_a_well_formed_file_gives_the_tree_that_lxml_gives(text: str) -> None:
    data = HEAD + text.replace("x:y", "xy").encode()
    document = parse(data.decode("latin-1"))
    assert document.problems == []
    assert document.root is not None
    same(document.root, by_lxml(data))
    assert mend(data).data == data


@pytest.mark.parametrize("name", builtin.builtin_names())
def test_the_built_in_scenarios_give_the_tree_that_lxml_gives(name: str) -> None:
    data = builtin.builtin(name).encode()
    document = parse(data.decode("latin-1"))
    assert document.root is not None
    same(document.root, by_lxml(data))
    assert mend(data).data == data


def test_the_example_scenarios_are_well_formed() -> None:
    for path in SCENARIOS.glob("*.xml"):
        document = parse(path.read_bytes().decode("latin-1"))
        assert document.problems == []
        assert document.root is not None
        same(document.root, by_lxml(path.read_bytes()))


@pytest.mark.parametrize("broken", REPAIRED, ids=lambda broken: broken.name)
def test_what_sipp_reads_is_read_with_a_warning_and_can_be_mended(broken: Broken) -> None:
    with pytest.raises(etree.XMLSyntaxError):
        by_lxml(broken.data)
    read = read_scenario(broken.data, "b.xml")
    with pytest.raises(ScenarioError, match=f"b.xml:{broken.line}: .*{broken.words}"):
        raise ScenarioError("\n".join(read.warnings))
    mended = mend(broken.data)
    by_lxml(mended.data)
    assert mended.left == ()
    again = read_scenario(mended.data, "b.xml")
    assert again.warnings == []
    assert meaning(again) == meaning(read)
    assert mend(mended.data).data == mended.data


@pytest.mark.parametrize("broken", REPAIRED, ids=lambda broken: broken.name)
def test_carriage_returns_change_nothing(broken: Broken) -> None:
    with_returns = broken.data.replace(b"\n", b"\r\n")
    read, expected = read_scenario(with_returns, "b.xml"), read_scenario(broken.data, "b.xml")
    assert read == expected
    assert read.warnings == expected.warnings
    mended = mend(with_returns).data
    by_lxml(mended)
    assert mended.replace(b"\r\n", b"\n") == mend(broken.data).data


@pytest.mark.parametrize("broken", REFUSED, ids=lambda broken: broken.name)
def test_what_no_sipp_reads_is_an_error_that_can_be_mended(broken: Broken) -> None:
    with pytest.raises(ScenarioError, match=f"b.xml:{broken.line}: not well-formed XML: .*{broken.words}"):
        read_scenario(broken.data, "b.xml")
    mended = mend(broken.data)
    by_lxml(mended.data)
    assert read_scenario(mended.data, "b.xml").warnings == []


def test_only_what_was_wrong_changes() -> None:
    before = file(logged('<log\n   message="a & \\"b\\""   message="c" />') + "<!-- -- -->\n" + message("\x01"))
    after = mend(before).data
    assert after == (
        before.replace(b'"a & \\"b\\""', b'"a &amp; &quot;b&quot;"')
        .replace(b'message="c"', b'ignored_message="c"')
        .replace(b"<!-- -- -->", b"<!-- - - -->")
        .replace(b"\x01", b"\\x01")
    )


def test_a_value_that_is_ignored_is_not_lost() -> None:
    assert b' hide="0" ignored_lost="100"' in mend(REPAIRED[6].data).data.replace(b"false", b"0")


def test_every_problem_of_a_file_is_told_at_once() -> None:
    body = (
        '<nop next="x"/>\n<erge/>\n<nop><action><ereg/><lgo/></action></nop>\n'
        '<pause milliseconds="x"/>\n<recv response="100" optional="true"/>\n'
        + message("[$seen] [nope]\n[nope]\n[cal_id")
    )
    found = examine_scenario(file(body), "b.xml").errors
    assert [(error.line, error.message.split(";")[0]) for error in sorted(found, key=lambda e: e.line)] == [
        (3, 'next="x": there is no such label (labels: none)'),
        (4, "<erge>: unknown element in a scenario"),
        (5, "<ereg>: needs regexp="),
        (5, "<lgo>: unknown action"),
        (6, '<pause>: milliseconds="x" must be a number'),
        (12, "<send>: unknown keyword [nope]"),
        (13, "<send>: unknown keyword [nope]"),
        (14, "<send>: '[cal_id' has no closing ']'"),
    ]


def test_what_has_no_effect_is_noted() -> None:
    body = (
        message("1", ' retran="500" chance="0.5" ignored_lost="1"')
        + '<pause milisecond="5"/><pause distribution="fixed" value="1" milliseconds="3"/>'
        + '<recv response="200"><Reference/><action><log message="x"/></action></recv>'
        + '<nop><action><ereg regexp="x" header="To:" assign_to="_"/></action></nop>'
    )
    examined = examine_scenario(file(body), "b.xml")
    assert (examined.errors, examined.warnings) == ([], [])
    assert sorted(note.message for note in examined.notes) == [
        "<Reference>: has no effect here: SIPp looks only at an <action> that is the first child",
        "<action>: has no effect here: SIPp looks only at an <action> that is the first child",
        "<ereg>: header= has no effect here",
        "<pause>: milisecond= has no effect here; did you mean milliseconds=?",
        "<pause>: milliseconds= has no effect here",
        "<send>: chance= has no effect here",
        "<send>: retran= has no effect here; did you mean retrans=?",
    ]


def test_a_file_in_utf_16_is_read() -> None:
    text = file(message("é"), b'<?xml version="1.0" encoding="UTF-16"?>\n').decode("latin-1")
    data = text.encode("utf-16")
    read = read_scenario(data, "b.xml")
    assert "é" in read.elements[0].text  # type: ignore[attr-defined]
    by_lxml(mend(data).data)


def test_notes_tell_what_only_an_older_sipp_refuses() -> None:
    for data, words in ((file(message(), b""), "no <.xml"), (b"\xef\xbb\xbf" + file(message()), "byte order mark")):
        examined = examine_scenario(data, "b.xml")
        assert (examined.errors, examined.warnings) == ([], [])
        with pytest.raises(ScenarioError, match=words):
            raise examined.notes[0]
        assert mend(data).data.startswith(b"<?xml ")


@pytest.mark.parametrize(
    "text",
    [
        "<scenario " + 'a="' * 200_000,
        "<scenario>" + "<a b=1>" * 100_000,
        "<!--" * 300_000,
        "<" * 500_000,
        "<a " + "b" * 10**6,
        "<scenario><nop " + " ".join(f'a{number}="1"' for number in range(20_000)) + "/></scenario>",
        '<scenario><log message="' + "&" * 500_000 + '"/></scenario>',
    ],
    ids=["quotes", "elements", "comments", "less", "word", "attributes", "references"],
)
def test_a_hostile_file_is_refused_with_few_problems(text: str) -> None:
    with pytest.raises(ScenarioError):
        read_scenario(text, "b.xml")
    assert len(parse(text).problems) <= PROBLEM_LIMIT


MARKUP = ["<scenario>", "</scenario>", "<nop ", "<![CDATA[", "]]>", "<!--", "-->", *"<>/!-[]&;\"'= \n\\a"]


@given(st.lists(st.sampled_from(MARKUP)))
def test_no_text_breaks_the_parser_and_mending_comes_to_an_end(words: list[str]) -> None:
    mended = mend("".join(words).encode())
    assert mend(mended.data).mended == () or mended.left
