"""`difftool plugins`: what is installed, and whether it is right. Only `check` loads torch; `list` not even plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli import plugins_check, plugins_new
from difftool.cli.plugins_named import meant
from difftool.cli.tables import as_json, table

if TYPE_CHECKING:
    from difftool.plugin.loader import Plugin
    from difftool.plugin.registry import Offer

app = typer.Typer(help="List plugins and what they offer, and check whether it is right.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON on standard output.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """Every plugin: its version, what it offers, and whether it works."""
    from difftool.plugin.catalogue import catalogue

    rows = _with_recipes(catalogue())
    if json:
        as_json(rows)
        return
    table(
        ["PLUGIN", "VERSION", "STATE", "OFFERS"],
        [[row["id"], row["version"], row["state"], row["reason"] or _offers(row)] for row in rows],
    )


def _with_recipes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Recipes are files, and known without asking a plugin; a package may bring nothing else."""
    from importlib.metadata import version

    from difftool.recipe.offered import offered

    found: dict[str, list[str]] = {}
    for recipe in offered():
        if recipe.owner:
            found.setdefault(recipe.owner, []).append(recipe.name)
    for owner, names in found.items():
        row = next((row for row in rows if row["owner"] == owner), None)
        if row is None:
            row = {"id": owner, "owner": owner, "version": version(owner), "module": "", "state": "ok", "reason": ""}
            rows.append(row | {"offers": {"recipe": names}, "observers": []})
        else:
            row["offers"]["recipe"] = names
    return rows


def _offers(row: dict[str, Any]) -> str:
    parts = [f"{kind} {', '.join(names)}" for kind, names in row["offers"].items()]
    return "; ".join([*parts, *(["observes the run"] if row["observers"] else [])])


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A component (ddpm, sampler.ddpm), a panel or a plugin.")],
    json: Json = False,
) -> None:
    """What a component is for, its fields and their defaults, and where it comes from."""
    from difftool.errors import safe_text

    found = meant(name)
    for plugin in found.silent:
        what = plugin.reason or f"observes the run: {', '.join(plugin.observers)}"
        typer.echo(safe_text(f"{plugin.source.id} {plugin.source.version} {plugin.state}: {what}"), err=json)
    described = [_described(offer) for offer in found.offers] + [_described_panel(panel) for panel in found.panels]
    if json:
        as_json(described)
        return
    for position, each in enumerate(described):
        if position or found.silent:
            typer.echo()
        _print(each)


def _described(offer: Offer) -> dict[str, Any]:
    from inspect import cleandoc

    from difftool.plugin.loader import installed
    from difftool.recipe.explain import type_words

    plugin = next(plugin for plugin in installed().plugins if offer in plugin.offers)
    registry = installed().registry
    return {
        "kind": offer.kind,
        "name": offer.owned,
        "about": cleandoc(offer.component.__doc__ or ""),
        "fields": [
            {
                "name": field,
                "type": type_words(details.annotation),
                "default": None
                if details.is_required()
                else registry.plain(details.get_default(call_default_factory=True)),
                "required": details.is_required(),
                "about": details.description or "",
            }
            for field, details in offer.component.model_fields.items()
        ],
        "plugin": plugin.source.id,
        "version": plugin.source.version,
        "origin": f"{offer.component.__module__}.{offer.component.__qualname__}",
    }


def _described_panel(plugin: Plugin) -> dict[str, Any]:
    from inspect import cleandoc

    source, panel = plugin.source, plugin.panel
    about = cleandoc((isinstance(panel, type) and panel.__doc__) or "A panel of the dashboard.")
    return {
        "kind": "panel",
        "name": f"{source.owner}:{source.entry}",
        "about": about,
        "fields": [],
        "plugin": source.id,
        "version": source.version,
        "origin": source.target.replace(":", ".").replace(" ", ""),
    }


def _print(about: dict[str, Any]) -> None:
    from difftool.recipe.explain import show

    typer.echo(f"{about['kind']} {about['name']}\n{about['about']}\n")
    for field in about["fields"]:
        default = "required" if field["required"] else "absent" if field["default"] is None else show(field["default"])
        typer.echo(f"  {field['name']}: {field['type']} = {default}\n      {field['about']}")
    typer.echo(f"\nfrom {about['plugin']} {about['version']} ({about['origin']})")


app.command("check")(plugins_check.check)
app.command("new")(plugins_new.new)
