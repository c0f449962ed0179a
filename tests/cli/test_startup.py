"""What a command may import before it is asked to do anything."""

import json
import subprocess
import sys

import pytest

HEAVY = {"lxml", "numpy", "networkx", "matplotlib", "scapy", "dpkt", "rich", "jinja2"}


def modules_after(*arguments: str) -> set[str]:
    code = (
        "import contextlib, io, json, sys\nfrom sipreplay.cli import run_command\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    code = run_command({list(arguments)!r})\n"
        "assert code == 0, code\nprint(json.dumps(sorted(n.split('.')[0] for n in sys.modules)))"
    )
    return set(json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["learn", "--help"], ["run", "--help"], ["inspect", "--help"], ["plot", "--help"]]
)
def test_help_imports_nothing_but_click(arguments: list[str]) -> None:
    modules = modules_after(*arguments)
    assert "click" in modules
    assert not modules & HEAVY
