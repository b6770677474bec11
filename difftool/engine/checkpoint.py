"""Checkpoints: everything a run needs to go on as if it had never stopped, whole on disk or not there at all.

The order is the promise: files, each flushed to disk; the manifest with their hashes; the folder under a name that no
reader looks at; one rename; only then "saved" is said and older checkpoints go.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from difftool.engine.build import Workshop, words_of
from difftool.engine.loop import State
from difftool.engine.sealed import open_sealed
from difftool.engine.weights import encode, load_into, tensors_of
from difftool.errors import CheckpointError, DifftoolError
from difftool.run.layout import RunDir, checkpoint_steps
from difftool.run.writer import disk_error, replace_file, sync_folder, write_new

FORMAT = 1


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
    if not final.exists():  # the last step of a run may already have one
        stage = run.checkpoints / f".stage-{state.step:08d}-{secrets.token_hex(4)}"
        try:
            stage.mkdir()
            listed = {
                name: {"bytes": len(data), "sha256": write_new(stage / name, data)} for name, data in files.items()
            }
            write_new(stage / "MANIFEST.json", json.dumps({"format": FORMAT, "files": listed}, indent=1).encode())
            sync_folder(stage)
            stage.rename(final)
            sync_folder(run.checkpoints)
        except OSError as error:
            raise disk_error(final, error) from error
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    replace_file(run.weights, best)
    for old in checkpoint_steps(run)[shop.recipe.checkpoint.keep :]:
        trash = run.checkpoints / f".trash-{old:08d}-{secrets.token_hex(4)}"
        run.checkpoint(old).rename(trash)  # a half-deleted checkpoint must not look like one
        shutil.rmtree(trash, ignore_errors=True)
    return final


def newest(run: RunDir) -> tuple[Path, dict[str, Any], list[str]]:
    """(folder, state, what was passed over and why) of the newest checkpoint whose manifest verifies."""
    passed: list[str] = []
    for step in checkpoint_steps(run):
        folder = run.checkpoint(step)
        try:
            return folder, _verified(folder), passed
        except (OSError, ValueError, KeyError) as error:
            passed.append(f"{folder.name} is damaged: {error}")
    raise CheckpointError(
        "no checkpoint of this run can be used" if passed else "this run has no checkpoint yet",
        where=str(run.checkpoints.absolute()),
        why="; ".join(passed),
        do=f"start again: difftool train {run.recipe}",
    )


def recover(folder: Path, state: State, device: torch.device) -> None:
    """Puts a verified checkpoint into a fresh state."""
    step = json.loads((folder / "state.json").read_bytes())["step"]
    try:
        load_into(state.net, tensors_of(open_sealed(folder / "model.safetensors")), str(folder))
        if state.ema:
            ours = folder / "ema.safetensors"
            source = ours if ours.exists() else folder / "model.safetensors"  # averaging was switched on just now
            load_into(state.ema.net, tensors_of(open_sealed(source)), str(folder))
        moments = tensors_of(open_sealed(folder / "optimizer.safetensors"))
    except DifftoolError as error:
        raise CheckpointError(f"the checkpoint does not fit this recipe: {error}", do=error.do) from error
    for name, parameter in state.net.named_parameters():
        if f"step.{name}" in moments:
            state.optimizer.state[parameter] = {
                key: moments[f"{key}.{name}"].to(device) for key in ("step", "exp_avg", "exp_avg_sq")
            }
    state.step = step


def sweep(run: RunDir) -> None:
    """Removes what a killed trainer left half-made; call it under the lock."""
    for litter in [*run.checkpoints.glob(".stage-*"), *run.checkpoints.glob(".trash-*")]:
        shutil.rmtree(litter, ignore_errors=True)


def _moments(state: State) -> dict[str, Tensor]:
    names: dict[Tensor, str] = {parameter: name for name, parameter in state.net.named_parameters()}
    return {
        f"{key}.{names[parameter]}": value
        for parameter, values in state.optimizer.state.items()
        for key, value in values.items()
    }


def _verified(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "MANIFEST.json").read_bytes())
    if manifest["format"] != FORMAT:
        raise ValueError(f"written by format {manifest['format']}, this difftool reads {FORMAT}")
    for name, listed in manifest["files"].items():
        data = (folder / name).read_bytes()
        if len(data) != listed["bytes"] or hashlib.sha256(data).hexdigest() != listed["sha256"]:
            raise ValueError(f"{name} is not what was written")
    state: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
    return state
