"""`difftool data`: look at pictures, draw some, empty the cache. Never imports torch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from difftool.cli.draw import draw
from difftool.cli.progress import UI, display
from difftool.cli.tables import as_json, table
from difftool.run.spoken import clock

if TYPE_CHECKING:
    from collections import Counter

    from difftool.data.cache import Holding
    from difftool.data.survey import Survey

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
    from difftool.errors import DiskError, InputError
    from difftool.recipe.own import existing
    from difftool.run.writer import replace_file

    where = existing(path, "")
    if output is not None and output.exists():
        raise InputError(f"{output.absolute()} is already there", do="name another file with -o")
    if output is not None and output.parent.resolve().is_relative_to(where.resolve()):
        raise InputError(f"{output.absolute()} would lie among the pictures", do="name a file elsewhere with -o")
    if output is not None and not output.absolute().parent.is_dir():
        raise InputError(f"there is no folder {output.absolute().parent}", do="make it first")
    target = (output or _free(_beside(where) / f"scan-{where.stem[:60] or 'data'}.png")).absolute()
    with display(UI.auto) as show:
        show.busy("looking")
        try:
            found = survey(where, Fit(size, size, crop=crop), show.progress)
        except InputError:
            _other_format(where, path)
            raise
    lost = None
    if len(found.shown):
        try:
            replace_file(target, png(sheet(found.shown)))
        except DiskError as error:  # what was read, perhaps for an hour, is told all the same
            lost = error
    written = target if len(found.shown) and not lost else None
    if json:
        as_json(_plain(found, written))
    else:
        _print(found, written, path)
    if lost:
        raise lost
    if not len(found.shown):
        raise InputError("none of the pictures can be read", where=str(found.root))


def _beside(where: Path) -> Path:
    """The current folder; from within the pictures, the one they lie in: a sheet is no picture of theirs."""
    return where.parent if Path.cwd().resolve().is_relative_to(where.resolve()) else Path()


def _other_format(where: Path, typed: str) -> None:
    """What is no folder of pictures may be what another data set reads."""
    from difftool.errors import InputError
    from difftool.plugin.loader import installed
    from difftool.recipe.own import reader_of

    name = reader_of(where, installed().registry)
    if name != "images":
        raise InputError(
            f"these are not picture files, but what the data set {name!r} reads",
            where=str(where),
            do=f"train on them with difftool train RECIPE --data {shlex.quote(typed)}",
        )


def _print(found: Survey, written: Path | None, typed: str) -> None:
    from difftool.errors import one_line

    typer.echo(found.report.found)
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
    for name, why in [*found.report.skipped, *found.others]:
        typer.echo(f"{'left out':>12}  {one_line(name)}: {why}")
    for note in found.report.notes:
        typer.echo(f"{'note':>12}  {one_line(note)}")
    if written:
        typer.echo(f"{'look at':>12}  {one_line(str(written))}")
        typer.echo(f"{'next':>12}  difftool train quickstart --data {one_line(shlex.quote(typed))}", err=True)


def _plain(found: Survey, written: Path | None) -> dict[str, Any]:
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
        "sheet": str(written) if written else None,
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
    held, most = pictures.holdings(), pictures.limit()
    if json:
        as_json([_holding(each) for each in held])
        return
    rows = [
        [_shape(each.shape), f"{each.size / 2**20:,.1f}", f"{clock(time.time() - each.used)} ago", each.about]
        for each in held
    ]
    table(["PICTURES", "MIB", "USED", "FROM"], rows)
    total = sum(each.size for each in held)
    typer.echo(
        f"{total / 2**20:,.1f} MiB of at most {most / 2**30:g} GiB ({pictures.LIMIT}) in {pictures.folder()}", err=True
    )


def _holding(each: Holding) -> dict[str, Any]:
    return {"key": each.key, "from": each.about, "shape": each.shape, "bytes": each.size, "used": each.used}


def _shape(shape: tuple[int, ...]) -> str:
    """20,000 of 64x64."""
    return f"{shape[0]:,} of {shape[2]}x{shape[1]}" if len(shape) == 4 else "?"


app.command("draw")(draw)
