"""The cyclic garbage collector around an analysis: off while it is made, and not sent over it while it lives.

Messages, dialogs and streams are many and make no cycles: walking them finds nothing. Never frees anything itself.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

_alive = 0
"""How many things are alive for which objects were set aside."""


def without_collection(make: Callable[[], Made]) -> Made:
    """What `make` returns, which must take weak references.

    All objects there are then are set aside (`gc.freeze`) until the last thing that was made so is freed: the first
    collection afterwards would walk all of them. What dies meanwhile is freed as ever; only cycles that are that old
    wait. A process that switched the collector off, or froze objects itself, is left alone.
    """
    global _alive
    if not gc.isenabled():
        return make()
    gc.disable()
    try:
        made = make()
        if _alive or not gc.get_freeze_count():
            gc.freeze()
            _alive += 1
            weakref.finalize(made, _thaw).atexit = False
    finally:
        gc.enable()
    return made


def _thaw() -> None:
    """One of them is gone."""
    global _alive
    _alive -= 1
    if not _alive:
        gc.unfreeze()
