"""Drawing a preview: a sheet of pictures, a film strip of the first of them, and a sheet of the raw weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from difftool.core.sampling import to_bytes
from difftool.engine import pictures
from difftool.engine.build import Workshop, how_of, model_of
from difftool.engine.loop import State
from difftool.engine.sample import Film
from difftool.run.layout import RunDir
from difftool.run.records import encode
from difftool.run.writer import replace_file

FRAMES = 9
"""Stations of the film strip, noise and picture among them."""
ROWS = 4
"""Pictures that the film strip follows."""

Beat = Callable[[int, int], bool]
"""Told (steps done, steps in all) at every step; true: leave it, something else is more urgent."""


@dataclass(frozen=True)
class Drawn:
    """What one network drew."""

    pixels: Tensor  # uint8 [N, H, W, C]
    frames: list[Tensor]  # of the first few, each uint8 [ROWS, H, W, C]
    steps: int


def preview(run: RunDir, shop: Workshop, state: State, beat: Beat, raw: bool) -> tuple[dict[str, Any], Tensor] | None:
    """Draws and writes the preview of this step; (fields of its event, its pictures), or None if it was left."""
    recipe = shop.recipe
    # Without averaging the weights that pictures are drawn with are the raw ones.
    both = raw and state.ema is not None
    drawn = _draw(shop, state.best, beat, 0, 1 + both)
    if drawn is None:
        return None
    words = {
        "step": state.step,
        "seeds": f"0-{recipe.preview.count - 1}",
        "sampler": shop.registry.dump(recipe.preview.sampler or recipe.sampler),
        "steps": drawn.steps,
        "ema": state.ema is not None,
    }
    path, strip = run.preview(state.step), run.preview(state.step, "strip")
    replace_file(path, pictures.grid(drawn.pixels, words))
    replace_file(path.with_suffix(".json"), encode(words))
    followed = words | {"seeds": f"0-{len(drawn.frames[0]) - 1}"}
    replace_file(strip, pictures.strip(drawn.frames, len(drawn.frames), followed, ROWS))
    fields = {"path": str(path.relative_to(run.root)), "strip": str(strip.relative_to(run.root)), **words}
    if both and (plain := _draw(shop, state.net, beat, 1, 2)):
        second = run.preview(state.step, "raw")
        replace_file(second, pictures.grid(plain.pixels, words | {"ema": False}))
        fields["raw"] = str(second.relative_to(run.root))
    return fields, drawn.pixels


def _draw(shop: Workshop, net: nn.Module, beat: Beat, turn: int, turns: int) -> Drawn | None:
    """Pictures from the same noise every time. The film is taken of the walk that is walked anyway."""
    recipe = shop.recipe
    model = model_of(shop, net.eval(), how_of(recipe.sampler, recipe.sample, recipe.preview))
    seeds = range(recipe.preview.count)
    parts = [seeds[i : i + recipe.sample.batch] for i in range(0, len(seeds), recipe.sample.batch)]
    done: list[Tensor] = []
    frames: list[Tensor] = []
    for number, part in enumerate(parts, turn * len(parts)):
        for at in model.walk(part):
            if beat(number * at.total + at.index, turns * len(parts) * at.total):
                return None
            if not done and at.index in Film(FRAMES).stations(at.total):
                frames.append(to_bytes(at.x[:ROWS]))
        done.append(to_bytes(at.x))
    return Drawn(torch.cat(done), frames, at.total)
