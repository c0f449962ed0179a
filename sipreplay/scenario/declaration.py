"""The first line of a scenario file: `<?xml ...?>`, and whether the encoding that it names is the file's.

SIPp ignores the encoding, and so is it here: this only keeps files readable for everybody else. Problems are as in
`tags`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from sipreplay.scenario.tags import Found

_DECLARATION = re.compile(
    r"""<\?xml\s+version\s*=\s*(["'])1\.[0-9]+\1(?:\s+encoding\s*=\s*(["'])([A-Za-z][\w.-]*)\2)?"""
    r"""(?:\s+standalone\s*=\s*(["'])(?:yes|no)\4)?\s*\?>""",
    re.ASCII,
)
_ENCODING = re.compile(r"""encoding\s*=\s*["']?([A-Za-z][\w.-]*)""", re.ASCII)
ANY_BYTES = "ISO-8859-15"
"""An encoding in which every byte is a character, and that no SIPp converts from."""


def check_declaration(text: str) -> Iterator[Found]:
    """What is wrong with the declaration of a file, its bytes as characters."""
    begin = 3 if text.startswith("\xef\xbb\xbf") else 0
    body = text[begin:]
    start = text.find("<?xml ", begin)
    if start < 0 or text.find("<scenario", begin, start) >= 0:
        if not _fits(body, "utf-8"):
            message = "the text is not UTF-8, and no declaration says what it is; begin with the right one"
            yield message, begin, False, (begin, begin, _declaration(body))
        return
    end = text.find("?>", start)
    stop = end + 2
    if end < 0 or "<" in text[start + 1 : end]:
        stop = text.find(">", start) + 1
        if stop == 0:
            yield "the <?xml that begins here is never closed; close it with ?>", start, True
            return
        yield "the declaration does not end in ?>", start, True, (start, stop, _declaration(body))
        return
    if text[begin:start]:
        cut = (begin, start, "") if not text[begin:start].strip() else (start, stop, "")
        message = "something stands before <?xml; SIPp 3.6.1 refuses such a file: remove it"
        edits = [cut] if not text[begin:start].strip() else [(begin, begin, text[start:stop] + "\n"), cut]
        yield (message, begin, False, *edits)
        return
    match = _DECLARATION.fullmatch(text, start, stop)
    if match is None:
        standard = _declaration(body)
        yield f"write the declaration as {standard}", start, False, (start, stop, standard)
    elif not _fits(body, match.group(3) or "utf-8"):
        standard = _declaration(body)
        named = match.group(3) or "UTF-8"
        yield (
            f"the text is not {named}, as the declaration says; write {standard}",
            start,
            False,
            (start, stop, standard),
        )


def _declaration(text: str) -> str:
    named = _ENCODING.search(text[:200])
    encoding = named.group(1) if named else "UTF-8"
    if not _fits(text, encoding):
        encoding = "UTF-8" if _fits(text, "utf-8") else ANY_BYTES
    return f'<?xml version="1.0" encoding="{encoding}"?>'


def _fits(text: str, encoding: str) -> bool:
    """Whether the bytes are text of an encoding in which ASCII is ASCII."""
    if encoding.lower().startswith("iso-8859-1") and len(encoding) == 10:
        return True
    if text.isascii() and encoding.lower() in ("utf-8", "us-ascii", "ascii"):
        return True
    try:
        if "<".encode(encoding) != b"<":
            return False
        codecs.decode(text.encode("latin-1"), encoding)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
