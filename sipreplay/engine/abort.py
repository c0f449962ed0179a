"""The default end of a dialog that the scenario does not end itself: ACK, BYE or CANCEL (SIPp: default abort).

Only sends; counting and forgetting the call is `lifecycle`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipreplay.engine.call import Call
from sipreplay.engine.failure import FatalError
from sipreplay.engine.headers import header_values
from sipreplay.engine.render import render

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine


def release(engine: Engine, call: Call, now: float) -> None:
    """Tell the peer of a call we placed that it is over, by what its INVITE has come to.

    No dialog yet: ACK for a failure, CANCEL after a provisional response, ACK and BYE after a 200 that was not
    acknowledged, nothing if nothing was received. Otherwise BYE.
    """
    if not engine.calling or call.index <= 0:
        return
    received = call.last_received
    if call.last_sent.startswith(b"INVITE") and not call.established:
        if not received:
            return
        if received.startswith(b"SIP/2.0 ") and received[8:9] in (b"4", b"5", b"6"):
            default(engine, call, "ack", now)
        elif call.ack_pending:
            call.ack_pending = False
            default(engine, call, "ack", now)
            default(engine, call, "bye", now)
        else:
            default(engine, call, "cancel", now)
    elif received:
        default(engine, call, "bye", now)


def default(engine: Engine, call: Call, name: str, now: float) -> None:
    """Send one of the default messages, built from the last message received."""
    if name == "bye" and not call.last_received.startswith(b"SIP/2.0 "):
        _turn_around(call)
    data = render(engine, call, engine.program.default_messages[name], now)
    try:
        engine.send(data, call.address)  # type: ignore[arg-type]
    except OSError:
        if engine.config.fatal_send_failures:
            raise FatalError(f"the {name.upper()} that ends call {call.call_id!r} could not be sent") from None
        engine.warn(f"could not send the {name.upper()} that ends call {call.call_id.decode('latin-1')}")


def _turn_around(call: Call) -> None:
    """The last message received was a request: its From is our To. (SIPp writes them the wrong way round.)"""
    to = b", ".join(header_values(call.last_received, b"To"))
    sender = b", ".join(header_values(call.last_received, b"From"))
    call.headers = {b"From": b"From: " + to, b"To": b"To: " + sender}
