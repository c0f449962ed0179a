"""Runs all measurements, or those named: `python -m bench [startup] [signalling] [media] [inspect]`."""

from __future__ import annotations

import importlib
import os
import platform
import sys

NAMES = ("startup", "signalling", "media", "inspect")


def main() -> int:
    wanted = sys.argv[1:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"no measurement named {unknown[0]}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}")
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        importlib.import_module(f"bench.{name}_bench").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
