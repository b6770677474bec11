"""What every metric must keep: named numbers, the same for the same model, and nothing changed by measuring."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from difftool.core.model import Model
from difftool.core.types import Images
from difftool.errors import InputError
from difftool.plugin.component import Metric, Watch
from difftool.testing.rules import FoundError, Rule, elsewhere, repeats, short
from difftool.testing.worlds import World, worlds


def _quiet(done: int, in_all: int) -> None:
    """Nobody watches."""


def _asked(part: Metric, seed: int, watch: Watch = _quiet) -> Iterator[tuple[World, Mapping[str, Any]]]:
    """The pictures that it does not refuse in so many words, and what it says of the model that knows them."""
    for world in worlds(seed, part.outputs):
        try:
            result = part.measure(world.model, world.images, watch)
        except InputError:
            continue
        yield world, result


def refuses_all(part: Metric, seed: int) -> str | None:
    """Whether it refuses in so many words all there is to measure: then it is not asked."""
    refusals = []
    for world in worlds(seed, part.outputs):
        try:
            part.measure(world.model, world.images, _quiet)
        except InputError as error:
            refusals.append(str(error))
        except Exception:
            return None  # what went wrong is told by the rules
        else:
            return None
    return refusals[0]


def gives_named_numbers(part: Metric, seed: int) -> str | None:
    """Gives finite numbers by name: a float each, or a tuple with one for each level, from level 1 up."""
    for world, result in _asked(part, seed):
        if not isinstance(result, Mapping):
            return f"measure() gives a {type(result).__name__}, not a mapping from names to numbers"
        if not result:
            return f"of {world.about} it says nothing at all"
        for name, value in result.items():
            if not isinstance(name, str) or not name.strip() or not name.isprintable():
                return f"it names a number {short(name)}; a text of one line was expected"
            many = isinstance(value, tuple | list)
            for number in value if many else (value,):
                if isinstance(number, bool) or not isinstance(number, int | float):
                    return f"{name!r} is {short(number)}, a {type(number).__name__}; a float was expected"
                if not math.isfinite(number):
                    return f"{name!r} is {number} for {world.about}"
            if many and len(value) != world.model.schedule.T:
                return f"{name!r} has {len(value)} numbers; the model has {world.model.schedule.T} levels"
    return None


def tells_how_far_it_is(part: Metric, seed: int) -> str | None:
    """Tells `watch` how far it is, if at all, by numbers that fit: 0 <= done <= in_all, and never back."""
    heard: list[tuple[Any, Any]] = []
    for _ in _asked(part, seed, lambda done, in_all: heard.append((done, in_all))):
        before = 0.0
        for done, in_all in heard:
            said = f"watch({short(done)}, {short(in_all)})"
            if any(isinstance(n, bool) or not isinstance(n, int | float) for n in (done, in_all)):
                return f"it calls {said}: plain numbers were expected"
            if not (0 <= done <= in_all and in_all > 0):
                return f"it calls {said}: 0 <= done <= in_all was expected"
            if done / in_all < before - 1e-9:
                return f"it calls {said} after a share of {before:.2g} was done: progress goes back"
            before = done / in_all
        heard.clear()
    return None


def says_the_same_again(part: Metric, seed: int) -> str | None:
    """Says the same of the same model every time, without randomness of its own and whatever it measured before."""

    def all_of_it() -> list[str]:
        found = []
        for world, result in _asked(part, seed):
            first = repr(dict(result))  # to the last digit, and NaN is NaN
            part.measure(world.empty, world.images, _quiet)
            if first != repr(dict(part.measure(world.model, world.images, _quiet))):
                raise FoundError("the same model gets other numbers after another one: it remembers, or is random")
            found.append(first)
        return found

    return repeats(all_of_it)


def judges_the_model(part: Metric, seed: int) -> str | None:
    """Judges the model: one that knows the data and one that knows nothing do not get the same numbers."""
    same = None
    for world, result in _asked(part, seed):
        if not result or repr(dict(result)) != repr(dict(part.measure(world.empty, world.images, _quiet))):
            return None
        same = short(dict(result))
    return f"a model that knows the data and one that knows nothing both get {same}"


def leaves_the_pictures(part: Metric, seed: int) -> str | None:
    """Leaves the pictures as they are, and what is known of them."""
    for world in worlds(seed, part.outputs):
        before = _held(world.images)
        if _measured(part, world.model, world.images) and (now := _held(world.images)) != before:
            what = next(key for key in now if now[key] != before.get(key))
            return f"it edits the {what} that it measures with"
    return None


def _held(images: Images) -> dict[str, Any]:
    """All that a set holds, in a form that can be compared."""
    every = range(len(images))
    values = {key: [*column] for key, column in images.values(every).items()}
    known = {"pictures": images.take(every).tobytes(), "values": copy.deepcopy(values)}
    law = getattr(images, "law", None)
    return known if law is None else {**known, "law": law.tobytes()}


def leaves_the_model(part: Metric, seed: int) -> str | None:
    """Leaves the model as it was: its weights, in eval(), without gradients, hooks or another recipe."""
    for world in worlds(seed, part.outputs):
        for model in (world.model, world.empty):
            before = _state(model)
            if _measured(part, model, world.images) and (now := _state(model)) != before:
                what = next(key for key in {**before, **now} if now.get(key) != before.get(key))
                return f"measuring changes the model: {what}"
    return None


def _state(model: Model) -> dict[str, Any]:
    """Everything about a model that could be changed, in a form that can be compared."""
    found: dict[str, Any] = {"its recipe": copy.deepcopy(dict(model.recipe))}
    for name, tensor in model.net.state_dict(keep_vars=True).items():
        found[name] = tensor.detach().cpu().numpy().tobytes()
        found[f"requires_grad of {name}"] = tensor.requires_grad
        found[f"a gradient is left in {name}"] = tensor.grad is not None
    for name, module in model.net.named_modules():
        kind = name or type(module).__name__
        found[f"train() or eval() of {kind}"] = module.training
        found[f"a hook stays on {kind}"] = len(module._forward_hooks) + len(module._forward_pre_hooks)
    tables = {"alpha": model.schedule.alpha, "sigma": model.schedule.sigma}
    return found | {f"{name} of its schedule": table.numpy().tobytes() for name, table in tables.items()}


def _measured(part: Metric, model: Model, images: Images) -> bool:
    """Whether it measured, and did not refuse."""
    try:
        part.measure(model, images, _quiet)
    except InputError:
        return False
    return True


class _Far(Model):
    """A model on a device without memory: its pictures arrive on the CPU all the same, as any model's do."""

    def sample(self, seeds: Sequence[int] = range(16), **how: Any) -> torch.Tensor:
        """Black pictures."""
        return torch.zeros(len(list(seeds)), *self.shape[1:], self.shape[0], dtype=torch.uint8)


def works_on_another_device(part: Metric, seed: int) -> str | None:
    """Works where the model is: it makes no tensor on the CPU that it mixes with the model's."""
    for world in worlds(seed, part.outputs):

        def there(device: torch.device, world: World = world) -> None:
            model = _Far(**vars(world.model)) if device.type == "meta" else world.model
            _measured(part, replace(model, net=copy.deepcopy(model.net).to(device)), world.images)

        if told := elsewhere(there):
            return told
    return None


RULES: tuple[Rule, ...] = (
    gives_named_numbers,
    tells_how_far_it_is,
    judges_the_model,
    says_the_same_again,
    leaves_the_pictures,
    leaves_the_model,
    works_on_another_device,
)
