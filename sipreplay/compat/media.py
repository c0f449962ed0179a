"""SIPp's media options, and the media process of a run that plays or echoes RTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipreplay.compat.options import CommandLine
from sipreplay.engine.config import EngineConfig
from sipreplay.errors import UsageError
from sipreplay.media.port import MediaPort
from sipreplay.scenario.checks import media_kinds
from sipreplay.scenario.model import Scenario

if TYPE_CHECKING:
    from sipreplay.media.process import MediaProcess

LAST_PORT = 65535
ECHO_BYTES = 2048


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What a command line says about RTP, besides ports and addresses of the engine."""

    last_port: int | None = None
    echo_bytes: int = 0
    """Most of a datagram that comes back; 0: no -rtp_echo."""
    buffer_bytes: int = 0
    random_ssrc: bool = False
    tolerance: tuple[float, float] = (1.0, 1.0)


def media_settings(line: CommandLine, first_port: int) -> MediaSettings:
    """Raises UsageError."""
    last = line.integer("max_rtp_port", LAST_PORT)
    if not first_port + 3 <= last <= LAST_PORT:
        raise UsageError(
            f"-max_rtp_port {last}: wants at least {first_port + 3} (-min_rtp_port + 3), at most {LAST_PORT}"
        )
    largest = line.integer("mb", ECHO_BYTES)
    if not 12 <= largest <= 65536:
        raise UsageError(f"-mb {largest}: must be from 12 to 65536 bytes")
    if "mb" in line and "rtp_echo" not in line:
        raise UsageError("-mb says how much -rtp_echo sends back; it needs -rtp_echo")
    tolerance = line.number("audiotolerance", 1.0), line.number("videotolerance", 1.0)
    for name, part in zip(("audio", "video"), tolerance, strict=True):
        if not 0 <= part <= 1:
            raise UsageError(f"-{name}tolerance {part:g}: must be from 0 to 1")
    return MediaSettings(
        last if "max_rtp_port" in line else None,
        largest if "rtp_echo" in line else 0,
        line.integer("rtp_buffsize", 0),
        "random_base_ssrc" in line,
        tolerance,
    )


@contextmanager
def open_media(
    config: EngineConfig, settings: MediaSettings, scenarios: Iterable[Scenario], calls: int
) -> Iterator[tuple[MediaPort | None, MediaProcess | None]]:
    """A media process for scenarios that play or echo, or for -rtp_echo; nothing for others.

    With -rtp_echo, `config.media_port` becomes the port that echoes. Raises TransportError.
    """
    kinds = set().union(*map(media_kinds, scenarios))
    if not kinds and not settings.echo_bytes:
        yield None, None
        return
    from sipreplay.media.client import MediaClient
    from sipreplay.media.process import MediaProcess

    host = config.media_ip or config.advertise_ip or config.local_ip
    echo = (config.media_port, settings.last_port or LAST_PORT, settings.echo_bytes) if settings.echo_bytes else None
    with MediaProcess() as process:
        description = process.add_client(
            host,
            calls=calls if kinds else 0,
            least=1 if kinds else 0,
            media=2 if len(kinds) > 1 or "video" in kinds else 1,
            first_port=config.media_port,
            last_port=settings.last_port,
            rewrite=False,
            buffer=settings.buffer_bytes,
            tolerance=settings.tolerance,
            random_ssrc=settings.random_ssrc,
            echo=echo,
        )
        if description.echo:
            config.media_port = description.echo[0]
        client = MediaClient(description)
        try:
            yield client, process
        finally:
            client.close()
