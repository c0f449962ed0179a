"""Actors: what joins addresses, and what each was seen to be."""

from __future__ import annotations

from sipreplay.analysis.actors import Actors
from sipreplay.analysis.model import Address
from sipreplay.analysis.roles import Actor, describe_actors
from tests.analysis.flow import A, B, Flow, P, call

C = Address("192.0.2.3", 5060)


def _by_address(flow: Flow) -> dict[Address, Actor]:
    return {address: actor for actor in describe_actors(flow.analysis()) for address in actor.addresses}


def _through_proxy(flow: Flow, out: Address = P, *, server: str = "Proxy/1", agent: str = "Phone/1") -> None:
    flow.say(A, P, "INVITE", "1 INVITE", headers=f"User-Agent: {agent}")
    flow.say(P, A, "100 Trying", "1 INVITE", headers=f"Server: {server}")
    flow.say(out, B, "INVITE", "1 INVITE", via="p1,b1", headers=f"User-Agent: {agent}")
    flow.say(B, out, "200 OK", "1 INVITE", via="p1,b1", tags=("a", "b"), headers="Server: Desk/2")
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"), headers="Server: Desk/2")


def test_what_a_plain_call_shows() -> None:
    flow = Flow()
    call(flow)
    found = _by_address(flow)
    assert (found[A].roles, found[B].roles) == (["UAC"], ["UAS"])
    assert not any(actor.sut_likely for actor in found.values())


def test_a_proxy_is_in_the_middle_and_takes_no_name_that_it_passes_on() -> None:
    flow = Flow()
    _through_proxy(flow)
    found = _by_address(flow)
    assert [found[a].roles for a in (A, P, B)] == [["UAC"], ["proxy"], ["UAS"]]
    assert [found[a].agent for a in (A, P, B)] == ["Phone/1", "", "Desk/2"]
    assert [found[a].sut_likely for a in (A, P, B)] == [False, True, False]
    assert found[P].why == "in the middle: takes 1 dialog from 1 actor, opens 1 to 1 actor, passes 1 on"


def test_both_interfaces_of_a_proxy_are_one_actor() -> None:
    inside = Address("198.51.100.9", 5080)
    flow = Flow()
    _through_proxy(flow, inside)
    found = _by_address(flow)
    assert found[inside] is found[P]


def test_a_hop_that_was_not_captured_joins_nobody() -> None:
    far = Address("198.51.100.9", 5080)
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(far, B, "INVITE", "1 INVITE", via="p2,p1,b1")
    actors = Actors(flow.dialogs())
    assert actors.of(far) != actors.of(P)
    assert _by_address(flow)[far].roles == ["proxy"]


def test_a_recorded_route_shows_a_proxy_whose_other_side_was_not_captured() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "b"), headers=f"Record-Route: <sip:{P};lr>|Server: Desk/2")
    found = _by_address(flow)[P]
    assert (found.roles, found.agent) == (["proxy"], "")


def test_a_registrar() -> None:
    flow = Flow()
    flow.say(A, P, "REGISTER", "1 REGISTER", headers="User-Agent: Phone/1")
    flow.say(P, A, "200 OK", "1 REGISTER", tags=("a", "p"), headers="Server: Home/3")
    other = Flow("two")
    other.collector = flow.collector
    other.say(B, P, "REGISTER", "1 REGISTER", via="b9")
    other.say(P, B, "200 OK", "1 REGISTER", via="b9", tags=("a", "p"))
    found = _by_address(flow)
    assert (found[P].roles, found[P].agent) == (["registrar"], "Home/3")
    assert found[P].sut_likely
    assert found[P].why == "all 2 dialogs end at it: 2 come in, 0 go out"


def test_a_b2bua_is_no_uac_and_no_uas() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE", headers="X-CID: 1")
    flow.say(P, B, "INVITE", "1 INVITE", via="x1", tags=("z", ""), call_id="two", headers="X-CID: 1|User-Agent: PBX/4")
    flow.say(B, P, "200 OK", "1 INVITE", via="x1", tags=("z", "b"), call_id="two")
    flow.say(P, A, "200 OK", "1 INVITE", tags=("a", "p"))
    found = _by_address(flow)
    assert [found[a].roles for a in (A, P, B)] == [["UAC"], ["B2BUA"], ["UAS"]]
    assert (found[P].agent, found[P].sut_likely) == ("PBX/4", True)


def test_two_proxies_of_equal_standing_are_both_possible() -> None:
    flow = Flow()
    flow.say(A, P, "INVITE", "1 INVITE")
    flow.say(P, C, "INVITE", "1 INVITE", via="p1,b1")
    flow.say(C, B, "INVITE", "1 INVITE", via="c1,p1,b1")
    found = _by_address(flow)
    assert found[P].roles == found[C].roles == ["proxy"]
    assert not any(actor.sut_likely for actor in found.values())
