"""The options of every command that analyses captures: how they are read, not what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def reading_options(command: _Command) -> _Command:
    """`--correlate` and `--keylog`, handed on as `correlate` (a tuple of texts) and `keylog` (a path or None)."""
    keylog = click.option(
        "--keylog",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="TLS secrets (SSLKEYLOGFILE) to decrypt with; those inside pcapng files are used anyway.",
    )
    correlate = click.option(
        "--correlate",
        multiple=True,
        metavar="HEADER[=REGEX]",
        help="Dialogs with the same value (or first group) of this header are one call.",
    )
    return correlate(keylog(command))
