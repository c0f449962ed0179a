"""The messages that the engine sends on its own, as texts of the scenario language (SIPp's default messages)."""

from __future__ import annotations

_CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n\n"


DEFAULT_MESSAGES = {
    "3pcc_abort": _text("call-id: [call_id]", "internal-cmd: abort_call"),
    "ack": _text(
        "ACK [last_Request_URI] SIP/2.0",
        "[last_Via]",
        "[last_From]",
        "[last_To]",
        "Call-ID: [call_id]",
        "CSeq: [last_cseq_number] ACK",
        _CONTACT,
        "Max-Forwards: 70",
        "Subject: Performance Test",
        "Content-Length: 0",
    ),
    "bye": _text(
        "BYE [next_url] SIP/2.0",
        _VIA,
        "[routes]",
        "[last_From]",
        "[last_To]",
        "Call-ID: [call_id]",
        "CSeq: [last_cseq_number+1] BYE",
        "Max-Forwards: 70",
        _CONTACT,
        "Content-Length: 0",
    ),
    "cancel": _text(
        "CANCEL [last_Request_URI] SIP/2.0",
        "[last_Via]",
        "[last_From]",
        "[last_To]",
        "Call-ID: [call_id]",
        "CSeq: [last_cseq_number] CANCEL",
        "Max-Forwards: 70",
        _CONTACT,
        "Content-Length: 0",
    ),
    "200": _text(
        "SIP/2.0 200 OK",
        "[last_Via:]",
        "[last_From:]",
        "[last_To:]",
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:[local_ip]:[local_port];transport=[transport]>",
        "Content-Length: 0",
    ),
}
