"""`difftool plugins`: what is installed. Never imports torch; `list` imports no plugin either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.tables import as_json, table

if TYPE_CHECKING:
    from difftool.plugin.registry import Offer

app = typer.Typer(help="List plugins and what they offer.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON on standard output.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """Every plugin: its version, what it offers, and whether it works."""
    from difftool.plugin.catalogue import catalogue

    rows = catalogue()
    if json:
        as_json(rows)
        return
    table(
        ["PLUGIN", "VERSION", "STATE", "OFFERS"],
        [[row["id"], row["version"], row["state"], row["reason"] or _offers(row)] for row in rows],
    )


def _offers(row: dict[str, Any]) -> str:
    parts = [f"{kind} {', '.join(names)}" for kind, names in row["offers"].items()]
    return "; ".join([*parts, *(["observes the run"] if row["observers"] else [])])


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A component (ddpm, sampler.ddpm) or a plugin.")],
    json: Json = False,
) -> None:
    """What a component is for, its fields and their defaults, and where it comes from."""
    from difftool.errors import InputError, safe_text
    from difftool.plugin.loader import installed
    from difftool.plugin.spelling import nearest

    here = installed()
    kind, _, bare = name.rpartition(".")
    found = [
        offer
        for offer in here.registry.offers
        if (bare in (offer.name, offer.owned) and kind in ("", offer.kind))
        or any(name in (p.source.id, p.source.owner) for p in here.plugins if offer in p.offers)
    ]
    silent = [p for p in here.plugins if name in (p.source.id, p.source.owner) and not p.offers]
    if not found and not silent:
        known = {offer.name for offer in here.registry.offers} | {plugin.source.id for plugin in here.plugins}
        if kind:
            known = {f"{offer.kind}.{offer.name}" for offer in here.registry.offers}
        raise InputError(f"nothing installed is called {name!r}; {nearest(name, known, 'there are')}")
    for plugin in silent:
        what = plugin.reason or f"observes the run: {', '.join(plugin.observers)}"
        typer.echo(safe_text(f"{plugin.source.id} {plugin.source.version} {plugin.state}: {what}"), err=json)
    if json:
        as_json([_described(offer) for offer in found])
        return
    for position, offer in enumerate(found):
        if position or silent:
            typer.echo()
        _print(_described(offer))


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


def _print(about: dict[str, Any]) -> None:
    from difftool.recipe.explain import show

    typer.echo(f"{about['kind']} {about['name']}\n{about['about']}\n")
    for field in about["fields"]:
        default = "required" if field["required"] else "absent" if field["default"] is None else show(field["default"])
        typer.echo(f"  {field['name']}: {field['type']} = {default}\n      {field['about']}")
    typer.echo(f"\nfrom {about['plugin']} {about['version']} ({about['origin']})")
