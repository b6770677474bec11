"""Is a part right? Each check asks a part everything that its kind must keep, and says in words what it does not.

from difftool.testing import check_sampler

def test_it_is_right():
    check_sampler(MySampler())
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from difftool.core.types import Images
from difftool.errors import InputError
from difftool.plugin.component import (
    Backbone,
    Component,
    Condition,
    Dataset,
    Loss,
    Metric,
    NoiseSchedule,
    Sampler,
    Sink,
    Target,
    kind_of,
)
from difftool.testing import (
    backbones,
    conditions,
    datasets,
    losses,
    metrics,
    modules,
    panels,
    samplers,
    schedules,
    sinks,
    targets,
    worlds,
)
from difftool.testing.rules import ConformanceError, Finding, Rule, findings

RULES: dict[str, tuple[Rule, ...]] = {
    "schedule": schedules.RULES,
    "backbone": backbones.RULES,
    "loss": losses.RULES,
    "sampler": samplers.RULES,
    "target": targets.RULES,
    "condition": conditions.RULES,
    "dataset": datasets.RULES,
    "metric": metrics.RULES,
    "sink": sinks.RULES,
    "panel": panels.RULES,
    "module": modules.RULES,
}
"""What each kind of part is asked; panels and modules are no components. The other kinds have no check."""

REFUSALS: dict[str, Rule] = {"metric": metrics.refuses_all, "sink": sinks.refuses_to_open}
"""Kinds that may refuse in so many words whatever they can be asked with here, and what finds out."""

FEW = 640
"""Pictures that a rule looks at, at the most."""


def examine(part: object, seed: int = 0) -> list[Finding]:
    """What every rule of the part's kind found, in order. Another seed, other numbers; every rule holds for all."""
    kind = kind_of(type(part)) or ("panel" if hasattr(part, "draw") else None)
    if kind not in RULES:
        raise InputError(f"there is no check for {type(part).__name__}; there are checks for {', '.join(RULES)}")
    return examine_as(kind, part, seed)


def examine_as(kind: str, part: object, seed: int = 0) -> list[Finding]:
    """The same where the kind is known: the name of a module does not tell."""
    part = _few(part)
    if kind in REFUSALS and (why := findings((REFUSALS[kind],), part, seed)[0].reason):
        raise InputError(f"it refuses all that it could be asked with: {why}")
    return findings(RULES[kind], part, seed)


def _few(part: object) -> object:
    """What draws or measures as many pictures as it is told to is told few: the first say as much as all."""
    if not isinstance(part, Dataset | Metric):
        return part
    fields = {name: getattr(part, name) for name in type(part).model_fields}
    names = ("count",) if isinstance(part, Dataset) else ("count", "pictures")
    many = {name: FEW for name in names if type(fields.get(name)) is int and fields[name] > FEW}
    try:
        return type(part).model_validate(fields | many) if many else part
    except ValueError:  # pydantic's: so few it refuses
        return part


def _checked(part: Component, base: type[Component], seed: int) -> list[Finding]:
    if not isinstance(part, base):
        got = f"the class {part.__name__}" if isinstance(part, type) else f"a {type(part).__name__}"
        raise TypeError(f"an object of a class derived from {base.__name__} was expected, not {got}")
    return _judged(type(part).__name__, examine(part, seed))


def _judged(name: str, found: list[Finding]) -> list[Finding]:
    if not all(finding.kept for finding in found):
        raise ConformanceError(name, found)
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


def check_metric(part: Metric, seed: int = 0, images: Images | None = None) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a metric.

    `images` is an opened data set, for a metric that refuses the pictures it would be asked with.
    """
    given = worlds.GIVEN.set(images)
    try:
        return _checked(part, Metric, seed)
    finally:
        worlds.GIVEN.reset(given)


def check_sink(part: Sink, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a sink."""
    return _checked(part, Sink, seed)


def check_panel(panel: object, seed: int = 0) -> list[Finding]:
    """Raises a ConformanceError that names every broken rule of a panel: its class, or an object of it."""
    name = panel.__name__ if isinstance(panel, type) else type(panel).__name__
    return _judged(name, examine_as("panel", panel, seed))


def check_module(name: str) -> list[Finding]:
    """Raises a ConformanceError if a module that difftool loads by name, such as "difftool_dpm", makes it slow."""
    return _judged(name, examine_as("module", name))
