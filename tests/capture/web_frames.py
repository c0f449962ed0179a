"""WebSocket frames and handshakes, written by hand."""

from __future__ import annotations

import struct
import zlib

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: sip.example.com\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(data: bytes, opcode: int = TEXT, mask: bytes = b"", final: bool = True, reserved: int = 0) -> bytes:
    """One frame; lengths take the shortest form."""
    size = len(data)
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack("!BH", bit | 126, size)
    else:
        head += struct.pack("!BQ", bit | 127, size)
    body = bytes(value ^ mask[at % 4] for at, value in enumerate(data)) if mask else data
    return head + mask + body


class Deflating:
    """permessage-deflate, with or without context takeover."""

    def __init__(self, takeover: bool = True) -> None:
        self.takeover = takeover
        self._deflater = zlib.compressobj(wbits=-15)

    def frame(self, data: bytes, mask: bytes = b"") -> bytes:
        if not self.takeover:
            self._deflater = zlib.compressobj(wbits=-15)
        packed = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        return frame(packed.removesuffix(b"\0\0\xff\xff"), TEXT, mask, reserved=0x40)
