"""Captures to a bundle: the one entry point of this room. Drives the other modules; owns no rule of its own."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipreplay import __version__
from sipreplay.analysis.actors import Actors
from sipreplay.analysis.graph import call_graph, graph_json
from sipreplay.analysis.model import Analysis, HopDialog, Stream
from sipreplay.analysis.reading import analyse
from sipreplay.bundle.folder import refuse_full_folder, write_bundle
from sipreplay.bundle.model import Bundle, BundleScenario, SourceCapture
from sipreplay.bundle.script import NAME as SCRIPT
from sipreplay.bundle.script import sipp_script
from sipreplay.capture.spool import spooled
from sipreplay.errors import CaptureError, ScenarioError, UsageError
from sipreplay.learn import tables
from sipreplay.learn.briefing import under_test
from sipreplay.learn.dialogue import build_draft
from sipreplay.learn.emit import Emitted, emit
from sipreplay.learn.legs import BESIDE, UnderTest, find_links, find_sut, part_of
from sipreplay.learn.media import MOST_PACKETS, SideMedia, StreamTable, collect, plan_media
from sipreplay.learn.names import UAC, UAS, find_parties
from sipreplay.learn.naming import shape_name
from sipreplay.learn.options import LearnOptions, LearnReport, LeftOut, ScenarioRow
from sipreplay.learn.selection import choose, commonest
from sipreplay.learn.shapes import Shape, ShapeTable
from sipreplay.learn.unit import Unit, make_units
from sipreplay.scenario.injection import write_injection
from sipreplay.scenario.reader import read_scenario
from sipreplay.scenario.writer import write_scenario

Progress = Callable[[int, int], None]

MOST_PACKETS_IN_ALL = 1_500_000
"""Of RTP in one bundle: some 300 MB."""


@dataclass(slots=True)
class _Written:
    """A shape that became a pair of scenarios."""

    shape: Shape
    name: str
    media: dict[str, SideMedia]
    duration_ms: float


@dataclass(slots=True)
class _Work:
    """What grows while a bundle is made."""

    analysis: Analysis
    options: LearnOptions
    actors: Actors
    sut: UnderTest | None
    folder: Path
    """Where media files are written before the bundle is."""
    files: dict[str, bytes | Path] = field(default_factory=dict)
    written: list[_Written] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    generalised: list[str] = field(default_factory=list)


def learn(
    paths: Sequence[Path | str],
    output: Path,
    options: LearnOptions | None = None,
    progress: Progress | None = None,
) -> LearnReport:
    """Learn the calls of captures into bundle folder `output`.

    `progress` is told bytes read and bytes in all. Raises CaptureError (a file cannot be read, or nothing in them can
    be learned), UsageError (the options choose nothing), BundleError (the folder is there and full).
    """
    options = options or LearnOptions()
    options.check()
    refuse_full_folder(output, options.force)
    with spooled(paths) as captures:
        return _learn(captures, output, options, progress)


def _learn(captures: Sequence[Path], output: Path, options: LearnOptions, progress: Progress | None) -> LearnReport:
    analysis = analyse(captures, progress=progress, correlate=options.correlate, keylog=options.keylog)
    chosen = _chosen(analysis, options)
    units, left_out = make_units(analysis, chosen)
    actors = Actors(analysis.dialogs)
    sut = find_sut(analysis, actors, options.sut)
    if sut is not None and options.sut:
        units = _beside_it_left_out(units, actors, sut, left_out)
    streams = StreamTable(analysis)
    table = ShapeTable()
    for unit in units:
        parties = find_parties(unit)
        media_end = max((s.last for s in streams.of(unit)), default=unit.events[-1].time)
        uac, uas = (build_draft(unit, parties, role, options, media_end) for role in (UAC, UAS))
        apart = part_of(unit, actors, sut), unit.dialog.id if options.exact else 0
        table.add(unit, parties, uac, uas, sum(s.packets for s in streams.of(unit)), apart)
    with tempfile.TemporaryDirectory(prefix="sipreplay-learn-") as temporary:
        work = _Work(analysis, options, actors, sut, Path(temporary), left_out=left_out)
        shapes = table.merged()
        if options.top is not None:
            shapes = commonest(shapes, options.top, left_out)
        _write_shapes(work, shapes, streams, captures)
        if not work.written:
            raise CaptureError(_nothing(analysis, work.left_out))
        bundle = _bundle(work, streams)
        work.files[SCRIPT] = sipp_script(bundle).encode()
        graph = json.dumps(graph_json(call_graph(analysis)), indent=1)
        work.files["callgraph.json"] = graph.encode("utf-8", "backslashreplace")
        write_bundle(output, bundle, work.files, options.force)
    return _report(work, output, bundle, streams)


def _beside_it_left_out(units: list[Unit], actors: Actors, sut: UnderTest, left_out: list[LeftOut]) -> list[Unit]:
    """The units that the system under test is one side of. Raises UsageError if there are none."""
    kept = []
    for unit in units:
        if part_of(unit, actors, sut) != BESIDE:
            kept.append(unit)
        else:
            ids = ", ".join(str(dialog.id) for dialog in unit.dialogs)
            left_out.append(
                LeftOut(f"dialog {ids} ({unit.kind})", f"{sut.actor}, which is under test, has no part in it")
            )
    if units and not kept:
        raise UsageError(f"--sut: {sut.actor} ({', '.join(sut.addresses)}) has no part in the chosen calls")
    return kept


def _chosen(analysis: Analysis, options: LearnOptions) -> list[HopDialog]:
    if not analysis.dialogs:
        raise CaptureError(_nothing(analysis, []))
    chosen = choose(analysis, options)
    if not chosen:
        raise UsageError("--call, --number and --filter together choose no dialog; `sipreplay inspect` lists them")
    return chosen


def _nothing(analysis: Analysis, left_out: Sequence[LeftOut]) -> str:
    names = ", ".join(c.path for c in analysis.captures)
    if left_out:
        return f"{names}: nothing to learn: " + "; ".join(f"{item.what}: {item.why}" for item in left_out[:3])
    packets = sum(c.packets for c in analysis.captures)
    locked = sum(not session.decrypted for session in analysis.tls)
    if analysis.messages:
        return f"{names}: {len(analysis.messages)} SIP messages in {packets} packets, but no request to learn from"
    return (
        f"{names}: no SIP in {packets} packet{'s' * (packets != 1)}"
        + (
            f", {locked} TLS connection{'s' * (locked != 1)} without keys; give a key log with --keylog"
            if locked
            else ""
        )
        + ("" if locked else "; capture where SIP passes")
    )


def _write_shapes(work: _Work, shapes: list[Shape], streams: StreamTable, captures: Sequence[Path]) -> None:
    wanted: dict[int, list[Stream]] = {}
    total = 0
    for number, shape in enumerate(shapes):
        own = streams.of(shape.unit) if work.options.media else []
        total += sum(min(stream.packets, MOST_PACKETS) for stream in own)
        if own and total > MOST_PACKETS_IN_ALL:
            why = f"more than {MOST_PACKETS_IN_ALL:,} RTP packets in one bundle; choose calls with --call or --filter"
            work.left_out.append(LeftOut(f"media of dialog {shape.unit.dialog.id}", why))
            own = []
        wanted[number] = own
    packets = collect(captures, [stream for own in wanted.values() for stream in own])
    taken: set[str] = set()
    for number, shape in enumerate(shapes):
        name = shape_name(shape.unit, taken)
        _write_shape(work, shape, name, plan_media(shape, name, wanted[number], packets, work.folder))


def _write_shape(work: _Work, shape: Shape, name: str, media: dict[str, SideMedia]) -> None:
    injection = f"{name}.csv" if shape.columns else ""
    files: dict[str, bytes | Path] = {}
    duration = 0.0
    try:
        for role in (UAC, UAS):
            emitted = emit(shape, role, f"{name}-{role}", injection, media[role].plays, work.options)
            files[f"{name}-{role}.xml"] = _checked(emitted, shape, role, injection, media)
            duration = max(duration, emitted.duration_ms)
            shape.generalised += emitted.spreads
        if injection:
            files[injection] = tables.injection_text(shape.columns, write_injection(shape.rows))
    except ScenarioError as error:
        dialogs = ", ".join(str(d.id) for m in shape.members for d in m.unit.dialogs)
        work.left_out.append(LeftOut(f"dialog {dialogs} ({name})", f"SIPp's language cannot say it: {error.message}"))
        return
    files |= {m.file: work.folder / m.file for side in media.values() for m in side.files}
    work.files |= files
    work.written.append(_Written(shape, name, media, duration))
    work.generalised += [f"{name}: {text}" for text in shape.generalised]
    with_media = sum(1 for member in shape.members if member.packets)
    if with_media > 1 and any(side.files for side in media.values()):
        first = shape.unit.dialog.id
        work.generalised.append(
            f"{name}: {with_media} calls have media, that of dialog {first} is played in all of them"
        )
    if shape.kept:
        kept = ", ".join(dict.fromkeys(shape.kept))
        work.generalised.append(f"{name}: as in the first call, though calls differ: {kept}")


def _checked(emitted: Emitted, shape: Shape, role: str, injection: str, media: dict[str, SideMedia]) -> bytes:
    """The XML, which our own reader accepts."""
    scenario = emitted.scenario
    scenario.comment = tables.head_comment(shape, role, injection, media[role].files)
    text = write_scenario(scenario).encode("utf-8", "surrogateescape")
    read_scenario(text, f"{scenario.name}.xml")
    return text


def _bundle(work: _Work, streams: StreamTable) -> Bundle:
    actors = work.actors
    scenarios: list[BundleScenario] = []
    for written in work.written:
        for role in (UAC, UAS):
            scenarios.append(_scenario(written, role, actors))
    tables.set_order(scenarios, {w.name: w.shape for w in work.written})
    names = {d.id: w.name for w in work.written for m in w.shape.members for d in m.unit.dialogs}
    legs = {ident: f"{name}-uac" for ident, name in names.items()}
    links = find_links(work.analysis, actors, work.sut, names)
    tables.register_first(scenarios, links)
    sources = [Path(capture.path) for capture in work.analysis.captures if capture.link_types]
    return Bundle(
        tool_version=__version__,
        captures=[SourceCapture(path.name, _sha256(path)) for path in sources],
        scenarios=scenarios,
        actors=tables.actors(actors, [u for w in work.written for u in tables.units(w.shape)], work.sut),
        calls=tables.calls(work.analysis, legs),
        links=links,
        expect=tables.expects({w.name: w.shape for w in work.written}, streams),
        notes=[f"{item.what}: {item.why}" for item in work.left_out],
    )


def _scenario(written: _Written, role: str, actors: Actors) -> BundleScenario:
    shape, name = written.shape, written.name
    other = UAS if role == UAC else UAC
    dialog = shape.unit.dialog
    mine, theirs = (dialog.caller, dialog.callee) if role == UAC else (dialog.callee, dialog.caller)
    emulates = {str(d.caller if role == UAC else d.callee) for m in shape.members for d in m.unit.dialogs}
    uses = role == UAC or shape.drafts[UAS].uses_lookup
    return BundleScenario(
        id=f"{name}-{role}",
        file=f"{name}-{role}.xml",
        role=role,
        pair=f"{name}-{other}",
        injection=f"{name}.csv" if shape.columns and uses else "",
        transport=shape.unit.replayed_over,
        media=written.media[role].files,
        emulates=sorted(emulates),
        calls=len(shape.members),
        hop=dialog.hop,
        actor=actors.of(mine),
        peer=actors.of(theirs),
        injection_index=shape.index_column if role == UAS else -1,
        duration_ms=round(written.duration_ms, 1),
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _report(work: _Work, output: Path, bundle: Bundle, streams: StreamTable) -> LearnReport:
    analysis = work.analysis
    learned: list[Unit] = [u for w in work.written for u in tables.units(w.shape)]
    dialogs = {d.id for unit in learned for d in unit.dialogs}
    report = LearnReport(
        output=output,
        bundle=bundle,
        analysis=analysis,
        calls=len(analysis.calls),
        dialogs=len(analysis.dialogs),
        streams=len(analysis.streams),
        learned_calls=sum(1 for call in analysis.calls if dialogs & set(call.dialogs)),
        learned_dialogs=len(dialogs),
        learned_streams=len({id(s) for unit in learned for s in streams.of(unit)}),
        under_test=under_test(bundle, work.sut, {w.name: w.shape for w in work.written}),
        generalised=work.generalised,
        left_out=work.left_out,
        blind_spots=tables.blind_spots(analysis, learned),
    )
    for written in work.written:
        shape = written.shape
        report.scenarios.append(
            ScenarioRow(
                name=written.name,
                files=[f"{written.name}-uac.xml", f"{written.name}-uas.xml"],
                calls=len(shape.members),
                dialogs=[d.id for m in shape.members for d in m.unit.dialogs],
                messages=len(shape.unit.events),
                transport=shape.unit.transport,
                media=[tables.media_text(role, m) for role, side in written.media.items() for m in side.files],
                columns=shape.columns,
                duration_ms=written.duration_ms,
            )
        )
        unit = shape.unit
        if unit.transport not in ("UDP", "TCP"):
            report.generalised.append(f"{written.name}: captured over {unit.transport}, replayed over TCP")
        for role, draft in shape.drafts.items():
            side = "calling" if role == UAC else "answering"
            report.generalised += [f"{written.name}, {side} side: {note}" for note in draft.notes]
    return report
