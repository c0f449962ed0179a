"""SDP: what it says, and that no line of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipreplay.sip.body import find_sdp
from sipreplay.sip.sdp import SdpLine, parse_sdp, render_sdp
from sipreplay.sip.syntax import SipSyntaxError

OFFER = b"\r\n".join(
    [
        b"v=0",
        b"o=alice 1 2 IN IP4 192.0.2.1",
        b"s=-",
        b"c=IN IP4 192.0.2.1",
        b"t=0 0",
        b"a=sendonly",
        b"m=audio 4000/2 RTP/AVP 0 96 101",
        b"a=rtpmap:0 PCMU/8000",
        b"a=rtpmap:96 opus/48000/2",
        b"a=fmtp:96 useinbandfec=1;minptime=10",
        b"a=rtpmap:101 telephone-event/8000",
        b"a=fmtp:101 0-16",
        b"a=ptime:20",
        b"a=rtcp:4009 IN IP4 192.0.2.7",
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc",
        b"m=video 0 RTP/AVP 34",
        b"c=IN IP6 2001:db8::1/127/2",
        b"a=inactive",
        b"a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        b"m=image 4004 udptl t38",
        b"",
    ]
)


def test_an_offer() -> None:
    found = parse_sdp(OFFER)
    assert found.origin is not None
    assert (found.origin.username, found.origin.host, found.origin.line) == ("alice", "192.0.2.1", 1)
    audio, video, image = found.media
    assert (audio.kind, audio.port, audio.port_count, audio.proto) == ("audio", 4000, 2, "RTP/AVP")
    assert audio.payload_types == [0, 96, 101]
    assert [audio.codec(p) for p in (96, 101)] == [("opus", 48000, 2), ("telephone-event", 8000, 1)]
    assert audio.fmtp[96] == "useinbandfec=1;minptime=10"
    assert (audio.ptime, audio.direction, audio.rtcp) == (20, "sendonly", (4009, "192.0.2.7", 13))
    assert audio.crypto == ["1 AES_CM_128_HMAC_SHA1_80 inline:abc"]
    assert not audio.has_ice
    assert audio.connection is not None
    assert audio.connection.host == "192.0.2.1"
    assert video.connection is not None
    assert (video.connection.host, video.direction, video.port) == ("2001:db8::1", "inactive", 0)
    assert video.codec(34) == ("H263", 90000, 1)
    assert video.has_ice
    assert (image.formats, image.payload_types) == (("t38",), [])


def test_line_numbers_lead_back_to_the_lines() -> None:
    found = parse_sdp(OFFER)
    video = found.media[1]
    assert str(found.lines[video.line]) == "m=video 0 RTP/AVP 34"
    assert video.connection is not None
    assert found.lines[video.connection.line].letter == "c"
    assert next(str(found.lines[a.line]) for a in video.attributes) == "a=inactive"
    assert found.lines[video.line : video.end_line][-1].value.startswith("candidate")


def test_nothing_is_lost() -> None:
    odd = OFFER.replace(b"t=0 0", b"t=0 0\r\nnonsense\r\nx=\xff\r\n").replace(b"s=-", b"s= ")
    assert parse_sdp(odd).body() == odd
    bare = OFFER.replace(b"\r\n", b"\n")
    assert parse_sdp(bare).body() == bare
    assert parse_sdp(OFFER.rstrip()).body() == OFFER


@pytest.mark.parametrize("line", ["m=audio", "m=audio x RTP/AVP 0", "m=audio 99999 RTP/AVP 0"])
def test_a_media_line_that_makes_no_sense_is_kept_and_means_nothing(line: str) -> None:
    found = parse_sdp(f"v=0\r\n{line}\r\n".encode())
    assert found.media == ()
    assert str(found.lines[1]) == line


@pytest.mark.parametrize("body", [b"", b"hello", b"o=x\r\nv=0\r\n", b"v=0\r\n" + b"a=x\r\n" * 6000])
def test_what_is_no_sdp(body: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_sdp(body)


def test_the_sdp_part_of_a_multipart_body() -> None:
    body = (
        b"preamble\r\n--b 1\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
        b"--b 1\r\nContent-type: Application/SDP\r\nX: y\r\n\r\n" + OFFER + b"\r\n--b 1--\r\n"
    )
    assert find_sdp(body, 'multipart/mixed; boundary="b 1"') == OFFER
    assert find_sdp(body, "multipart/mixed") is None
    assert find_sdp(OFFER, "application/sdp;charset=x") == OFFER
    assert find_sdp(OFFER, None) == OFFER
    assert find_sdp(OFFER, "text/plain") is None
    assert find_sdp(b"", "application/sdp") is None


@given(st.binary(max_size=300))
def test_any_bytes_give_sdp_or_a_syntax_error(data: bytes) -> None:
    for candidate in (data, b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=" + data):
        try:
            parse_sdp(candidate)
        except SipSyntaxError:
            continue


@given(
    st.lists(
        st.builds(
            SdpLine,
            st.sampled_from("ostcmabik"),
            st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), min_size=1),
        ),
        max_size=12,
    )
)
def test_lines_come_back_as_they_were(lines: list[SdpLine]) -> None:
    lines = [SdpLine("v", "0"), *lines, SdpLine("a", "end")]
    body = render_sdp(lines)
    assert list(parse_sdp(body).lines) == lines
    assert parse_sdp(body).body() == body
