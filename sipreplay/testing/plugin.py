"""A pytest plugin: with `--sipreplay-target HOST[:PORT]`, every bundle folder that pytest finds is a test.

Loaded by pytest only. What is played and compared is `sipreplay regress`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OPTION = "--sipreplay-target"


class BundleFailed(Exception):
    """A call differs, or the run proves nothing; the text is what a user reads."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("sipreplay", "regression of SIP systems against captured calls")
    group.addoption(OPTION, metavar="HOST[:PORT]", help="play the bundles found against this system, and compare")
    group.addoption(
        "--sipreplay-max-lateness", type=float, default=50.0, metavar="MS", help="latest start of a call, 99 %%"
    )
    group.addoption("--sipreplay-no-media", action="store_true", help="do not compare RTP")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A bundle.toml is a bundle, if there is something to play it against."""
    if file_path.name != "bundle.toml" or not parent.config.getoption(OPTION):
        return None
    collected: pytest.Collector = _BundleFile.from_parent(parent, path=file_path)
    return collected


class _BundleFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield _BundleItem.from_parent(self, name=self.path.parent.name)


class _BundleItem(pytest.Item):
    def runtest(self) -> None:
        from sipreplay.runner.options import RunOptions
        from sipreplay.runner.plan import target_of
        from sipreplay.runner.regress import RegressOptions, regress_bundle
        from sipreplay.runner.suite import lines_of, suite_of
        from sipreplay.verify.difference import Tolerance
        from sipreplay.verify.verdict import Limits

        target = target_of(self.config.getoption(OPTION))
        limits = Limits(lateness_ms=self.config.getoption("--sipreplay-max-lateness"))
        tolerance = Tolerance(media=not self.config.getoption("--sipreplay-no-media"))
        options = RegressOptions(RunOptions(sources=[], target=target, limits=limits), tolerance)
        found = regress_bundle(self.path.parent, options)
        if found.exit_code:
            raise BundleFailed("\n".join(lines_of(found, suite_of(found, self.config.getoption(OPTION)))))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        """What differs, without a traceback of ours."""
        if isinstance(excinfo.value, BundleFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is."""
        return self.path, None, f"bundle {self.name}"
