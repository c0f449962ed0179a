"""Message, error and response-time traces: another code path around the engine, chosen when a run starts.

Without traces nothing here is on the way of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipreplay.engine.call import Address
from sipreplay.engine.config import EngineConfig

if TYPE_CHECKING:
    from sipreplay.engine.engine import Engine

Receive = Callable[[bytes, Address | None, float], None]
Send = Callable[[bytes, Address], object]


class Traces:
    """The trace files of one engine."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config

    def sending(self, send: Send) -> Send:
        return send

    def receiving(self, receive: Receive) -> Receive:
        return receive

    def attach(self, engine: Engine) -> None:
        pass

    def close(self) -> None:
        pass
