from pathlib import Path

from sipreplay.analysis.ladder import ladder_lines
from sipreplay.analysis.reading import analyse
from sipreplay.engine.call_trace import MOST_MESSAGES, CallTrace

LOCAL, PEER = ("127.0.0.1", 5061), ("127.0.0.2", 5062)


def message(start: str, call_id: str) -> bytes:
    return (
        f"{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-{call_id}\r\n"
        f"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def test_the_first_call_alone_is_kept_both_ways(tmp_path: Path) -> None:
    trace = CallTrace(tmp_path / "call.pcap", LOCAL)
    sent: list[bytes] = []
    send = trace.sending(lambda data, address: sent.append(data))
    receive = trace.receiving(lambda data, address, now: None)
    for call in ("one", "two"):
        send(message("INVITE sip:b@x SIP/2.0", call), PEER)
        receive(message("SIP/2.0 180 Ringing", call), None, 0.0)
        receive(message("SIP/2.0 486 Busy Here", call), PEER, 0.0)
    trace.close()
    analysis = analyse([tmp_path / "call.pcap"])
    assert [ladder_lines(dialog) for dialog in analysis.dialogs] == [["> INVITE", "< 180", "< 486"]]
    assert str(analysis.dialogs[0].caller) == "127.0.0.1:5061"
    assert len(sent) == 2, "what is sent is not changed by being traced"


def test_it_is_bounded(tmp_path: Path) -> None:
    trace = CallTrace(tmp_path / "call.pcap", LOCAL)
    send = trace.sending(lambda data, address: None)
    for _ in range(MOST_MESSAGES * 2):
        send(message("OPTIONS sip:b@x SIP/2.0", "one"), PEER)
    trace.close()
    assert len(analyse([tmp_path / "call.pcap"]).messages) == MOST_MESSAGES
