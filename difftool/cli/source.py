"""Which weights, which seeds: what several commands are told in the same words."""

from __future__ import annotations

from pathlib import Path

from difftool.errors import CheckpointError, InputError
from difftool.run.layout import checkpoint_steps, find_run

MAX_SEED = 2**63 - 1
MOST = 1_000_000


def seeds_of(text: str | None, count: int | None) -> list[int] | None:
    """`0-15`, `3,7,20-23`; with a count alone the seeds are 0 to count - 1."""
    if count is not None and count < 1:
        raise InputError(f"-n {count}: at least one picture")
    if count is not None and count > MOST:
        raise InputError(f"-n {count}: more than a million pictures; ask for fewer at a time")
    if text is None:
        return None if count is None else list(range(count))
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = [first, last] if dash else [first]
        numbers = [int(end) for end in ends if end.isascii() and end.isdigit() and len(end) < 20]
        if len(numbers) < len(ends) or numbers[-1] > MAX_SEED or numbers[-1] < numbers[0]:
            raise InputError(
                f"--seeds {text}: {part!r} is no seed or range; write 5, 0-15, or 3,7,20-23, none above 2^63-1"
            )
        if numbers[-1] - numbers[0] >= MOST:
            raise InputError(f"--seeds {text}: more than a million pictures; ask for fewer at a time")
        seeds += range(numbers[0], numbers[-1] + 1)
    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seeds {text}: a seed occurs twice")
    if count is not None and count != len(seeds):
        raise InputError(f"-n {count} and --seeds {text} disagree: those are {len(seeds)} seeds", do="give one of them")
    return seeds


def weights_of(source: str, runs: Path, raw: bool = False) -> tuple[Path, str]:
    """(the weights file, what its pictures' folder is called after)."""
    path = Path(source).expanduser()
    if path.is_file():
        if raw:
            raise InputError(
                "--raw is for a run: a file holds one set of weights",
                do="name the run, or the model.safetensors inside one of its checkpoints",
            )
        return path, path.absolute().parent.name if path.stem == "model" else path.stem
    if path.suffix == ".safetensors":
        raise InputError(f"there is no file {path.absolute()}")
    run = find_run(source, runs)
    steps = checkpoint_steps(run)
    chosen = run.checkpoint(steps[0] if steps else 0) / "model.safetensors" if raw else run.weights
    if not chosen.is_file():
        raise CheckpointError(
            f"{run.name} has no weights yet", where=str(run.root.absolute()), do=f"difftool runs show {run.root}"
        )
    return chosen, run.name
