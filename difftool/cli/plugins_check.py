"""`difftool plugins check`: is it right? Every refusal comes before torch is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from difftool.cli.plugins_named import Meant, everything, meant
from difftool.cli.progress import UI, display
from difftool.cli.tables import as_json, table

if TYPE_CHECKING:
    from difftool.plugin.component import Component
    from difftool.plugin.loader import Plugin
    from difftool.plugin.registry import Offer

    Asked = tuple[str, str, object]  # what kind it is, what it is called, and the part itself

WITHOUT_CHECK = ("exporter",)
"""Kinds of parts that no command uses yet."""

SLOW = 1.0
"""Seconds that importing a plugin may take without a word, also on a machine that is busy."""


def check(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A component (ddpm, sampler.ddpm), a panel or a plugin; absent: all."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Other numbers to try it with.")] = 0,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field of the one component.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """Ask components whether they are right: every rule of their kind that they break, and why."""
    from difftool.errors import InputError, PluginError

    found = meant(name) if name else everything()
    if sets and len(found.offers) != 1:
        what = f"{name} has {len(found.offers)}" if name else "all are meant"
        raise InputError(
            f"--set is for one component, and {what}", do="name it: difftool plugins check unet --set width=8"
        )
    rows = [_unoffered(plugin) for plugin in found.silent]
    parts: list[tuple[Offer, Component]] = []
    for offer in found.offers:
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
    rows += _examined(parts, found, seed, json, choices=not sets)
    _print_rows(rows, json)
    judged = [row for row in rows if row["state"] != "not checked"]
    if wrong := [f"{row['kind']} {row['name']}" for row in judged if row["state"] != "ok"]:
        verb = "is" if len(wrong) == 1 else "are"
        raise PluginError(f"{len(wrong)} of {len(judged)} parts {verb} not right: {', '.join(wrong)}")


def _row(kind: str, name: str, state: str, kept: int = 0, of: int = 0, *, reason: str = "") -> dict[str, Any]:
    return {"kind": kind, "name": name, "state": state, "kept": kept, "of": of, "reason": reason, "broken": []}


def _unoffered(plugin: Plugin) -> dict[str, Any]:
    """A plugin without components: broken, left out, or an observer."""
    state = "broken" if plugin.state == "broken" else "not checked"
    watching = f"it observes runs, by {', '.join(plugin.observers)}, and offers no parts: there is nothing to ask it"
    return _row("plugin", plugin.source.id, state, reason=plugin.reason or watching)


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


def _examined(
    parts: list[tuple[Offer, Component]], found: Meant, seed: int, json: bool, choices: bool
) -> list[dict[str, Any]]:
    """A row for each part, and if so wished for each choice that it has, by itself: mistakes hide in options."""
    from difftool.errors import Stopped

    modules = _modules(found)
    rows: list[dict[str, Any]] = []
    if not (parts or found.panels or modules):
        return rows
    with display(UI.json if json else UI.auto) as show:
        with show.loading("torch"):
            from difftool.testing.variants import variants
        tried: list[Asked] = []
        for offer, part in parts:
            tried.append((offer.kind, offer.owned, part))
            if choices:
                tried += [(offer.kind, f"{offer.owned}({choice})", other) for choice, other in variants(part)]
        tried += [("panel", f"{each.source.owner}:{each.source.entry}", each.panel) for each in found.panels]
        tried += [("module", module, module) for module in modules]
        for done, asked in enumerate(tried):
            what = f"checking {asked[0]} {asked[1]}"
            show.progress(what, done, len(tried))
            try:
                rows += _judged(*asked, seed)
            except KeyboardInterrupt:
                raise Stopped(f"interrupted while {what}", interrupted=True) from None
    return rows


def _modules(found: Meant) -> list[str]:
    """The modules that others' parts come from: difftool's own are known to be quick."""
    from difftool.plugin.loader import installed
    from difftool.plugin.registry import BUILTIN

    here = [plugin for plugin in installed().plugins if plugin.source.owner != BUILTIN and plugin.state == "ok"]
    meant = [plugin for plugin in here if plugin in found.silent or any(o in found.offers for o in plugin.offers)]
    return list(dict.fromkeys(plugin.source.target.partition(":")[0].strip() for plugin in meant))


def _judged(kind: str, called: str, part: object, seed: int) -> list[dict[str, Any]]:
    """A row for what was examined; a module that is right is not worth one."""
    from difftool.errors import InputError
    from difftool.testing.conformance import examine_as
    from difftool.testing.modules import cost
    from difftool.testing.rules import told

    try:
        found = examine_as(kind, part, seed)
    except InputError as refusal:
        return [_row(kind, called, "not checked", reason=str(refusal))]
    broken = [{"rule": each.rule, "reason": each.reason} for each in found if not each.kept]
    row = _row(kind, called, "FAILS" if broken else "ok", len(found) - len(broken), len(found))
    if kind == "module" and not broken:
        taken = cost(called)
        if taken is None or taken[0] < SLOW:
            return []
        row["reason"] = f"importing it takes {taken[0]:.1f} s, and every command that builds parts waits for it"
    return [row | {"broken": broken, "told": told(found)}]


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
