"""What other packages bring, as their entry points say: read, never imported. And whether they take part at all."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import metadata

from difftool.errors import InputError

GROUP = "difftool"
"""Modules with hooks."""
PANELS = "difftool.panels"
"""What the dashboard shows. Only the dashboard imports panels, and whoever lists or checks them."""
RECIPES = "difftool.recipes"
"""Packages with a folder of recipes."""


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from, known without importing it."""

    owner: str
    version: str
    entry: str
    target: str  # module, or module:object
    dist: metadata.Distribution | None = field(default=None, compare=False, repr=False)
    group: str = GROUP

    @property
    def id(self) -> str:
        """How the plugin is named in lists and messages; a panel may have the name of its package's plugin."""
        return f"{self.owner}:{'panel.' if self.group == PANELS else ''}{self.entry}"


def entries(group: str) -> list[Source]:
    """All entry points of a group, in order of their owners' names."""
    found: dict[str, Source] = {}
    for dist in metadata.distributions():
        try:
            points, name = dist.entry_points.select(group=group), dist.metadata["Name"]
            named = [Source(name, dist.version, point.name, point.value, dist, group) for point in points if name]
        except Exception:  # a damaged package of somebody's: pip's business, and no reason to stop
            continue
        for source in named:
            found.setdefault(source.id, source)  # the first on sys.path is the one that is imported
    return sorted(found.values(), key=lambda source: source.id)


def third_party_allowed() -> bool:
    """False when DIFFTOOL_PLUGINS=none asks for the built-ins alone."""
    wish = os.environ.get("DIFFTOOL_PLUGINS", "all")
    if wish not in ("all", "none", ""):
        raise InputError(f"DIFFTOOL_PLUGINS is {wish!r}; it may be 'all' or 'none'")
    return wish != "none"
