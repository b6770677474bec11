"""`difftool eval`: numbers that judge a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, display
from difftool.cli.tables import as_json, table
from difftool.cli.train import RUNS, RunsFolder

if TYPE_CHECKING:
    from difftool.engine.described import Described
    from difftool.plugin.component import Dataset, Metric
    from difftool.plugin.registry import Registry

Result = Mapping[str, float | Sequence[float]]


def evaluate(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run, or a model.safetensors.")],
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", metavar="NAME", help="What to measure, several times if need be; absent: as the data says."
        ),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of the metric, as in metric.pictures=256."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="PATH", help="These pictures, not those it was trained on.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The weights without averaging (of a run).")] = False,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    runs: RunsFolder = RUNS,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON on standard output.")] = False,
) -> None:
    """Measure a model: difftool eval latest --metric bits-per-dim."""
    from difftool.cli.source import weights_of
    from difftool.engine.described import describe
    from difftool.engine.ready import ready
    from difftool.engine.sealed import open_model_file
    from difftool.errors import InputError, Stopped
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed
    from difftool.recipe.check import unlearned

    registry = installed().registry
    known = describe(open_model_file(weights_of(source, runs, raw)[0]), registry)
    dataset = _dataset(known, data)
    metrics = _metrics(registry, names or dataset.judged_by, sets or [])
    for name, metric in metrics.items():
        if metric.outputs > known.loss.outputs:
            raise InputError(f"{name}, as it is set, {unlearned(registry.offer(type(known.loss)).owned)}")
    # Every refusal comes before torch is loaded.
    results: dict[str, Result] = {}
    with display(UI.auto) as show:
        show.busy("opening the data")
        images, _ = ready(dataset, registry, show)
        with show.loading("torch"):
            from difftool.engine.build import load_model

        model = load_model(known, device)
        for name, metric in metrics.items():
            show.progress(name, 0, 1)
            with blamed(registry, metric, "measuring"), blamed(registry, known.backbone, "being measured"):
                try:
                    results[name] = metric.measure(model, images, partial(show.progress, name))
                except KeyboardInterrupt:
                    raise Stopped(f"interrupted while measuring {name}", interrupted=True) from None
    if json:
        as_json(
            {
                "model": known.recipe["name"],
                "weights": known.file.digest,
                "data": registry.dump(dataset),
                "pictures": len(images),
                "metrics": {
                    name: {"settings": registry.dump(metrics[name]), "result": _finite(result)}
                    for name, result in results.items()
                },
            }
        )
        return
    for position, (name, result) in enumerate(results.items()):
        if position:
            typer.echo()
        _print(name, result)


def _metrics(registry: Registry, names: Sequence[str], sets: Sequence[str]) -> dict[str, Metric]:
    """The metrics that are asked for; what is set goes to each that has such a key."""
    from difftool.errors import InputError, RecipeError
    from difftool.recipe.explain import Places
    from difftool.recipe.make import Maker
    from difftool.recipe.overlay import Table, mark, options, overlay

    if not names:
        known = ", ".join(registry.names("metric"))
        raise InputError(f"which metric? there are {known}", do="--metric NAME; difftool plugins info NAME says more")
    classes = {name: registry.get("metric", name) for name in names}
    wished: Table = {}
    places = Places("--metric")
    for text, over in options(list(sets)):
        if not isinstance(over.get("metric"), dict):
            raise InputError(f"{text}: only keys of the metric may be set here, as in --set metric.seed=1")
        wished = overlay(wished, over["metric"])
        mark(places, over, text)
    anywhere = {key for cls in classes.values() for key in cls.model_fields}
    maker = Maker(registry, Path.cwd())
    made = {
        name: maker.part(
            cls,
            {key: value for key, value in wished.items() if key in cls.model_fields or key not in anywhere},
            ("metric",),
        )
        for name, cls in classes.items()
    }
    if maker.problems:
        raise RecipeError(list(dict.fromkeys(places.say(problem) for problem in maker.problems)))
    return made


def _dataset(known: Described, data: str | None) -> Dataset:
    """What the model was trained on, or what is at a path, brought to the same size."""
    from difftool.errors import InputError
    from difftool.recipe.make import Maker
    from difftool.recipe.own import existing, own_data, reader_of, size_of

    section = known.recipe.get("data")
    if data is not None:
        path = existing(data)
        reader = reader_of(path, known.registry, str(section.get("name")) if isinstance(section, dict) else "images")
        section = own_data(path, reader, size_of(known.shape), known.registry)
    maker = Maker(known.registry, Path.cwd())
    dataset: Dataset | None = maker.component("dataset", section, ("data",))
    if dataset is None:
        raise InputError(
            f"the pictures cannot be had: {'; '.join(problem.text for problem in maker.problems)}",
            do="measure on a folder of pictures: --data PATH",
        )
    if dataset.shape != known.shape:
        raise InputError(f"the pictures are {dataset.shape}, the model makes {known.shape} (channels, height, width)")
    return dataset


def _print(name: str, result: Result) -> None:
    """Numbers first; then what there is a level of, by stretches of levels."""
    plain = {key: value for key, value in result.items() if not isinstance(value, Sequence)}
    table([name, "VALUE"], [[key, f"{value:.6g}"] for key, value in plain.items()])
    levels = {key: value for key, value in result.items() if isinstance(value, Sequence)}
    for T in dict.fromkeys(len(value) for value in levels.values()):
        columns = {key: value for key, value in levels.items() if len(value) == T}
        typer.echo()
        table(
            ["LEVELS", *(f"{key} {what}" for key in columns for what in ("SUM", "MEAN"))],
            [
                [f"{first}" if first == last else f"{first}-{last}", *_figures(columns.values(), first, last)]
                for first, last in _stretches(T)
            ],
        )


def _figures(columns: Iterable[Sequence[float]], first: int, last: int) -> Iterator[str]:
    for column in columns:
        total = math.fsum(column[first - 1 : last])
        yield f"{total:.6g}"
        yield f"{total / (last - first + 1):.6g}"


def _stretches(T: int) -> list[tuple[int, int]]:
    """Level 1, which says the bytes, ten stretches of the others, and all."""
    ends = sorted({1, *(max(1, T * k // 10) for k in range(1, 11))})
    rows = [(1, 1), *((before + 1, end) for before, end in pairwise(ends))]
    return [*rows, (1, T)] if T > 1 else rows


def _finite(result: Result) -> dict[str, Any]:
    """JSON has no NaN and no infinity: they become null."""

    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        key: [number(each) for each in value] if isinstance(value, Sequence) else number(value)
        for key, value in result.items()
    }
