"""`--record`: every process of a run keeps what it sends and receives, and its end makes one capture of that.

Where both sides of a call are ours, each packet is recorded by who sends it; towards a target, both ways are.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from sipreplay.capture.recording import failures_of, parts_of, write_capture
from sipreplay.errors import TransportError
from sipreplay.runner.plan import Plan

MEDIA = "media.part"


class Recording:
    """The parts of a run, in a folder beside the file to be; a context manager that leaves the capture only.

    Without a path it does nothing.
    """

    def __init__(self, plan: Plan, path: Path | None) -> None:
        self.path = path
        self.packets = 0
        self.media_part: Path | None = None
        self.received = plan.target is not None or any(pair.uac is None or pair.uas is None for pair in plan.pairs)
        """Whether what is received is recorded: the other side is not ours."""
        self._folder: Path | None = None
        if path is None:
            return
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=".sipreplay-record-", dir=path.absolute().parent))
        except OSError as error:
            raise TransportError(f"--record {path}: cannot be written: {error.strerror}") from error
        self.media_part = self._folder / MEDIA
        for number, side in enumerate(plan.sides):
            side.config.record = self._folder / f"{number}.part"
            side.config.record_received = self.received

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def finish(self) -> list[str]:
        """Write the capture, once all processes have ended; what went wrong, in words. Raises CaptureError."""
        if self._folder is None or self.path is None:
            return []
        self.packets = write_capture(parts_of(self._folder), self.path)
        return [f"{self.path}: the recording is not complete: {why}" for why in failures_of(self._folder)]
