"""How much CPU the streams of a media process took, and how much it had to wait for it: what tells how many it holds.

Reads the process's own scheduling figures; knows nothing of packets.
"""

from __future__ import annotations

import time
from pathlib import Path

_SCHEDSTAT = Path("/proc/self/schedstat")


class Load:
    """Sums over the time in which streams were active."""

    def __init__(self) -> None:
        self.run_s = 0.0
        """CPU time."""
        self.wait_s = 0.0
        """Wanted the CPU and did not get it."""
        self._run_s, self._wait_s = _figures()

    def account(self, active: int) -> None:
        """Count what was used since the last call, if streams were `active`. Wants a call some ten times a second."""
        run_s, wait_s = _figures()
        if active:
            self.run_s += run_s - self._run_s
            self.wait_s += wait_s - self._wait_s
        self._run_s, self._wait_s = run_s, wait_s


def _figures() -> tuple[float, float]:
    """(CPU seconds, seconds of waiting for it) of this process; where the kernel keeps none, no waiting."""
    try:
        run_ns, wait_ns, _ = _SCHEDSTAT.read_text().split()
    except (OSError, ValueError):
        return time.process_time(), 0.0
    return int(run_ns) / 1e9, int(wait_ns) / 1e9
