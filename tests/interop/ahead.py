"""Work of a module's tests done side by side, ahead of the tests: calls take time but hardly any processor.

Every piece of work uses addresses of its own, so that the peers of one never meet those of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")
AT_ONCE = 4


@contextmanager
def ahead(
    request: pytest.FixtureRequest, parameter: str, work: Callable[[str], T], at_once: int = AT_ONCE
) -> Iterator[Callable[[str], T]]:
    """Start `work(value)` for each value of `parameter` among the chosen tests of the requesting module.

    Yields a function that waits for the result of a value; it raises what the work raised.
    """
    values = _values(request, parameter)
    with ThreadPoolExecutor(at_once) as pool:
        futures: dict[str, Future[T]] = {value: pool.submit(work, value) for value in values}
        try:
            yield lambda value: futures[value].result()
        finally:
            for future in futures.values():
                future.cancel()


def _values(request: pytest.FixtureRequest, parameter: str) -> Sequence[str]:
    items = (item for item in request.session.items if item.path == request.path)
    found = (getattr(item, "callspec", None) for item in items)
    return list(dict.fromkeys(str(spec.params[parameter]) for spec in found if spec and parameter in spec.params))
