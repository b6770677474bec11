"""Where everything lies in a run directory, what a run is called, and how a user's words find one."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path
from shlex import quote

from difftool.errors import DiskError, InputError
from difftool.run.records import load, moment

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LATEST = "latest"
STARTING = ".starting"  # in the folder of runs: logs of trainers that have no run yet
TRASH = ".trash"  # in the folder of runs: what `difftool runs rm` took away
_CHECKPOINT = re.compile(r"step-(\d{8,})")
_SUFFIX = "-00000000-000000-"  # what `new_name` puts between the recipe's name and the token
_SHOWN = 5


@dataclass(frozen=True)
class RunDir:
    """One run on disk: only names, nothing is read or written."""

    root: Path

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.root.name

    @property
    def info(self) -> Path:
        """Identity and provenance; its presence makes a folder a run."""
        return self.root / "run.json"

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.root / "recipe.toml"

    @property
    def lock(self) -> Path:
        """Flocked while a trainer owns the run."""
        return self.root / "lock"

    @property
    def status(self) -> Path:
        """The trainer's last word."""
        return self.root / "status.json"

    @property
    def events(self) -> Path:
        """The folder of event segments."""
        return self.root / "events"

    @property
    def control(self) -> Path:
        """Commands to the trainer."""
        return self.root / "control.jsonl"

    @property
    def log(self) -> Path:
        """Standard error of a detached trainer, and every traceback."""
        return self.root / "train.log"

    @property
    def previews(self) -> Path:
        """The folder of preview pictures."""
        return self.root / "previews"

    @property
    def sheet(self) -> Path:
        """The first 64 pictures as they are trained on."""
        return self.root / "data.png"

    @property
    def skipped(self) -> Path:
        """Files of the data set that were left out, with the reason of each."""
        return self.root / "skipped.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.root / "checkpoints"

    @property
    def samples(self) -> Path:
        """The folder of pictures that were drawn from the dashboard."""
        return self.root / "samples"

    @property
    def weights(self) -> Path:
        """The EMA weights: this file alone can be sampled."""
        return self.root / "model.safetensors"

    @property
    def typed(self) -> str:
        """What to type to mean this run: its name where that is enough, else its folder."""
        try:
            here = self.root.absolute().parent == Path.cwd() / "runs"
        except OSError:  # the folder one is in was deleted
            here = False
        return self.name if here and NAME.fullmatch(self.name) else quote(str(self.root))

    def preview(self, step: int, kind: str = "") -> Path:
        """The preview picture of a step; `strip` and `raw` are its companions."""
        return self.previews / f"step-{step:08d}{'.' if kind else ''}{kind}.png"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint folder of a step."""
        return self.checkpoints / f"step-{step:08d}"

    def is_run(self) -> bool:
        """Whether run.json is there."""
        try:
            return self.info.is_file()
        except OSError:  # a folder we may not look into is no run of ours
            return False


def new_name(recipe_name: str, now: datetime, token: str) -> str:
    """A name that sorts by recipe and then by time: `anime64-20261120-101530-7f3a`."""
    room = 64 - len(_SUFFIX) - len(token)
    return f"{_slug(recipe_name, room)}-{now:%Y%m%d-%H%M%S}-{token}"


def starting_log(runs: Path, name: str) -> Path:
    """What a detached trainer says before its run is there."""
    return runs / STARTING / f"{name}.log"


def check_name(name: str) -> None:
    """Refuse a name that a shell, a file system or `difftool resume latest` would stumble over."""
    if not NAME.fullmatch(name):  # fullmatch: `$` would let a trailing newline pass
        raise InputError(
            f"'{name}' cannot be a run's name",
            why="a name has 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or digit",
            do=f"--name {_slug(name, 64)}",
        )
    if name == LATEST:
        raise InputError(f"'{name}' cannot be a run's name", why="it stands for the newest run", do="--name latest-1")


def list_runs(runs: Path) -> list[RunDir]:
    """The runs in a folder, newest first; those whose run.json is damaged come last."""
    found = [run for name in names_in(runs) if (run := RunDir(runs / name)).is_run()]
    return sorted(found, key=lambda run: (created(run) or float("-inf"), run.name), reverse=True)


def names_in(runs: Path) -> list[str]:
    """What lies in a folder of runs, be it a run or not; nothing where there is no such folder."""
    try:
        return os.listdir(runs)  # noqa: PTH208  (the dashboard asks once a second)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DiskError("cannot list the runs", where=str(runs.absolute()), why=error.strerror or str(error)) from error


def created(run: RunDir) -> float | None:
    """When the run was created, in unix seconds; None when its run.json does not say."""
    return moment(load(run.info), "created")


def find_run(text: str, runs: Path) -> RunDir:
    """The run that `latest`, a path, or the beginning of a name stands for."""
    searched, known = str(runs.absolute()), list_runs(runs)
    if not text or (not known and text == LATEST):
        raise InputError("no run is named" if not text else "there is no run yet", where=searched, do=_DO)
    if text == LATEST:
        return known[0]
    if direct := _at_path(text):
        return direct
    matches = [run for run in known if run.name.startswith(text)]
    if exact := [run for run in matches if run.name == text]:
        return exact[0]
    if len(matches) > 1:
        names = ", ".join(run.name for run in matches[:_SHOWN])
        more = f" and {len(matches) - _SHOWN} more" if len(matches) > _SHOWN else ""
        raise InputError(f"'{text}' fits {len(matches)} runs", where=searched, why=names + more, do="type more letters")
    if not matches:
        near = _nearest(text, [run.name for run in known])
        hint = f"did you mean {' or '.join(near)}?" if near else _DO
        raise InputError(f"no run '{text}'", where=f"searched in {searched}", do=hint)
    return matches[0]


def checkpoint_steps(run: RunDir) -> list[int]:
    """Steps with a checkpoint folder, newest first; whether one verifies is for the loader to say."""
    try:
        folders = [path.name for path in run.checkpoints.iterdir() if path.is_dir()]
    except OSError:
        return []
    steps = [int(match[1]) for name in folders if (match := _CHECKPOINT.fullmatch(name))]
    # Only the canonical spelling counts: step-000000001 is not where `checkpoint(1)` would look.
    return sorted((step for step in steps if run.checkpoint(step).name in folders), reverse=True)


_DO = "`difftool runs list` shows all of them; --runs DIR looks in another folder"


def _at_path(text: str) -> RunDir | None:
    try:
        run = RunDir(Path(text).expanduser().resolve())
    except (ValueError, RuntimeError, OSError):  # a NUL byte, an unknown ~user, a loop of links: no path, so no run
        return None
    return run if run.is_run() else None


def _slug(text: str, room: int) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_text).lstrip("._-")
    return words[:room].rstrip("._-") or "run"


def _nearest(text: str, names: list[str]) -> list[str]:
    """Up to three names like the text, or beginning like it: nobody types the whole date."""

    def likeness(name: str) -> float:
        return max(SequenceMatcher(None, text, end).ratio() for end in (name, name[: len(text)]))

    return [name for name in sorted(names, key=likeness, reverse=True) if likeness(name) >= 0.6][:3]


def check_free(runs: Path, name: str) -> None:
    """Refuses a name that is not one, or is taken: nothing a run left is ever written over."""
    check_name(name)
    if runs.exists() and not runs.is_dir():
        raise InputError(f"--runs {runs} is a file, not a folder")
    if (runs / name).exists():
        raise InputError(
            f"there is already a run called {name}",
            where=str((runs / name).absolute()),
            do=f"difftool resume {runs / name}, or choose another --name",
        )
