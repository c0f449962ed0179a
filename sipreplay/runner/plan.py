"""From a bundle or scenario files to the engines to start: who plays what, from where, how fast, in which order.

Opens no socket and starts nothing. Nothing that a capture holds becomes an address here: both sides on loopback, or the
target that was named.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from sipreplay.bundle.folder import read_bundle
from sipreplay.bundle.model import Bundle, BundleScenario
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.reach import LOOPBACK, allowed_networks
from sipreplay.errors import ScenarioError, UsageError
from sipreplay.runner.legs import Legs, answering, legs_config, listen_address, rules, told, towards_sut
from sipreplay.runner.options import RunOptions
from sipreplay.scenario.reader import read_scenario

UAC_IP = "127.0.0.1"
UAS_IP = "127.0.0.2"
"""The two sides of a pair on loopback: two addresses, so that a capture of the run shows two parties."""

DEFAULT_RATE_CPS = 10.0


@dataclass(slots=True)
class Side:
    """One engine to start."""

    name: str
    role: str
    """uac or uas."""
    config: EngineConfig
    uses_media: bool
    media_ports: int = 1
    """RTP ports a call needs at once: 2 with audio and video."""
    expects_media: bool = False
    """Whether the other side of the pair sends RTP, so that a silent call is a fault."""


@dataclass(slots=True)
class Pair:
    """One scenario with the side that answers it, if that is ours too."""

    name: str
    uac: Side | None
    uas: Side | None
    weight: float = 1.0
    stage: int = 0
    """Pairs of stage 0 end before those of stage 1 begin (a REGISTER before the calls)."""

    @property
    def sides(self) -> list[Side]:
        """Those that are ours, the calling one first."""
        return [side for side in (self.uac, self.uas) if side is not None]


@dataclass(slots=True)
class Plan:
    """All pairs of a run."""

    name: str
    pairs: list[Pair]
    target: tuple[str, int] | None
    wanted_rate_cps: float
    wanted_calls: int | None
    notes: list[str] = field(default_factory=list)
    legs: Legs | None = None
    """Both sides of a system under test, in one process; its sides are in `pairs`, each alone."""

    @property
    def sides(self) -> list[Side]:
        """All sides of all pairs."""
        return [side for pair in self.pairs for side in pair.sides]

    @property
    def stages(self) -> list[list[Pair]]:
        """Pairs by stage, in order."""
        return [[p for p in self.pairs if p.stage == s] for s in sorted({p.stage for p in self.pairs})]


def make_plan(options: RunOptions) -> Plan:
    """What to start for these options. Raises UsageError, BundleError or ScenarioError."""
    _check(options)
    folders = [source for source in options.sources if source.is_dir()]
    if folders and len(options.sources) > 1:
        raise UsageError(f"{folders[0]}: give one bundle, or scenario files, not both")
    plan = _bundle_plan(options, folders[0]) if folders else _file_plan(options)
    _share(plan, options)
    return plan


def _check(options: RunOptions) -> None:
    if options.rate_cps is not None and not 0 < options.rate_cps <= 100_000:
        raise UsageError(f"--rate {options.rate_cps:g}: wants more than 0 and at most 100000 calls a second")
    if options.rate_cps is not None and options.users is not None:
        raise UsageError("--rate and --users: calls start by a rate or by users, not both")
    for name in ("calls", "limit", "users"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise UsageError(f"--{name} {value}: wants 1 or more")
    allowed_networks(options.allow_net, "")
    if options.time_scale <= 0:
        raise UsageError(f"--time-scale {options.time_scale:g}: wants a factor above 0")


def _bundle_plan(options: RunOptions, folder: Path) -> Plan:
    bundle = read_bundle(folder)
    if options.injection:
        raise UsageError("--inf: a bundle has its own injection files; change columns with --set COLUMN=VALUE")
    callers = [s for s in bundle.scenarios if s.role == "uac"]
    notes = []
    if options.target is not None:
        facing = towards_sut(bundle, callers)
        inner = [s.id for s in callers if s not in facing]
        if inner:
            notes.append(f"{len(inner)} scenarios of inner hops are not played against a target: " + ", ".join(inner))
        callers = facing
    if not callers:
        raise UsageError(f"{folder}: the bundle has no calling side to play")
    by_id = {s.id: s for s in bundle.scenarios}
    first = {name for s in callers for name in s.after}
    pairs = []
    for scenario in callers:
        answering = by_id.get(scenario.pair) if options.target is None else None
        if options.target is None and answering is None:
            notes.append(f"{scenario.id}: has no answering side, not played on loopback")
            continue
        pairs.append(_pair(options, folder, scenario, answering, 0 if scenario.id in first else 1))
    if not pairs:
        raise UsageError(
            f"{folder}: no scenario has its answering side here; name a target, as in: run {folder} HOST:PORT"
        )
    # Earlier stages play their own captured lines, so only those of the last one count.
    captured = sum(pair.weight for pair in pairs if pair.stage == max(p.stage for p in pairs))
    plan = Plan(str(folder), pairs, options.target, *_wanted(options, max(1, round(captured))), notes)
    if options.target is not None and not options.callers_only:
        _add_answering(plan, options, folder, bundle, callers)
    elif options.listen:
        raise UsageError("--listen: nothing is answered without a target, or with --callers-only")
    return plan


def _add_answering(
    plan: Plan, options: RunOptions, folder: Path, bundle: Bundle, callers: list[BundleScenario]
) -> None:
    """Have the calls that the target passes on answered, where the bundle knows that leg."""
    second = answering(bundle, callers)
    if not second:
        if options.listen:
            raise UsageError(f"--listen: {folder} has no leg that a system under test passes on; learn it with --sut")
        return
    last = max(pair.stage for pair in plan.pairs)
    configs = {pair.uac.name: pair.uac.config for pair in plan.pairs if pair.uac is not None}
    host, port = listen_address(bundle, options.listen, next(iter(configs.values())).local_ip)
    # A port of its own choice would be the target's where both are one host.
    port = 0 if port is None and options.target is not None and host == options.target[0] else port
    first = {name for s in callers for name in s.after}
    sides = []
    for name, config in configs.items():
        registers = name in first
        if registers:
            config.local_ip, config.local_port = host, port
        sides.append((name, config, registers))
    for scenario in second:
        side = _side(scenario.id, "uas", _config(options, folder, scenario))
        side.config.local_ip, side.config.local_port, side.config.rate_cps = host, port, 0.0
        plan.pairs.append(Pair(scenario.id, None, side, 0.0, last))
        sides.append((scenario.id, side.config, True))
    plan.legs = Legs(legs_config(sides, rules(bundle, callers)), lambda: told(bundle, configs))


def _pair(
    options: RunOptions,
    folder: Path,
    caller: BundleScenario,
    callee: BundleScenario | None,
    stage: int,
) -> Pair:
    uac = _side(caller.id, "uac", _config(options, folder, caller))
    uac.expects_media = callee is not None and _plays(callee)
    uas = None
    if callee is not None:
        uas = _side(callee.id, "uas", _config(options, folder, callee))
        uas.expects_media = _plays(caller)
        _on_loopback(options, uac, uas)
    return Pair(caller.id, uac, uas, caller.weight * max(caller.calls, 1), stage)


_MEDIA = (b"media_port", b"play_pcap", b"rtpstream_", b"rtp_stream", b"play_dtmf", b"rtp_echo")
_SECOND_MEDIUM = (b"media_port+2]", b"media_port+3]", b"rtpstream_video_port", b"vpattern", b"startvideo")


def _plays(scenario: BundleScenario) -> bool:
    """Whether the scenario itself plays captured media; a noted file is only kept in the bundle."""
    return any(not media.note for media in scenario.media)


def _side(name: str, role: str, config: EngineConfig) -> Side:
    """A side, with the media ports that its texts announce. Raises ScenarioError for a file that cannot be read."""
    try:
        text = Path(config.scenario).read_bytes()
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", str(config.scenario)) from error
    second = any(word in text for word in _SECOND_MEDIUM)
    return Side(name, role, config, any(word in text for word in _MEDIA), media_ports=2 if second else 1)


def _config(options: RunOptions, folder: Path, scenario: BundleScenario) -> EngineConfig:
    injection = [folder / scenario.injection] if scenario.injection else []
    config = EngineConfig(folder / scenario.file, injection=injection)
    if injection and scenario.injection_index >= 0:
        config.injection_index = [(injection[0].name, scenario.injection_index)]
    config.transport = options.transport or scenario.transport
    _common(config, options)
    config.digest_uri = "request"
    return config


def _common(config: EngineConfig, options: RunOptions) -> None:
    config.time_scale = options.time_scale
    config.max_pause_ms = round(options.max_hold_s * 1000) if options.max_hold_s else 0
    config.advertise_ip = options.advertise_ip
    config.local_port = options.local_port
    config.allow_exec = options.allow_exec
    if options.allow_net:
        config.allow_net = [*LOOPBACK, *options.allow_net]
    if options.auth:
        config.auth_user, config.auth_password = options.auth
    if options.target is not None:
        config.remote = options.target
        config.local_ip = options.local_ip or source_address(options.target[0])
        if config.local_ip == options.target[0] and options.local_port is None:
            # Where nobody listens on the target's port, the default port would be that one: a call to itself.
            config.local_port = 0
    elif options.local_ip:
        config.local_ip = options.local_ip


def _on_loopback(options: RunOptions, uac: Side, uas: Side) -> None:
    """The UAC's remote is set by the runner, when the UAS has said which port it got."""
    own = {"--local-ip": options.local_ip, "--port": options.local_port, "--advertise": options.advertise_ip}
    for name, value in own.items():
        if value:
            raise UsageError(
                f"{name}: without a target both sides play on loopback, {UAC_IP} calling {UAS_IP} on free ports; "
                f"name a target HOST[:PORT], or leave {name} out"
            )
    uac.config.local_ip, uas.config.local_ip = UAC_IP, UAS_IP
    uac.config.local_port = uas.config.local_port = 0
    uas.config.rate_cps = 0.0


def source_address(host: str) -> str:
    """The local address that would be used towards `host`: "" leaves it to the engine (a name, or not loopback)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return str(address) if address.is_loopback else ""


def _file_plan(options: RunOptions) -> Plan:
    scenarios = []
    notes: list[str] = []
    for path in options.sources:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ScenarioError(f"cannot be read: {error.strerror}", str(path)) from error
        scenarios.append((path, read_scenario(text, str(path))))
        notes += scenarios[-1][1].warnings
    weights = options.weights or [1.0] * len(scenarios)
    callers = [(path, weight) for (path, played), weight in zip(scenarios, weights, strict=True) if played.is_client]
    callees = [path for path, played in scenarios if not played.is_client]
    if len(callees) > 1:
        raise UsageError("give one answering scenario, or a bundle")
    if callers and not callees and options.target is None:
        raise UsageError(f"{callers[0][0]}: places calls and needs a target, as in: run {callers[0][0]} HOST:PORT")
    if callees and options.target is not None:
        raise UsageError(f"{callees[0]}: answers calls and takes no target; it listens on --local-ip and --port")
    if len(callers) > 1 and options.local_port:
        raise UsageError(f"--port {options.local_port}: {len(callers)} calling scenarios cannot all have one port")
    pairs = []
    for number, (path, weight) in enumerate(callers):
        name = path.stem if [p.stem for p, _ in callers].count(path.stem) == 1 else f"{path.stem}-{number + 1}"
        uac = _file_side(options, path, "uac", name)
        uas = None
        if callees:
            uas = _file_side(options, callees[0], "uas", callees[0].stem if len(callers) == 1 else f"{name}-answering")
            _on_loopback(options, uac, uas)
        pairs.append(Pair(name, uac, uas, weight))
    if not callers:
        pairs.append(Pair(callees[0].stem, None, _file_side(options, callees[0], "uas", callees[0].stem)))
    name = " ".join(map(str, options.sources))
    return Plan(name, pairs, options.target, *_wanted(options, len(pairs)), notes)


def _file_side(options: RunOptions, path: Path, role: str, name: str) -> Side:
    config = EngineConfig(path, injection=list(options.injection), transport=options.transport or "UDP")
    _common(config, options)
    return _side(name, role, config)


def _wanted(options: RunOptions, captured_calls: int) -> tuple[float, int | None]:
    """(rate, calls): with nothing said, the capture is played once."""
    rate = 0.0 if options.users else options.rate_cps or DEFAULT_RATE_CPS
    calls = options.calls
    if calls is None and options.duration_s is None:
        calls = max(captured_calls, options.users or 1)
    return rate, calls


def _share(plan: Plan, options: RunOptions) -> None:
    """Deal rate, calls, limit and users to the pairs by weight. Earlier stages run once through their lines."""
    last = plan.stages[-1]
    calls = deal(plan.wanted_calls, [p.weight for p in last])
    limits = deal(options.limit, [p.weight for p in last])
    users = deal(options.users, [p.weight for p in last])
    total = sum(p.weight for p in last)
    for i, pair in enumerate(last):
        if pair.uac is None:
            if pair.uas is not None and plan.legs is None:
                pair.uas.config.calls = plan.wanted_calls if options.calls else None
            continue
        config = pair.uac.config
        config.rate_cps = plan.wanted_rate_cps * pair.weight / total
        config.calls, config.users, config.duration_s = calls[i], users[i], options.duration_s
        config.limit = max(1, limits[i] or 1) if options.limit is not None else 0
    for stage in plan.stages[:-1]:
        for pair in stage:
            if pair.uac is not None:
                pair.uac.config.rate_cps = max(plan.wanted_rate_cps, DEFAULT_RATE_CPS)
                pair.uac.config.calls = max(1, round(pair.weight))
                pair.uac.config.limit = 0
    kept = [p for p in plan.pairs if p.uac is None or p.uac.config.calls != 0]
    for pair in plan.pairs:
        if pair not in kept:
            plan.notes.append(f"{pair.name}: its share of the calls rounds to none, not played")
    plan.pairs = kept


def deal(total: int | None, weights: list[float]) -> list[int | None]:
    """`total` split by weight into whole shares that add up to it (largest remainder); None stays None."""
    if total is None:
        return [None] * len(weights)
    exact = [total * weight / sum(weights) for weight in weights]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda i: (shares[i] - exact[i], -weights[i], i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return list(shares)


_TARGET = re.compile(r"\[([0-9A-Fa-f:.%\w]+)\](?::(\d+))?|([^:\[\]/\s]+)(?::(\d+))?")


def target_of(text: str) -> tuple[str, int]:
    """`HOST`, `HOST:PORT` or `[IPv6]:PORT` as (host, port); 5060 where none is given. Raises UsageError."""
    match = _TARGET.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is no target; write host, host:port or [IPv6]:port")
    host, port = match[1] or match[3], int(match[2] or match[4] or 5060)
    if not 0 < port < 65536:
        raise UsageError(f"{text}: port {port} is not between 1 and 65535")
    return host, port


def printed(target: tuple[str, int] | None) -> str:
    """A target as it is written; "" for none."""
    if target is None:
        return ""
    host, port = target
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
