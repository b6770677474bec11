"""The machinery of the checks: rules, what they found, and how a part is kept from hurting whoever asks.

A rule is a function (part, seed) -> None if the part keeps it, or the reason in words why not. Its docstring is the
line that people see. An exception inside a rule is a reason too.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from difftool.plugin.component import Component

Rule = Callable[[Any, int], str | None]

PATIENCE = 60.0
"""Seconds that another process may take to answer."""


@dataclass(frozen=True)
class Finding:
    """What one rule found: nothing, or why the part breaks it."""

    rule: str
    reason: str | None

    @property
    def kept(self) -> bool:
        """Whether the part keeps the rule."""
        return self.reason is None


class FoundError(Exception):
    """What a rule found, told from within: the message is the reason."""


class NoAnswerError(Exception):
    """A part does not answer; it is asked no further rule."""


class ConformanceError(AssertionError):
    """A part breaks rules; the message lists each with its reason."""

    def __init__(self, name: str, found: Sequence[Finding]) -> None:
        self.broken = tuple(finding for finding in found if not finding.kept)
        lines = [f"\n  {rule}" if rule else f"\n      {reason}" for rule, reason in told(found)]
        super().__init__(f"{name} breaks {len(self.broken)} of {len(found)} rules:{''.join(lines)}")


def told(found: Sequence[Finding]) -> list[tuple[str, str]]:
    """The broken rules and their reasons as lines: (rule, "") or ("", reason), each reason once."""
    reasons: dict[str, list[str]] = {}
    for finding in found:
        if finding.reason is not None:
            reasons.setdefault(finding.reason, []).append(finding.rule)
    lines = []
    for reason, (first, *more) in reasons.items():
        rest = [(f"and {len(more)} more rule{'s' if more[1:] else ''}", "")] if more else []
        lines += [(first, ""), *rest, ("", reason)]
    return lines


def findings(rules: Sequence[Rule], part: object, seed: int) -> list[Finding]:
    """What every rule found, and whether the process was left as it was."""
    changed: list[str] = []
    found: list[Finding] = []
    stuck = None
    for rule in rules:
        try:
            reason = stuck or _judged(rule, part, seed, changed)
        except NoAnswerError as error:
            reason = stuck = str(error)
        found.append(Finding(line_of(rule), reason))
    what = "; ".join(dict.fromkeys(changed)) or None
    return [*found, Finding("Changes nothing in the process around it and prints nothing.", what)]


def line_of(rule: Rule) -> str:
    """A rule in one line: its docstring."""
    return " ".join((rule.__doc__ or rule.__name__).split())


def _judged(rule: Rule, part: object, seed: int, changed: list[str]) -> str | None:
    printed = io.StringIO()
    before, generators = _settings(), _generators()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            return rule(part, seed)
    except NoAnswerError:
        raise
    except (Exception, SystemExit) as error:
        return _told(error)
    finally:
        for (name, (_, restore)), (_, (now, _)) in zip(before.items(), _settings().items(), strict=True):
            if now != before[name][0]:
                changed.append(f"it changes {name}: {short(before[name][0])} becomes {short(now)}")
                restore(before[name][0])
        _set_generators(generators)
        if text := printed.getvalue().strip():
            changed.append(f"it prints {short(text)}: standard output is for data")


def _settings() -> dict[str, tuple[Any, Callable[[Any], object]]]:
    """Everything global that a part might change: its value, and how to bring it back."""
    return {
        "torch's default dtype": (torch.get_default_dtype(), torch.set_default_dtype),
        "torch's default device": (torch.get_default_device(), torch.set_default_device),
        "whether torch computes gradients": (torch.is_grad_enabled(), torch.set_grad_enabled),
        "the number of torch's threads": (torch.get_num_threads(), torch.set_num_threads),
        "whether torch insists on determinism": (
            torch.are_deterministic_algorithms_enabled(),
            torch.use_deterministic_algorithms,
        ),
        "how numpy treats errors": (np.geterr(), lambda value: np.seterr(**value)),
        "the working directory": (str(Path.cwd()), os.chdir),
    }


def _generators() -> tuple[Any, ...]:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()


def _set_generators(states: tuple[Any, ...]) -> None:
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    random.setstate(states[2])


def seed_generators(seed: int) -> None:
    """The global generators of torch, numpy and Python, as a program that cares for none of them might leave them."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _told(error: BaseException) -> str:
    """An exception in one line, with the place in the part's own code if there is one."""
    ours = Path(__file__).parents[1]
    machinery = [ours / "testing", ours / "core", ours / "plugin", Path(torch.__file__).parent]
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [
        frame
        for frame in frames
        # what dataclasses and the like compile has no file: "<string>"
        if frame[0].is_absolute() and not any(frame[0].is_relative_to(folder) for folder in machinery)
    ]
    place = f" ({own[-1][0].name}:{own[-1][1]})" if own else ""
    raised = "" if isinstance(error, FoundError) else f"raises {type(error).__name__}: "
    return " ".join(f"{raised}{error}{place}".split())


def short(value: object) -> str:
    """A value as Python writes it, in one line of at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def repeats(action: Callable[[], Any]) -> str | None:
    """Whether an action gives the same whatever state the global generators are in, and leaves them alone."""
    results = []
    for seed in (1, 2):
        seed_generators(seed)
        before = _generators()
        results.append(action())
        for name, was, now in zip(("torch", "numpy", "Python"), before, _generators(), strict=True):
            if not alike(was, now):
                return f"it moves the global random generator of {name}"
    return (
        None if alike(*results) else "asked twice for the same, it answers differently: it uses randomness of its own"
    )


def alike(a: Any, b: Any) -> bool:
    """Equal to the bit, whatever they are made of; NaN equals NaN."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())  # noqa: PLR0124
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)


def generator(seed: int) -> torch.Generator:
    """A generator of the check's own, so that no rule needs the global one."""
    return torch.Generator().manual_seed(seed * 7919 + 17)


def elsewhere(action: Callable[[torch.device], object]) -> str | None:
    """Whether an action works where its tensors are: on the GPU if there is one, else without memory, as on a GPU.

    Without memory, only tensors left behind on the CPU can be told.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "meta")
    try:
        action(device)
    except Exception as error:
        if any(words in str(error) for words in ("on the expected device", "on the same device", "should be the same")):
            return f"a tensor stays on the CPU when all others are on another device: {_told(error)}"
        if device.type == "cuda":
            raise
    return None


def in_another_process(part: Component, *lines: str) -> str | None:
    """The text that these lines of Python leave in `answer` where texts hash otherwise; None if it cannot be asked."""
    cls = type(part)
    if "<locals>" in cls.__qualname__ or cls.__module__ == "__main__":
        return None  # a class that no other process can find
    code = [
        "import hashlib, importlib, json, operator, sys",
        "module, name, fields = json.load(sys.stdin)",
        "answer = ''",
        "try: part = operator.attrgetter(name)(importlib.import_module(module)).model_validate_json(fields)",
        "except Exception: sys.exit()",
        *lines,
        "print(); print(answer)",
    ]
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", "\n".join(code)],
            input=json.dumps([cls.__module__, cls.__qualname__, part.model_dump_json()]),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "12345"},
        )
    except subprocess.TimeoutExpired:
        raise FoundError(f"in another process it does not answer within {PATIENCE:g} s") from None
    if done.returncode:
        raise RuntimeError(f"in another process: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.removesuffix("\n").rpartition("\n")[2] or None


@contextlib.contextmanager
def untouched(**tensors: Tensor) -> Iterator[list[str]]:
    """Fills the list with a sentence for each tensor that was edited in place meanwhile."""
    copies = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    told: list[str] = []
    yield told
    told += [
        f"it edits {name} in place" for name, tensor in tensors.items() if not alike(tensor.detach(), copies[name])
    ]


def gap(a: Tensor, b: Tensor) -> float:
    """The largest difference, compared with the size of the larger of the two; infinite where one is not finite."""
    if a.shape != b.shape:
        return float("inf")
    if a.numel() == 0:
        return 0.0
    size = max(float(a.abs().max()), float(b.abs().max()), 1e-30)
    apart = float((a.double() - b.double()).abs().max()) / size
    return float("inf") if math.isnan(apart) else apart
