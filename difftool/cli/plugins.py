"""`difftool plugins`: what is installed, and whether it is right. Only `check` loads torch; `list` not even plugins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.progress import UI, display
from difftool.cli.tables import as_json, table

if TYPE_CHECKING:
    from difftool.plugin.component import Component
    from difftool.plugin.loader import Plugin
    from difftool.plugin.registry import Offer

app = typer.Typer(help="List plugins and what they offer, and check whether it is right.", no_args_is_help=True)

WITHOUT_CHECK = ("metric", "exporter", "sink")
"""Kinds of parts whose work has no mathematics that could be told to be wrong."""

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
    from difftool.errors import safe_text

    found, silent = _meant(name)
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


def _meant(name: str) -> tuple[list[Offer], list[Plugin]]:
    """(the components that a name means, the plugins by that name that offer none)."""
    from difftool.errors import InputError
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
    return found, silent


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


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A component (ddpm, sampler.ddpm) or a plugin; absent: all.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Other numbers to try it with.")] = 0,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the one component.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask components whether they are right: every rule of their kind that they break, and why."""
    from difftool.errors import InputError, PluginError
    from difftool.plugin.loader import installed

    here = installed()
    offers, silent = _meant(name) if name else (here.registry.offers, [p for p in here.plugins if not p.offers])
    if sets and len(offers) != 1:
        what = f"{name} has {len(offers)}" if name else "all are meant"
        raise InputError(
            f"--set is for one component, and {what}", do="name it: difftool plugins check unet --set width=8"
        )
    rows = [_unoffered(plugin) for plugin in silent]
    parts: list[tuple[Offer, Component]] = []
    for offer in offers:
        needs = [field for field, details in offer.component.model_fields.items() if details.is_required()]
        if offer.kind in WITHOUT_CHECK:
            rows.append(_row(offer.kind, offer.owned, "not checked", reason="its kind has no check"))
        elif needs and not sets:
            how = " ".join(f"--set {field}=..." for field in needs)
            rows.append(_row(offer.kind, offer.owned, "not checked", reason=f"it needs {how}"))
        else:
            try:
                parts.append((offer, _part(offer, sets or [])))
            except Exception as error:
                if sets:
                    raise
                rows.append(_row(offer.kind, offer.owned, "FAILS", reason=f"cannot be made with its defaults: {error}"))
    rows += _examined(parts, seed, json, choices=not sets)
    _print_rows(rows, json)
    judged = [row for row in rows if row["state"] != "not checked"]
    if wrong := [f"{row['kind']} {row['name']}" for row in judged if row["state"] != "ok"]:
        verb = "is" if len(wrong) == 1 else "are"
        raise PluginError(f"{len(wrong)} of {len(judged)} components {verb} not right: {', '.join(wrong)}")


def _row(kind: str, name: str, state: str, kept: int = 0, of: int = 0, *, reason: str = "") -> dict[str, Any]:
    return {"kind": kind, "name": name, "state": state, "kept": kept, "of": of, "reason": reason, "broken": []}


def _unoffered(plugin: Plugin) -> dict[str, Any]:
    """A plugin without components: broken, left out, or an observer."""
    state = "broken" if plugin.state == "broken" else "not checked"
    return _row("plugin", plugin.source.id, state, reason=plugin.reason or "it observes runs and has no components")


def _part(offer: Offer, sets: list[str]) -> Component:
    """The component with its defaults, and with what was set."""
    from difftool.errors import RecipeError
    from difftool.plugin.loader import installed
    from difftool.recipe.explain import Places
    from difftool.recipe.make import Maker
    from difftool.recipe.overlay import Table, mark, options, overlay

    wished: Table = {}
    places = Places("", options={(): f"{offer.kind} {offer.owned}"})
    for text, over in options(sets):
        wished = overlay(wished, over)
        mark(places, over, text)
    maker = Maker(installed().registry, Path.cwd())
    part: Component | None = maker.part(offer.component, wished, ())
    if part is None:
        raise RecipeError([places.say(problem) for problem in maker.problems])
    return part


def _examined(parts: list[tuple[Offer, Component]], seed: int, json: bool, choices: bool) -> list[dict[str, Any]]:
    """A row for each part, and if so wished for each choice that it has, by itself: mistakes hide in options."""
    rows: list[dict[str, Any]] = []
    if not parts:
        return rows
    with display(UI.json if json else UI.auto) as show:
        with show.loading("torch"):
            from difftool.testing import examine
            from difftool.testing.rules import told
            from difftool.testing.variants import variants
        tried = []
        for offer, part in parts:
            tried.append((offer, offer.owned, part))
            if choices:
                tried += [(offer, f"{offer.owned}({choice})", other) for choice, other in variants(part)]
        for done, (offer, called, part) in enumerate(tried):
            show.progress(f"checking {offer.kind} {called}", done, len(tried))
            found = examine(part, seed)
            broken = [{"rule": each.rule, "reason": each.reason} for each in found if not each.kept]
            state = "FAILS" if broken else "ok"
            row = _row(offer.kind, called, state, len(found) - len(broken), len(found))
            rows.append(row | {"broken": broken, "told": told(found)})
    return rows


def _print_rows(rows: list[dict[str, Any]], json: bool) -> None:
    from difftool.errors import safe_text

    if json:
        as_json([{key: value for key, value in row.items() if key != "told"} for row in rows])
        return
    judged = [row for row in rows if row["state"] != "not checked"]
    if judged:
        rules = [f"{row['kept']} of {row['of']}" if row["of"] else "" for row in judged]
        heads = ["KIND", "NAME", "RULES KEPT", "STATE"]
        table(heads, [[row["kind"], row["name"], kept, row["state"]] for row, kept in zip(judged, rules, strict=True)])
    for row in judged:
        if row["broken"] or row["reason"]:
            typer.echo(safe_text(f"\n{row['kind']} {row['name']}" + (f": {row['reason']}" if row["reason"] else "")))
        for rule, reason in row.get("told", []):
            typer.echo(safe_text(f"  {rule}" if rule else f"      {reason}"))
    if others := [f"{row['kind']} {row['name']} ({row['reason']})" for row in rows if row["state"] == "not checked"]:
        typer.echo(safe_text(f"\nnot checked: {'; '.join(others)}" if judged else f"not checked: {'; '.join(others)}"))
