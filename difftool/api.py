"""The public surface for plugins: re-exports only, and lazy, so that importing it costs nothing.

    from difftool.api import Sampler, Step, hookimpl

Names that need torch (Schedule, normal, ...) are imported when they are first used: fetch them inside the method
that needs them, not at the top of a module that difftool loads by name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import Field as Field

    from difftool.core.bound import Hops as Hops
    from difftool.core.bound import prior_term as prior_term
    from difftool.core.model import Model as Model
    from difftool.core.randomness import integers as integers
    from difftool.core.randomness import normal as normal
    from difftool.core.sampling import from_bytes as from_bytes
    from difftool.core.sampling import spaced as spaced
    from difftool.core.schedule import Schedule as Schedule
    from difftool.core.types import Denoiser as Denoiser
    from difftool.core.types import Draw as Draw
    from difftool.core.types import Hop as Hop
    from difftool.core.types import Images as Images
    from difftool.core.types import Noised as Noised
    from difftool.core.types import Prediction as Prediction
    from difftool.core.types import Report as Report
    from difftool.core.types import RunInfo as RunInfo
    from difftool.core.types import Spec as Spec
    from difftool.core.types import Step as Step
    from difftool.data.array import ArrayImages as ArrayImages
    from difftool.data.cache import drawn as drawn
    from difftool.data.decode import read_picture as read_picture
    from difftool.data.files import PictureFiles as PictureFiles
    from difftool.data.scan import Fit as Fit
    from difftool.errors import DifftoolError as DifftoolError
    from difftool.errors import InputError as InputError
    from difftool.plugin.component import Backbone as Backbone
    from difftool.plugin.component import Component as Component
    from difftool.plugin.component import Condition as Condition
    from difftool.plugin.component import Dataset as Dataset
    from difftool.plugin.component import Exporter as Exporter
    from difftool.plugin.component import Loss as Loss
    from difftool.plugin.component import Metric as Metric
    from difftool.plugin.component import NoiseSchedule as NoiseSchedule
    from difftool.plugin.component import Sampler as Sampler
    from difftool.plugin.component import Sink as Sink
    from difftool.plugin.component import SinkWriter as SinkWriter
    from difftool.plugin.component import Target as Target
    from difftool.plugin.component import Watch as Watch
    from difftool.plugin.hookspecs import Register as Register
    from difftool.plugin.hookspecs import hookimpl as hookimpl
    from difftool.plugin.spelling import nearest as nearest

_HOME = {
    "Field": "pydantic",
    "Hops": "difftool.core.bound",
    "prior_term": "difftool.core.bound",
    "Model": "difftool.core.model",
    "integers": "difftool.core.randomness",
    "normal": "difftool.core.randomness",
    "from_bytes": "difftool.core.sampling",
    "spaced": "difftool.core.sampling",
    "Schedule": "difftool.core.schedule",
    "Denoiser": "difftool.core.types",
    "Draw": "difftool.core.types",
    "Hop": "difftool.core.types",
    "Images": "difftool.core.types",
    "Noised": "difftool.core.types",
    "Prediction": "difftool.core.types",
    "Report": "difftool.core.types",
    "RunInfo": "difftool.core.types",
    "Spec": "difftool.core.types",
    "Step": "difftool.core.types",
    "ArrayImages": "difftool.data.array",
    "drawn": "difftool.data.cache",
    "read_picture": "difftool.data.decode",
    "PictureFiles": "difftool.data.files",
    "Fit": "difftool.data.scan",
    "DifftoolError": "difftool.errors",
    "InputError": "difftool.errors",
    "Backbone": "difftool.plugin.component",
    "Component": "difftool.plugin.component",
    "Condition": "difftool.plugin.component",
    "Dataset": "difftool.plugin.component",
    "Exporter": "difftool.plugin.component",
    "Loss": "difftool.plugin.component",
    "Metric": "difftool.plugin.component",
    "NoiseSchedule": "difftool.plugin.component",
    "Sampler": "difftool.plugin.component",
    "Sink": "difftool.plugin.component",
    "SinkWriter": "difftool.plugin.component",
    "Target": "difftool.plugin.component",
    "Watch": "difftool.plugin.component",
    "Register": "difftool.plugin.hookspecs",
    "hookimpl": "difftool.plugin.hookspecs",
    "nearest": "difftool.plugin.spelling",
}

__all__ = sorted(_HOME)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"difftool.api has no name {name!r}; it offers {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
