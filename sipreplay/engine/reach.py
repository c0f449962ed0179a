"""Which addresses a scenario may send to: what `setdest` asks.

The default is loopback and the remote host, nothing else.
"""

from __future__ import annotations

import contextlib
import ipaddress

from sipreplay.errors import UsageError

LOOPBACK = ("127.0.0.0/8", "::1/128")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Host = ipaddress.IPv4Address | ipaddress.IPv6Address


def allowed_networks(texts: list[str], remote_ip: str) -> list[Network]:
    """The networks of `--allow-net`, or loopback if there are none; the remote host always counts.

    Raises UsageError for a text that is no network.
    """
    networks: list[Network] = []
    for text in texts or LOOPBACK:
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise UsageError(f"--allow-net {text}: not a network such as 192.0.2.0/24") from None
    if remote_ip:
        with contextlib.suppress(ValueError):
            networks.append(ipaddress.ip_network(remote_ip))
    return networks


def may_reach(networks: list[Network], address: Host) -> bool:
    """Whether an address lies within one of the networks."""
    return any(address in network for network in networks if network.version == address.version)
