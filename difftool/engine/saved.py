"""The checkpoints of a run as they lie on disk; reading them needs no torch, so a refusal comes at once."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from pathlib import Path
from typing import Any

from difftool.errors import CheckpointError
from difftool.run.layout import RunDir, checkpoint_steps

FORMAT = 1


class DamagedError(Exception):
    """In words already."""


def newest(run: RunDir) -> tuple[Path, dict[str, Any], list[str]]:
    """(folder, state, what was passed over and why) of the newest checkpoint whose manifest verifies."""
    passed: list[str] = []
    for step in checkpoint_steps(run):
        folder = run.checkpoint(step)
        try:
            return folder, _verified(folder), passed
        except DamagedError as error:
            passed.append(f"{folder.name} is damaged: {error}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            passed.append(f"{folder.name} is damaged: a file is missing, or MANIFEST.json cannot be read")
    raise CheckpointError(
        "no checkpoint of this run can be used" if passed else "this run has no checkpoint yet",
        where=str(run.checkpoints.absolute()),
        why="; ".join(passed),
        do=f"start again: difftool train {run.recipe}",
    )


def sweep(run: RunDir, step: int) -> None:
    """Removes what a killed trainer left half-made, and damaged checkpoints beyond `step`; call it under the lock.

    A damaged folder left in place would stand in the way of the good one that training writes next.
    """
    for beyond in (s for s in checkpoint_steps(run) if s > step):
        discard(run, beyond)
    for litter in [*run.checkpoints.glob(".stage-*"), *run.checkpoints.glob(".trash-*")]:
        shutil.rmtree(litter, ignore_errors=True)


def discard(run: RunDir, step: int) -> None:
    """Deletes one checkpoint; half-deleted it must not look like one, so it is renamed first."""
    trash = run.checkpoints / f".trash-{step:08d}-{secrets.token_hex(4)}"
    run.checkpoint(step).rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _verified(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / "MANIFEST.json").read_bytes())
    if manifest["format"] != FORMAT:
        raise DamagedError(f"written by format {manifest['format']}, this difftool reads {FORMAT}")
    for name, listed in manifest["files"].items():
        data = (folder / name).read_bytes()
        if len(data) != listed["bytes"] or hashlib.sha256(data).hexdigest() != listed["sha256"]:
            raise DamagedError(f"{name} is not what was written")
    state: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
    return state
