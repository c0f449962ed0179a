"""`sipreplay sipp`: hands its whole command line to SIPp's rules."""

from __future__ import annotations

import sys

import click


@click.command(
    "sipp",
    short_help="SIPp's own command line, files and exit codes.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run as SIPp does: `sipreplay sipp -sn uac 127.0.0.1:5060 -r 10 -m 100`."""
    from sipreplay.compat.main import main

    # SIPp's exit codes are its own: they are not mapped to this package's.
    sys.exit(main(list(arguments)))
