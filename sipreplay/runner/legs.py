"""From a bundle with links to both sides of a system under test: who calls it, who answers what it passes on.

Opens no socket. Where the answering side listens is the user's to say; no captured address is ever used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sipreplay.bundle.model import Bundle, BundleScenario
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.leg_book import Key, Rule, transformed
from sipreplay.engine.legs import Leg, LegsConfig
from sipreplay.errors import UsageError
from sipreplay.runner.overrides import COLUMNS

MOST_NAMED = 8


@dataclass(slots=True)
class Legs:
    """What a plan knows of both sides."""

    config: LegsConfig
    told: Callable[[], list[str]]
    """What the system under test must be told; `{address}` stands for where calls are answered."""

    def lines(self, address: str) -> list[str]:
        """The same, with the address."""
        return [line.replace("{address}", address) for line in self.told()]


def sut_of(bundle: Bundle) -> str:
    """The id of the actor under test; "" if there is none."""
    return next((actor.id for actor in bundle.actors if actor.role == "sut"), "")


def towards_sut(bundle: Bundle, callers: Sequence[BundleScenario]) -> list[BundleScenario]:
    """The calling scenarios that are played against a target: those that call the system under test, if known."""
    sut = sut_of(bundle)
    facing = [s for s in callers if s.peer == sut] if sut else []
    return facing or [s for s in callers if s.hop == 0]


def answering(bundle: Bundle, callers: Sequence[BundleScenario]) -> list[BundleScenario]:
    """The answering scenarios that calls of these lead to."""
    ids = {s.id for s in callers}
    reached = {link.to_leg for link in bundle.links if link.from_leg in ids}
    return [s for s in bundle.scenarios if s.id in reached]


def rules(bundle: Bundle, callers: Sequence[BundleScenario]) -> list[Rule]:
    """The links of these scenarios."""
    ids = {s.id for s in callers}
    return [
        Rule(
            link.from_leg,
            link.to_leg,
            tuple(Key(key.source, key.target, key.transform) for key in link.keys),
            link.window_ms / 1000.0,
            link.unmatched == "fail",
        )
        for link in bundle.links
        if link.from_leg in ids
    ]


def listen_address(bundle: Bundle, listen: str, local_ip: str) -> tuple[str, int | None]:
    """(host, port) of the answering side: as the user says, as the bundle says, or the calling side's address.

    Port None: the first free one from 5060. Raises UsageError.
    """
    said = {actor.listen for actor in bundle.actors if actor.listen}
    if not listen and len(said) > 1:
        raise UsageError(
            f"the bundle's actors listen on {', '.join(sorted(said))}: one address for all is what can be done"
        )
    text = listen or next(iter(said), "")
    if not text:
        return local_ip, None
    host, colon, port = text.rpartition(":")
    if text.isdigit():
        host, colon, port = local_ip, ":", text
    elif not colon or text.endswith("]") or (text.count(":") > 1 and not text.startswith("[")):
        return text.strip("[]"), None
    if not port.isdigit() or not 0 <= int(port) <= 65535:
        raise UsageError(f"--listen {text}: wants PORT, IP or IP:PORT")
    return host.strip("[]"), int(port)


def told(bundle: Bundle, configs: dict[str, EngineConfig]) -> list[str]:
    """What the system under test must be told: which numbers lead to the answering side, or that it registers."""
    by_id = {s.id: s for s in bundle.scenarios}
    reach = {address: actor.reach for actor in bundle.actors for address in actor.captured}
    lines = []
    for link in bundle.links:
        if link.from_leg not in configs:
            continue
        numbers = called(configs[link.from_leg])
        key = next((k for k in link.keys if k.source == k.target == "ruri.user"), None)
        if key is not None:
            numbers = [transformed(n.encode(), key.transform).decode() for n in numbers]
        who = ", ".join(dict.fromkeys(numbers[:MOST_NAMED])) or "its calls"
        more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
        if all(reach.get(address) == "register" for address in by_id[link.to_leg].emulates):
            lines.append(f"{who}{more}: registered at {{address}}, nothing to route ({link.to_leg})")
        else:
            lines.append(f"route {who}{more} to {{address}} ({link.to_leg})")
    return lines


def called(config: EngineConfig) -> list[str]:
    """The numbers in the injection file of a calling scenario."""
    found: dict[str, None] = {}
    for path in config.injection:
        lines = Path(path).read_bytes().decode("utf-8", "replace").split("\n")
        columns = next((x[len(COLUMNS) :].strip().split(";") for x in lines if x.startswith(COLUMNS)), [])
        if "callee" in columns:
            at = columns.index("callee")
            for line in lines[1:]:
                cells = line.split(";")
                if line.strip() and not line.startswith("#") and at < len(cells):
                    found[cells[at]] = None
    return list(found)


def legs_config(sides: Sequence[tuple[str, EngineConfig, bool]], found: list[Rule]) -> LegsConfig:
    """The process. `sides`: name, configuration, whether it shares the answering socket."""
    return LegsConfig([Leg(*side) for side in sides], found)
