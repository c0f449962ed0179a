"""Rules of the interop tests: what they need, and that a skipped one is a failure where the peers must be there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.interop.peers import PROGRAMS, loopback_addresses

REQUIRE = "SIPREPLAY_REQUIRE_INTEROP"
NO_SHARED = "no shared captures here"
REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent


def required() -> bool:
    """True where a missing peer is a failure, as in the project's own checks."""
    return os.environ.get(REQUIRE, "") not in ("", "0")


def shared_folder() -> Path | None:
    """Where the shared captures are, which are not part of the project, or None."""
    folder = Path(os.environ.get("SIPREPLAY_SHARED", REPOSITORY.parent / "shared")) / "captures"
    return folder if folder.is_dir() else None


def shared_names() -> list[str]:
    """File names of the shared captures."""
    folder = shared_folder()
    return sorted(path.name for path in folder.glob("*cap*")) if folder else []


def own_names() -> list[str]:
    """File names of the project's own captures."""
    return sorted(path.name for path in (REPOSITORY / "captures").glob("*.pcap"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here. `@pytest.mark.interop("sipp", ...)` names the programs; without names, all."""
    marker = item.get_closest_marker("interop")
    if marker is None:
        pytest.fail("a test of tests/interop must be marked interop")
    missing = [name for name in marker.args or PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("recording, and sipp's media, need root")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure when the peers are required."""
    report = yield
    if report.skipped and required() and not hasattr(report, "wasxfail") and NO_SHARED not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE} is set, so this must run: {_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips itself."""
    report = yield
    if report.skipped and required() and isinstance(collector, pytest.Module) and collector.path.parent == FOLDER:
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE} is set, so this must run: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: object) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


@pytest.fixture
def loopback() -> Callable[[], str]:
    """Each call gives another 127.x.y.z; tests that run side by side do not meet."""
    addresses = loopback_addresses()
    return lambda: next(addresses)


@pytest.fixture(scope="session")
def own_captures() -> Path:
    """The folder of the project's own captures."""
    return REPOSITORY / "captures"


@pytest.fixture(scope="session")
def shared_captures() -> Path:
    """The folder of the shared captures, which are not part of the project; skips where there is none."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(NO_SHARED)
    return folder
