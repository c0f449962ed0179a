"""Two command lines with the same options, Debian's sipp and ours, and pairs of calls between them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.interop.process import Finished, Program

THEIRS = ["sipp"]
_REPOSITORY = Path(__file__).resolve().parents[2]
_CODE = f"import sys; sys.path.insert(0, {str(_REPOSITORY)!r}); from sipreplay.cli import main; main()"
OURS = [sys.executable, "-c", _CODE, "sipp"]


def play(
    folder: Path, uac: list[str], uas: list[str], ip: str, port: int, *, uac_words: str = "", uas_words: str = ""
) -> tuple[Finished, Finished]:
    """A built-in UAC on `ip:port` against a built-in UAS on `ip:port + 1`, unless the words name others."""
    common = ["-i", ip, "-nostdin", "-trace_msg", "-trace_stat", "-trace_err"]
    files = ["-message_file", "{}.msg", "-stf", "{}.csv", "-error_file", "{}.err.log"]
    words = [*common, *files]

    def argv(base: list[str], name: str, own_port: int, more: str) -> list[str]:
        return [*base, *(word.format(name) for word in words), "-p", str(own_port), *more.split()]

    called = Program(argv(uas, "uas", port + 1, uas_words or "-sn uas"), folder, "uas")
    with called:
        called.wait_listening(ip, port + 1)
        calling = Program([*argv(uac, "uac", port, uac_words or "-sn uac"), f"{ip}:{port + 1}"], folder, "uac")
        with calling:
            return calling.wait(60), called.wait(60)


def messages(log: Path) -> list[str]:
    """The messages of a log in order, with what differs from run to run replaced."""
    text = log.read_bytes().decode("latin-1")
    text = re.sub(r"(?ms)^-{47}\n(?:Unexpected|Dead call) .*?(?=^-{47} |\Z)", "", text)
    parts = re.split(r"(?m)^-{47} .*\n\w+ message (sent|received) [^\n]*:\n\n", text)
    out = []
    for way, message in zip(parts[1::2], parts[2::2], strict=True):
        message = message.removesuffix("\n")
        message = re.sub(r"\b[0-9]+SIPpTag", "PIDSIPpTag", message)
        message = re.sub(r"z9hG4bK-[0-9]+-", "z9hG4bK-PID-", message)
        message = re.sub(r"(Call-ID: [0-9]+)-[0-9]+@", r"\1-PID@", message)
        out.append(f"{way}\n{message}")
    return out
