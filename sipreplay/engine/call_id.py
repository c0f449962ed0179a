"""Call-IDs of the calls that an engine places (SIPp's -cid_str and -cid_type).

A template is cut into its constant parts once; the usual one costs two concatenations a call.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from sipreplay.engine.config import EngineConfig
from sipreplay.engine.endpoint import Endpoint
from sipreplay.errors import UsageError

if TYPE_CHECKING:
    from uuid import UUID

KINDS = {
    "default": "default",
    "format": "default",
    "legacy": "default",
    "uuid": "uuid",
    "uuid-compact": "uuid-compact",
    "uuidcompact": "uuid-compact",
    "uuid32": "uuid-compact",
    "random": "random",
    "random-hex": "random",
    "timestamp": "timestamp",
    "time": "timestamp",
}
"""Every spelling of a kind to the kind."""
_LARGEST_RANDOM = 0x7FFFFFFF

NewCallId = Callable[[int, float], bytes]
"""A call's number and the time to its Call-ID."""


def call_ids(config: EngineConfig, endpoint: Endpoint, random: Random) -> NewCallId:
    """What makes Call-IDs for a configuration. Raises UsageError for a template without anything that differs."""
    kind = config.call_id_kind
    at = b"@" + endpoint.local_ip.encode()
    if kind == "default":
        return _by_template(config.call_id_format, endpoint, random)
    if kind == "uuid":
        return lambda number, now: str(_uuid(random)).encode() + at
    if kind == "uuid-compact":
        return lambda number, now: _uuid(random).hex.encode() + at
    if kind == "random":
        return lambda number, now: b"%d-%032x%s" % (number, random.getrandbits(128), at)
    if kind == "timestamp":
        return lambda number, now: b"%d-%d-%d%s" % (time.time_ns() // 1000, number, endpoint.pid, at)
    raise UsageError(f"unknown kind of Call-ID {kind}; there are {', '.join(KINDS)}")


def _uuid(random: Random) -> UUID:
    import uuid

    return uuid.UUID(int=random.getrandbits(128), version=4)


def _by_template(template: str, endpoint: Endpoint, random: Random) -> NewCallId:
    """`%u`, `%p`, `%s`, `%r`; another letter after `%` stands for one `%`, and so does a `%` at the end."""
    constants = {"%p": str(endpoint.pid), "%s": endpoint.local_ip}
    parts = re.findall(r"%.?|[^%]+", template)
    pieces: list[bytes] = []
    numbers: list[int] = []
    randoms: list[int] = []
    for part in parts:
        if part in ("%u", "%r"):
            (numbers if part == "%u" else randoms).append(len(pieces))
            pieces.append(b"")
        else:
            text = constants.get(part, "%") if part.startswith("%") else part
            pieces.append(text.encode("utf-8", "surrogateescape"))
    if not numbers and not randoms:
        raise UsageError(f"-cid_str {template}: all calls would have one Call-ID; put %u (the call's number) into it")
    if numbers == [0] and not randoms:
        tail = b"".join(pieces)
        return lambda number, now: b"%d" % number + tail

    def make(number: int, now: float) -> bytes:
        out = pieces.copy()
        for place in numbers:
            out[place] = b"%d" % number
        for place in randoms:
            out[place] = b"%d" % random.randint(0, _LARGEST_RANDOM)
        return b"".join(out)

    return make
