"""What must hold over a whole scenario: labels, response times, transactions, variables, order, injection fields.

SIPp refuses such files when it loads them, and so does this. Pure functions over the model, which find all
problems; where one is raised it is the first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from sipreplay.errors import ScenarioError
from sipreplay.scenario import model
from sipreplay.scenario.actions import KEYWORD_EXECS
from sipreplay.scenario.injection import InjectionFile
from sipreplay.scenario.keywords import Keyword, Text, compile_default_message, compile_text, keywords_in, sent_kind

LABELS_TOLD = 20
UNUSED = "_"
"""The one variable that may be written and never read."""


def check_scenario(scenario: model.Scenario, keys: Mapping[str, str] | None = None) -> None:
    """All checks but those of injection files. Raises the first problem as ScenarioError, with file and line."""
    for problem in scenario_problems(scenario, keys):
        raise problem


def scenario_problems(
    scenario: model.Scenario, keys: Mapping[str, str] | None = None, excused: Collection[str] = ()
) -> Iterator[ScenarioError]:
    """Everything that is wrong, but with injection files.

    `excused` are names (of variables, timers, transactions) that stand in elements which could not be read: nothing
    is said of them. Such an element is a plain `model.Element`.
    """
    checks = (
        _order_problems(scenario),
        _label_problems(scenario.elements, scenario.labels, ""),
        _label_problems(scenario.init, scenario.init_labels, " in <init>"),
        _response_time_problems(scenario, excused),
        _transaction_problems(scenario, keys, excused),
        _variable_problems(scenario, keys, excused),
    )
    for check in checks:
        for error in check:
            yield ScenarioError(error.message, error.file or scenario.file, error.line)


def check_injection(
    scenario: model.Scenario,
    files: Sequence[InjectionFile],
    keys: Mapping[str, str] | None = None,
    *,
    short_lines: bool = False,
) -> None:
    """That every `[fieldN]`, `lookup`, `insert` and `replace` finds its file, and every line has that field.

    `files` in the order of their options: the first is the default. With `short_lines`, lines without the field are no
    error. Raises ScenarioError naming the scenario's line, or the injection file and its line.
    """
    for problem in injection_problems(scenario, files, keys):
        raise problem
    for problem in () if short_lines else short_line_problems(scenario, files, keys):
        raise problem


def injection_problems(
    scenario: model.Scenario, files: Sequence[InjectionFile], keys: Mapping[str, str] | None = None
) -> Iterator[ScenarioError]:
    """Files that are not there, and changes to lines that cannot be changed."""
    named = {file.name: file for file in files}
    missing: set[tuple[int, int]] = set()
    for line, keyword in _keyword_uses(scenario, keys):
        if keyword.name != "field":
            continue
        number = int(keyword.plain("index"))
        if not files:
            if (number, line) in missing:
                continue
            missing.add((number, line))
            yield ScenarioError(f"[field{number}] needs an injection file; give one with -inf", scenario.file, line)
            continue
        try:
            name = keyword.plain("file") if keyword.argument("file") else files[0].name
            if name not in named:
                yield _unknown_file(name, named, scenario.file, line)
        except ScenarioError as error:
            yield ScenarioError(error.message, error.file or scenario.file, error.line or line)
    for element in _all_elements(scenario):
        for action in element.actions:
            if isinstance(action, model.Lookup | model.Insert | model.Replace) and "[" not in action.file:
                if action.file not in named:
                    yield _unknown_file(action.file, named, scenario.file, action.line or element.line)
                elif named[action.file].printf and not isinstance(action, model.Lookup):
                    text = f"the lines of '{action.file}' cannot be changed, because it has PRINTF"
                    yield ScenarioError(text, scenario.file, action.line or element.line)


def short_line_problems(
    scenario: model.Scenario, files: Sequence[InjectionFile], keys: Mapping[str, str] | None = None
) -> Iterator[ScenarioError]:
    """Lines that do not have a field which the scenario uses: the first line of each file for each field."""
    named = {file.name: file for file in files}
    wanted: dict[tuple[str, int], None] = {}
    for _, keyword in _keyword_uses(scenario, keys):
        if keyword.name == "field" and files:
            name = keyword.plain("file") if keyword.argument("file") else files[0].name
            wanted.setdefault((name, int(keyword.plain("index"))))
    for name, number in wanted:
        try:
            if name in named:
                named[name].require_fields(number)
        except ScenarioError as error:
            yield error


def wanted_by(scenario: model.Scenario, name: str, *, default: bool) -> str:
    """Where a scenario uses an injection file, to be appended to an error; "" if it does not.

    `default`: it is the file of a `[fieldN]` that names none.
    """
    for line, keyword in _keyword_uses(scenario, None):
        if keyword.name == "field" and (keyword.plain("file") == name if keyword.argument("file") else default):
            return f"; [field{keyword.plain('index')}] of {scenario.file}:{line} wants it"
    for element in _all_elements(scenario):
        for action in element.actions:
            if isinstance(action, model.Lookup | model.Insert | model.Replace) and action.file == name:
                return f"; <{type(action).__name__.lower()}> of {scenario.file}:{action.line or element.line} wants it"
    return ""


def media_kinds(scenario: model.Scenario) -> set[str]:
    """Which media the scenario plays or echoes: audio, video, image."""
    found = set()
    for element in _all_elements(scenario):
        for action in element.actions:
            if not isinstance(action, model.Exec):
                continue
            if action.kind.startswith("play_pcap_"):
                found.add(action.kind.removeprefix("play_pcap_"))
            elif action.kind in ("rtp_stream", "rtp_echo"):
                found.add("video" if "vpattern" in action.value or "video" in action.value else "audio")
            elif action.kind == "play_dtmf":
                found.add("audio")
    return found


def tag_of(element: model.Element) -> str:
    """The name of an element in the file."""
    if isinstance(element, model.Pause):
        return "timewait" if element.timewait else "pause"
    names: dict[type[model.Element], str] = {model.SendCommand: "sendCmd", model.RecvCommand: "recvCmd"}
    return names.get(type(element), type(element).__name__.lower())


def _unknown_file(name: str, named: Mapping[str, InjectionFile], file: str, line: int) -> ScenarioError:
    given = ", ".join(sorted(named)) or "none"
    return ScenarioError(f"injection file '{name}' was not given with -inf (given: {given})", file, line)


def _all_elements(scenario: model.Scenario) -> Iterator[model.Element]:
    yield from scenario.init
    yield from scenario.elements


def _fail(message: str, element: model.Element) -> ScenarioError:
    return ScenarioError(message, "", element.line)


def _order_problems(scenario: model.Scenario) -> Iterator[ScenarioError]:
    elements = scenario.elements
    deciding = model.Send | model.Recv | model.SendCommand | model.RecvCommand
    if not any(isinstance(element, deciding) or type(element) is model.Element for element in elements):
        yield ScenarioError("the scenario neither sends nor receives a message or command")
    for element, following in pairwise(elements):
        if isinstance(element, model.Pause) and element.timewait:
            yield _fail("<timewait> must be the last message of the scenario", following)
        optional = isinstance(element, model.Recv | model.RecvCommand) and element.optional != "false"
        waits = isinstance(following, model.Recv | model.RecvCommand) or type(following) is model.Element
        if optional and not waits:
            own, tag = tag_of(element), tag_of(following)
            yield _fail(
                f"<recv> before <{tag}> sequence without a mandatory message: put a <{own}> that is not optional "
                f"between the optional <{own}> of line {element.line} and this",
                following,
            )


def _label_problems(
    elements: Iterable[model.Element], labels: Mapping[str, int], where: str
) -> Iterator[ScenarioError]:
    for element in elements:
        for attribute in ("next", "ontimeout"):
            label = getattr(element, attribute)
            if label and label not in labels:
                known = ", ".join(list(labels)[:LABELS_TOLD]) or "none"
                yield _fail(f'{attribute}="{label}": there is no such label{where} (labels: {known})', element)


def _response_time_problems(scenario: model.Scenario, excused: Collection[str]) -> Iterator[ScenarioError]:
    stopped = {element.rtd for element in _all_elements(scenario)}
    for element in _all_elements(scenario):
        if element.start_rtd and element.start_rtd not in stopped and element.start_rtd not in excused:
            yield _fail(
                f'start_rtd="{element.start_rtd}" is never stopped; put rtd="{element.start_rtd}" on a later message',
                element,
            )


def _transaction_problems(
    scenario: model.Scenario, keys: Mapping[str, str] | None, excused: Collection[str]
) -> Iterator[ScenarioError]:
    started: dict[str, str] = {}
    answered: set[str] = set()
    acknowledged: set[str] = set()
    places: dict[str, model.Element] = {}
    for element in scenario.elements:
        if isinstance(element, model.Recv) and element.response_txn:
            answered.add(element.response_txn)
            places.setdefault(element.response_txn, element)
        if not isinstance(element, model.Send) or not (element.start_txn or element.ack_txn):
            continue
        method, _ = sent_kind(_compiled(element.text, True, keys, element.line))
        if element.start_txn:
            if method in ("ACK", ""):
                yield _fail("start_txn belongs on a request other than ACK", element)
            started.setdefault(element.start_txn, method)
            places.setdefault(element.start_txn, element)
        if element.ack_txn:
            if method != "ACK":
                yield _fail("ack_txn belongs on an ACK", element)
            acknowledged.add(element.ack_txn)
            places.setdefault(element.ack_txn, element)
    for name, element in places.items():
        if name in excused:
            continue
        if name not in started:
            yield _fail(f"transaction '{name}' is never started; put start_txn=\"{name}\" on its request", element)
        elif name not in answered:
            yield _fail(f"transaction '{name}' has no response; put response_txn=\"{name}\" on a recv", element)
        elif started[name] == "INVITE" and name not in acknowledged:
            yield _fail(f"INVITE transaction '{name}' has no ACK; put ack_txn=\"{name}\" on the ACK", element)
        elif started[name] != "INVITE" and name in acknowledged:
            yield _fail(f"transaction '{name}' ({started[name]}) must not have an ack_txn", element)


def _compiled(text: str, message: bool, keys: Mapping[str, str] | None, line: int) -> Text:
    try:
        return compile_text(text, message=message, keys=keys)
    except ScenarioError as error:
        raise ScenarioError(error.message, "", line) from None


def _texts(action: model.Action) -> tuple[str, ...]:
    """The keyword texts of an action."""
    if isinstance(action, model.Log):
        return (action.message,)
    if isinstance(action, model.AssignStr):
        return (action.value,)
    if isinstance(action, model.Exec):
        return (action.value,) if action.kind in KEYWORD_EXECS else ()
    if isinstance(action, model.Insert):
        return (action.file, action.value)
    if isinstance(action, model.Replace):
        return (action.file, action.row, action.value)
    if isinstance(action, model.Lookup):
        return (action.file, action.key)
    if isinstance(action, model.SetDest):
        return (action.host, action.port, action.protocol)
    if isinstance(action, model.VerifyAuth):
        return (action.username, action.password)
    return ()


def _keyword_uses(scenario: model.Scenario, keys: Mapping[str, str] | None) -> Iterator[tuple[int, Keyword]]:
    """Every keyword of every text, with its line."""
    for element in _all_elements(scenario):
        if isinstance(element, model.Send):
            for keyword in keywords_in(_compiled(element.text, True, keys, element.line)):
                yield element.line, keyword
        elif isinstance(element, model.SendCommand):
            for keyword in keywords_in(compile_default_message(element.text, keys)):
                yield element.line, keyword
        for action in element.actions:
            line = action.line or element.line
            for text in _texts(action):
                for keyword in keywords_in(_compiled(text, False, keys, line)):
                    yield line, keyword


def _action_variables(action: model.Action) -> Iterator[str]:
    if isinstance(action, model.Ereg):
        yield from action.assign_to
        yield action.variable
    elif isinstance(action, model.GetTimeOfDay):
        yield from (action.seconds, action.microseconds)
    else:
        for attribute in ("assign_to", "variable", "variable2"):
            yield getattr(action, attribute, "")


def _variable_problems(
    scenario: model.Scenario, keys: Mapping[str, str] | None, excused: Collection[str]
) -> Iterator[ScenarioError]:
    """Every variable is named at least twice; `Global`, `User` and `Reference` count as one each."""
    counts: dict[str, int] = {}
    lines: dict[str, int] = {}

    def use(name: str, line: int) -> None:
        if name:
            counts[name] = counts.get(name, 0) + 1
            lines.setdefault(name, line)

    for name in (*scenario.global_variables, *scenario.user_variables):
        use(name, 0)
    for element in _all_elements(scenario):
        for name in (element.test, element.condexec, element.variable if isinstance(element, model.Pause) else ""):
            use(name, element.line)
        for action in element.actions:
            for name in _action_variables(action):
                use(name, action.line or element.line)
    for line, keyword in _keyword_uses(scenario, keys):
        if keyword.name == "variable":
            use(keyword.plain("name"), line)
        elif keyword.name == "fill":
            use(keyword.plain("variable"), line)
    for name in scenario.references:
        if name in counts:
            counts[name] += 1
        elif name not in excused:
            yield ScenarioError(f'<Reference variables="{name}">: nothing else names this variable')
    for name, count in counts.items():
        if count < 2 and name != UNUSED and name not in excused:
            yield ScenarioError(
                f'variable ${name} is referenced only once; use it, or add <Reference variables="{name}"/>',
                "",
                lines[name],
            )
