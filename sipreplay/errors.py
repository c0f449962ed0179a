"""The few errors, and the exit codes they end in.

A message says what was wrong, where (file, packet or line) and what to do. Nothing here imports anything heavy.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command but `sipreplay sipp`, which keeps SIPp's own."""

    PASSED = 0
    FAILED = 1
    """It ran, and the verdict is fail."""
    USAGE = 2
    INPUT = 3
    """A file cannot be read or is invalid."""
    SYSTEM = 4
    """The network or the system refused."""
    INVALID_RUN = 5
    """The generator, not the system under test, was the limit."""
    INTERRUPTED = 130


class SipReplayError(Exception):
    """What every error of this package is. `exit_code` is what the command line ends with."""

    exit_code = ExitCode.FAILED


class UsageError(SipReplayError):
    """The call's options or arguments do not fit."""

    exit_code = ExitCode.USAGE


class CaptureError(SipReplayError):
    """A capture cannot be read. The message names the file and the packet."""

    exit_code = ExitCode.INPUT


class ScenarioError(SipReplayError):
    """A scenario or an injection file is invalid, at `file`, `line` (from 1; 0 where no line applies)."""

    exit_code = ExitCode.INPUT

    def __init__(self, message: str, file: str = "", line: int = 0) -> None:
        self.message = message
        self.file = file
        self.line = line
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else f"line {line}: " if line else ""
        super().__init__(place + message)


class BundleError(SipReplayError):
    """A bundle folder is missing something, or cannot be written."""

    exit_code = ExitCode.INPUT


class DumpError(SipReplayError):
    """A statistics or response time file cannot be read, or is something else."""

    exit_code = ExitCode.INPUT


class TransportError(SipReplayError):
    """A socket could not be opened, bound or used."""

    exit_code = ExitCode.SYSTEM
