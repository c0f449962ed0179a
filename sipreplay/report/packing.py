"""Data that a page carries: JSON, compressed, as base64, so that nothing in it can be markup.

A page's script takes it apart with the browser's own DecompressionStream. Never decides what is carried.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from markupsafe import Markup

CHUNK_BYTES = 400_000
"""JSON of about this size is one chunk: small enough to be opened at a click, large enough to be compressed well."""


class Packed(NamedTuple):
    """One data block of a page."""

    id: str
    data: Markup
    """Base64: of no meaning to HTML."""


def packed(ident: str, value: Any) -> Packed:
    """A value as a data block. `json.dumps` must take it; lone surrogates are escaped."""
    return _pack(ident, json.dumps(value, separators=(",", ":"), allow_nan=False))


def _pack(ident: str, text: str) -> Packed:
    return Packed(ident, Markup(base64.b64encode(gzip.compress(text.encode("ascii"), 6, mtime=0)).decode()))


def unpacked(data: str) -> Any:
    """The value of a data block."""
    return json.loads(gzip.decompress(base64.b64decode(data)))


def chunks(prefix: str, items: Iterable[tuple[int, Any]], limit_bytes: int) -> Iterator[tuple[Packed, list[int]]]:
    """Items (key, value) as data blocks of objects by key, each with its keys; ends at `limit_bytes` of base64."""
    number = used = size = 0
    keys: list[int] = []
    parts: list[str] = []

    def close() -> Packed:
        return _pack(f"{prefix}{number}", "{" + ",".join(parts) + "}")

    for key, value in items:
        text = f'"{key}":' + json.dumps(value, separators=(",", ":"), allow_nan=False)
        keys.append(key)
        parts.append(text)
        size += len(text)
        if size >= CHUNK_BYTES:
            block = close()
            used += len(block.data)
            yield block, keys
            number, size, keys, parts = number + 1, 0, [], []
            if used >= limit_bytes:
                return
    if keys:
        yield close(), keys
