"""Is a part right? Each check asks a part everything that its kind must keep, and says in words what it does not.

from difftool.testing import check_sampler

def test_it_is_right():
    check_sampler(MySampler())
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from difftool.errors import InputError
from difftool.plugin.component import (
    Backbone,
    Component,
    Condition,
    Dataset,
    Loss,
    NoiseSchedule,
    Sampler,
    Target,
    kind_of,
)
from difftool.testing import backbones, conditions, datasets, losses, samplers, schedules, targets
from difftool.testing.rules import ConformanceError, Finding, Rule, findings

RULES: dict[str, tuple[Rule, ...]] = {
    "schedule": schedules.RULES,
    "backbone": backbones.RULES,
    "loss": losses.RULES,
    "sampler": samplers.RULES,
    "target": targets.RULES,
    "condition": conditions.RULES,
    "dataset": datasets.RULES,
}
"""What each kind of part is asked. The other kinds have no check."""

FEW = 640
"""Pictures that a rule looks at, at the most."""


def examine(part: Component, seed: int = 0) -> list[Finding]:
    """What every rule of the part's kind found, in order. Another seed, other numbers; every rule holds for all."""
    kind = kind_of(type(part))
    if kind not in RULES:
        raise InputError(f"there is no check for {type(part).__name__}; there are checks for {', '.join(RULES)}")
    return findings(RULES[kind], _few(part), seed)


def _few(part: Component) -> Component:
    """A set that draws as many pictures as it is told to is told to draw few: the first say as much as all."""
    count = getattr(part, "count", None)
    drawn = isinstance(part, Dataset) and isinstance(count, int) and count > FEW
    return part.model_copy(update={"count": FEW}) if drawn else part


def _checked(part: Component, base: type[Component], seed: int) -> list[Finding]:
    if not isinstance(part, base):
        got = f"the class {part.__name__}" if isinstance(part, type) else f"a {type(part).__name__}"
        raise TypeError(f"an object of a class derived from {base.__name__} was expected, not {got}")
    found = examine(part, seed)
    if not all(finding.kept for finding in found):
        raise ConformanceError(type(part).__name__, found)
    return found


def check_schedule(part: NoiseSchedule, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a noise schedule."""
    return _checked(part, NoiseSchedule, seed)


def check_target(part: Target, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a target."""
    return _checked(part, Target, seed)


def check_loss(part: Loss, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a loss."""
    return _checked(part, Loss, seed)


def check_sampler(part: Sampler, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a sampler."""
    return _checked(part, Sampler, seed)


def check_backbone(part: Backbone, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a network."""
    return _checked(part, Backbone, seed)


def check_dataset(part: Dataset, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a data set."""
    return _checked(part, Dataset, seed)


def check_condition(part: Condition, seed: int = 0, values: Sequence[Any] = ()) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a condition.

    `values` are raw values that differ, for a condition that takes neither words nor numbers.
    """
    given = conditions.GIVEN.set(tuple(values))
    try:
        return _checked(part, Condition, seed)
    finally:
        conditions.GIVEN.reset(given)
