"""The bases of every plugin part. A component is one frozen model: its fields are the recipe's keys,
its docstrings the help, itself the object that does the work.

This module never imports torch: describing a component must cost nothing.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor, nn

    from difftool.core.model import Model
    from difftool.core.schedule import Schedule
    from difftool.core.types import Denoiser, Draw, Images, Noised, Report, RunInfo, Spec, Step

Hears = Literal["level", "logsnr", "alpha"]
Keeps = Literal["power", "sum", "signal", "nothing"]
Gives = Literal["samples", "means"]
Watch = Callable[[int, int], None]
"""Hears (done, in all) of anything that takes long."""


class Strict(BaseModel):
    """Strict, frozen, nothing unknown; with allowances, because TOML has no tuples or paths and people write 1e4."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _allowances(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {key: _fit(value, fields[key].annotation) if key in fields else value for key, value in data.items()}


def _fit(value: Any, wanted: Any) -> Any:
    """An integral float for an int, an array for a tuple, text for a path; everything else stays what it is."""
    origin, args = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return _fit(value, args[0])
    if origin in (Union, types.UnionType):
        for option in args:
            fitted = _fit(value, option)
            if fitted is not value:
                return fitted
        return value
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    if wanted is int and isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if origin is Literal and isinstance(value, bool) and all(type(option) is int for option in args):
        return str(value).lower()  # true equals 1, so a choice of numbers would take it
    if origin is tuple and isinstance(value, list | tuple):
        inner = [args[0]] * len(value) if args[-1:] == (Ellipsis,) else [*args, *[Any] * len(value)]
        return tuple(_fit(item, want) for item, want in zip(value, inner, strict=False))
    return value


class Component(Strict):
    """One part of a diffusion model, owned by a plugin."""


class NoiseSchedule(Component):
    """How much noise each level has."""

    T: int = Field(1000, ge=1, le=1_000_000)
    """number of noise levels"""

    keeps: ClassVar[Keeps] = "power"
    """what is 1 at every level: alpha^2 + sigma^2 (power), alpha + sigma (sum), alpha (signal), or nothing"""

    def build(self) -> Schedule:
        """The two tables; tensors may be made here, not before."""
        raise TypeError(f"{type(self).__name__} does not define build()")


class Target(Component):
    """What the network predicts."""

    def coefficients(self, alpha: Tensor, sigma: Tensor) -> tuple[Any, Any, Any]:
        """(skip, out, scale) of x0 = skip x_t + out F(scale x_t); float64 tensors in, tensors or floats out."""
        raise TypeError(f"{type(self).__name__} does not define coefficients()")


class Backbone(Component):
    """The network: net(x, c, cond) -> a tensor shaped like x."""

    hears: ClassVar[Hears] = "level"
    """what c is: the level t - 1, the log of alpha^2 / sigma^2, or alpha"""

    def check(self, spec: Spec) -> Iterable[tuple[str, str]]:
        """(field, what is wrong and what would work) for each thing that cannot work; no tensors yet."""
        return ()

    def takes(self, key: str, shape: tuple[int, ...]) -> bool:
        """Whether the network uses a condition of this shape, which it finds as cond[key] [B, *shape]."""
        return False

    def build(self, spec: Spec) -> nn.Module:
        """The module; whatever it holds is trained and saved."""
        raise TypeError(f"{type(self).__name__} does not define build()")


class Loss(Component):
    """How wrong the network is, and at which levels it is asked."""

    outputs: ClassVar[int] = 1
    """how many pictures' worth of channels the network answers; a denoiser reads the first"""

    def levels(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Places u in [0, 1) on the levels: uniform over 1..T unless a loss knows better; fractional is allowed."""
        return 1 + (u * schedule.T).floor()

    def __call__(self, output: Tensor, noised: Noised) -> Tensor:
        """One value a sample, [B]; the core averages."""
        raise TypeError(f"{type(self).__name__} does not define __call__()")


class Sampler(Component):
    """A way from noise to pictures."""

    gives: ClassVar[Gives] = "samples"
    """samples of what was learned, or their mean: a blurred picture"""

    @property
    def outputs(self) -> int:
        """How many pictures' worth of channels the network must answer: 2 if `Prediction.mix` is read."""
        return 1

    def times(self, schedule: Schedule, n: int | None = None) -> tuple[float, ...]:
        """n + 1 strictly falling levels from T to 0; n defaults to T."""
        from difftool.core.sampling import spaced

        return spaced(schedule, n if n is not None else schedule.T, "uniform")

    def run(self, denoiser: Denoiser, x: Tensor, times: tuple[float, ...], draw: Draw) -> Iterator[Step]:
        """A generator of Step, one for each hop; x arrives at level times[0]."""
        raise TypeError(f"{type(self).__name__} does not define run()")


class Dataset(Component):
    """Where pictures come from."""

    judged_by: ClassVar[tuple[str, ...]] = ()
    """metrics that `difftool eval` measures when none is named"""

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `--data PATH` is in this data set's own format; what is not, `images` reads."""
        return False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width), known before anything is opened."""
        raise TypeError(f"{type(self).__name__} does not define shape")

    def check(self) -> None:
        """Refuses at once what open() would refuse later, such as a path that is not there."""

    def prepare(self, watch: Watch) -> Report | None:
        """Whatever takes long before open() can be quick, kept where open() finds it; and what there is to tell."""
        return None

    def open(self) -> Images:
        """The pictures."""
        raise TypeError(f"{type(self).__name__} does not define open()")


class Condition(Component):
    """Something a network is told beside the picture."""

    drop: float = Field(0.1, ge=0, lt=1)
    """share of pictures whose value is withheld in training: what guidance compares with"""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded value."""
        raise TypeError(f"{type(self).__name__} does not define shape")

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be asked for, in words, if it is a list; () if it is anything else."""
        return ()

    def fit(self, values: Iterable[Any]) -> Self:
        """A copy that knows what the data told it, as ordinary fields; what it was given already, it keeps."""
        return self

    def encode(self, value: Any) -> Tensor:
        """The float32 tensor for one raw value."""
        raise TypeError(f"{type(self).__name__} does not define encode()")

    @property
    def null(self) -> Tensor:
        """The tensor that stands for "not told": zeros, unless a value may be just that."""
        import torch

        return torch.zeros(self.shape)


class Metric(Component):
    """A judgement of a model."""

    @property
    def outputs(self) -> int:
        """How many pictures' worth of channels the network must answer: 2 if `Prediction.mix` is read."""
        return 1

    def measure(self, model: Model, images: Images, watch: Watch) -> Mapping[str, float | tuple[float, ...]]:
        """Named numbers, or tuples of them: one a level. `watch(done, in all)` keeps a person informed."""
        raise TypeError(f"{type(self).__name__} does not define measure()")


class Exporter(Component):
    """A foreign file format, both ways."""

    def write(self, model: Model, path: Path) -> None:
        """Saves the model in that format."""
        raise TypeError(f"{type(self).__name__} does not define write()")

    def read(self, path: Path) -> Model:
        """A model from a file of that format."""
        raise TypeError(f"{type(self).__name__} does not define read()")


class Sink(Component):
    """Where events go besides the run directory."""

    def open(self, run: RunInfo) -> SinkWriter:
        """Called once, when the run starts."""
        raise TypeError(f"{type(self).__name__} does not define open()")


class SinkWriter:
    """An opened sink: gets every event as it is written, then one close()."""

    def event(self, event: Mapping[str, Any]) -> None:
        """One event, as in events/*.jsonl."""

    def close(self) -> None:
        """The run ended."""


KINDS: dict[str, type[Component]] = {
    "schedule": NoiseSchedule,
    "backbone": Backbone,
    "loss": Loss,
    "sampler": Sampler,
    "target": Target,
    "condition": Condition,
    "dataset": Dataset,
    "metric": Metric,
    "exporter": Exporter,
    "sink": Sink,
}
"""Every kind of component and its base; the hook of a kind is `register_<kind>s`."""


def leaves(annotation: Any) -> Iterator[Any]:
    """The plain types that a field's annotation is made of."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal or not arguments:
        yield annotation
    for argument in () if get_origin(annotation) is Literal else arguments:
        yield from leaves(argument)


def kind_of(cls: Any) -> str | None:
    """The kind that a component class is of, or None."""
    if isinstance(cls, type):
        for kind, base in KINDS.items():
            if issubclass(cls, base):
                return kind
    return None
