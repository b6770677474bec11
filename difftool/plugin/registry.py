"""Who offers what: names of components, their owners, and the answer when a name is asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from difftool.errors import PluginError
from difftool.plugin.component import KINDS, Component, Strict, kind_of
from difftool.plugin.house import house_of, install
from difftool.plugin.spelling import nearest

BUILTIN = "difftool"
"""The owner of what ships; a bare name always means its component first."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Offer:
    """One component under a name, and whose it is."""

    kind: str
    name: str
    component: type[Component]
    owner: str  # a distribution

    @property
    def owned(self) -> str:
        """The name that means this component whatever else is installed."""
        return self.name if self.owner == BUILTIN else f"{self.owner}:{self.name}"


Lack = Literal["not installed", "left out", "broken"]
"""What is the matter with a plugin that a name needs."""


class UnknownComponent(PluginError):  # noqa: N818
    """No installed plugin offers that name, or more than one does."""

    exit_code = 2

    def __init__(self, text: str, plugin: Lack | None = None) -> None:
        super().__init__(text)
        self.plugin: Lack | None = plugin


class Registry:
    """All offers of all loaded plugins."""

    def __init__(self, offers: Iterable[Offer] = (), broken: Iterable[str] = (), off: Iterable[str] = ()) -> None:
        self.offers, self.broken, self.off = list(offers), list(broken), set(off)
        # A class keeps the name of who offered it first, built-ins before all: others may not rename it.
        self._by_class = {offer.component: offer for offer in reversed(self.offers)}

    def names(self, kind: str) -> list[str]:
        """What may be written in a recipe for this kind."""
        bare = [offer.name for offer in self.offers if offer.kind == kind]
        builtin = {offer.name for offer in self.offers if offer.kind == kind and offer.owner == BUILTIN}
        clashing = {name for name in bare if bare.count(name) > 1 and name not in builtin}
        owned = [
            offer.owned
            for offer in self.offers
            if offer.kind == kind and (offer.name in clashing or (offer.name in builtin and offer.owner != BUILTIN))
        ]
        return sorted({name for name in bare if name not in clashing} | set(owned))

    def get(self, kind: str, name: str) -> type[Component]:
        """The component a recipe means: `name`, or `owner:name`."""
        owner, _, bare = name.rpartition(":")
        found = [o for o in self.offers if o.kind == kind and o.name == bare and (not owner or o.owner == owner)]
        builtin = [offer for offer in found if offer.owner == BUILTIN]
        if builtin:
            found = builtin
        if len(found) == 1:
            return found[0].component
        if found:
            owned = " or ".join(repr(offer.owned) for offer in found)
            raise UnknownComponent(f"{len(found)} plugins offer a {kind} called {name!r}; write {owned}")
        raise self._missing(kind, name, owner)

    def _missing(self, kind: str, name: str, owner: str) -> UnknownComponent:
        owner = owner or house_of(name, kind)
        if owner and owner != BUILTIN and all(offer.owner != owner for offer in self.offers):
            needs = f"{name!r} needs the plugin {owner}, which"
            if owner in self.off:
                return UnknownComponent(f"{needs} DIFFTOOL_PLUGINS=none leaves out", "left out")
            if hurt := [reason for reason in self.broken if reason.startswith(f"{owner}:")]:
                return UnknownComponent(f"{needs} is broken: {hurt[0]}", "broken")
            return UnknownComponent(f"{needs} is not installed ({install(owner)})", "not installed")
        known = self.names(kind)
        text = f"no {kind} is called {name!r}; " + nearest(name, known, "they are")
        return UnknownComponent(text + (f" (broken plugins: {'; '.join(self.broken)})" if self.broken else ""))

    def offer(self, component: type[Component]) -> Offer:
        """The offer of a component class."""
        try:
            return self._by_class[component]
        except KeyError:
            raise PluginError(
                f"{component.__name__} is not registered, so it has no name to be saved under",
                do=f"register it in a plugin: register({component.__name__.lower()!r}, {component.__name__})",
            ) from None

    def dump(self, part: Strict) -> dict[str, Any]:
        """Plain values that build the same part again; None is an absent key."""
        table: dict[str, Any] = {}
        if isinstance(part, Component):
            table["name"] = self.offer(type(part)).owned
        for field in type(part).model_fields:
            if (value := self.plain(getattr(part, field))) is not None:
                table[field] = value
        return table

    def plain(self, value: Any) -> Any:
        """A field's value as TOML has it."""
        if isinstance(value, Strict):
            return self.dump(value)
        if isinstance(value, tuple):
            return [self.plain(item) for item in value]
        return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def objection(kind: str, name: str, component: Any) -> str | None:
    """Why a component may not be registered, or None."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"a name is lower-case letters, digits, - and _; {name!r} is not"
    base = KINDS[kind]
    if kind_of(component) != kind:
        return f"{component!r} is not a {base.__name__}; derive it from difftool.api.{base.__name__}"
    if not (component.__doc__ or "").strip():
        return f"{component.__name__} has no docstring, and that is the help its users see"
    for field, info in component.model_fields.items():
        if field == "name" or (field not in base.model_fields and hasattr(base, field)):
            return (
                f"the field {field!r} of {component.__name__} hides a name that belongs to {base.__name__}; rename it"
            )
        if isinstance(info.default, float) and not math.isfinite(info.default):
            return (
                f"the field {field!r} of {component.__name__} has the default {info.default}, which no recipe can say"
            )
        if _mutable(info.annotation):
            return f"the field {field!r} of {component.__name__} can be changed from outside; use a tuple"
    return None


def _mutable(annotation: Any) -> bool:
    if annotation in (list, dict, set) or get_origin(annotation) in (list, dict, set):
        return True
    return any(_mutable(argument) for argument in get_args(annotation))
