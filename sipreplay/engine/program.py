"""Compiles a scenario: elements to steps, texts to templates, names to numbers. Done once; takes about a millisecond.

Everything that can be wrong with a scenario is found here, with file and line; nothing is looked up by name later.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from sipreplay.engine import steps
from sipreplay.engine.actions import ActionCompiler
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.defaults import DEFAULT_MESSAGES
from sipreplay.engine.endpoint import Endpoint
from sipreplay.engine.headers import HeadReader
from sipreplay.engine.steps import NO_VARIABLE, Program, Step
from sipreplay.engine.templates import TemplateCompiler
from sipreplay.engine.variables import Names
from sipreplay.errors import ScenarioError
from sipreplay.media.port import MediaPort, NoMedia
from sipreplay.scenario import model
from sipreplay.scenario.checks import check_injection, short_line_problems
from sipreplay.scenario.distributions import LONGEST_MS, percentile_99, sample
from sipreplay.scenario.injection import InjectionFile
from sipreplay.scenario.keywords import compile_default_message, compile_text, sent_kind
from sipreplay.scenario.posix import compile_posix

_RTPMAP = re.compile(r"a=rtpmap:([0-9]{1,3})[ \t]+[^/\s]+/([0-9]{3,6})")
_OPTIONAL = {"false": steps.MANDATORY, "true": steps.OPTIONAL, "global": steps.GLOBAL}
UNEXPECTED_LABEL = "_unexp.main"
UNEXPECTED_RETURN = "_unexp.retaddr"
UNEXPECTED_PAUSE = "_unexp.pausedaddr"


def compile_program(
    scenario: model.Scenario,
    config: EngineConfig,
    endpoint: Endpoint,
    *,
    media: MediaPort | None = None,
    injections: Sequence[InjectionFile] = (),
    problems: list[ScenarioError] | None = None,
) -> Program:
    """The program that plays `scenario` from `endpoint`.

    `injections` are the loaded files of `config.injection`, in order. Media files are registered with `media`.
    Raises ScenarioError, with file and line, for anything that cannot be played; with `problems`, what is wrong with
    elements and actions is appended there instead, and the program is of no use.
    """
    return _Compiler(scenario, config, endpoint, media or NoMedia(), list(injections), problems).program()


class _Compiler:
    def __init__(
        self,
        scenario: model.Scenario,
        config: EngineConfig,
        endpoint: Endpoint,
        media: MediaPort,
        injections: list[InjectionFile],
        problems: list[ScenarioError] | None = None,
    ) -> None:
        self.problems = problems
        self.scenario = scenario
        self.config = config
        self.injections = injections
        names = [injection.name for injection in injections]
        self.names = Names(scenario.global_variables, scenario.user_variables, users=config.users is not None)
        self.templates = TemplateCompiler(
            endpoint,
            self.names,
            names,
            service=config.service,
            users=config.users,
            keys=config.keys,
            circuits=bool(config.tdm_map),
        )
        self.actions = ActionCompiler(self.templates, config, media, names, scenario.file, problems)
        self.rtds: list[str] = []
        self.counters: list[str] = []
        self.transactions: list[str] = []
        self.dialogs: list[str] = [""]
        self.methods = bytearray()

    def program(self) -> Program:
        scenario = self.scenario
        program = Program(scenario.name, scenario.file)
        program.warnings = list(scenario.warnings)
        if not scenario.elements:
            raise ScenarioError("the scenario has no message", scenario.file)
        program.client = scenario.is_client
        self._collect_transactions()
        program.steps = [self._element(e, n, scenario.labels) for n, e in enumerate(scenario.elements)]
        self.methods.clear()
        program.init = [self._element(e, n, scenario.init_labels) for n, e in enumerate(scenario.init)]
        texts = {**DEFAULT_MESSAGES, **scenario.default_messages}
        for name, text in texts.items():
            parts = compile_default_message(text, self.config.keys)
            program.default_messages[name] = self.templates.compile(parts, index=None, in_message=True, source=name)
        self._finish(program)
        return program

    def _finish(self, program: Program) -> None:
        scenario = self.scenario
        program.unexpected_label = scenario.labels.get(UNEXPECTED_LABEL, -1)
        if program.unexpected_label >= 0:
            program.unexpected_return = self.names.reference(UNEXPECTED_RETURN)
            program.unexpected_pause = self.names.reference(UNEXPECTED_PAUSE)
        program.call_variables = self.names.call_count
        program.user_variables = self.names.user_count
        program.global_variables = self.names.global_count
        program.global_names = {name: self.names.references[name] for name in scenario.global_variables}
        program.rtds = self.rtds
        program.rtd_bins = dict.fromkeys(self.rtds, scenario.response_time_repartition)
        if not scenario.response_time_repartition:
            program.rtd_bins = {}
        program.length_bins = scenario.call_length_repartition
        program.counters = self.counters
        program.transactions = self.transactions
        program.dialogs = self.dialogs
        program.auto_media = self.templates.auto_media
        program.shared_media = self.templates.shared_media
        program.media_kinds = sorted(self.actions.media_kinds)
        program.learns_sdp = bool(program.media_kinds)
        program.learns_events = self.actions.sends_digits
        if not program.learns_sdp:
            for step in program.steps:
                if step.template is not None:
                    step.template.media_ports = []
        for element in scenario.elements:
            if isinstance(element, model.Send):
                program.clock_rates.update((int(n), int(hz)) for n, hz in _RTPMAP.findall(element.text) if int(n) < 128)
        program.length_s = sum(self._longest(step, e) for step, e in zip(program.steps, scenario.elements, strict=True))
        program.heads = HeadReader(frozenset(self.templates.headers))
        program.uses_cseq = self.templates.uses_cseq
        program.uses_lines = bool(self.injections)
        check_injection(self.scenario, self.injections, self.config.keys, short_lines=self.config.short_lines)
        if self.config.short_lines:
            program.warnings += map(str, short_line_problems(self.scenario, self.injections, self.config.keys))
        for source in self.injections:
            if source.mode == "USER" and (self.config.users or 0) > len(source):
                raise ScenarioError(f"{self.config.users} users, but only {len(source)} lines for them", source.name)
        for name in self.config.set_variables:
            if name not in program.global_names:
                raise ScenarioError(
                    f"-set names the variable {name}, which the scenario does not declare <Global>", scenario.file
                )

    def _element(self, element: model.Element, index: int, labels: dict[str, int]) -> Step:
        try:
            step = self._by_kind(element, index)
            self._common(step, element, labels)
        except ScenarioError as error:
            placed = error if error.line else ScenarioError(error.message, self.scenario.file, element.line)
            if self.problems is None:
                raise placed from None
            self.problems.append(placed)
            return Step(steps.NOP, index)
        return step

    def _by_kind(self, element: model.Element, index: int) -> Step:
        match element:
            case model.Send():
                return self._send(element, index)
            case model.Recv():
                return self._recv(element, index)
            case model.Pause():
                return self._pause(element, index)
            case model.Nop():
                step = Step(steps.NOP, index)
                step.expected = "nop"
                return step
            case model.SendCommand():
                return self._send_command(element, index)
            case model.RecvCommand():
                return self._recv_command(element, index)
        raise ScenarioError(f"<{type(element).__name__.lower()}> is not supported yet")

    def _common(self, step: Step, element: model.Element, labels: dict[str, int]) -> None:
        step.line = element.line
        # What a built-in says before a step explains the language, not this run.
        step.note = element.comment if self.scenario.file else ""
        step.next = self._label(element.next, labels)
        step.test = self.names.reference(element.test) if element.next else NO_VARIABLE
        step.chance = element.chance
        if step.next >= 0:
            step.branches = step.test != NO_VARIABLE or step.chance < 1.0
            if not step.branches:
                step.following = step.next
        step.ontimeout = self._label(element.ontimeout, labels)
        step.condexec = self.names.reference(element.condexec)
        step.condexec_inverse = element.condexec_inverse
        step.lost = (self.config.lost_percent if element.lost is None else element.lost) / 100.0
        step.ignore_sdp = element.ignoresdp
        if step.kind not in (steps.SEND, steps.RECV):
            step.dialog = -1
        elif element.dialog:
            step.dialog = self._number(self.dialogs, element.dialog)
        step.unexpected = element.unexpected or self.scenario.unexpected or "fail"
        step.rtd_start = self._number(self.rtds, element.start_rtd)
        step.rtd_stop = self._number(self.rtds, element.rtd)
        step.repeat_rtd = element.repeat_rtd
        step.counter = self._number(self.counters, element.counter)
        step.booked = step.rtd_start >= 0 or step.rtd_stop >= 0 or step.counter >= 0
        step.operations = self.actions.compile(element.actions)
        step.plain_after = not (
            step.operations
            or step.rrs
            or step.auth
            or step.response_txn >= 0
            or not step.advance_state
            or step.branches
        )

    def _label(self, name: str, labels: dict[str, int]) -> int:
        if not name:
            return -1
        if name not in labels:
            raise ScenarioError(f"there is no label {name!r}")
        return labels[name]

    @staticmethod
    def _number(names: list[str], name: str) -> int:
        if not name:
            return -1
        if name not in names:
            names.append(name)
        return names.index(name)

    def _collect_transactions(self) -> None:
        for element in self.scenario.elements:
            if isinstance(element, model.Send) and element.start_txn:
                self._number(self.transactions, element.start_txn)

    def _transaction(self, name: str) -> int:
        if not name:
            return -1
        if name not in self.transactions:
            raise ScenarioError(f"no send starts the transaction {name!r}")
        return self.transactions.index(name)

    def _send(self, element: model.Send, index: int) -> Step:
        step = Step(steps.SEND, index)
        text = compile_text(element.text, message=True, keys=self.config.keys)
        method, code = sent_kind(text)
        step.template = self.templates.compile(text, index=index, in_message=True, source=element.text)
        step.method = method.encode()
        step.is_request = bool(method)
        step.is_ack = method == "ACK"
        step.is_invite = method == "INVITE"
        step.uses_cseq = step.is_request and method not in ("ACK", "CANCEL")
        step.expected = f"send {method or code}"
        step.retrans_s = element.retrans_ms / 1000.0
        step.timeout_s = (element.timeout_ms or self.config.send_timeout_ms) / 1000.0
        step.start_txn = self._transaction(element.start_txn)
        step.ack_txn = self._transaction(element.ack_txn)
        if step.is_request and step.start_txn < 0 and step.ack_txn < 0:
            self.methods += step.method
        return step

    def _recv(self, element: model.Recv, index: int) -> Step:
        step = Step(steps.RECV, index)
        step.request = element.request.encode("utf-8", "surrogateescape")
        if element.regexp_match:
            step.pattern = compile_posix(element.request or element.response)
        elif element.response:
            try:
                step.response = int(element.response)
            except ValueError:
                raise ScenarioError(
                    f'response={element.response!r} is not a number; write regexp_match="true" for a pattern'
                ) from None
        step.expected = element.request or element.response
        step.optional = _OPTIONAL[element.optional]
        step.advance_state = element.advance_state or step.optional == steps.MANDATORY
        step.timeout_s = (element.timeout_ms or self.config.recv_timeout_ms) / 1000.0
        step.rrs = element.rrs
        step.auth = element.auth
        step.response_txn = self._transaction(element.response_txn)
        step.methods_before = bytes(self.methods)
        return step

    def _send_command(self, element: model.SendCommand, index: int) -> Step:
        step = Step(steps.SEND_COMMAND, index)
        text = compile_default_message(element.text, self.config.keys)
        step.template = self.templates.compile(text, index=None, in_message=True, source=element.text)
        step.peer = element.dest
        step.expected = "send command"
        return step

    def _recv_command(self, element: model.RecvCommand, index: int) -> Step:
        step = Step(steps.RECV_COMMAND, index)
        step.peer = element.src
        step.optional = _OPTIONAL[element.optional]
        step.timeout_s = self.config.recv_timeout_ms / 1000.0
        step.expected = "command"
        return step

    def _pause(self, element: model.Pause, index: int) -> Step:
        step = Step(steps.PAUSE, index)
        step.timewait = element.timewait
        step.expected = "timewait" if element.timewait else "pause"
        if element.variable:
            step.variable = self.names.reference(element.variable)
        elif element.distribution is not None:
            if element.distribution.name == "fixed":
                step.pause_s = dict(element.distribution.parameters)["value"] / 1000.0
            else:
                step.sample = functools.partial(sample, element.distribution)
        else:
            milliseconds = element.milliseconds if element.milliseconds is not None else self.config.pause_ms
            step.pause_s = milliseconds / 1000.0
        if step.variable == NO_VARIABLE and step.sample is None:
            step.pause_s = self.scaled(step.pause_s)
        return step

    def _longest(self, step: Step, element: model.Element) -> float:
        """What a step waits at most, in 99 of 100 calls, by its own doing."""
        if isinstance(element, model.Pause) and element.distribution is not None:
            return self.scaled(min(percentile_99(element.distribution), LONGEST_MS) / 1000.0)
        return step.pause_s

    def scaled(self, seconds: float) -> float:
        """A pause with the configuration's factor and bound."""
        return scaled_pause(self.config, seconds)


def scaled_pause(config: EngineConfig, seconds: float) -> float:
    """A pause with the configuration's factor and bound; never negative."""
    seconds = max(0.0, seconds) * config.time_scale
    if config.max_pause_ms:
        seconds = min(seconds, config.max_pause_ms / 1000.0)
    return seconds
