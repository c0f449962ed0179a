"""What `inspect --json` says of the project's captures, kept beside the tests.

`python -m tests.analysis.golden` writes the files again; what changed is then reviewed as a diff.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sipreplay.analysis.json import inspect_json
from sipreplay.analysis.reading import analyse

FOLDER = Path(__file__).resolve().parent / "golden"
CAPTURES = FOLDER.parents[2] / "captures"
LONGEST_LIST = 12
KEPT = 3
_TIME = 1e8
"""Larger numbers are seconds since the epoch, or counters that are whole anyway."""


def names() -> list[str]:
    """The captures that have a golden file."""
    return sorted(path.name for path in CAPTURES.glob("*.pcap"))


def document(path: Path) -> dict[str, Any]:
    """All of `inspect --json` but the folder of the capture."""
    found: dict[str, Any] = json.loads(json.dumps(inspect_json(analyse([path])), allow_nan=False))
    for capture in found["captures"]:
        capture["path"] = Path(capture["path"]).name
    return found


def shortened(value: Any) -> Any:
    """The document with long lists as their first items, their length and the hash of all; floats to three decimals
    (six in times), so that another processor's last digit is no change."""
    if isinstance(value, float):
        return round(value, 6 if abs(value) > _TIME else 3)
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [shortened(item) for item in value]
        if len(items) > LONGEST_LIST:
            digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).hexdigest()[:16]
            return {"first": items[:KEPT], "items": len(items), "sha256": digest}
        return items
    return value


def golden_text(name: str) -> str:
    """What the golden file of a capture ought to hold."""
    return json.dumps(shortened(document(CAPTURES / name)), indent=1, sort_keys=True) + "\n"


def golden_path(name: str) -> Path:
    """The golden file of a capture."""
    return FOLDER / f"{Path(name).stem}.json"


def write() -> None:
    """Write all golden files."""
    FOLDER.mkdir(exist_ok=True)
    for name in names():
        golden_path(name).write_text(golden_text(name))


if __name__ == "__main__":
    write()
