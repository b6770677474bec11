"""`difftool runs compare`: what differs between runs, and what came of it."""

from __future__ import annotations

import statistics
import tomllib
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from difftool.cli.runs_options import Json
from difftool.cli.tables import as_json, table
from difftool.cli.train import RUNS, RunsFolder
from difftool.errors import InputError, one_line
from difftool.run.layout import RunDir, find_run
from difftool.run.spoken import clock


def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more, as elsewhere.")],
    runs: RunsFolder = RUNS,
    json: Json = False,
) -> None:
    """What differs in the recipes of runs, and what came of it: difftool runs compare A B."""
    found = [find_run(name, runs) for name in names]
    if len(found) < 2:
        raise InputError("one run has nothing to be compared with", do="name two or more")
    recipes = [_recipe(run) for run in found]
    differs = {
        key: [recipe.get(key) for recipe in recipes]
        for key in sorted({key for recipe in recipes for key in recipe})
        if any(recipe.get(key, _ABSENT) != recipes[0].get(key, _ABSENT) for recipe in recipes)
    }
    course = [_Course(run) for run in found]
    common = min(each.last for each in course) or None
    if json:
        facts = [{**each.facts(), "loss_at_common_step": each.loss_at(common)} for each in course]
        as_json({"runs": facts, "common_step": common, "differs": differs})
        return
    rows = [[key, *map(_value, values)] for key, values in differs.items()] or [["(same recipe)"]]
    rows += [[""], *_figures(course, common)]
    width = 1 + len(found)
    table(["", *(one_line(run.name) for run in found)], [[*row, *[""] * (width - len(row))] for row in rows])
    for each in course:
        if preview := each.facts()["preview"]:
            typer.echo(one_line(f"look at  {preview}"))


@dataclass
class _Course:
    """What one run's log says, in little memory however long it is."""

    run: RunDir
    about: dict[str, Any] = field(init=False)
    rows: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)  # loss and pictures a second
    seconds: float = 0.0

    def __post_init__(self) -> None:
        from difftool.run.reader import AGAIN, Tail, summary, supersede
        from difftool.run.records import load

        self.about = {**load(self.run.info), **summary(self.run)}
        began: float | None = None
        tail = Tail(self.run)
        while events := tail.poll():
            for event in events:
                supersede(self.rows, event)
                if event["kind"] == AGAIN:
                    began, self.seconds = None, 0.0
                now = _number(event.get("time"))
                if now is not None:  # an attempt lasts from its start to the last that was heard of it
                    began = now if began is None or event["kind"] == "start" else began
                    self.seconds += max(0.0, now - began)
                    began = now
                if event["kind"] == "metrics" and isinstance(event.get("step"), int):
                    self.rows[event["step"]] = _number(event.get("loss")), _number(event.get("images_per_s"))

    @property
    def last(self) -> int:
        """The last step with a row; 0 without any."""
        return max(self.rows, default=0)

    def loss_at(self, step: int | None) -> float | None:
        """The loss of the last row up to a step."""
        before = max((known for known in self.rows if step is not None and known <= step), default=None)
        return None if before is None else self.rows[before][0]

    def facts(self) -> dict[str, Any]:
        """What came of it."""
        losses = [(loss, step) for step, (loss, _) in self.rows.items() if loss is not None]
        rates = [rate for _, rate in self.rows.values() if rate]
        best = min(losses, default=(None, None))
        previews = sorted(self.run.previews.glob("step-????????.png"))
        return {
            "name": self.run.name,
            "path": self.about["path"],
            "state": self.about["state"],
            "step": self.about["step"],
            "total": self.about["total"],
            "best_loss": best[0],
            "best_step": best[1],
            "images_per_s": statistics.median(rates) if rates else None,
            "parameters": self.about.get("parameters"),
            "seconds": round(self.seconds, 3),
            "preview": str(previews[-1].absolute()) if previews else None,
        }


def _figures(course: list[_Course], common: int | None) -> list[list[str]]:
    facts = [each.facts() for each in course]
    return [
        ["state", *(str(each["state"]) for each in facts)],
        ["steps", *(f"{each['step']:,}/{each['total'] or 0:,}" for each in facts)],
        [f"loss at step {common:,}" if common else "loss", *(_loss(each.loss_at(common)) for each in course)],
        ["best loss", *(_loss(each["best_loss"], each["best_step"]) for each in facts)],
        ["pictures/s", *("" if not each["images_per_s"] else f"{each['images_per_s']:,.0f}" for each in facts)],
        ["parameters", *(f"{each['parameters']:,}" if isinstance(each["parameters"], int) else "" for each in facts)],
        ["time", *(clock(each["seconds"]) for each in facts)],
    ]


def _recipe(run: RunDir) -> dict[str, Any]:
    """The resolved recipe with flat keys."""
    try:
        with run.recipe.open("rb") as file:
            return dict(_flat(tomllib.load(file)))
    except (OSError, ValueError) as error:  # not TOML, not UTF-8
        why = getattr(error, "strerror", None) or str(error)
        raise InputError("the run's recipe cannot be read", where=str(run.recipe.absolute()), why=why) from error


def _flat(value: dict[str, Any], before: str = "") -> Any:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{key}.")
        else:
            yield before + key, inner


def _value(value: Any) -> str:
    return "-" if value is None else one_line(str(value))


def _loss(loss: float | None, step: int | None = None) -> str:
    return "" if loss is None else f"{loss:.4f}" + (f" (step {step:,})" if step else "")


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


_ABSENT = object()
