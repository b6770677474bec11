"""Recipes by name: those that ship, then those that plugins bring.

A plugin brings recipes by an entry point of the group `difftool.recipes`, whose value is a package with a folder
`recipes` in it. A recipe is a file, so the package is found, but never imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import difftool
from difftool.errors import InputError
from difftool.plugin.entries import RECIPES, entries, third_party_allowed


@dataclass(frozen=True)
class Offered:
    """A recipe that has a name."""

    name: str
    path: Path
    owner: str = ""  # the distribution it came with; "": ours

    @property
    def owned(self) -> str:
        """The name that means this recipe whatever else is installed."""
        return f"{self.owner}:{self.name}" if self.owner else self.name


def shipped() -> dict[str, Path]:
    """Recipes that come with difftool, by name: inside the package when installed, beside it in a checkout."""
    package = Path(difftool.__file__).resolve().parent
    folder = package / "recipes"
    if not folder.is_dir():
        folder = package.parent / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def offered() -> list[Offered]:
    """Every recipe that has a name, ours first."""
    ours = [Offered(name, path) for name, path in shipped().items()]
    return ours + sorted(_brought(), key=lambda each: each.owned)


def named(text: str) -> Offered | None:
    """The recipe that a name means: `name`, ours before all, or `distribution:name`."""
    if (ours := shipped()).get(text):
        return Offered(text, ours[text])
    found = [each for each in _brought() if text in (each.name, each.owned)]
    if len(found) > 1:
        owned = " or ".join(sorted(each.owned for each in found))
        raise InputError(f"{len(found)} plugins bring a recipe called {text}", do=f"write {owned}")
    return found[0] if found else None


def _brought() -> list[Offered]:
    found = entries(RECIPES) if third_party_allowed() else []
    each = (Offered(path.stem, path, source.owner) for source in reversed(found) for path in _files(source.target))
    return list({offered.owned: offered for offered in each}.values())


def _files(package: str) -> list[Path]:
    """The recipes in a package, without importing it: only its top is looked up, the rest is folders."""
    top, *rest = package.strip().split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    folders = spec.submodule_search_locations if spec else None
    return [
        path
        for folder in folders or ()
        for path in sorted(Path(folder, *rest, "recipes").glob("*.toml"))
        if path.is_file()
    ]
