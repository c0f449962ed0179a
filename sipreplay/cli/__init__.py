"""The command line: one module a command, loaded when it is called; errors become exit codes here.

Only click is imported for `--help`.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from sipreplay import __version__
from sipreplay.errors import ExitCode, SipReplayError

COMMANDS = ("learn", "run", "regress", "inspect", "check", "plot", "sipp")


class _ReaderGone(Exception):
    """Who read our output (a pager, head) has gone."""


class _Lazy(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"sipreplay.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would end with 1, which is a verdict here.
            raise _ReaderGone from None


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="sipreplay")
def cli() -> None:
    """Learn SIP calls from packet captures and replay them, with media that keeps time."""


def main(arguments: list[str] | None = None) -> None:
    """The entry point; ends the process with an `ExitCode`."""
    sys.exit(run_command(arguments))


def run_command(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. Errors of the package are printed as one message on stderr."""
    if sys.stdout is None:  # closed by who started us (>&-): nobody listens, which is no failure
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lasts
    try:
        result: Any = cli.main(args=arguments, prog_name="sipreplay", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("sipreplay: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except SipReplayError as error:
        click.echo(f"sipreplay: {error}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        click.echo("sipreplay: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, _ReaderGone):
        # No failure, but Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PASSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"sipreplay: {where}{error.strerror or error}", err=True)
        return ExitCode.SYSTEM
    return int(result) if isinstance(result, int) else ExitCode.PASSED
