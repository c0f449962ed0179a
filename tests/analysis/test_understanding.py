"""What is understood of real captures: the project's own, which have nothing wrong, and shared ones, each finding of
which was judged by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sipreplay.analysis.dialog_facts import dialog_facts
from sipreplay.analysis.offer_answer import offer_answer
from sipreplay.analysis.reading import analyse
from sipreplay.analysis.roles import describe_actors
from sipreplay.analysis.sip_findings import found
from sipreplay.analysis.transaction_facts import transaction_facts
from tests.interop.conftest import NO_SHARED, REPOSITORY, own_names, shared_folder, shared_names

OWN = REPOSITORY / "captures"

FINDINGS: dict[str, set[str]] = {
    "PcapPlusPlus--sdp.pcap": {"half-seen"},
    "PcapPlusPlus--sip_non_default_port.pcap": {"half-seen"},
    "PcapPlusPlus--sip_reqs.pcap": {"no-answer", "cut-at-begin"},
    "PcapPlusPlus--sip_resp.pcap": {"half-seen"},
    "arkime--pcap-arkime_synthetic.pcap": {"tls-problem"},
    "arkime--pcap-gtp-iphone.pcap": {"subscribe-failed-405"},
    "sipnab--Asterisk_ZFONE_XLITE.pcap": {"subscribe-failed-404"},
    "sipnab--DTMFsipinfo.pcap": {"cut-at-end", "cancel-crossed-2xx"},
    "sipnab--SIP_DTMF2.cap": {"cut-at-end"},
    "sipnab--h263-over-rtp.pcap": {"cut-at-end"},
    "sipnab--metasploit-sip-invite-spoof.pcap": {"cut-at-begin", "cut-at-end", "via-mismatch"},
    "sipnab--sip-rtp-g711.pcap": {"cut-at-end"},
    "sipnab--sip-rtp-opus-hybrid.pcap": {"cut-at-end"},
    "suricata-verify--sip-body-frames-public-cloudshark-sip-s0.pcap": {"cut-at-end"},
    "suricata-verify--sip-body-large-sip-body-large.pcap": {"cut-at-end", "via-mismatch"},
    "suricata-verify--sip-compact-form-sip_compact_form.pcap": {"private-address"},
    "suricata-verify--sip-header-multi-value-sip_header_multi_val.pcap": {"private-address"},
    "suricata-verify--sip-pattern-matching-sip.pcap": {"private-address"},
    "suricata-verify--sip-sdp-sdp.pcap": {"private-address", "cut-at-end"},
    "suricata-verify--sip-tcp-pattern-matching-sip.pcap": {"private-address"},
    "zeek--sip-invalid-content-length.pcap": {"cut-at-end"},
}
_WIRESHARK = {
    "digest-refused",
    "invite-failed-403",
    "invite-failed-408",
    "invite-failed-480",
    "private-address",
    "register-failed-403",
    "retransmissions",
    "slow-setup",
}
FINDINGS["zeek--sip-wireshark.pcap"] = _WIRESHARK
FINDINGS["suricata-verify--sip-method-sip.pcap"] = _WIRESHARK


def _shared(name: str) -> Path:
    folder = shared_folder()
    if folder is None:
        pytest.skip(NO_SHARED)
    return folder / name


@pytest.mark.parametrize("name", own_names())
def test_nothing_is_wrong_with_the_signalling_of_our_own_captures(name: str) -> None:
    assert [f.rule for f in found(analyse([OWN / name])) if f.rule != "capture-problem"] == []


@pytest.mark.parametrize("name", shared_names())
def test_shared_captures_show_what_is_wrong_with_them_and_no_more(name: str) -> None:
    rules = {f.rule for f in found(analyse([_shared(name)]))}
    assert rules - {"capture-problem", "copies"} == FINDINGS.get(name, set())


def test_a_call_that_comes_back_from_a_b2bua_is_one_call() -> None:
    """FreeSWITCH sends the INVITE of packet 1 back to its own host, which answers in packet 2: new Call-ID, same o=."""
    (call,) = analyse([_shared("PcapPlusPlus--sip_non_default_port.pcap")]).calls
    (evidence,) = call.evidence
    assert (call.dialogs, evidence.rule, evidence.confidence) == ([1, 2], "B2BUA", 0.65)
    assert evidence.values[:2] == ("both at 192.168.21.83:52380", "SDP origin - 3975421861")


@pytest.mark.parametrize("name", [n for n in shared_names() if n != "PcapPlusPlus--sip_non_default_port.pcap"])
def test_no_other_shared_capture_holds_calls_of_several_call_ids(name: str) -> None:
    analysis = analyse([_shared(name)])
    assert len(analysis.calls) == len({(d.call_id, d.conversation) for d in analysis.dialogs})
    assert [call.left_apart for call in analysis.calls if call.left_apart] == []


def test_the_actors_around_kamailio() -> None:
    analysis = analyse([OWN / "kamailio-auth-record-route.pcap"])
    actors = {str(a.addresses[0]): a for a in describe_actors(analysis)}
    assert {label: actor.roles for label, actor in actors.items()} == {
        "127.0.0.10:5060": ["UAC"],
        "127.0.0.20:5060": ["proxy", "registrar"],
        "127.0.0.30:5060": ["UAC", "UAS"],
    }
    assert [a.agent for a in actors.values() if a.sut_likely] == ["kamailio"]


def test_a_hold_and_its_end() -> None:
    (dialog,) = analyse([OWN / "baresip-opus-hold-rtcp.pcap"]).dialogs
    (hold,) = offer_answer(dialog).holds
    assert hold.end is not None
    assert (hold.by_caller, hold.how, hold.begin.packet, hold.end.packet) == (True, "sendonly", 612, 617)


def test_digits_by_info_and_cancels_that_crossed_answers() -> None:
    first, second, third = analyse([_shared("sipnab--DTMFsipinfo.pcap")]).dialogs
    assert "".join(d.digit for d in dialog_facts(first).digits) == "1342"
    races = [[f.cancel_race for f in transaction_facts(d).facts if f.cancelled] for d in (first, second, third)]
    assert races == [[], ["2xx crossed CANCEL"], ["2xx crossed CANCEL"]]


def test_a_cancel_that_was_repeated_by_timer_e_until_it_gave_up() -> None:
    dialog = analyse([_shared("zeek--sip-wireshark.pcap")]).dialogs[1]
    cancel = next(f for f in transaction_facts(dialog).facts if f.transaction.method == "CANCEL")
    assert (cancel.request.timer, cancel.request.count, cancel.request.fits) == ("E", 10, True)
