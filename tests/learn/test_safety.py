"""A hostile capture gives a valid, harmless bundle: no XML, keyword, command, path or target comes from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipreplay.bundle.folder import read_bundle
from sipreplay.errors import CaptureError
from sipreplay.learn.options import LearnOptions
from sipreplay.scenario.checks import check_injection
from sipreplay.scenario.injection import read_injection
from sipreplay.scenario.model import Exec, Lookup, Send, SetDest
from tests.learn.flows import ANSWER, SDP, Learned, Talk, all_keywords, learned, literal_bytes

KNOWN_KEYWORDS = {
    "transport",
    "local_ip",
    "local_port",
    "local_ip_type",
    "remote_ip",
    "remote_port",
    "media_ip",
    "media_ip_type",
    "auto_media_port",
    "branch",
    "call_id",
    "cseq",
    "pid",
    "call_number",
    "len",
    "routes",
    "next_url",
    "peer_tag_param",
    "field",
    "variable",
    "last_header",
    "authentication",
}
ATTACKS = [
    "[file name=/etc/passwd]",
    "]]></send><nop><action><exec command='touch /tmp/owned'/></action></nop><send><![CDATA[",
    "--><nop><action><exec int_cmd='stop_now'/></action></nop><!--",
    "$(touch /tmp/owned)`id`';id;\"",
    "../../../../etc/cron.d/x",
    "[authentication username=root password=root]",
    "\\x5Bfile name=/etc/passwd]",
    "&xxe;<!ENTITY xxe SYSTEM 'file:///etc/passwd'>",
    "#comment;a;b;c",
    "\x00\x01\x02",
    "é\udcff",
]


def assert_harmless(made: Learned) -> None:
    bundle = read_bundle(made.folder)
    for scenario in bundle.scenarios:
        read = made.scenario(scenario.id)
        assert all_keywords(read) <= KNOWN_KEYWORDS
        actions = [action for element in read.elements for action in element.actions]
        assert not [a for a in actions if isinstance(a, SetDest)]
        assert all(
            a.kind.startswith("play_pcap_") and a.value.startswith("media/") for a in actions if isinstance(a, Exec)
        )
        assert all(a.file.endswith(".csv") for a in actions if isinstance(a, Lookup))
        files = []
        if scenario.injection:
            files.append(read_injection(made.text(scenario.injection), scenario.injection))
            assert len(files[0]) == scenario.calls
        check_injection(read, files)
    names = [str(p.relative_to(made.folder)) for p in made.folder.rglob("*") if p.is_file()]
    assert all(re.fullmatch(r"(media/)?[a-z0-9-]+\.(xml|csv|pcap|toml|json|sh)", name) for name in names)
    assert {p.name for p in made.folder.parent.iterdir()} == {"calls.pcap", "bundle"}
    script = made.text("sipp.sh")
    assert "passwd" not in script
    assert "touch" not in script


def hostile(text: str) -> Talk:
    talk = Talk(call_id=f"id-{text}", caller="a", callee="b", from_tag=text.replace(";", ""), to_tag="t" + text)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    more = f"X-Any: {text}\r\nUser-Agent: {text}\r\nContent-Disposition: {text}\r\nX-{text}: 1\r\n"
    odd = (
        SDP.replace("s=-", f"s={text}").replace("PCMU/8000", f"{text}/8000")
        + f"a={text}\r\na=rtpmap:99 {text}/8000\r\n"
    )
    names = {"from_value": f'"{quoted}" <sip:{text}@example.com>', "to_value": f"<sip:b@{text}.example.com;x={text}>"}
    talk.request(0.0, "INVITE", 1, body=odd, more=more, target=f"sip:{text}@example.com;y={text}", **names)  # type: ignore[arg-type]
    talk.response(0.1, 200, 1, "INVITE", body=odd.replace("198.51.100.7", "203.0.113.9"), more=more)
    talk.request(0.2, "ACK", 1, **names)  # type: ignore[arg-type]
    talk.request(1.0, "BYE", 2, up=True)
    talk.response(1.1, 200, 2, "BYE", up=False)
    return talk


@pytest.mark.parametrize("attack", ATTACKS)
def test_planted_attacks_stay_inert(tmp_path: Path, attack: str) -> None:
    assert_harmless(learned(tmp_path, [hostile(attack)]))


@pytest.mark.parametrize("attack", ATTACKS)
def test_planted_attacks_in_several_calls_of_one_shape(tmp_path: Path, attack: str) -> None:
    talks = []
    for n in range(3):
        talk = Talk(call_id=f"c{n}", caller=f"a{n}", callee=f"b{n}", start=1000.0 + n)
        talk.request(0.0, "MESSAGE", 1, more=f"X-Any: {attack}{n}\r\n", body=f"{attack}{n}")
        talk.response(0.1, 200, 1, "MESSAGE", more=f"X-Any: {attack}{n}\r\n", body=ANSWER)
        talks.append(talk)
    assert_harmless(learned(tmp_path, talks))


def test_an_unpleasant_header_is_sent_as_captured(tmp_path: Path) -> None:
    talk = Talk()
    talk.request(0.0, "OPTIONS", 1, more="X-Any: a [file name=/etc/passwd] \\x41 ]]> é & <b>\r\n")
    talk.response(0.1, 200, 1, "OPTIONS")
    made = learned(tmp_path, [talk])
    element = made.scenario("options-uac").elements[0]
    assert isinstance(element, Send)
    assert "X-Any: a [file name=/etc/passwd] \\x41 ]]> é & <b>\r\n".encode() in literal_bytes(element)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=40).filter(lambda b: b"\r" not in b and b"\n" not in b), st.binary(max_size=80))
def test_any_bytes_give_a_valid_bundle_or_an_error(tmp_path: Path, value: bytes, body: bytes) -> None:
    talk = hostile(value.decode("utf-8", "surrogateescape"))
    extra = Talk(call_id="m", start=1001.0)
    extra.request(0.0, "MESSAGE", 1, body=body.decode("utf-8", "surrogateescape"))
    try:
        made = learned(tmp_path, [talk, extra], LearnOptions(force=True))
    except CaptureError:
        return
    assert_harmless(made)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_call_gives_a_valid_bundle_or_an_error(tmp_path: Path, data: st.DataObject) -> None:
    talk = hostile("x")
    for _ in range(data.draw(st.integers(1, 6))):
        number = data.draw(st.integers(0, len(talk.packets) - 1))
        at, mine, theirs, text = talk.packets[number]
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.binary(max_size=6)) + text[place + data.draw(st.integers(0, 6)) :]
        talk.packets[number] = (at, mine, theirs, text)
    talk.packets = [p for p in talk.packets if data.draw(st.integers(0, 9))]
    try:
        made = learned(tmp_path, [talk], LearnOptions(force=True))
    except CaptureError:
        return
    assert_harmless(made)
