"""Self-contained pages: one style, one script, inline SVG, nothing fetched. Captured text is data, always escaped.

Holds the frame that the pages of runs, captures, bundles and dumps share; each page has its own module.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from sipreplay import __version__
from sipreplay.report import style
from sipreplay.report.words import printable


@dataclass(frozen=True, slots=True)
class Tile:
    """A key number."""

    name: str
    value: str
    more: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a list of facts, a cell, a remark."""

    name: str
    text: str
    style: str = ""


def _template(name: str) -> str:
    return (resources.files("sipreplay.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    # Autoescape is for every template: a capture's From may be a <script>.
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["printable"] = printable
    return environment


def _shown(value: Any) -> Any:
    """Text without control characters and lone surrogates, which no HTML file can hold."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(printable(line) for line in value.split("\n"))
    return value


def render(
    template: str, *, script: str = "", scripts: Sequence[str] = (), styles: Sequence[str] = (), **values: Any
) -> str:
    """A page. `script`, `scripts`: names of the page's scripts in templates/, which run as one, allowed by its hash and
    by nothing else. `styles`: style sheets besides that of all pages.
    """
    names = [*scripts, script] if script else list(scripts)
    code = "".join(_template(name) for name in names)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    return (
        _environment()
        .get_template(template)
        .render(
            css=Markup(style.css_variables() + "".join(_template(name) for name in ("page.css", *styles))),
            script=Markup(code),
            script_source=Markup(f"'sha256-{digest}'") if code else "'none'",
            version=__version__,
            **values,
        )
    )


def picture(svg: str) -> Markup:
    """An SVG that this package drew, to be put into a page as it is."""
    return Markup(svg)
