"""`difftool data draw`: the pictures of a data set as files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, answer, display

if TYPE_CHECKING:
    from collections.abc import Iterable

    from difftool.plugin.component import Dataset
    from difftool.plugin.registry import Registry


FEW = 64


def draw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, such as avatars or shapes.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder they go to.")],
    wanted: Annotated[
        int | None,
        typer.Option("-n", metavar="N", min=1, max=1_000_000, help="How many, the first ones; otherwise 64 at most."),
    ] = None,
    size: Annotated[int | None, typer.Option(metavar="N", help="Their side in pixels; the same as data.size.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A key of the data set, as in data.seed=1.")
    ] = None,
) -> None:
    """Draw pictures into a folder, and labels.csv beside them: difftool data draw avatars faces -n 1000."""
    from difftool.data.sheet import png
    from difftool.engine.ready import ready
    from difftool.errors import InputError, Stopped
    from difftool.plugin.blame import blamed
    from difftool.plugin.loader import installed
    from difftool.run.writer import replace_file

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out.absolute()} is already there, and not empty", do="name another folder")
    registry = installed().registry
    dataset = _asked(registry, name, wanted or FEW, size, sets or [])
    with display(UI.auto) as show:
        show.busy("drawing")
        images, _ = ready(dataset, registry, show)
        count = wanted or min(FEW, len(images))
        if len(images) < count:
            raise InputError(f"-n {count}: {name} has {len(images)} pictures")
        with blamed(registry, dataset, "drawing"):
            names = [f"{index:06d}.png" for index in range(count)]
            out.mkdir(parents=True, exist_ok=True)
            values = images.values(range(count))
            done: list[str] = []
            try:
                for index, each in enumerate(names):
                    show.progress("drawing", index, count)
                    replace_file(out / each, png(images.take([index])[0]), sync=False)
                    done.append(each)
            except KeyboardInterrupt:
                raise Stopped(
                    "interrupted", interrupted=True, saved=f"{len(done)} of {count} in {out.absolute()}"
                ) from None
            finally:
                if values:  # of those that were drawn: a table with others would be taken for a mistake
                    rows = zip(done, *values.values(), strict=False)
                    replace_file(out / "labels.csv", _table(["file", *values], rows))
        show.line(f"{'drawn':>10}  {count:,} pictures" + (", labels.csv" if values else ""))
    typer.echo(f"{'next':>10}  difftool train quickstart --data {shlex.quote(str(out))}", err=True)
    answer(out.absolute())


def _asked(registry: Registry, name: str, count: int, size: int | None, sets: list[str]) -> Dataset:
    from difftool.errors import InputError, RecipeError
    from difftool.recipe.explain import Places
    from difftool.recipe.make import Maker
    from difftool.recipe.overlay import mark, options, overlay

    fields = registry.get("dataset", name).model_fields
    wished: dict[str, Any] = {"name": name}
    if "count" in fields:
        wished["count"] = count
    if size is not None:
        wished["size"] = size
    places = Places(f"difftool data draw {name}", file=False)
    for text, over in options(sets):
        if set(over) != {"data"} or not isinstance(over["data"], dict):
            raise InputError(f"{text}: only keys of the data set may be set here, as in --set data.seed=1")
        wished = overlay(wished, over["data"])
        mark(places, over, text)
    maker = Maker(registry, Path.cwd())
    dataset: Dataset = maker.component("dataset", wished, ("data",))
    if maker.problems:
        raise RecipeError([places.say(problem) for problem in maker.problems], do="--set data.KEY=VALUE sets a key")
    return dataset


def _table(head: list[str], rows: Iterable[Iterable[Any]]) -> bytes:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
