"""Starting a run, and going on with one: everything between a checked recipe and the first step."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from difftool.engine import checkpoint
from difftool.engine.build import Workshop, versions, workshop
from difftool.engine.device import describe
from difftool.engine.ema import EMA
from difftool.engine.loop import State, optimizer_for
from difftool.engine.plan import need_disk, plan, size
from difftool.engine.sealed import Sealed
from difftool.engine.session import Session
from difftool.engine.watch import Watcher
from difftool.engine.weights import load_into, tensors_of
from difftool.errors import InputError
from difftool.plugin.registry import Registry
from difftool.recipe.load import prepare
from difftool.recipe.model import Recipe
from difftool.recipe.source import read
from difftool.recipe.write import changes, differences, plain, toml
from difftool.run.layout import RunDir, check_name, new_name
from difftool.run.lock import RunLock
from difftool.run.writer import create_run, replace_file

FREE = ("train.steps", "sample", "preview", "log", "checkpoint")
"""What may change on resume without asking: nothing here touches the mathematics of the steps to come."""


def start(
    recipe: Recipe,
    registry: Registry,
    runs: Path,
    watcher: Watcher,
    *,
    name: str | None = None,
    weights: Sealed | None = None,
    argv: Sequence[str] = (),
) -> RunDir:
    """A new run in its own folder, trained to the end."""
    if name is not None:
        check_name(name)
        if (runs / name).exists():
            raise InputError(
                f"there is already a run called {name}",
                where=str((runs / name).absolute()),
                do=f"difftool resume {runs / name}, or choose another --name",
            )
    ahead = plan(recipe, registry)
    need_disk(runs, ahead.disk(recipe.checkpoint.keep))
    shop = workshop(recipe, registry)
    if weights is not None:
        load_into(shop.net, tensors_of(weights), weights.label)
    state = fresh(shop)
    root = runs / (name or new_name(recipe.name, datetime.now(), secrets.token_hex(2)))
    run = create_run(root, provenance(shop, ahead.parameters, argv, weights), toml(shop.table))
    facts = facts_of(shop, run, ahead.parameters, ahead.terminal, ahead.disk(recipe.checkpoint.keep))
    with RunLock(run):
        go(run, shop, state, watcher, facts)
    return run


def resume(
    run: RunDir, registry: Registry, watcher: Watcher, *, sets: Sequence[str] = (), allow: Sequence[str] = ()
) -> bool:
    """Goes on from the newest good checkpoint; the caller holds the lock. False if there was nothing left to do."""
    folder, saved, passed = checkpoint.newest(run)
    for reason in passed:
        watcher.say(reason + "; using the one before")
    recipe, _ = prepare(read(str(run.recipe)), registry, sets=list(sets), profile="none").recipe("none")
    changed = changes(saved["recipe"], plain(recipe, registry))
    refused = [key for key in changed if not _within(key, [*FREE, *allow])]
    if refused:
        shown = "; ".join(f"{key}: {changed[key][0]} -> {changed[key][1]}" for key in refused[:6])
        raise InputError(
            f"this would change the run: {shown}",
            why="the steps so far were trained otherwise",
            do="to do it all the same: " + " ".join(f"--allow-change {key}" for key in refused[:6]),
        )
    if saved["step"] >= recipe.train.steps:
        return False
    ahead = plan(recipe, registry)
    need_disk(run.root, ahead.disk(1))
    shop = workshop(recipe, registry)
    if shop.fingerprint != saved["data"] and not _within("data", allow):
        raise InputError(
            "the data set is not the one this run was trained on",
            why=f"fingerprint {shop.fingerprint}, it was {saved['data']}",
            do="to go on with it all the same: --allow-change data",
        )
    state = fresh(shop)
    checkpoint.recover(folder, state, shop.device)
    if changed:
        replace_file(run.recipe, toml(shop.table).encode())
    facts = facts_of(shop, run, ahead.parameters, ahead.terminal, ahead.disk(1))
    go(run, shop, state, watcher, facts, {key: list(pair) for key, pair in changed.items()})
    return True


def go(
    run: RunDir,
    shop: Workshop,
    state: State,
    watcher: Watcher,
    facts: dict[str, str],
    changed: dict[str, Any] | None = None,
) -> None:
    """Tells what is about to happen, then does it."""
    watcher.begin(facts, state.step, shop.recipe.train.steps)
    for note in shop.notes:
        watcher.say(note)
    Session(run, shop, state, watcher).go(changed)


def fresh(shop: Workshop) -> State:
    """A state at step 0: the average starts as a copy of the network."""
    settings = shop.recipe.train
    ema = EMA(shop.net, settings.ema, settings.ema_warmup) if settings.ema else None
    return State(shop.net, ema, optimizer_for(shop.net, shop.recipe.optim))


def _within(key: str, allowed: Sequence[str]) -> bool:
    """`optim` allows optim.lr; `optim.lr` allows itself."""
    return any(key == each or key.startswith(each + ".") for each in allowed)


def facts_of(shop: Workshop, run: RunDir, parameters: int, terminal: float, disk: int) -> dict[str, str]:
    """What a person wants to know before step 1."""
    recipe = shop.recipe
    channels, height, width = recipe.data.shape
    epochs = recipe.train.steps * recipe.train.batch / len(shop.images)
    upcoming = [f"checkpoint every {recipe.checkpoint.every:,} steps"]
    if recipe.preview.every:
        upcoming.insert(0, f"preview every {recipe.preview.every:,}")
    return {
        "data": f"{len(shop.images):,} pictures, {width}x{height}, {channels} channel{'s' if channels > 1 else ''}",
        "network": f"{parameters:,} parameters",
        "noise": f"{recipe.schedule.T} levels, abar_T = {terminal:.2g}",
        "training": f"{recipe.train.steps:,} steps of {recipe.train.batch} ({epochs:,.1f} epochs), {shop.precision}",
        "device": describe(shop.device),
        "disk": f"up to {size(disk)}",
        "next": ", ".join(upcoming),
        "run": str(run.root.absolute()),
    }


def provenance(shop: Workshop, parameters: int, argv: Sequence[str], weights: Sealed | None) -> dict[str, Any]:
    """What run.json says: enough to know, a year later, what this was."""
    info = {
        "recipe": shop.recipe.name,
        "seed": shop.recipe.seed,
        "device": describe(shop.device),
        "precision": shop.precision,
        "parameters": parameters,
        "versions": versions(shop.recipe, shop.registry) | {"python": sys.version.split()[0]},
        "threads": torch.get_num_threads(),
        "argv": list(argv),
        "git": _commit(),
        "data": {"pictures": len(shop.images), "fingerprint": shop.fingerprint},
        "from": str(Path(weights.label).absolute()) if weights else None,
        "differs": differences(shop.recipe, shop.registry),
    }
    return {key: value for key, value in info.items() if value is not None}


def _commit() -> str | None:
    """The commit of the folder someone works in, if it is one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
