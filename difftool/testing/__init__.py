"""Is it right? Checks for every kind of part, and oracles: denoisers in closed form. For tests; it imports torch."""

from difftool.testing.conformance import (
    check_backbone,
    check_condition,
    check_dataset,
    check_loss,
    check_metric,
    check_module,
    check_panel,
    check_sampler,
    check_schedule,
    check_sink,
    check_target,
    examine,
)
from difftool.testing.known import PATHS, TARGETS
from difftool.testing.oracles import Gaussian, Mixture, Oracle, Point, Rings
from difftool.testing.rules import ConformanceError, Finding
from difftool.testing.variants import variants

__all__ = [
    "PATHS",
    "TARGETS",
    "ConformanceError",
    "Finding",
    "Gaussian",
    "Mixture",
    "Oracle",
    "Point",
    "Rings",
    "check_backbone",
    "check_condition",
    "check_dataset",
    "check_loss",
    "check_metric",
    "check_module",
    "check_panel",
    "check_sampler",
    "check_schedule",
    "check_sink",
    "check_target",
    "examine",
    "variants",
]
