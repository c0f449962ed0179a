"""[authentication] and <verifyauth>: what is written in the header, by SIPp's layout; the digest itself is `sip.digest`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipreplay.engine.call import Call
from sipreplay.engine.steps import Template

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine


def credentials(
    engine: Engine, call: Call, arguments: tuple[Template | None, Template | None], message: bytes, now: float
) -> bytes:
    return b""


def verify(message: bytes, username: bytes, password: bytes) -> bool:
    return False
