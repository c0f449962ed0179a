"""Standard input as a file, for work that goes over captures more than once.

Owns the temporary copy and its end. Never looks into it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sipreplay.capture.reader import STDIN
from sipreplay.errors import CaptureError


@contextmanager
def spooled(paths: Sequence[Path | str]) -> Iterator[list[Path]]:
    """The paths, with a copy of standard input in place of "-" for as long as the context lasts.

    Raises CaptureError if there is no room for the copy.
    """
    if not any(str(path) == STDIN for path in paths):
        yield [Path(path) for path in paths]
        return
    with tempfile.TemporaryDirectory(prefix="sipreplay-stdin-") as folder:
        copy = Path(folder) / "stdin"
        try:
            with copy.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        except OSError as error:
            raise CaptureError(f"-: standard input cannot be copied to {copy}: {error.strerror or error}") from error
        yield [copy if str(path) == STDIN else Path(path) for path in paths]
