"""How the media process asks the kernel for its time, and how it makes sure not to outlive its parent."""

from __future__ import annotations

import ctypes
import gc
import os
import signal

FIFO_PRIORITY = 10
NICE = -15
_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29


def _prctl(option: int, argument: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(argument), 0, 0, 0)


def take_class(wanted: str = "auto") -> str:
    """Ask for SCHED_FIFO, then for a niceness of -15; returns which held: "fifo", "nice" or "normal".

    `wanted` may name the best class to ask for. Without privilege the answer is "normal", which on a busy core costs
    milliseconds of lateness.
    """
    _prctl(_PR_SET_TIMERSLACK, 1)
    if wanted in ("auto", "fifo"):
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
            return "fifo"
        except OSError:
            pass
    if wanted in ("auto", "fifo", "nice"):
        try:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
            return "nice"
        except OSError:
            pass
    return "normal"


def die_with(parent: int) -> None:
    """End this process when its parent ends, and only then: the signal also comes when the parent's thread ends.

    Ctrl-C is the parent's to handle; here it does nothing.
    """

    def parent_changed(_signal: int, _frame: object) -> None:
        if os.getppid() != parent:
            os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, parent_changed)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
    if os.getppid() != parent:
        os._exit(0)


def quiet_collector() -> None:
    """No garbage collection from here on: it would stop the wheel for milliseconds, and nothing here makes cycles."""
    gc.collect()
    gc.freeze()
    gc.disable()
