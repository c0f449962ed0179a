from sipreplay.learn.response_time import measure
from sipreplay.scenario.model import Element, Pause, Recv, Scenario, Send


def send(line: str) -> Send:
    return Send(text=f"\n{line}\nCall-ID: [call_id]\n")


def measured(*elements: Element) -> list[tuple[int, str, str]]:
    scenario = Scenario("x", list(elements))
    measure(scenario)
    assert bool(scenario.response_time_repartition) == any(e.rtd for e in elements), (
        "tables only with something in them"
    )
    return [(i, e.start_rtd, e.rtd) for i, e in enumerate(elements) if e.start_rtd or e.rtd]


INVITE, ACK, BYE = "INVITE sip:[field1]@[remote_ip] SIP/2.0", "ACK [next_url] SIP/2.0", "BYE [next_url] SIP/2.0"


def test_an_invite_is_measured_to_its_final_response() -> None:
    steps = [send(INVITE), Recv(response="180", optional="true"), Recv(response="200"), send(ACK), send(BYE)]
    assert measured(*steps, Recv(response="200")) == [(0, "invite", ""), (2, "", "invite")]


def test_a_challenge_is_not_the_answer() -> None:
    steps = [send(INVITE), Recv(response="407", auth=True), send(ACK), send(INVITE), Recv(response="486"), send(ACK)]
    assert measured(*steps) == [(3, "invite", ""), (4, "", "invite")]


def test_a_call_that_is_cancelled_before_an_answer_has_no_response_time() -> None:
    steps = [
        send(INVITE),
        Recv(response="180"),
        send("CANCEL sip:x SIP/2.0"),
        Recv(response="200"),
        Recv(response="487"),
    ]
    assert measured(*steps) == []


def test_an_answering_side_is_not_measured() -> None:
    assert measured(Recv(request="INVITE"), send("SIP/2.0 200 OK"), Recv(request="ACK")) == []


def test_nothing_awaited_nothing_measured() -> None:
    assert measured(send("OPTIONS sip:x SIP/2.0"), Pause(milliseconds=5)) == []
