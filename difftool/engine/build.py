"""From a checked recipe to things that compute: schedule, pictures, network; and back from a weights file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata

import torch
from torch import nn

import difftool
from difftool.core.denoiser import heard
from difftool.core.guidance import Guidance
from difftool.core.model import How, Model
from difftool.core.randomness import Stream, integers
from difftool.core.schedule import Schedule
from difftool.core.target import add_noise, coefficients
from difftool.core.types import Images, Spec
from difftool.engine import device as devices
from difftool.engine.data import fingerprint
from difftool.engine.described import Described
from difftool.engine.feed import Feed
from difftool.engine.loop import gradients
from difftool.engine.weights import load_into, tensors_of
from difftool.errors import PluginError
from difftool.plugin.blame import blamed
from difftool.plugin.component import Backbone, Component, NoiseSchedule, Sampler, Strict
from difftool.plugin.registry import BUILTIN, Registry
from difftool.recipe.check import spec_of
from difftool.recipe.model import Preview, Recipe, Sample
from difftool.recipe.write import Table, plain


@dataclass
class Workshop:
    """Everything a run needs before its first step."""

    recipe: Recipe
    registry: Registry
    device: torch.device
    precision: str
    schedule: Schedule
    images: Images
    feed: Feed
    fingerprint: str
    net: nn.Module
    notes: list[str]

    @property
    def table(self) -> Table:
        """The resolved recipe as plain values."""
        return plain(self.recipe, self.registry)


def tables(component: NoiseSchedule, registry: Registry) -> Schedule:
    """What a schedule component builds, of the length that it says."""
    with blamed(registry, component, "building its tables"):
        schedule = component.build()
    if schedule.T != component.T:
        name = registry.offer(type(component)).owned
        raise PluginError(f"the schedule {name} has {schedule.T} levels, its T says {component.T}")
    return schedule


def schedule_of(recipe: Recipe, registry: Registry) -> tuple[Schedule, str | None]:
    """(the tables, a warning if their last level is hardly noise)."""
    schedule = tables(recipe.schedule, registry)
    warning = schedule.require_noise()
    with blamed(registry, recipe.predict, "placing the network"):  # refuses a target that cannot work here
        coefficients(recipe.predict, schedule, torch.arange(1, schedule.T + 1))
    return schedule, warning


def network(recipe: Recipe, registry: Registry, where: str = "cpu") -> nn.Module:
    """The untrained network; its first weights depend on the recipe's seed alone. On "meta" it has none."""
    return _built(recipe.backbone, registry, _spec(recipe), recipe.seed, where)


def _built(backbone: Backbone, registry: Registry, spec: Spec, seed: int, where: str = "cpu") -> nn.Module:
    with torch.random.fork_rng(devices=[]), blamed(registry, backbone, "building the network"):
        torch.manual_seed(int(integers(seed, Stream.INIT, 0, [0], 1)))
        with torch.device(where):
            return backbone.build(spec)


def _spec(recipe: Recipe) -> Spec:
    return spec_of(recipe.data.shape, recipe.schedule.T, recipe.loss.outputs, recipe.conditions)


def workshop(recipe: Recipe, registry: Registry, images: Images) -> Workshop:
    """Builds all of it, tries one small step, and settles what `auto` leaves open."""
    device = devices.pick(recipe.train.device)
    schedule, warning = schedule_of(recipe, registry)
    net = network(recipe, registry).to(device)
    feed = Feed(images, recipe, registry, device)
    # On a copy: running averages inside a network must not know that it was tried.
    trial = copy.deepcopy(net)
    rehearse(trial, feed, recipe, registry, schedule, device)
    precision: str = recipe.train.precision
    if precision == "auto":
        precision = devices.faster_precision(
            lambda each: gradients(trial, feed, recipe, schedule, device, each, 1), device, rounds=2
        )
        recipe = replace(recipe, train=recipe.train.model_copy(update={"precision": precision}))
    notes = [warning] if warning else []
    with blamed(registry, recipe.data, "reading pictures"):
        told = fingerprint(images, recipe.conditions)
    return Workshop(recipe, registry, device, precision, schedule, images, feed, told, net, notes)


def rehearse(
    net: nn.Module, feed: Feed, recipe: Recipe, registry: Registry, schedule: Schedule, device: torch.device
) -> None:
    """Two pictures through network and loss, so that a part that cannot work says so now and not in hour ten."""
    first = next(iter(feed(1)))
    x0, cond = first.x0[:2], {key: row[:2] for key, row in first.cond.items()}
    with blamed(registry, recipe.loss, "placing noise levels"):
        t = recipe.loss.levels(torch.arange(len(x0), dtype=torch.float64) / len(x0), schedule).double()
    if t.shape != (len(x0),) or not bool(((t > 0) & (t <= schedule.T)).all()):
        raise _bad(
            registry, recipe.loss, f"places levels {t.tolist()}; they must lie above 0 and at most at {schedule.T}"
        )
    scaled, noised = add_noise(x0, torch.randn_like(x0), t, recipe.predict, schedule, cond)
    with torch.no_grad(), blamed(registry, recipe.backbone, "running the network"):
        output = net(scaled, heard(recipe.backbone.hears, schedule, t).float().to(device), cond)
    wanted = (len(x0), x0.shape[1] * recipe.loss.outputs, *x0.shape[2:])
    if not isinstance(output, torch.Tensor) or output.shape != wanted:
        got = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise _bad(registry, recipe.backbone, f"answers {got}; a tensor {list(wanted)} was expected")
    if not bool(torch.isfinite(output).all()):
        raise _bad(registry, recipe.backbone, "answers numbers that are not finite")
    with torch.no_grad(), blamed(registry, recipe.loss, "comparing"):
        losses = recipe.loss(output.float(), noised)
    if not isinstance(losses, torch.Tensor) or losses.shape != (len(x0),):
        got = list(losses.shape) if isinstance(losses, torch.Tensor) else type(losses).__name__
        raise _bad(registry, recipe.loss, f"gives {got}; one value a sample, [{len(x0)}], was expected")


def _bad(registry: Registry, part: Component, what: str) -> PluginError:
    offer = registry.offer(type(part))
    return PluginError(f"the {offer.kind} {offer.owned} {what}", where=offer.owner)


def how_of(sampler: Sampler, sample: Sample, preview: Preview | None = None) -> How:
    """How to sample, as [sampler] and [sample] say, with what [preview] says differently."""
    guidance = Guidance(sample.guidance, sample.guidance_levels, sample.guidance_rescale)
    how = How(sampler, sample.steps, sample.spacing, sample.clip, guidance)
    if preview is None:
        return how
    return How(
        preview.sampler or how.sampler,
        preview.steps or how.steps,
        preview.spacing or how.spacing,
        how.clip if preview.clip is None else preview.clip,
        guidance if preview.guidance is None else replace(guidance, scale=preview.guidance),
    )


def model_of(shop: Workshop, net: nn.Module, how: How) -> Model:
    """The network with everything needed to use it."""
    recipe = shop.recipe
    return Model(
        net=net,
        schedule=shop.schedule,
        target=recipe.predict,
        shape=recipe.data.shape,
        recipe=shop.table,
        how=how,
        hears=recipe.backbone.hears,
        conditions=recipe.conditions,
    )


def words_of(shop: Workshop, kind: str, step: int) -> dict[str, str]:
    """Metadata of a weights file: all that is needed to sample from it without anything else."""
    return {
        "kind": kind,
        "step": str(step),
        "shape": json.dumps(shop.recipe.data.shape),
        "recipe": json.dumps(shop.table),
        "data": shop.fingerprint,
        "versions": json.dumps(versions(shop.recipe, shop.registry)),
    }


def versions(recipe: Recipe, registry: Registry) -> dict[str, str]:
    """What made a run: difftool, torch, and each third-party plugin that the recipe uses."""
    found = {"difftool": difftool.__version__, "torch": torch.__version__}
    for part in _components(tuple(vars(recipe).values())):
        if (owner := registry.offer(type(part)).owner) != BUILTIN:
            found[owner] = metadata.version(owner)
    return found


def _components(value: object) -> Iterator[Component]:
    """Every component in it, however deep: the preview's sampler, the log's sinks, a part of a part."""
    if isinstance(value, Component):
        yield value
    if isinstance(value, Strict):
        value = tuple(vars(value).values())
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for inner in value:
            yield from _components(inner)


def load_model(known: Described, device: str = "auto") -> Model:
    """What a weights file holds, ready to be sampled. The data set is not needed."""
    where = devices.pick(device)
    schedule = tables(known.schedule, known.registry)
    spec = spec_of(known.shape, schedule.T, known.loss.outputs, known.conditions)

    seed = known.recipe.get("seed")

    def fresh() -> nn.Module:
        return _built(known.backbone, known.registry, spec, seed if isinstance(seed, int) else 0)

    net = fresh()
    load_into(net, tensors_of(known.file), known.file.label)
    return Model(
        net=net.to(where).eval().requires_grad_(False),
        schedule=schedule,
        target=known.target,
        shape=known.shape,
        recipe=known.recipe,
        how=how_of(known.sampler, known.sample),
        hears=known.backbone.hears,
        conditions=known.conditions,
        digest=known.file.digest,
        fresh=fresh,
    )
