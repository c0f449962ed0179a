"""What texts and actions of a scenario can see and change besides their call: variables, files, names, counters, time.

The part of an engine that knows nothing of messages and timers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from sipreplay.engine.call import Call, Value
from sipreplay.engine.circuits import Circuits
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.counters import Counters
from sipreplay.engine.endpoint import Endpoint
from sipreplay.engine.failure import FatalError
from sipreplay.engine.reach import allowed_networks
from sipreplay.engine.steps import INDEX_MASK, Program
from sipreplay.errors import UsageError
from sipreplay.scenario.injection import InjectionFile
from sipreplay.stats.calls import CallStatistics


def indexes_of(config: EngineConfig, injections: list[InjectionFile]) -> dict[str, dict[str, int]]:
    """File name to its index, for `lookup`. Raises UsageError for a file that was not given."""
    out: dict[str, dict[str, int]] = {}
    for name, field in config.injection_index:
        source = next((injection for injection in injections if injection.name == name), None)
        if source is None:
            raise UsageError(f"-infindex names {name}, but no injection file of that name was given")
        source.require_fields(field, "-infindex")
        out[name] = source.index(field)
    return out


class Context:
    """Shared by all calls of an engine."""

    def __init__(
        self,
        program: Program,
        config: EngineConfig,
        endpoint: Endpoint,
        random: Random,
        injections: Sequence[InjectionFile],
        now: float,
        wall: float,
        read_file: Callable[[str], bytes] | None,
    ) -> None:
        self.program = program
        self.config = config
        self.endpoint = endpoint
        self.random = random
        self.injections = list(injections)
        self.indexes = indexes_of(config, self.injections)
        self.file_reader = read_file
        self.counters = Counters(program)
        self.totals: CallStatistics = self.counters.statistics
        self.globals: list[Value] = [None] * program.global_variables
        self.user_tables: dict[int, list[Value]] = {}
        self.socket_errors = [0, 0, 0]
        """Sends that failed, errors that came back, sends that found no room."""
        self.started = now
        self.wall_offset = wall - now
        self.stopping = False
        """No new calls any more."""
        self.dynamic_id = config.dynamic_ids[0]
        self.allowed = allowed_networks(config.allow_net, endpoint.remote_ip)
        self.resolved: dict[str, str] = {}
        """Names of <setdest> to addresses."""
        self.circuits = Circuits(config.tdm_map) if config.tdm_map else None
        self.on_warning: Callable[[str], None] | None = None
        self.on_log: Callable[[str], None] | None = None
        self.on_remark: Callable[[str, bytes], None] | None = None
        """Called with words and a message, for the message log: what became of it that its bytes do not say."""
        self.on_end: Callable[[Call, str], None] | None = None
        """Called with each call that ends, and why."""
        self.unexpected_codes: list[int] | None = None
        """Response codes that no step took, if somebody collects them."""
        for name, text in config.set_variables.items():
            self.globals[program.global_names[name] & INDEX_MASK] = text.encode("utf-8", "surrogateescape")

    def reset_statistics(self) -> None:
        """Count from 0 again, but for the calls that are open now."""
        current = self.totals.current
        self.counters = Counters(self.program)
        self.totals = self.counters.statistics
        self.totals.current = self.totals.peak = current

    def tick(self, now: float) -> int:
        """Milliseconds since the start (SIPp's clock tick)."""
        return int((now - self.started) * 1000.0)

    def wall(self, now: float) -> float:
        """Seconds since 1970."""
        return now + self.wall_offset

    # Small things that texts ask for.

    def user_values(self, user: int) -> list[Value]:
        """The table of a user's variables."""
        table = self.user_tables.get(user)
        if table is None:
            table = self.user_tables[user] = [None] * self.program.user_variables
        return table

    def next_dynamic_id(self) -> int:
        """From the first to the last value in steps, round and round."""
        first, last, step = self.config.dynamic_ids
        value = self.dynamic_id
        self.dynamic_id = value + step if value + step <= last else first
        return value

    def branch(self, call: Call, index: int) -> bytes:
        """The branch of the message at `index`."""
        return b"z9hG4bK-%d-%d-%d" % (self.endpoint.pid, call.number, index)

    def read_file(self, path: str) -> bytes:
        """What [file] prints. Raises FatalError if it may not or cannot be read."""
        if self.file_reader is None:
            raise FatalError(f"[file name={path}]: files cannot be read here")
        return self.file_reader(path)

    def warn(self, text: str) -> None:
        """Count a warning, and pass it on if somebody listens."""
        self.totals.warnings += 1
        if self.on_warning is not None:
            self.on_warning(text)
