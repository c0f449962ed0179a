"""What scenarios of one's own can do: branches, handlers, digest, routes, variables, transactions, timeouts, limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sipreplay.errors import ScenarioError
from sipreplay.media.made import Made
from sipreplay.testing import Network, Playbook

HEAD = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:me@[local_ip]>;tag=[call_number]
To: <sip:you@[remote_ip]>[peer_tag_param]
Call-ID: [call_id]
Max-Forwards: 70
Contact: <sip:me@[local_ip]:[local_port]>"""


def request(method: str, extra: str = "", attributes: str = "", uri: str = "sip:you@[remote_ip]:[remote_port]") -> str:
    lines = [
        f"{method} {uri} SIP/2.0",
        HEAD,
        f"CSeq: [cseq] {method}",
        *([extra] if extra else []),
        "Content-Length: 0",
    ]
    return f"<send {attributes}><![CDATA[\n" + "\n".join(lines) + "\n\n]]></send>"


def answer(status: str, extra: str = "", attributes: str = "") -> str:
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:];tag=[call_number]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:me@[local_ip]:[local_port]>",
        *([extra] if extra else []),
        "Content-Length: 0",
    ]
    return f"<send {attributes}><![CDATA[\n" + "\n".join(lines) + "\n\n]]></send>"


def scenario(*elements: str) -> str:
    return '<scenario name="test">\n' + "\n".join(elements) + "\n</scenario>"


ACK = request("ACK")


def test_cseq_counts_requests_but_not_ack() -> None:
    play = Playbook(
        scenario(
            request("INVITE"), '<recv response="200"/>', ACK, request("INFO"), '<recv response="200"/>', request("BYE")
        )
    )
    assert play.expects("INVITE").header("CSeq") == "1 INVITE"
    play.replies("200 OK")
    assert play.expects("ACK").header("CSeq") == "1 ACK"
    assert play.expects("INFO").header("CSeq") == "2 INFO"
    play.replies("200 OK")
    assert play.expects("BYE").header("CSeq") == "3 BYE"


def test_digest_of_a_401_and_a_407_is_accepted() -> None:
    from sipreplay.sip.digest import parse_credentials, verify

    for code, challenge, header in (
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ):
        for algorithm in ("MD5", "SHA-256"):
            play = Playbook(
                scenario(
                    request("REGISTER"),
                    f'<recv response="{code[:3]}" auth="true"/>',
                    request("REGISTER", "[authentication username=joe password=secret]"),
                    '<recv response="200"/>',
                )
            )
            play.expects("REGISTER")
            value = f'Digest realm="here",nonce="abc",qop="auth",algorithm={algorithm},opaque="x"'
            play.replies(code, headers={challenge: value})
            second = play.expects("REGISTER")
            credentials = parse_credentials(second.header(header))
            assert credentials.uri == "sip:127.0.0.1:5070"
            assert credentials.opaque == "x"
            assert verify(credentials, username="joe", password="secret", method="REGISTER")
            assert second.header("Content-Length") == "0"
            play.replies("200 OK")
            play.ended(successful=1)


def test_digest_can_use_the_request_uri_and_a_line_of_credentials() -> None:
    play = Playbook(
        scenario(
            request("REGISTER"),
            '<recv response="401" auth="true"/>',
            request("REGISTER", "[field1]", uri="sip:[field0]"),
            '<recv response="200"/>',
        ),
        digest_uri="request",
        injections={"users.csv": 'SEQUENTIAL\nexample.test;[authentication username=ann password="p w"]\n'},
    )
    play.expects("REGISTER")
    play.replies("401 Unauthorized", headers={"WWW-Authenticate": 'Digest realm="r",nonce="n"'})
    second = play.expects("REGISTER")
    assert 'username="ann"' in second.header("Authorization")
    assert 'uri="sip:example.test"' in second.header("Authorization")


def test_authentication_without_a_challenge_fails_the_call_not_the_run() -> None:
    play = Playbook(scenario(request("REGISTER", "[authentication]"), '<recv response="200"/>'), calls=2)
    statistics = play.ended(failed=2)
    assert "challenge" in next(iter(statistics.examples.values())).got


def test_a_challenge_that_cannot_be_answered_fails_the_call() -> None:
    play = Playbook(
        scenario(request("REGISTER"), '<recv response="401" auth="true"/>', request("REGISTER", "[authentication]"))
    )
    play.expects("REGISTER")
    play.replies("401 Unauthorized", headers={"WWW-Authenticate": 'Digest realm="r",nonce="n",algorithm=WHAT'})
    play.expects("BYE")
    play.ended(failed=1)


def test_the_route_set_and_target_of_a_dialog() -> None:
    play = Playbook(
        scenario(
            request("INVITE"),
            '<recv response="200" rrs="true"/>',
            request("ACK", "[routes]", uri="[next_url]"),
            request("BYE", "[routes]", uri="[next_url]"),
            '<recv response="200"/>',
        )
    )
    play.expects("INVITE")
    routes = "<sip:a.test;lr>, <sip:b.test;lr>"
    play.replies("200 OK", headers={"Record-Route": routes, "Contact": "<sip:bob@host.test;x=1>"})
    ack = play.expects("ACK")
    assert ack.message.request_uri == "sip:bob@host.test;x=1"
    assert ack.header("Route") == "<sip:b.test;lr>, <sip:a.test;lr>"
    assert play.expects("BYE").header("Route") == "<sip:b.test;lr>, <sip:a.test;lr>"


def test_without_record_route_the_routes_line_vanishes() -> None:
    play = Playbook(
        scenario(
            request("INVITE"), '<recv response="200" rrs="true"/>', request("ACK", "[routes]"), '<recv request="BYE"/>'
        )
    )
    play.expects("INVITE")
    play.replies("200 OK")
    ack = play.expects("ACK")
    assert ack.header("Route") == ""
    assert b"\r\nContent-Length: 0\r\n\r\n" in ack.data


def test_a_vanished_last_header_leaves_the_empty_line_before_the_body() -> None:
    text = (
        "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
        "Content-Length: [len]\n[last_Route:]\n\nbody\n"
    )
    play = Playbook(scenario('<recv request="MESSAGE"/>', f"<send><![CDATA[\n{text}]]></send>"))
    play.requests("MESSAGE")
    ok = play.expects("200")
    assert ok.body == b"body\r\n"
    assert ok.header("Content-Length").strip() == "6"


HANDLER = (
    '<Reference variables="_unexp.pausedaddr"/>',
    '<label id="_unexp.main"/>',
    '<recv request="BYE" optional="true" next="bye"/>',
    '<recv request="UPDATE|OPTIONS|INFO" regexp_match="true"/>',
    answer("200 OK"),
    '<nop><action><assign assign_to="back" variable="_unexp.retaddr"/><assign assign_to="_unexp.retaddr" value="0"/>'
    '<jump variable="back"/><pauserestore variable="_unexp.pausedaddr"/></action></nop>',
    '<label id="bye"/>',
    answer("200 OK"),
    "<timewait milliseconds='100'/>",
)


def test_the_handler_of_unexpected_requests_keeps_the_hold_time() -> None:
    play = Playbook(
        scenario(
            request("INVITE"),
            '<recv response="200"/>',
            ACK,
            '<pause milliseconds="10000"/>',
            request("BYE"),
            '<recv response="200" next="end"/>',
            *HANDLER,
            '<label id="end"/>',
        )
    )
    play.expects("INVITE")
    play.replies("200 OK")
    ack = play.expects("ACK")
    play.passes(4)
    play.requests("UPDATE")
    assert play.expects("200").header("CSeq").endswith("UPDATE")
    play.passes(3)
    play.requests("INFO")
    assert play.expects("200").header("CSeq").endswith("INFO")
    bye = play.expects("BYE")
    assert bye.time - ack.time == pytest.approx(10.0, abs=0.005)
    play.replies("200 OK")
    play.ended(successful=1)


def test_the_handler_takes_a_bye_in_a_pause() -> None:
    play = Playbook(
        scenario(
            request("INVITE"), '<recv response="200"/>', ACK, '<pause milliseconds="10000"/>', request("BYE"), *HANDLER
        )
    )
    play.expects("INVITE")
    play.replies("200 OK")
    play.expects("ACK")
    play.passes(2)
    play.requests("BYE")
    play.expects("200")
    play.ended(successful=1)


def test_a_callee_that_reinvites() -> None:
    play = Playbook(
        scenario(
            request("INVITE", attributes='retrans="500" start_txn="first"'),
            '<recv response="100" optional="true" response_txn="first"/>',
            '<recv response="200" response_txn="first"/>',
            request("ACK", attributes='ack_txn="first"'),
            '<recv request="INVITE"/>',
            answer("200 OK", attributes='retrans="500"'),
            '<recv request="ACK"/>',
            request("BYE", attributes='retrans="500" start_txn="last"'),
            '<recv response="200" response_txn="last"/>',
        )
    )
    invite = play.expects("INVITE")
    play.replies("100 Trying", tag="")
    play.replies("200 OK")
    play.expects("ACK")
    play.requests("INVITE")
    play.expects("200")
    play.replies("200 OK", to=invite)  # The first transaction's answer once more, out of the blue.
    play.expects("ACK", within_s=0)
    play.requests("ACK", cseq=101)
    bye = play.expects("BYE")
    play.replies("200 OK", to=invite)
    play.expects("ACK", within_s=0)
    play.replies("200 OK", to=bye)
    play.ended(successful=1)


def test_optional_answers_may_come_in_any_number_and_late() -> None:
    play = Playbook(
        scenario(
            request("INVITE"),
            '<recv response="100" optional="true"/>',
            '<recv response="180" optional="true"/>',
            '<recv response="183" optional="true"/>',
            '<recv response="200"/>',
            ACK,
        )
    )
    play.expects("INVITE")
    for status in ("183 Session Progress", "180 Ringing", "100 Trying", "183 Session Progress"):
        play.replies(status)
    play.replies("200 OK")
    play.expects("ACK")
    play.ended(successful=1)


def test_an_answer_can_choose_the_branch() -> None:
    text = scenario(
        request("INVITE"),
        '<recv response="486" optional="true" next="busy"/>',
        '<recv response="200"/>',
        ACK,
        '<nop next="end"/>',
        '<label id="busy"/>',
        request("ACK", "X-Busy: yes"),
        '<label id="end"/>',
    )
    play = Playbook(text)
    play.expects("INVITE")
    play.replies("486 Busy Here")
    assert play.expects("ACK").header("X-Busy") == "yes"
    play.ended(successful=1)


def test_next_with_a_test_stays_at_an_optional_receive_until_the_variable_is_set() -> None:
    text = scenario(
        request("INVITE"),
        '<recv response="180" optional="true" next="rang" test="loud"><action>'
        '<ereg regexp="yes" search_in="hdr" header="X-Loud:" assign_to="loud"/></action></recv>',
        '<recv response="200"/>',
        '<label id="rang"/>',
        ACK,
    )
    play = Playbook(text)
    play.expects("INVITE")
    play.replies("180 Ringing")
    play.silent_for(1)
    play.replies("180 Ringing", headers={"X-Loud": "yes"})
    play.expects("ACK")
    play.ended(successful=1)


def test_a_receive_timeout_fails_the_call_or_goes_to_its_label() -> None:
    play = Playbook(scenario(request("OPTIONS"), '<recv response="200" timeout="2000"/>'))
    play.expects("OPTIONS")
    play.silent_for(1.9)
    play.ended(failed=1, reason="TimeoutOnRecv")

    labelled = Playbook(
        scenario(
            request("OPTIONS"),
            '<recv response="200" timeout="2000" ontimeout="late"/>',
            '<label id="late"/>',
            request("OPTIONS", "X-Late: 1"),
        )
    )
    first = labelled.expects("OPTIONS")
    second = labelled.expects("OPTIONS")
    assert second.time - first.time == pytest.approx(2.0, abs=0.005)
    labelled.ended(successful=1)


def test_values_of_a_message_are_carried_into_the_next() -> None:
    play = Playbook(
        scenario(
            '<recv request="INVITE"><action>'
            '<ereg regexp="sip:([^@]*)@" search_in="hdr" header="From:" assign_to="all,user"/>'
            '<assignstr assign_to="greeting" value="hello [$user] [$all]"/>'
            '<assign assign_to="n" value="3"/><add assign_to="n" value="4"/><multiply assign_to="n" value="2"/>'
            '<todouble assign_to="half" variable="text"/>'
            "</action></recv>",
            answer("200 OK", "X-Greeting: [$greeting]\nX-Number: [$n][$half][$text]"),
        )
    )
    play.requests("INVITE")
    ok = play.expects("200")
    assert ok.header("X-Greeting") == "hello peer sip:peer@"
    assert ok.header("X-Number") == "14.000000"


def test_a_failed_check_counts_at_the_end_and_the_call_goes_on() -> None:
    play = Playbook(
        scenario(
            '<recv request="MESSAGE"><action>'
            '<ereg regexp="gold" search_in="body" check_it="true" assign_to="_"/></action></recv>',
            answer("200 OK"),
        )
    )
    play.requests("MESSAGE", body="silver")
    play.expects("200")
    play.ended(failed=1, reason="RegexpDoesntMatch")


def test_steps_that_only_some_calls_have() -> None:
    text = scenario(
        '<nop><action><assignstr assign_to="hold" value="[field0]"/>'
        '<strcmp assign_to="has" variable="hold" value=""/></action></nop>',
        request("OPTIONS"),
        '<recv response="200"/>',
        request("INFO").replace("<send ", '<send condexec="has" '),
        '<recv response="200" condexec="has"/>',
        request("MESSAGE"),
    )
    for value, expected in (("", ["MESSAGE"]), ("yes", ["INFO", "MESSAGE"])):
        play = Playbook(text, injections={"a.csv": f"SEQUENTIAL\n{value};x\n"})
        play.expects("OPTIONS")
        play.replies("200 OK")
        for word in expected:
            play.expects(word)
            play.replies("200 OK") if word == "INFO" else None
        play.ended(successful=1)


def test_a_callee_finds_its_line_by_the_number_called() -> None:
    play = Playbook(
        scenario(
            '<recv request="INVITE"><action>'
            '<ereg regexp="sip:([^@]*)@" search_in="msg" assign_to="_,number"/>'
            '<lookup assign_to="row" file="legs.csv" key="[$number]"/></action></recv>',
            answer("200 OK", 'X-Name: [field1 line="[$row]"]'),
        ),
        injections={"legs.csv": "SEQUENTIAL\nbob;Bob\nengine;The Engine\n"},
        injection_index=[("legs.csv", 0)],
    )
    play.requests("INVITE")
    assert play.expects("200").header("X-Name") == "The Engine"


def test_setdest_changes_the_peer_within_the_allowed_networks_only() -> None:
    def play(host: str, **settings: object) -> Playbook:
        return Playbook(
            scenario(
                request("OPTIONS"),
                f'<recv response="200"><action><setdest host="{host}" port="5099" protocol="udp"/></action></recv>',
                request("INFO"),
            ),
            **settings,
        )

    near = play("127.0.0.9")
    near.expects("OPTIONS")
    near.replies("200 OK")
    assert near.expects("INFO").destination == ("127.0.0.9", 5099)

    far = play("192.0.2.7")
    far.expects("OPTIONS")
    far.replies("200 OK")
    far.expects("BYE")
    statistics = far.ended(failed=1)
    assert "--allow-net 192.0.2.7" in next(iter(statistics.examples.values())).got

    allowed = play("192.0.2.7", allow_net=["192.0.2.0/24"])
    allowed.expects("OPTIONS")
    allowed.replies("200 OK")
    assert allowed.expects("INFO").destination == ("192.0.2.7", 5099)


def test_global_variables_are_shared_and_init_runs_first() -> None:
    text = scenario(
        '<Global variables="total"/>',
        '<init><nop><action><assign assign_to="total" value="40"/></action></nop></init>',
        '<nop><action><add assign_to="total" value="1"/></action></nop>',
        request("OPTIONS", "X-Total: [$total]"),
    )
    play = Playbook(text, calls=2)
    assert play.expects("OPTIONS").header("X-Total") == "41.000000"
    assert play.expects("OPTIONS").header("X-Total") == "42.000000"


def test_a_scenario_can_stop_a_call_and_the_run() -> None:
    play = Playbook(
        scenario(request("OPTIONS"), '<nop><action><exec int_cmd="stop_call"/></action></nop>', request("INFO"))
    )
    play.expects("OPTIONS")
    play.ended(failed=1, reason="CallRejected")

    gently = Playbook(
        scenario(request("OPTIONS"), '<nop><action><exec int_cmd="stop_gracefully"/></action></nop>'), calls=5
    )
    gently.expects("OPTIONS")
    assert gently.ended(successful=1).outgoing == 1


def test_what_is_refused_when_a_scenario_is_loaded() -> None:
    for elements, text in (
        ((request("OPTIONS"), '<nop><action><exec command="rm -rf x"/></action></nop>'), "allow-exec"),
        ((request("OPTIONS", "X: [field0]"),), "injection file"),
        ((request("OPTIONS", "X: [nonsense]"),), "nonsense"),
        ((request("OPTIONS"), '<nop><action><exec play_dtmf="x"/></action></nop>'), "play_dtmf"),
    ):
        with pytest.raises(ScenarioError, match=text):
            Playbook(scenario(*elements))


def test_a_call_that_goes_round_in_a_circle_fails() -> None:
    text = scenario(
        '<label id="a"/>', request("OPTIONS"), '<nop next="b"/>', '<label id="b"/>', '<nop next="b" chance="1"/>'
    )
    play = Playbook(text, calls=2)
    play.expects("OPTIONS")
    play.expects("OPTIONS", within_s=1)
    statistics = play.ended(failed=2)
    assert "circle" in next(iter(statistics.examples.values())).got


def test_the_limit_counts_calls_that_could_not_start() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, rate_cps=10, duration_s=10.05, limit=5, pause_ms=2000)
    network.run()
    statistics = uac.statistics
    assert statistics.outgoing + statistics.not_started == 100
    assert statistics.peak == 5
    assert statistics.successful == statistics.outgoing == pytest.approx(25, abs=2)


def test_calls_start_when_they_are_due() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, rate_cps=4, calls=20)
    network.run()
    times = [packet.time - 1000.0 for packet in network.packets if packet.word == "INVITE"]
    assert times == pytest.approx([0.25 * n for n in range(1, 21)], abs=0.001)
    assert uac.statistics.start_lateness.maximum <= 1000


def test_users_call_again_as_soon_as_they_are_free() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, users=3, duration_s=9.9, pause_ms=1000)
    network.run()
    assert uac.statistics.peak == 3
    assert uac.statistics.successful == pytest.approx(30, abs=3)


def test_the_rate_can_change() -> None:
    network = Network()
    uas = network.engine("uas", port=5062)
    uac = network.engine("uac", port=5061, remote=uas, rate_cps=10, duration_s=20)
    network.run_for(10.01)
    assert uac.statistics.outgoing == 100
    uac.set_rate(50, network.clock.now())
    network.run()
    assert uac.statistics.outgoing == pytest.approx(600, abs=1)


class Media:
    """A media handle that writes down what it is asked."""

    def __init__(self, free: int = 2) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.free = [20000 + 4 * n for n in range(free)]

    def register(self, path: str, kind: str) -> int:
        self.asked.append(("register", path, kind))
        return 7

    def allocate(self, call_number: int) -> int:
        return self.free.pop(0) if self.free else 0

    def shared(self, port: int) -> None:
        self.asked.append(("shared", port))

    def make(self, made: Made) -> int:
        self.asked.append(("make", *made[:3]))
        return 8

    def define(self, made: Made) -> int:
        self.asked.append(("define", *made[:3]))
        return 9

    def play(
        self,
        call_number: int,
        port: int,
        source: int,
        host: str,
        remote_port: int,
        *,
        laps: int = 1,
        stream: bool = False,
    ) -> bool:
        more = (laps,) if stream else ()
        self.asked.append(("play", call_number, port, source, host, remote_port, *more))
        return True

    def hold(self, call_number: int, port: int, held: bool, *, stream: bool = False) -> bool:
        self.asked.append(("hold" if held else "resume", call_number, port))
        return True

    def echo(self, call_number: int, port: int, on: bool) -> bool:
        self.asked.append(("echo" if on else "no echo", call_number, port))
        return True

    def switch_echo(self, on: bool) -> None:
        self.asked.append(("all echo" if on else "none echoes",))

    def stop(self, call_number: int, port: int) -> None:
        self.asked.append(("stop", call_number, port))

    def release(self, call_number: int, port: int) -> None:
        self.free.append(port)
        self.asked.append(("release", call_number, port))


SDP = "v=0\no=- 1 1 IN IP4 127.0.0.3\ns=-\nc=IN IP4 127.0.0.3\nt=0 0\nm=audio {port} RTP/AVP 0\nm=video 0 RTP/AVP 96\n"
PLAYS = scenario(
    request("INVITE").replace(
        "Content-Length: 0\n\n",
        "Content-Length: [len]\n\nv=0\nc=IN IP4 [media_ip]\n"
        "m=audio [auto_media_port] RTP/AVP 0\na=rtcp:[auto_media_port+1]\n",
    ),
    '<recv response="200"/>',
    ACK,
    '<nop><action><exec play_pcap_audio="a.pcap"/></action></nop>',
    '<pause milliseconds="1000"/>',
)


def test_media_goes_from_the_call_s_port_to_where_the_peer_s_sdp_says() -> None:
    media = Media()
    play = Playbook(PLAYS, media=media)
    invite = play.expects("INVITE")
    assert b"m=audio 20000 RTP/AVP 0\r\na=rtcp:20001\r\n" in invite.data
    assert int(invite.header("Content-Length")) == len(invite.body)
    play.replies("200 OK", body=SDP.format(port=4000))
    play.expects("ACK")
    play.ended(successful=1)
    assert media.asked == [
        ("register", "a.pcap", "audio"),
        ("play", 1, 20000, 7, "127.0.0.3", 4000),
        ("release", 1, 20000),
    ]


def test_calls_without_a_free_media_port_fail_as_congestion() -> None:
    play = Playbook(PLAYS, media=Media(free=1), calls=3)
    play.expects("INVITE")
    play.replies("200 OK", body=SDP.format(port=4000))
    play.expects("ACK")
    play.ended(successful=1, failed=2, reason="OutboundCongestion")


def test_a_command_runs_only_where_it_is_allowed(tmp_path: Path) -> None:
    text = scenario(
        request("OPTIONS"), f"<nop><action><exec command=\"echo [call_number] &gt; '{tmp_path}/out'\"/></action></nop>"
    )
    play = Playbook(text, allow_exec=True)
    play.expects("OPTIONS")
    play.ended(successful=1)
    deadline = time.monotonic() + 10
    while not (tmp_path / "out").exists() or not (tmp_path / "out").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (tmp_path / "out").read_text() == "1\n"


def streaming(*actions: str, ports: str = "rtpstream_audio_port") -> str:
    """A call that does the actions once it is answered."""
    body = f"v=0\nc=IN IP4 [media_ip]\nm=audio [{ports}] RTP/AVP 0\nm=video [rtpstream_video_port] RTP/AVP 96\n"
    return scenario(
        request("INVITE").replace("Content-Length: 0\n\n", f"Content-Length: [len]\n\n{body}"),
        '<recv response="200"/>',
        ACK,
        *(f"<nop><action>{action}</action></nop>" for action in actions),
    )


def asked_by(text: str, body: str = "", **settings: object) -> list[tuple[object, ...]]:
    media = Media()
    play = Playbook(text, media=media, **settings)
    invite = play.expects("INVITE")
    assert b"m=audio 20000 RTP/AVP 0\r\nm=video 20002" in invite.data
    play.replies("200 OK", body=body or SDP.format(port=4000).replace("video 0", "video 4002"))
    play.expects("ACK")
    play.ended(successful=1)
    return media.asked


def test_streams_digits_and_echoes_are_asked_of_media_with_their_ports() -> None:
    text = streaming(
        '<exec rtp_stream="apattern,2"/>',
        '<exec rtp_stream="vpattern,1,96,H264/90000"/>',
        '<exec rtp_stream="pauseapattern"/>',
        '<exec rtp_stream="resumevpattern"/>',
        '<exec play_dtmf="12,100"/>',
        '<exec rtp_echo="startvideo"/>',
        '<exec rtp_echo="stopaudio"/>',
        '<rtp_echo value="0"/>',
    )
    assert asked_by(text) == [
        ("make", "pattern", "", 8),
        ("make", "pattern", "", 96),
        ("play", 1, 20000, 8, "127.0.0.3", 4000, -1),
        ("play", 1, 20002, 8, "127.0.0.3", 4002, -1),
        ("hold", 1, 20000),
        ("resume", 1, 20002),
        ("define", "dtmf", "12", 96),
        ("play", 1, 20000, 9, "127.0.0.3", 4000),
        ("echo", 1, 20002),
        ("no echo", 1, 20000),
        ("none echoes",),
        ("release", 1, 20000),
    ]


def test_digits_go_under_the_payload_type_of_the_peer_s_sdp_except_as_sipp() -> None:
    body = SDP.format(port=4000) + "a=rtpmap:101 telephone-event/8000\n"
    text = streaming('<exec play_dtmf="5"/>')
    assert ("define", "dtmf", "5", 101) in asked_by(text, body)
    assert ("define", "dtmf", "5", 96) in asked_by(text, body, sipp_media=True)


def test_what_a_keyword_names_is_looked_for_when_the_call_is_there() -> None:
    text = streaming(
        '<assignstr assign_to="d" value="4x2"/>',
        '<exec play_dtmf="[$d]"/>',
        '<exec rtp_stream="sound-[call_number].ulaw,3,0"/>',
    )
    asked = asked_by(text)
    assert ("define", "dtmf", "42", 96) in asked
    assert ("define", "file", str(Path.cwd() / "sound-1.ulaw"), 0) in asked
    assert ("play", 1, 20000, 9, "127.0.0.3", 4000, 3) in asked


def test_a_file_outside_of_the_scenario_s_folder_is_no_media_when_a_call_names_it() -> None:
    media = Media()
    play = Playbook(streaming('<exec rtp_stream="/etc/[service],1,0"/>'), media=media, service="passwd")
    play.expects("INVITE")
    play.replies("200 OK", body=SDP.format(port=4000))
    play.expects("ACK")
    play.expects("BYE")
    play.replies("200 OK")
    play.ended(failed=1)
    assert [one[0] for one in media.asked] == ["release"]
