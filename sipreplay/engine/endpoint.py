"""Where one engine stands: the addresses and names that texts print. Known once its socket is bound."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sipreplay.engine.config import EngineConfig


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Constants of one engine. `remote` parts are empty and 0 for a server that was not told a peer."""

    local_ip: str
    """As `[local_ip]` prints it."""
    local_port: int
    remote_ip: str = ""
    remote_host: str = ""
    remote_port: int = 5060
    transport: str = "UDP"
    media_ip: str = ""
    media_port: int = 6000
    server_ip: str = ""
    """The bound address."""
    pid: int = 0


def bracketed(address: str) -> str:
    """An IPv6 address in brackets, anything else as it is."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def endpoint_of(config: EngineConfig, local_port: int, remote_ip: str = "") -> Endpoint:
    """The endpoint of a configuration, for a bound port and a resolved remote address."""
    host, port = config.remote if config.remote is not None else ("", 5060)
    local = config.advertise_ip or config.local_ip
    return Endpoint(
        local_ip=local,
        local_port=local_port,
        remote_ip=remote_ip or host,
        remote_host=host,
        remote_port=port,
        transport=config.transport,
        media_ip=config.media_ip or local,
        media_port=config.media_port,
        server_ip=config.local_ip,
        pid=config.pid or os.getpid(),
    )
