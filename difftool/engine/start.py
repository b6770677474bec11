"""Starting a run, and going on with one: everything between a checked recipe and the first step."""

from __future__ import annotations

import contextlib
import os
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
from difftool.engine.curve import Curve
from difftool.engine.data import list_skipped, opened, show_first
from difftool.engine.device import describe
from difftool.engine.ema import EMA
from difftool.engine.loop import State, optimizer_for
from difftool.engine.origin import begin_with
from difftool.engine.plan import need_disk, plan
from difftool.engine.resume import Ahead
from difftool.engine.saved import sweep
from difftool.engine.sealed import Sealed
from difftool.engine.session import Session
from difftool.engine.watch import Watcher
from difftool.engine.weights import load_into, tensors_of
from difftool.errors import InputError
from difftool.plugin.loader import installed
from difftool.plugin.registry import Registry
from difftool.recipe.model import Recipe
from difftool.recipe.write import differences, plain, toml
from difftool.run.layout import RunDir, check_free, new_name, starting_log
from difftool.run.lock import RunLock
from difftool.run.records import Status, load
from difftool.run.spoken import size
from difftool.run.writer import RunWriter, create_run


def start(
    recipe: Recipe,
    registry: Registry,
    runs: Path,
    watcher: Watcher,
    *,
    name: str | None = None,
    weights: Sealed | None = None,
    allow: Sequence[str] = (),
    argv: Sequence[str] = (),
) -> RunDir:
    """A new run in its own folder, trained to the end."""
    if name is not None:
        check_free(runs, name)
    data = opened(recipe, registry, watcher)
    if weights is not None:
        begin_with(weights, plain(data.recipe, registry), registry, allow)
    figures = plan(data.recipe, registry)
    need_disk(runs, figures.disk(recipe.checkpoint.keep))
    shop = workshop(data.recipe, registry, data.images)
    if weights is not None:
        load_into(shop.net, tensors_of(weights), weights.label)
    state = fresh(shop)
    root = runs / (name or new_name(recipe.name, datetime.now(), secrets.token_hex(2)))
    run = create_run(root, provenance(shop, figures.parameters, argv, weights), toml(shop.table))
    take_log(run, runs)
    facts = facts_of(shop, run, figures.parameters, figures.terminal, figures.disk(recipe.checkpoint.keep))
    with RunLock(run):
        list_skipped(run, data.report)
        show_first(run, shop.feed)
        go(run, shop, state, watcher, facts)
    return run


def take_log(run: RunDir, runs: Path) -> None:
    """A detached trainer's log moves into the run as soon as there is one; what has it open goes on writing to it."""
    log = starting_log(runs, run.name)
    with contextlib.suppress(OSError):  # nothing of the kind, or no standard error at all
        # Only if it is ours: one that an earlier attempt of the same name left tells of another trainer.
        if os.path.samestat(os.fstat(2), log.stat()):
            log.rename(run.log)


def resume(run: RunDir, registry: Registry, watcher: Watcher, ahead: Ahead) -> None:
    """Goes on from the checkpoint that was found good; the caller holds the lock."""
    for note in ahead.notes:
        watcher.say(note)
    if ahead.complete:
        settle(run, ahead)
        return
    data = opened(ahead.recipe, registry, watcher)
    figures = plan(data.recipe, registry)
    need_disk(run.root, figures.disk(1))
    shop = workshop(data.recipe, registry, data.images)
    if shop.fingerprint != ahead.data and not ahead.other_data:
        raise InputError(
            "the data set is not the one this run was trained on",
            why=f"fingerprint {shop.fingerprint}, it was {ahead.data}",
            do="to go on with it all the same: --allow-change data",
        )
    state = fresh(shop)
    checkpoint.recover(ahead.folder, ahead.step, state, shop.device)
    sweep(run, ahead.step)
    list_skipped(run, data.report)
    if shop.fingerprint != ahead.data:
        show_first(run, shop.feed)
    facts = facts_of(shop, run, figures.parameters, figures.terminal, figures.disk(1))
    go(run, shop, state, watcher, facts, {key: list(pair) for key, pair in ahead.changed.items()})


def settle(run: RunDir, ahead: Ahead) -> None:
    """A complete run whose trainer was killed at the very end: its weights and its state are put right."""
    checkpoint.renew_weights(run, ahead.folder)
    if load(run.status).get("state") != "done":
        before = Status.from_json(load(run.status))
        curve = Curve(before.curve, before.step, ahead.step).reach(ahead.step)
        writer = RunWriter(run)
        total = ahead.recipe.train.steps
        writer.event("start", attempt=writer.attempt, from_step=ahead.step, total=total, versions={}, changes={})
        writer.event("end", state="done", exit=0, step=ahead.step)
        writer.status(force=True, state="done", step=ahead.step, total=total, exit=0, curve=curve)
        writer.close()


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


def facts_of(shop: Workshop, run: RunDir, parameters: int, terminal: float, disk: int) -> dict[str, str]:
    """What a person wants to know before step 1."""
    recipe = shop.recipe
    channels, height, width = recipe.data.shape
    epochs = recipe.train.steps * recipe.train.batch / len(shop.images)
    pictures = f"{len(shop.images):,} pictures, {width}x{height}, {channels} channel{'s' if channels > 1 else ''}"
    upcoming = [f"checkpoint every {recipe.checkpoint.every:,} steps"]
    if recipe.preview.every:
        upcoming.insert(0, f"preview every {recipe.preview.every:,}")
    return {
        "data": pictures + (", half of them mirrored at random" if recipe.train.flip else ""),
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
        "from": {"path": str(Path(weights.label).absolute()), "sha256": weights.digest} if weights else None,
        "observers": [plugin.source.id for plugin in installed().plugins if plugin.observers] or None,
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
