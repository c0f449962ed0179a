"""An analysis on several cores: each process reads everything, and does its share of the work on it.

What is done together is what depends on order: finding packets and putting TCP in order. What costs most, reading
messages and measuring streams, is dealt out by Call-ID and by stream, so that the result is the same for any number of
processes. Owns the processes and the joining of what they found. Never decides whose anything is: `share` does.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sipreplay.analysis.share import Share
from sipreplay.analysis.store import ROW, MessageStore, Names
from sipreplay.errors import CaptureError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Found = TypeVar("Found")
Progress = Callable[[int, int], None]

SPOOLS = -1
"""Files of this number and below are spools: one a process."""


def on_cores(
    work: Callable[[Share, IO[bytes], Progress | None], Found], count: int, progress: Progress | None
) -> tuple[list[Found], list[IO[bytes]]]:
    """What `work` returns in each of `count` processes, and the spool that each was given. Raises what one raised."""
    import multiprocessing

    context = multiprocessing.get_context("fork")  # hash seeds are the same, and nothing has to be imported again
    spools: list[IO[bytes]] = [tempfile.TemporaryFile(buffering=0) for _ in range(count)]  # noqa: SIM115 - kept
    pipes: list[Connection] = []
    processes = []
    for number in range(count):
        ours, theirs = context.Pipe(duplex=False)
        arguments = (work, Share(number, count), spools[number], theirs, progress is not None)
        process = context.Process(target=_run, args=arguments, daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    found: list[Found] = []
    try:
        for pipe in pipes:
            found.append(_result(pipe, progress))
    finally:
        for process in processes:
            if len(found) < count:
                process.terminate()
            process.join()
        for pipe in pipes:
            pipe.close()
        if len(found) < count:
            for spool in spools:
                spool.close()
    return found, spools


def _result(pipe: Connection, progress: Progress | None) -> Any:
    while True:
        try:
            kind, value = pipe.recv()
        except EOFError:
            raise CaptureError(
                "a process that read captures ended early (out of memory?); try fewer --processes"
            ) from None
        if kind == "progress" and progress is not None:
            progress(*value)
        elif kind == "error":
            raise value
        elif kind == "done":
            return value


def _run(work: Callable[..., Any], share: Share, spool: IO[bytes], pipe: Connection, tells: bool) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; who started us ends us

    def tell(done: int, total: int) -> None:
        pipe.send(("progress", (done, total)))

    try:
        pipe.send(("done", work(share, spool, tell if tells and share.leads else None)))
    except Exception as error:
        pipe.send(("error", error))


class PackedStore:
    """The messages of one process, on their way to another."""

    def __init__(self, store: MessageStore, order: Sequence[int]) -> None:
        """`order` tells each message's place among those of all processes."""
        store.places.write_out()
        self.rows = bytes(store.packed)
        self.order = np.array(order, np.int64)
        self.names = [names.texts for names in (store.call_ids, store.tags, store.methods, store.transports)]
        self.pairs = store.pairs
        self.correlations = store.correlations


def join_stores(parts: Sequence[PackedStore], spools: Sequence[IO[bytes]]) -> tuple[MessageStore, list[NDArray[Any]]]:
    """All messages in their order, and for each part where its messages are now."""
    store = MessageStore()
    store.places.use_spools(spools)
    tables = store.call_ids, store.tags, store.methods, store.transports
    pieces = []
    for number, part in enumerate(parts):
        rows = np.frombuffer(part.rows, ROW).copy()
        maps = [
            np.array([names.number(text) for text in texts], np.uint32)
            for names, texts in zip(tables, part.names, strict=True)
        ]
        for field, table in (
            ("call", 0), ("from_tag", 1), ("to_tag", 1), ("method", 2), ("cseq_method", 2), ("transport", 3),
        ):  # fmt: skip
            rows[field] = maps[table][rows[field]]
        pairs = np.array([0, *(store.pair(*pair) for pair in part.pairs[1:])], np.uint32)
        rows["pair"] = pairs[rows["pair"]]
        rows["file"][rows["file"] < 0] = SPOOLS - number
        pieces.append(rows)
    rows = np.concatenate(pieces)
    by_order = np.argsort(np.concatenate([part.order for part in parts]), kind="stable")
    rows = rows[by_order]
    _number_by_sight(store, rows)
    store.extend(rows.tobytes())
    now_at = np.empty(len(rows), np.int64)
    now_at[by_order] = np.arange(len(rows))
    where = np.split(now_at, np.cumsum([len(piece) for piece in pieces])[:-1])
    for part, place in zip(parts, where, strict=True):
        for index, text in part.correlations.items():
            store.correlations[int(place[index])] = text
    return store, where


def _number_by_sight(store: MessageStore, rows: NDArray[Any]) -> None:
    """Number Call-IDs in order of appearance, as one process would."""
    numbers, first = np.unique(rows["call"], return_index=True)
    ranked = numbers[np.argsort(first, kind="stable")]
    ranked = ranked[ranked > 0]
    again = Names()
    change = np.zeros(len(store.call_ids) + 1, np.uint32)
    for number in ranked.tolist():
        change[number] = again.number(store.call_ids.texts[number])
    rows["call"] = change[rows["call"]]
    store.call_ids = again
