"""`difftool.load` and `difftool.train`: the engine for people who type Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from difftool.core.model import Model
from difftool.engine.build import load_model
from difftool.engine.described import describe
from difftool.engine.device import pick
from difftool.engine.sealed import open_model_file
from difftool.engine.start import start
from difftool.engine.watch import Watcher
from difftool.plugin.loader import installed
from difftool.recipe.load import load as load_recipe


def load(path: str | Path, device: str = "auto") -> Model:
    """The model in a weights file, or in a run's folder: `difftool.load("model.safetensors").sample(range(16))`."""
    path = Path(path).expanduser()
    file = open_model_file(path / "model.safetensors" if path.is_dir() else path)
    return load_model(describe(file, installed().registry), device)


def train(
    recipe: str,
    *,
    set: Sequence[str] = (),
    data: str | None = None,
    profile: str = "auto",
    runs: str | Path = "runs",
    name: str | None = None,
    watcher: Watcher | None = None,
) -> Path:
    """Trains a recipe to its end and returns the run's folder."""
    registry = installed().registry
    loaded = load_recipe(recipe, registry, sets=list(set), data=data, profile=profile)
    if profile == "auto":
        profile = pick(loaded.wished_device).type
    chosen, told = loaded.recipe(profile)
    watcher = watcher or Watcher()
    for line in told:
        watcher.say(line)
    return start(chosen, registry, Path(runs), watcher, name=name).root
