"""`difftool recipes`: what can be trained. Never imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from difftool.cli.tables import as_json, table

app = typer.Typer(help="List, show, copy and check recipes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="RECIPE", help="A .toml file, or the name of one that ships.")]


@app.command("list")
def list_(json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False) -> None:
    """The recipes that ship with difftool, and those that plugins bring."""
    from difftool.recipe.offered import offered

    found = offered()
    if json:
        as_json([{"name": each.owned, "about": about_of(each.path), "path": str(each.path)} for each in found])
        return
    names = [each.name for each in found]
    rows = [
        (each.name if names.count(each.name) == 1 else each.owned, about_of(each.path), each.owner or "difftool")
        for each in found
    ]
    table(["NAME", "WHAT IT IS", "FROM"], rows)


@app.command()
def show(name: Name) -> None:
    """Print a recipe."""
    from difftool.recipe.source import read

    source = read(name)
    if source.note:
        typer.echo(source.note, err=True)
    typer.echo(source.text, nl=False)


@app.command()
def copy(name: Name, file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to.")] = None) -> None:
    """Copy a recipe, to change it."""
    from difftool.errors import DiskError, InputError
    from difftool.recipe.source import read

    source = read(name)
    own = Path(source.label).name
    target = file or Path(own)
    if target.is_dir():
        target = target / own
    try:
        with target.open("x", encoding="utf-8") as out:
            out.write(source.text)
    except FileExistsError:
        raise InputError(f"{target.absolute()} is already there", do="name another file") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"there is no folder {target.absolute().parent}", do="make it first, or name another"
        ) from None
    except OSError as error:
        raise DiskError(f"cannot write {target.absolute()}", why=error.strerror or str(error)) from None
    if source.note:
        typer.echo(source.note, err=True)
    typer.echo(f"{target.absolute()}\nnext: edit it, then difftool train {target}", err=True)


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Files, or names of recipes that ship.")],
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key first.")] = None,
) -> None:
    """Check recipes with all their profiles, without training."""
    from difftool.errors import InputError, RecipeError
    from difftool.plugin.loader import installed
    from difftool.recipe.load import load

    wrong: list[str] = []
    for name in files:
        try:
            loaded = load(name, installed().registry, sets=sets)
        except RecipeError as error:
            wrong += error.problems
        except InputError as error:
            wrong.append("; ".join(filter(None, [str(error), error.why, error.do])))
        else:
            profiles = f" (profiles: {', '.join(loaded.profiles)})" if loaded.profiles else ""
            note = f" ({loaded.source.note})" if loaded.source.note else ""
            typer.echo(f"{loaded.source.label}: good{profiles}{note}", err=True)
    if wrong:
        raise RecipeError(wrong)


@app.command()
def schema() -> None:
    """Print a JSON schema of recipes for everything that is installed, for editors."""
    from difftool.plugin.loader import installed
    from difftool.recipe.schema import schema as make

    as_json(make(installed().registry))


def about_of(path: Path) -> str:
    """The first comment of a recipe says what it is."""
    try:
        first = path.read_text("utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError):  # a plugin's file, and none of ours
        return "cannot be read"
    return first.lstrip("# ").split("  ")[0] if first.startswith("#") else ""
