from __future__ import annotations

from sipreplay.report import style


def test_every_colour_of_a_chart_follows_the_page() -> None:
    for colour in (*style.SERIES, style.INK, style.MUTED, style.GRID, style.PAPER, style.GREY):
        assert style.themed(f"fill: {colour}") == f"fill: var({style.variable(colour)},{colour})"


def test_the_page_defines_each_colour_for_light_dark_and_paper() -> None:
    css = style.css_variables()
    for colour, dark in style.DARK.items():
        assert css.count(f"{style.variable(colour)}:{colour};") == 2
        assert f"{style.variable(colour)}:{dark};" in css
