"""Errors a person can act on: file and line, what was found, what was expected, the nearest key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from difftool.plugin.component import kind_of
from difftool.plugin.registry import Lack
from difftool.plugin.spelling import nearest, one_slip

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
KEY = r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'"""
_ASSIGNMENT = re.compile(rf"\s*((?:{KEY})(?:\s*\.\s*(?:{KEY}))*)\s*=")
_INNER = re.compile(rf"[{{,]\s*((?:{KEY})(?:\s*\.\s*(?:{KEY}))*)\s*=")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, at one place of the recipe."""

    path: Path
    text: str
    plugin: Lack | None = None
    """What is the matter with the plugin that brings what is meant, if that is all."""


@dataclass
class Places:
    """Where each key stands: `file:line`, or the option that brought it."""

    label: str
    lines: dict[Path, int] = field(default_factory=dict)
    options: dict[Path, str] = field(default_factory=dict)  # paths that an option or a profile set
    file: bool = True  # the label is that of a file, which has lines

    @classmethod
    def of(cls, label: str, text: str) -> Places:
        """Finds every key of a TOML text, inline tables included."""
        places = cls(label)
        table: Path = ()
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = _split(header[1])
                places._note(table, number)
            elif key := _ASSIGNMENT.match(line):
                path = table + _split(key[1])
                places._note(path, number)
                for inner in _INNER.finditer(line, key.end()):
                    places._note(path + _split(inner[1]), number)
        return places

    def _note(self, path: Path, number: int) -> None:
        for end in range(1, len(path) + 1):  # `train.steps = 3` is also where train is
            self.lines.setdefault(path[:end], number)

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
        return f"{self.label}:1" if self.file else self.label


def _split(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in re.findall(KEY, dotted))


Homes = Mapping[str, list[str]]
"""key -> the places that have it, as in "in [train]"."""


def unknown(key: str, known: list[str], homes: Homes) -> str:
    """The refusal of a key that nothing reads; says where it belongs if another section has it."""
    near = nearest(key, known, "the keys here are")
    if key not in homes:
        return f"unknown key; {near}"
    belongs = f"it belongs {' or '.join(homes[key])}"
    slip = any(one_slip(key, each) for each in known)
    return f"unknown key; {near} (or else {belongs})" if slip else f"unknown key; {belongs}"


def problems_of(error: ValidationError, path: Path, known: list[str], homes: Homes) -> list[Problem]:
    """A validation error in our words."""
    found: dict[str | int, ErrorDetails] = {}
    for details in error.errors(include_url=False):
        # A union complains once for each of its options; the one whose type was right knows best.
        place = details["loc"][0] if details["loc"] else ""
        if place not in found or _knows(details) > _knows(found[place]):
            found[place] = details
    return [
        Problem(
            path + details["loc"][:1] + tuple(part for part in details["loc"][1:] if isinstance(part, int)),
            _words(details, known, homes),
        )
        for details in found.values()
    ]


def _knows(details: ErrorDetails) -> tuple[bool, bool]:
    return details["type"] not in _KINDS, any(isinstance(part, int) for part in details["loc"])


_BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
    "too_short": ("an array of at least", "min_length"),
    "too_long": ("an array of at most", "max_length"),
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
    "is_instance_of": "a path in quotes",  # the only class that fields have besides models
}


def _words(details: ErrorDetails, known: list[str], homes: Homes) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown(str(details["loc"][-1]), known, homes)
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
    if kind == "string_pattern_mismatch":
        words = re.sub(r"[\^$()]", "", str(context["pattern"])).replace(r"\d+", "N").replace("|", ", ")
        return f"expected one of {words}, got {show(value)}"
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


def type_words(annotation: Any) -> str:
    """The type of a field in the words of TOML."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(map(show, args))
    if origin is Annotated:
        return type_words(args[0])
    if origin in (Union, UnionType):
        return " or ".join(type_words(option) for option in args if option is not NoneType)
    if origin is tuple:
        return f"array of {type_words(args[0])}" if Ellipsis in args else f"[{', '.join(map(type_words, args))}]"
    plain: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", str: "text", FilePath: "path"}
    return kind_of(annotation) or plain.get(annotation) or str(getattr(annotation, "__name__", annotation))


def unusable(value: Any, path: Path) -> Iterator[Problem]:
    """Values that no key takes: a whole number that TOML does not promise to hold, a control character in a text.

    A tab or a newline in a short text is nearly always a Windows path in double quotes.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from unusable(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unusable(inner, (*path, index))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(path, f"is too large for a whole number (64 bits), got {show(value)}")
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
