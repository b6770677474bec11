"""What a recipe says: components, and the settings that belong to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from difftool.core.types import Spacing
from difftool.plugin.component import (
    Backbone,
    Condition,
    Dataset,
    Loss,
    NoiseSchedule,
    Sampler,
    Sink,
    Strict,
    Target,
)

FORMAT = 1
DEVICES = ("cpu", "cuda", "mps")

Share = Annotated[float, Field(ge=0, lt=1)]
Level = Annotated[float, Field(ge=0)]


def _rising(levels: tuple[float, float]) -> tuple[float, float]:
    if levels[0] > levels[1]:
        raise ValueError(f"from the lower to the higher level, got {levels[0]:g} to {levels[1]:g}")
    return levels


class Sample(Strict):
    """How pictures are drawn when nobody says otherwise."""

    steps: int | None = Field(None, ge=1)
    """steps from noise to picture; absent: the sampler's own number, usually T"""
    spacing: Spacing | None = None
    """where the steps lie; absent: the sampler's own way, usually uniform"""
    clip: bool = True
    """keep every guess of x0 within -1..1"""
    guidance: float = Field(1.0, ge=0)
    """how much more like its label a picture should be: 0 ignores the label, 1 is as learned, 2 to 5 exaggerates"""
    guidance_levels: Annotated[tuple[Level, Level], AfterValidator(_rising)] | None = None
    """lowest and highest level at which guidance works, elsewhere it is 1; absent: everywhere"""
    guidance_rescale: float = Field(0.0, ge=0, le=1)
    """how far a guided guess gets the contrast of the plain one back, against loud colours"""
    count: int = Field(64, ge=1)
    """pictures a call makes"""
    batch: int = Field(64, ge=1)
    """pictures that are sampled together"""


class Optim(Strict):
    """AdamW and its learning rate."""

    lr: float = Field(2e-4, gt=0)
    """learning rate after warm-up"""
    warmup: int = Field(0, ge=0)
    """steps over which the learning rate rises from 0"""
    lr_decay: Literal["none", "linear", "cosine"] = "none"
    """how the learning rate falls to 0 at the last step"""
    grad_clip: float = Field(1.0, ge=0)
    """largest norm of the gradient; 0: as it comes"""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """how long Adam remembers the gradient and its square"""
    weight_decay: float = Field(0.0, ge=0)
    """pull of the weights towards 0; 0 is plain Adam"""


class Train(Strict):
    """How long, how much at once, on what."""

    steps: int = Field(ge=1)
    """optimizer steps"""
    batch: int = Field(128, ge=1)
    """pictures an optimizer step sees, in all"""
    accumulate: int = Field(1, ge=1)
    """parts a batch is split into, to save memory; must divide the batch"""
    flip: bool = False
    """mirror half of the pictures"""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """arithmetic inside the network; auto measures when a run starts which is faster, and writes it into the run"""
    ema: float = Field(0.9999, ge=0, lt=1)
    """memory of the averaged weights that pictures are drawn with; 0: no averaging"""
    ema_warmup: bool = True
    """start with a short memory: min(ema, (1 + n) / (10 + n)) at update n"""
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda|cuda:\d+)$")
    """auto: cuda, else mps, else cpu"""


class Preview(Strict):
    """Pictures drawn while training, from the same noise every time."""

    every: int = Field(1000, ge=0)
    """steps between previews; 0: only at the end"""
    count: int = Field(16, ge=1, le=256)
    """pictures in a preview"""
    raw: bool = False
    """draw them also with the weights as they are without averaging"""
    sampler: Sampler | None = None
    """absent: the recipe's sampler"""
    steps: int | None = Field(None, ge=1)
    """absent: as in [sample]"""
    spacing: Spacing | None = None
    """absent: as in [sample]"""
    clip: bool | None = None
    """absent: as in [sample]"""
    guidance: float | None = Field(None, ge=0)
    """absent: as in [sample]"""


class Checkpoint(Strict):
    """What can be resumed."""

    every: int = Field(5000, ge=1)
    """steps between checkpoints; one is always written at the end and when stopped"""
    keep: int = Field(2, ge=1)
    """newest checkpoints that stay on disk"""


class Log(Strict):
    """Numbers about the run."""

    every: int = Field(50, ge=1)
    """steps a row of metrics averages over"""
    sinks: tuple[Sink, ...] = ()
    """where events go besides the run directory"""


@dataclass(frozen=True)
class Recipe:
    """A complete, checked recipe; the parts are the objects that do the work."""

    recipe: int
    name: str
    seed: int
    predict: Target
    data: Dataset
    conditions: Mapping[str, Condition]
    schedule: NoiseSchedule
    backbone: Backbone
    loss: Loss
    sampler: Sampler
    sample: Sample
    optim: Optim
    train: Train
    preview: Preview
    checkpoint: Checkpoint
    log: Log


SECTIONS: dict[str, type[Strict]] = {
    "predict": Target,
    "data": Dataset,
    "conditions": Condition,
    "schedule": NoiseSchedule,
    "backbone": Backbone,
    "loss": Loss,
    "sampler": Sampler,
    "sample": Sample,
    "optim": Optim,
    "train": Train,
    "preview": Preview,
    "checkpoint": Checkpoint,
    "log": Log,
}
"""Every section of a recipe: a component base where a plugin fills it, else the core's own model."""

MANY = ("conditions",)
"""Sections that hold any number of components, each under a key of its own."""

SCALARS = ("recipe", "name", "seed")
DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "predict": "eps",
    "conditions": {},
    "schedule": "linear",
    "loss": "l2",
    "sampler": "ddpm",
    "sample": {},
    "optim": {},
    "preview": {},
    "checkpoint": {},
    "log": {},
}
"""What may be left out; `recipe`, `name`, `data`, `backbone` and `train.steps` may not."""

KEYS = tuple(field.name for field in fields(Recipe))
