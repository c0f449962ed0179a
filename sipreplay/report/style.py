"""One palette and one look for charts, ladders and pages, for people who do not tell red from green too.

Nothing here draws. matplotlib is imported only by the modules that draw with it.
"""

from __future__ import annotations

from typing import Any

INK = "#1e293b"
MUTED = "#64748b"
GRID = "#e2e8f0"
PAPER = "#ffffff"
BLUE = "#2563eb"
GREEN = "#0f8a5f"
RED = "#c8322b"
AMBER = "#d98a00"
VIOLET = "#7c4dcc"
TEAL = "#0891b2"
PINK = "#c2459b"
GREY = "#94a3b8"

SERIES = (BLUE, AMBER, GREEN, VIOLET, RED, TEAL, PINK, "#57534e")
"""For overlaid dumps, in order."""

DARK = {
    INK: "#e2e8f0",
    MUTED: "#94a3b8",
    GRID: "#334155",
    PAPER: "#111a2b",
    BLUE: "#7aa7ff",
    GREEN: "#4fcf9e",
    RED: "#ff8a80",
    AMBER: "#f5b84a",
    VIOLET: "#b79bff",
    TEAL: "#5cd0e6",
    PINK: "#f08cc8",
    GREY: "#7b8ba3",
    "#57534e": "#c7c2bd",
}
"""Each colour's partner on a dark page."""

MATPLOTLIB: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "sipreplay",
    "axes.unicode_minus": False,
}
"""rcParams of every chart."""


def variable(colour: str) -> str:
    """The CSS custom property of a palette colour, e.g. "--c-2563eb"."""
    return f"--c-{colour.lstrip('#')}"


def css_variables() -> str:
    """CSS that defines the palette, light, with its dark partners under prefers-color-scheme."""
    light = "".join(f"{variable(colour)}:{colour};" for colour in DARK)
    dark = "".join(f"{variable(colour)}:{partner};" for colour, partner in DARK.items())
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}@media print{{:root{{{light}}}}}"


def themed(svg: str) -> str:
    """An SVG whose palette colours follow the page's CSS variables; for inlining only."""
    for colour in DARK:
        svg = svg.replace(colour, f"var({variable(colour)},{colour})")
    return svg
