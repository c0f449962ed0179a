"""Shared by the tests of this room: the folder's helper module, and a media process a test module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipreplay.media.process import MediaProcess

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def media() -> Iterator[MediaProcess]:
    """A started media process with ordinary scheduling, so that tests do not take a core from others."""
    with MediaProcess(scheduling="nice", seed=7) as process:
        yield process
