"""All pairs by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.interop.differential.groups import actions, flow, load, process, texts
from tests.interop.differential.pair import Pair

PAIRS: Mapping[str, Pair] = {
    f"{group}-{pair.name}": replace(pair, name=f"{group}-{pair.name}")
    for group, pairs in (
        ("flow", flow.PAIRS),
        ("process", process.PAIRS),
        ("texts", texts.PAIRS),
        ("actions", actions.PAIRS),
        ("load", load.PAIRS),
    )
    for pair in pairs
}
