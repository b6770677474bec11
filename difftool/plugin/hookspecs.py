"""What a plugin may implement. A hook changes only by gaining parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

from difftool.plugin.entries import GROUP

if TYPE_CHECKING:
    import numpy as np

    from difftool.core.types import RunInfo
    from difftool.plugin.component import Component

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Register(Protocol):
    """Offers one component under a name."""

    def __call__(self, name: str, component: type[Component]) -> None: ...


# Catalogue hooks: called once per plugin, each in isolation, and committed whole or not at all.


@hookspec
def register_schedules(register: Register) -> None:
    """Noise schedules: `build() -> Schedule`."""


@hookspec
def register_backbones(register: Register) -> None:
    """Networks: `build(spec) -> nn.Module`, called as net(x, c, cond)."""


@hookspec
def register_losses(register: Register) -> None:
    """Losses: one value a sample, and the levels it wants to train on."""


@hookspec
def register_samplers(register: Register) -> None:
    """Samplers: `run(denoiser, x, times, draw)`, a generator of Step."""


@hookspec
def register_targets(register: Register) -> None:
    """What a network predicts: `coefficients(alpha, sigma) -> (skip, out, scale)`."""


@hookspec
def register_conditions(register: Register) -> None:
    """What a network is told beside the picture."""


@hookspec
def register_datasets(register: Register) -> None:
    """Data sets: `shape` and `open() -> Images`."""


@hookspec
def register_metrics(register: Register) -> None:
    """Judgements of a model: `measure(model, images, watch) -> dict`."""


@hookspec
def register_exporters(register: Register) -> None:
    """Foreign file formats: `write(model, path)` and `read(path) -> model`."""


@hookspec
def register_sinks(register: Register) -> None:
    """Where events go besides the run directory."""


# Run observers: at log points only; one that fails three times is switched off and training goes on.


@hookspec
def on_run_start(run: RunInfo) -> None:
    """Before the first step."""


@hookspec
def on_log(run: RunInfo, step: int, metrics: Mapping[str, Any]) -> None:
    """A row of metrics was written."""


@hookspec
def on_preview(run: RunInfo, step: int, image: np.ndarray[Any, Any]) -> None:
    """A preview was drawn: uint8 [H, W, C]."""


@hookspec
def on_checkpoint(run: RunInfo, step: int, path: str) -> None:
    """A checkpoint is safe on disk."""


@hookspec
def on_run_end(run: RunInfo, outcome: str) -> None:
    """The last call: "done", "stopped" or "failed"."""
