"""Errors a person can act on: file and line, what was found, what was expected, the nearest key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from difftool.plugin.registry import nearest

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'"""
_ASSIGNMENT = re.compile(rf"\s*((?:{_KEY})(?:\s*\.\s*(?:{_KEY}))*)\s*=")
_INNER = re.compile(rf"[{{,]\s*((?:{_KEY})(?:\s*\.\s*(?:{_KEY}))*)\s*=")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, at one place of the recipe."""

    path: Path
    text: str


@dataclass
class Places:
    """Where each key stands: `file:line`, or the option that brought it."""

    label: str
    lines: dict[Path, int] = field(default_factory=dict)
    options: dict[Path, str] = field(default_factory=dict)  # paths that an option or a profile set

    @classmethod
    def of(cls, label: str, text: str) -> Places:
        """Finds every key of a TOML text, inline tables included."""
        places = cls(label)
        table: Path = ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = _split(header[1])
                places.lines.setdefault(table, number)
            elif key := _ASSIGNMENT.match(line):
                path = table + _split(key[1])
                places.lines.setdefault(path, number)
                for inner in _INNER.finditer(line, key.end()):
                    places.lines.setdefault(path + _split(inner[1]), number)
        return places

    def say(self, problem: Problem) -> str:
        """`file:line: section.key: text`."""
        name = ".".join(str(part) for part in problem.path)
        return f"{self.where(problem.path)}: {name + ': ' if name else ''}{problem.text}"

    def where(self, path: Path) -> str:
        """The place of a key, or of the nearest table around it."""
        for end in range(len(path), -1, -1):
            prefix = path[:end]
            if prefix in self.options:
                return self.options[prefix]
            if prefix in self.lines:
                return f"{self.label}:{self.lines[prefix]}"
        return f"{self.label}:1"


def _split(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in re.findall(_KEY, dotted))


def unknown(key: str, known: Mapping[str, Any] | list[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """The refusal of a key that nothing reads; says where it belongs if another section has it."""
    if elsewhere and key in elsewhere:
        return f"unknown key; it belongs in [{elsewhere[key]}]"
    return f"unknown key; {nearest(key, list(known), 'the keys here are')}"


def problems_of(error: ValidationError, path: Path, known: list[str], elsewhere: Mapping[str, str]) -> list[Problem]:
    """A validation error in our words."""
    found: dict[str | int, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        # A union complains once for each of its options; the one whose type was right knows best.
        place = details["loc"][0] if details["loc"] else ""
        if place not in found or (found[place]["type"] in _KINDS and details["type"] not in _KINDS):
            found[place] = details
    return [
        Problem(
            path + details["loc"][:1] + tuple(part for part in details["loc"][1:] if isinstance(part, int)),
            _words(details, known, elsewhere),
        )
        for details in found.values()
    ]


_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "tuple_type": "an array",
    "model_type": "a table",
    "path_type": "a path in quotes",
}


def _words(details: ErrorDetails, known: list[str], elsewhere: Mapping[str, str]) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(str(details["loc"][-1]), known, elsewhere)
    if kind == "missing":
        return "is missing"
    if kind == "literal_error":
        expected = str(context["expected"])
        options = re.findall(r"'([^']*)'", expected)
        hint = nearest(value, options, "") if isinstance(value, str) else ""
        return f"expected {expected}, got {show(value)}" + (f"; {hint}" if hint.startswith("did") else "")
    if kind in _BOUNDS:
        word, key = _BOUNDS[kind]
        return f"must be {word} {context[key]}, got {show(value)}"
    if kind in _KINDS:
        quoted = isinstance(value, str) and kind in ("int_type", "float_type", "bool_type")
        return f"expected {_KINDS[kind]}, got {show(value)}" + (" (text: remove the quotes)" if quoted else "")
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    return f"{details['msg']}, got {show(value)}"


def show(value: Any) -> str:
    """A value as it stands in TOML, shortened."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(item) for item in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def control_characters(value: Any, path: Path) -> Iterator[Problem]:
    """A tab or a newline in a short text is nearly always a Windows path in double quotes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from control_characters(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from control_characters(inner, (*path, index))
    elif isinstance(value, str) and (bad := next((c for c in value if ord(c) < 32 or ord(c) == 127), None)):
        name = {
            "\t": "a tab",
            "\n": "a line break",
            "\r": "a carriage return",
            "\b": "a backspace",
            "\f": "a form feed",
        }
        yield Problem(
            path,
            f'holds {name.get(bad, f"the control character {ord(bad)}")}, because a backslash in "double quotes" '
            "is an escape; put a path in 'single quotes' or write it with /",
        )
