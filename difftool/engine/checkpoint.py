"""Checkpoints: everything a run needs to go on as if it had never stopped, whole on disk or not there at all.

The order is the promise: files, each flushed to disk; the manifest with their hashes; the folder under a name that no
reader looks at; one rename; only then "saved" is said and older checkpoints go.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

import torch
from torch import Tensor

from difftool.engine.build import Workshop, words_of
from difftool.engine.loop import State
from difftool.engine.saved import FORMAT, discard
from difftool.engine.sealed import open_sealed
from difftool.engine.weights import encode, load_into, tensors_of
from difftool.errors import CheckpointError, DifftoolError
from difftool.run.layout import RunDir, checkpoint_steps
from difftool.run.writer import disk_error, replace_file, sync_folder, write_new


def save(run: RunDir, shop: Workshop, state: State) -> Path:
    """Writes step-N, renews model.safetensors, drops the oldest checkpoints beyond `checkpoint.keep`."""
    final = run.checkpoint(state.step)
    words = words_of(shop, "model", state.step)
    best = encode(state.best.state_dict(), words | {"kind": "ema" if state.ema else "model"})
    files = {
        "model.safetensors": encode(state.net.state_dict(), words),
        **({"ema.safetensors": best} if state.ema else {}),
        "optimizer.safetensors": encode(_moments(state), words | {"kind": "optimizer"}),
        "state.json": json.dumps({"step": state.step, "recipe": shop.table, "data": shop.fingerprint}).encode(),
    }
    stage = run.checkpoints / f".stage-{state.step:08d}-{secrets.token_hex(4)}"
    try:
        if not final.exists():  # it does if this very step was saved, and only what comes after failed
            _fill(stage, files)
            stage.rename(final)
        sync_folder(run.checkpoints)
    except OSError as error:
        raise disk_error(final, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    replace_file(run.weights, best)
    for old in checkpoint_steps(run)[shop.recipe.checkpoint.keep :]:
        discard(run, old)
    return final


def recover(folder: Path, step: int, state: State, device: torch.device) -> None:
    """Puts a verified checkpoint into a fresh state."""
    try:
        load_into(state.net, tensors_of(open_sealed(folder / "model.safetensors")), str(folder))
        if state.ema:
            ours = folder / "ema.safetensors"
            source = ours if ours.exists() else folder / "model.safetensors"  # averaging was switched on just now
            load_into(state.ema.net, tensors_of(open_sealed(source)), str(folder))
        moments = tensors_of(open_sealed(folder / "optimizer.safetensors"))
    except DifftoolError as error:
        raise CheckpointError(
            f"the checkpoint does not fit this recipe: {error}",
            do=error.do or "take the change back: the steps so far trained another network",
        ) from error
    for name, parameter in state.net.named_parameters():
        if f"step.{name}" in moments:
            state.optimizer.state[parameter] = {
                key: moments[f"{key}.{name}"].to(device) for key in ("step", "exp_avg", "exp_avg_sq")
            }
    state.step = step


def _fill(stage: Path, files: dict[str, bytes]) -> None:
    stage.mkdir()
    listed = {name: {"bytes": len(data), "sha256": write_new(stage / name, data)} for name, data in files.items()}
    write_new(stage / "MANIFEST.json", json.dumps({"format": FORMAT, "files": listed}, indent=1).encode())
    sync_folder(stage)


def _moments(state: State) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in state.net.named_parameters()}
    return {
        f"{key}.{names[parameter]}": value
        for parameter, values in state.optimizer.state.items()
        for key, value in values.items()
    }


def renew_weights(run: RunDir, folder: Path) -> None:
    """model.safetensors from a checkpoint: a trainer killed between the two left an older one, or none."""
    best = folder / "ema.safetensors"
    data = (best if best.exists() else folder / "model.safetensors").read_bytes()
    if not run.weights.exists() or run.weights.read_bytes() != data:
        replace_file(run.weights, data)
