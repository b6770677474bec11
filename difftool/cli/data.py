"""`difftool data`: look at pictures, draw some, empty the cache. Never imports torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from difftool.cli.progress import UI, answer, clock, display
from difftool.cli.tables import as_json, table

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from difftool.data.survey import Survey
    from difftool.plugin.component import Dataset
    from difftool.plugin.registry import Registry

app = typer.Typer(help="Look at pictures, draw some, empty the cache.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON on standard output.")]
ROWS = 12
BAR = 30


@app.command()
def scan(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder of pictures, a .zip or a .tar.")],
    size: Annotated[int, typer.Option(metavar="N", min=1, max=1024, help="Side to bring them to.")] = 64,
    crop: Annotated[Literal["center", "random", "pad"], typer.Option(help="As data.crop.")] = "center",
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Where the contact sheet goes.")] = None,
    json: Json = False,
) -> None:
    """Read every picture once and say what is there: difftool data scan ~/pictures/cats."""
    from difftool.data.scan import Fit
    from difftool.data.sheet import png, sheet
    from difftool.data.survey import survey
    from difftool.errors import InputError
    from difftool.recipe.own import existing
    from difftool.run.writer import replace_file

    if output is not None and output.exists():
        raise InputError(f"{output.absolute()} is already there", do="name another file with -o")
    if output is not None and not output.absolute().parent.is_dir():
        raise InputError(f"there is no folder {output.absolute().parent}", do="make it first")
    where = existing(path)
    with display(UI.auto) as show:
        show.busy("looking")
        found = survey(where, Fit(size, size, crop=crop), lambda done, total: show.progress("reading", done, total))
    target = output or _free(Path(f"scan-{where.stem[:60] or 'data'}.png"))
    if len(found.shown):
        replace_file(target, png(sheet(found.shown)))
    if json:
        as_json(_plain(found, target))
    else:
        _print(found, target, path)


def _print(found: Survey, target: Path, typed: str) -> None:
    from difftool.errors import one_line

    typer.echo(found.report.found)
    for name, why in [*found.report.skipped, *found.others]:
        typer.echo(f"{'left out':>12}  {one_line(name)}: {why}")
    for width, count, bar in _histogram(found.sizes):
        typer.echo(f"{width:>12}  {count:>7}  {bar}")
    copies = sum(len(names) - 1 for names in found.twins)
    typer.echo(f"{'duplicates':>12}  {copies}")
    for names in found.twins:
        typer.echo(f"{'the same':>12}  {' = '.join(map(one_line, names))}")
    if len(found.shown):
        typer.echo(f"{'mean':>12}  {_channels(found.mean)}")
        typer.echo(f"{'spread':>12}  {_channels(found.spread)}")
    for key, column in found.values.items():
        typer.echo(f"{one_line(key):>12}  {_kinds(column)}")
    for note in found.report.notes:
        typer.echo(f"{'note':>12}  {one_line(note)}")
    if len(found.shown):
        typer.echo(f"{'look at':>12}  {one_line(str(target.absolute()))}")
    typer.echo(f"{'next':>12}  difftool train quickstart --data {one_line(shlex.quote(typed))}", err=True)


def _plain(found: Survey, target: Path) -> dict[str, Any]:
    return {
        "path": str(found.root),
        "images": sum(found.sizes.values()),
        "left_out": [{"file": name, "why": why} for name, why in [*found.report.skipped, *found.others]],
        "sizes": [{"width": w, "height": h, "count": count} for (w, h), count in found.sizes.most_common()],
        "duplicates": found.twins,
        "mean": found.mean,
        "spread": found.spread,
        "values": {key: len(set(column)) for key, column in found.values.items()},
        "notes": list(found.report.notes),
        "sheet": str(target.absolute()) if len(found.shown) else None,
    }


def _histogram(sizes: Counter[tuple[int, int]]) -> list[tuple[str, int, str]]:
    """Each size, if they are few; else by the shorter side, from one power of two to the next."""
    rows = [(f"{width}x{height}", count) for (width, height), count in sorted(sizes.items())]
    if len(rows) > ROWS:
        steps: dict[int, int] = {}
        for (width, height), count in sizes.items():
            step = min(width, height).bit_length()
            steps[step] = steps.get(step, 0) + count
        rows = [(f"{2 ** (step - 1)} to {2**step - 1}", count) for step, count in sorted(steps.items())]
    most = max((count for _, count in rows), default=1)
    return [(name, count, "#" * max(1, round(BAR * count / most))) for name, count in rows]


def _channels(values: list[float]) -> str:
    names = ("red", "green", "blue") if len(values) == 3 else ("grey",)
    return "  ".join(f"{name} {value:.3f}" for name, value in zip(names, values, strict=True))


def _kinds(column: Any) -> str:
    """A dozen values by how often they occur, or how many there are."""
    from collections import Counter

    from difftool.errors import one_line

    counts = Counter("(none)" if value is None else value for value in column)
    shown = ", ".join(f"{one_line(value)[:40]} {count}" for value, count in counts.most_common(ROWS))
    return shown if len(counts) <= ROWS else f"{len(counts)} different: {shown}, ..."


def _free(path: Path) -> Path:
    """The path, or the first of -2, -3, ... that is not there yet."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Empty it; pictures are read anew when needed.")] = False,
    json: Json = False,
) -> None:
    """What the cache of decoded pictures holds."""
    import time

    from difftool.data import cache as pictures

    if clear:
        freed = pictures.clear()
        typer.echo(f"freed {freed / 2**20:,.1f} MiB in {pictures.folder()}", err=True)
        return
    held = pictures.holdings()
    if json:
        as_json([{"key": each.key, "from": each.about, "bytes": each.size, "used": each.used} for each in held])
        return
    rows = [[f"{each.size / 2**20:,.1f}", f"{clock(time.time() - each.used)} ago", each.about] for each in held]
    table(["MIB", "USED", "FROM"], rows)
    total, most = sum(each.size for each in held), pictures.limit()
    typer.echo(
        f"{total / 2**20:,.1f} MiB of at most {most / 2**30:g} GiB ({pictures.LIMIT}) in {pictures.folder()}", err=True
    )


@app.command()
def draw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, such as avatars or shapes.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder they go to.")],
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1_000_000, help="How many, the first ones.")] = 64,
    size: Annotated[int | None, typer.Option(metavar="N", help="Their side in pixels; the same as data.size.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A key of the data set, as in data.seed=1.")
    ] = None,
) -> None:
    """Draw pictures into a folder, and labels.csv beside them: difftool data draw avatars faces -n 1000."""
    from difftool.data.sheet import png
    from difftool.errors import InputError, Stopped
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed
    from difftool.run.writer import replace_file

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out.absolute()} is already there, and not empty", do="name another folder")
    registry = installed().registry
    dataset = _asked(registry, name, count, size, sets or [])
    with display(UI.auto) as show:
        show.busy("drawing")
        with blamed(registry, dataset, "drawing"):
            images = dataset.open()
            if len(images) < count:
                raise InputError(f"-n {count}: {name} has {len(images)} pictures")
            names = [f"{index:06d}.png" for index in range(count)]
            out.mkdir(parents=True, exist_ok=True)
            if values := images.values(range(count)):
                replace_file(out / "labels.csv", _table(["file", *values], zip(names, *values.values(), strict=True)))
            try:
                for index, each in enumerate(names):
                    show.progress("drawing", index, count)
                    replace_file(out / each, png(images.take([index])[0]), sync=False)
            except KeyboardInterrupt:
                raise Stopped(
                    "interrupted", interrupted=True, saved=f"{index} of {count} in {out.absolute()}"
                ) from None
        show.line(f"{'drawn':>10}  {count:,} pictures" + (", labels.csv" if values else ""))
    typer.echo(f"{'next':>10}  difftool train quickstart --data {shlex.quote(str(out))}", err=True)
    answer(out.absolute())


def _asked(registry: Registry, name: str, count: int, size: int | None, sets: list[str]) -> Dataset:
    from difftool.errors import InputError, RecipeError
    from difftool.recipe.explain import Places
    from difftool.recipe.load import Maker
    from difftool.recipe.overlay import mark, options, overlay

    fields = registry.get("dataset", name).model_fields
    wished: dict[str, Any] = {"name": name}
    if "count" in fields:
        wished["count"] = count
    if size is not None:
        wished["size"] = size
    places = Places(f"difftool data draw {name}")
    for text, over in options(sets):
        if set(over) != {"data"} or not isinstance(over["data"], dict):
            raise InputError(f"{text}: only keys of the data set may be set here, as in --set data.seed=1")
        wished = overlay(wished, over["data"])
        mark(places, over, text)
    maker = Maker(registry, Path.cwd())
    dataset: Dataset = maker.component("dataset", wished, ("data",))
    if maker.problems:
        raise RecipeError([places.say(problem) for problem in maker.problems])
    return dataset


def _table(head: list[str], rows: Iterable[Iterable[Any]]) -> bytes:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
