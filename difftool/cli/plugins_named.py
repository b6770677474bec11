"""What a NAME of `difftool plugins` means: a component, a panel, a plugin, or all that a distribution brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from difftool.plugin.entries import Source
    from difftool.plugin.loader import Plugin
    from difftool.plugin.registry import Offer


@dataclass
class Meant:
    """Everything that a name means."""

    offers: list[Offer] = field(default_factory=list)
    panels: list[Plugin] = field(default_factory=list)
    silent: list[Plugin] = field(default_factory=list)
    """plugins that offer nothing: broken, left out, or observers"""


def everything() -> Meant:
    """All that is installed."""
    from difftool.plugin.loader import installed, panels

    here = installed()
    found = Meant(list(here.registry.offers), [], [plugin for plugin in here.plugins if not plugin.offers])
    _add(found, panels())
    return found


def meant(name: str) -> Meant:
    """What this name means; a name that means nothing is refused."""
    from difftool.errors import InputError
    from difftool.plugin.house import house_of, install
    from difftool.plugin.loader import installed, panels
    from difftool.plugin.spelling import nearest
    from difftool.recipe.offered import offered

    here = installed()
    kind, _, bare = name.rpartition(".")
    plugins = [plugin for plugin in here.plugins if name in (plugin.source.id, plugin.source.owner)]
    offers = [
        offer
        for offer in here.registry.offers
        if (bare in (offer.name, offer.owned) and kind in ("", offer.kind))
        or any(offer in plugin.offers for plugin in plugins)
    ]
    found = Meant(offers, [], [plugin for plugin in plugins if not plugin.offers])
    _add(found, [source for source in panels() if name in _names(source)])
    if not (found.offers or found.panels or found.silent):  # then perhaps the second half of an id
        for plugin in here.plugins:
            if plugin.source.entry == name:
                found.offers += plugin.offers
                found.silent += [] if plugin.offers else [plugin]
    if not (found.offers or found.panels or found.silent):
        known = {offer.name for offer in here.registry.offers} | {plugin.source.id for plugin in here.plugins}
        known |= {source.entry for source in panels()}
        if kind:
            known = {f"{offer.kind}.{offer.name}" for offer in here.registry.offers}
            known |= {f"panel.{source.entry}" for source in panels()}
        package = house_of(bare, kind)
        if package in here.registry.off:
            raise InputError(f"{name!r} is left out by DIFFTOOL_PLUGINS=none", do="unset DIFFTOOL_PLUGINS")
        if brought := [recipe.name for recipe in offered() if recipe.owner == name]:
            raise InputError(f"{name} brings recipes alone: {', '.join(brought)}", do="difftool recipes show NAME")
        if package:
            raise InputError(f"{name!r} is not installed", why=f"it comes with {package}", do=install(package))
        broken = "".join(f" (broken: {why})" for why in here.registry.broken)
        raise InputError(f"nothing installed is called {name!r}; {nearest(name, known, 'there are')}{broken}")
    return found


def _names(panel: Source) -> tuple[str, ...]:
    owned = f"{panel.owner}:{panel.entry}"
    return panel.entry, f"panel.{panel.entry}", owned, f"panel.{owned}", panel.id, panel.owner


def _add(found: Meant, panels: list[Source]) -> None:
    """Only those that are meant are imported."""
    from difftool.plugin.loader import load

    for plugin in map(load, panels):
        (found.panels if plugin.panel else found.silent).append(plugin)
