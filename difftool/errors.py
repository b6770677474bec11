"""Everything that can go wrong for a user, as one line, a remedy and an exit code.

Nothing here imports torch, so any part of difftool may refuse something before tensors exist.
"""

from __future__ import annotations

import unicodedata
from typing import ClassVar

_STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_MARKS = {"Mn", "Me"}
_MOST_MARKS = 4
"""On one letter; what piles up beyond is drawn over the lines above and below."""
_NEITHER = range(0xE0000, 0xE1000)
"""Tags and what is like them; selectors among them are marks to Unicode, and some are not assigned."""
_SELECTORS = range(0xFE00, 0xFE10)
"""They say how a sign is to look, and with that how wide it is, about which terminals do not agree."""


def safe_text(text: str) -> str:
    """The text with every control and bidi character made visible: nothing from outside may steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    safe, marks = [], 0
    for char in text:
        number, kind = ord(char), unicodedata.category(char)
        marks = marks + 1 if kind in _MARKS else 0
        if number in _SELECTORS:
            continue
        steers = kind in _STEERING or number in _NEITHER or number & 0xFFFE == 0xFFFE or marks > _MOST_MARKS
        safe.append(f"\\x{number:02x}" if steers and char != "\n" else char)
    return "".join(safe)


def one_line(text: str) -> str:
    """Safe text in which a line break is visible too: a name with one in it must not look like two messages."""
    return safe_text(text).replace("\n", "\\n")


class DifftoolError(Exception):
    """One problem in words: what happened and where, why, what to do, what is safe on disk."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", do: str = "", saved: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.do, self.saved = what, where, why, do, saved

    def __str__(self) -> str:
        return f"{self.what} ({self.where})" if self.where else self.what

    def render(self) -> str:
        """The lines a person sees on standard error."""
        lines = [f"difftool: error: {self}"]
        for label in ("why", "do", "saved"):
            if text := getattr(self, label):
                lines.append(f"{label}: {text}")
        return "\n".join(one_line(line) for line in lines)


class InputError(DifftoolError):
    """Usage, recipe, data or a foreign file: the user gave something that cannot work."""

    exit_code = 2


class RecipeError(InputError):
    """Every problem of one recipe at once; each is already a line of its own."""

    def __init__(self, problems: list[str], *, do: str = "") -> None:
        super().__init__(problems[0] if len(problems) == 1 else f"{len(problems)} problems in the recipe", do=do)
        self.problems = problems

    def render(self) -> str:
        head = [] if len(self.problems) == 1 else [f"difftool: error: {self.what}"]
        body = self.problems if head else [f"difftool: error: {self.problems[0]}"]
        return "\n".join(one_line(line) for line in [*head, *body, *([f"do: {self.do}"] if self.do else [])])


class BusyError(DifftoolError):
    """Another process owns the run."""

    exit_code = 3


class CheckpointError(DifftoolError):
    """No checkpoint of the run can be used."""

    exit_code = 4


class MachineError(DifftoolError):
    """The machine cannot do it: no such device, out of memory, a missing library."""

    exit_code = 5


class NonFiniteError(DifftoolError):
    """The loss is no longer a number."""

    exit_code = 6


class PluginError(DifftoolError):
    """A plugin failed, is missing, or clashes with another."""

    exit_code = 7


class DiskError(DifftoolError):
    """A file could not be written or read back."""

    exit_code = 74


class Stopped(DifftoolError):  # noqa: N818  (an outcome, not a fault)
    """Training stopped because someone asked; it can be resumed."""

    exit_code = 75

    def __init__(self, what: str, *, interrupted: bool = False, do: str = "", saved: str = "") -> None:
        super().__init__(what, do=do, saved=saved)
        self.exit_code = 130 if interrupted else 75  # type: ignore[misc]  # Ctrl-C and SIGTERM differ, as in any shell


def exit_code_of(error: BaseException) -> int:
    """What the process should say when this ends it."""
    if isinstance(error, DifftoolError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return 130
    return MachineError.exit_code if out_of_memory(error) else 1


def out_of_memory(error: BaseException) -> bool:
    """Python's own, or torch's, which is known by name so that nothing here needs torch."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
