"""Compiles a scenario's actions to operations; what is not built is refused here, by name, before a run starts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path

from sipreplay.engine import steps
from sipreplay.engine.config import EngineConfig
from sipreplay.engine.playing import stream_source
from sipreplay.engine.searching import Search
from sipreplay.engine.steps import NO_VARIABLE, Operation, Template
from sipreplay.engine.templates import TemplateCompiler
from sipreplay.errors import ScenarioError
from sipreplay.media.port import MediaPort
from sipreplay.scenario import model
from sipreplay.scenario.actions import KEYWORD_EXECS
from sipreplay.scenario.builtin import MEDIA_FOLDER
from sipreplay.scenario.keywords import compile_text
from sipreplay.scenario.media_actions import (
    STREAM_COMMANDS,
    RtpStream,
    parse_dtmf,
    parse_rtp_echo,
    parse_rtp_stream,
)

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_equal": operator.ge,
    "less_than_equal": operator.le,
}
INTERNAL_COMMANDS = ("stop_call", "stop_gracefully", "stop_now")
_PLAYS = {"play_pcap_audio": "audio", "play_pcap_video": "video", "play_pcap_image": "image"}


class ActionCompiler:
    """Makes the operations of one program. Remembers which media it plays."""

    def __init__(
        self,
        templates: TemplateCompiler,
        config: EngineConfig,
        media: MediaPort,
        injections: list[str],
        file: str,
        problems: list[ScenarioError] | None = None,
    ) -> None:
        self._problems = problems
        self._templates = templates
        self._names = templates.names
        self._config = config
        self._media = media
        self._injections = injections
        self._file = file
        self._sources: dict[tuple[str, str], int] = {}
        self.media_kinds: set[str] = set()
        self.sends_digits = False
        self.lookups: list[tuple[int, int]] = []

    def compile(self, actions: list[model.Action]) -> list[Operation]:
        """The operations in order. Raises ScenarioError with the action's line, unless problems are collected."""
        operations = []
        for action in actions:
            try:
                operations.append(self._one(action))
            except ScenarioError as error:
                if self._problems is None:
                    raise
                self._problems.append(error)
        return operations

    def _one(self, action: model.Action) -> Operation:
        try:
            return self._dispatch(action)
        except ScenarioError as error:
            if error.line or not action.line:
                raise
            raise ScenarioError(error.message, self._file, action.line) from None

    def _dispatch(self, action: model.Action) -> Operation:
        match action:
            case model.Ereg():
                return self._ereg(action)
            case model.Log():
                operation = Operation(steps.LOG)
                operation.name = action.level
                operation.text = self._text(action.message)
            case model.Exec():
                return self._exec(action)
            case model.Assign():
                return self._assign(action)
            case model.AssignStr():
                operation = Operation(steps.ASSIGN_STRING)
                operation.target = self._variable(action.assign_to)
                operation.text = self._text(action.value)
            case model.ToDouble():
                operation = Operation(steps.TO_DOUBLE)
                operation.target = self._variable(action.assign_to)
                operation.source = self._variable(action.variable)
            case model.Test() | model.Strcmp():
                return self._comparison(action)
            case model.Trim():
                operation = Operation(steps.TRIM)
                operation.target = self._variable(action.assign_to)
            case model.Index():
                operation = Operation(steps.INDEX)
                operation.target = self._variable(action.assign_to)
            case model.GetTimeOfDay():
                operation = Operation(steps.TIME_OF_DAY)
                operation.targets = [self._variable(action.seconds), self._variable(action.microseconds)]
            case model.Jump() | model.PauseRestore():
                operation = Operation(steps.JUMP if isinstance(action, model.Jump) else steps.PAUSE_RESTORE)
                operation.number = action.value if action.value is not None else 0.0
                operation.source = self._variable(action.variable)
            case model.Lookup():
                operation = Operation(steps.LOOKUP)
                operation.target = self._variable(action.assign_to)
                operation.text = self._text(action.file)
                operation.text2 = self._text(action.key)
            case model.SetDest():
                operation = Operation(steps.SET_DESTINATION)
                operation.text = self._text(action.host)
                operation.text2 = self._text(action.port)
                operation.text3 = self._text(action.protocol)
            case model.VerifyAuth():
                operation = Operation(steps.VERIFY_AUTH)
                operation.target = self._variable(action.assign_to)
                operation.text = self._text(action.username)
                operation.text2 = self._text(action.password)
            case model.RtpEcho():
                operation = Operation(steps.SWITCH_ECHO)
                operation.number = action.value if action.value is not None else 0.0
                operation.source = self._variable(action.variable)
            case model.Insert() | model.Replace():
                operation = Operation(steps.INSERT if isinstance(action, model.Insert) else steps.REPLACE)
                operation.text = self._text(action.file)
                operation.text2 = self._text(action.value)
                operation.text3 = self._text(action.row) if isinstance(action, model.Replace) else None
            case model.Sample():
                operation = Operation(steps.SAMPLE)
                operation.target = self._variable(action.assign_to)
                operation.extra = action.distribution
            case model.UrlCode():
                operation = Operation(steps.URL_ENCODE if action.operation == "urlencode" else steps.URL_DECODE)
                operation.target = self._variable(action.variable)
            case model.CloseConnection():
                raise ScenarioError("<closecon> needs a connection for each call (-t tn), which is not built yet")
            case _:
                raise ScenarioError(f"the action <{type(action).__name__.lower()}> is not supported yet")
        return operation

    def _variable(self, name: str) -> int:
        return self._names.reference(name)

    def _text(self, text: str) -> Template:
        parts = compile_text(text, message=False, keys=self._config.keys)
        return self._templates.compile(parts, index=None, in_message=False, source=text)

    def _ereg(self, action: model.Ereg) -> Operation:
        if action.check_it and action.check_it_inverse:
            raise ScenarioError("an ereg cannot have both check_it and check_it_inverse")
        operation = Operation(steps.EREG)
        targets = [self._variable(name) for name in action.assign_to]
        source = self._variable(action.variable) if action.search_in == "var" else NO_VARIABLE
        operation.extra = Search(action, targets, source)
        return operation

    def _assign(self, action: model.Assign) -> Operation:
        operation = Operation(steps.ASSIGN if action.operation == "assign" else steps.ARITHMETIC)
        operation.name = action.operation
        operation.target = self._variable(action.assign_to)
        operation.source = self._variable(action.variable)
        operation.number = action.value if action.value is not None else 0.0
        if action.operation == "divide" and operation.source == NO_VARIABLE and operation.number == 0.0:
            raise ScenarioError("<divide> by 0")
        return operation

    def _comparison(self, action: model.Test | model.Strcmp) -> Operation:
        operation = Operation(steps.TEST if isinstance(action, model.Test) else steps.STRCMP)
        operation.source = self._variable(action.variable)
        operation.source2 = self._variable(action.variable2)
        operation.target = self._variable(action.assign_to)
        operation.check = action.check_it
        operation.check_inverse = action.check_it_inverse
        if isinstance(action, model.Test):
            if action.compare not in COMPARISONS:
                raise ScenarioError(f"<test> cannot compare by {action.compare!r}; use one of {', '.join(COMPARISONS)}")
            operation.extra = COMPARISONS[action.compare]
            operation.number = action.value if action.value is not None else 0.0
        else:
            operation.extra = (action.value or "").encode("utf-8", "surrogateescape")
        return operation

    def _exec(self, action: model.Exec) -> Operation:
        kind = _PLAYS.get(action.kind)
        if kind is not None:
            operation = Operation(steps.PLAY)
            operation.name = kind
            operation.extra = self._source(action.value, kind)
            self.media_kinds.add(kind)
        elif action.kind == "int_cmd":
            operation = Operation(steps.INTERNAL_COMMAND)
            operation.name = action.value if action.value in INTERNAL_COMMANDS else "stop_call"
        elif action.kind == "command":
            if not self._config.allow_exec:
                raise ScenarioError("<exec command> starts a program on this machine; allow it with --allow-exec")
            operation = Operation(steps.COMMAND)
            operation.text = self._text(action.value)
        else:
            return self._made_media(action)
        return operation

    def _made_media(self, action: model.Exec) -> Operation:
        """play_dtmf, rtp_stream and rtp_echo. What no keyword leaves open is made, or at least looked at, now."""
        open_text = action.kind in KEYWORD_EXECS and "[" in action.value
        if action.kind == "rtp_echo":
            operation = Operation(steps.ECHO)
            operation.extra = parse_rtp_echo(action.value)
            return operation
        operation = Operation(steps.DTMF if action.kind == "play_dtmf" else steps.STREAM)
        operation.name = action.kind
        if open_text:
            operation.text = self._text(action.value)
            self.media_kinds.update(("audio", "video") if "vpattern" in action.value else ("audio",))
        elif action.kind == "play_dtmf":
            operation.extra = parse_dtmf(action.value)
            self.media_kinds.add("audio")
        else:
            operation.extra = self._stream(parse_rtp_stream(action.value))
            self.media_kinds.add("video" if "vpattern" in action.value else "audio")
        self.sends_digits |= action.kind == "play_dtmf"
        return operation

    def _stream(self, asked: RtpStream) -> tuple[RtpStream, int]:
        """With its source; -1 for a command."""
        if asked.command in STREAM_COMMANDS:
            return asked, -1
        path = str(self._path(asked.file).absolute()) if asked.command == "file" else ""
        return asked, self._media.make(stream_source(asked, self._config.rtp_payload, path))

    def _path(self, value: str) -> Path:
        """A media file: beside the scenario, else in the working directory."""
        path = Path(value).expanduser()
        beside = Path(self._file).parent / path if self._file else path
        return beside if beside.exists() else path

    def _source(self, value: str, kind: str) -> int:
        if value.startswith("[") and value.endswith("]"):
            key = value[1:-1]
            if key not in self._config.keys:
                raise ScenarioError(
                    f"<exec play_pcap_{kind}> names the key [{key}], which has no value; give it with -key"
                )
            value = self._config.keys[key]
        chosen = self._path(value)
        if self._config.builtin and not chosen.exists():
            chosen = MEDIA_FOLDER / value
        known = self._sources.get((str(chosen), kind))
        if known is None:
            known = self._sources[(str(chosen), kind)] = self._media.register(str(chosen), kind)
        return known
