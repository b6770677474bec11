"""Colours: two themes of our own, and the colours of curves, which must be told apart on both."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

DARK = Theme(
    name="difftool",
    primary="#7aa2f7",
    secondary="#7dcfff",
    accent="#ff9e64",
    foreground="#c8d0e8",
    background="#12131a",
    surface="#191b25",
    panel="#232635",
    success="#7fce7f",
    warning="#e5c07b",
    error="#f7768e",
    dark=True,
)
LIGHT = Theme(
    name="difftool-light",
    primary="#2f5fd0",
    secondary="#0b7ea8",
    accent="#b45309",
    foreground="#23273a",
    background="#fbfaf7",
    surface="#f1efe9",
    panel="#e4e1d8",
    success="#2f855a",
    warning="#9a6700",
    error="#c0264b",
    dark=False,
)

CURVES = ("#4c9be8", "#f28e2b", "#59b36b", "#e1575a", "#b07cd8", "#d4b02e", "#3fb8af", "#e87bb0")
"""Told apart on a dark and on a light ground, and by most who see fewer colours."""


def inks_of(theme: Theme) -> dict[str, Style]:
    """The words' colours in a theme; `dim` alone depends on what it is drawn on."""
    colours = theme.to_color_system().generate()

    def ink(name: str, bold: bool = False) -> Style:
        return Style(color=Color.parse(colours[name]).rich_color, bold=bold or None)

    ground, lit = Color.parse(colours["background"]), Color.parse(colours["primary"])
    return {
        "good": ink("success"),
        "warn": ink("warning"),
        "bad": ink("error"),
        "key": ink("accent", bold=True),
        "mark": ink("accent"),
        "title": ink("primary", bold=True),
        "strong": Style(bold=True),
        "cursor": Style(bgcolor=ground.blend(lit, 0.3).rich_color, bold=True),
        "panel": Style(bgcolor=Color.parse(colours["panel"]).rich_color),
    }


def colours_of(names: Iterable[str], taken: dict[str, int]) -> dict[str, int]:
    """A colour for each name, the same every time: by the name itself, the next free one where two would share it."""
    for name in names:
        if name in taken:
            continue
        used = set(taken.values())
        first = sum(name.encode()) % len(CURVES)  # not hash(): that differs from one start to the next
        order = [(first + k) % len(CURVES) for k in range(len(CURVES))]
        taken[name] = next((each for each in order if each not in used), first)
    return taken
