"""The packages of the house and what is in them: whoever lacks one is told its name, not only that a part is unknown.

A test compares this with the packages themselves.
"""

from __future__ import annotations

HOUSE: dict[str, dict[str, tuple[str, ...]]] = {
    "difftool-dit": {
        "backbone": ("dit",),
        "recipe": ("dit-faces",),
    },
    "difftool-edm": {
        "schedule": ("edm",),
        "loss": ("lognormal",),
        "sampler": ("edm",),
        "target": ("edm",),
        "recipe": ("edm-faces", "edm-two-pixel"),
    },
    "difftool-solvers": {
        "sampler": ("dpm-2m", "dpm-3m", "dpm-2m-sde", "unipc", "deis", "ipndm", "heun"),
        "recipe": ("fast-faces",),
    },
}
"""Distribution -> kind -> names; `recipe` stands for the recipes that it brings."""


def house_of(name: str, kind: str = "") -> str:
    """The package that brings it, by `name` or `package:name`, or the package itself; "" if it is none of the house."""
    owner, _, bare = name.rpartition(":")
    for package, kinds in HOUSE.items():
        offered = kinds.get(kind, ()) if kind else [each for names in kinds.values() for each in names]
        if name == package or (owner in ("", package) and bare in offered):
            return package
    return ""


def install(package: str) -> str:
    """What to type to have a package."""
    also = f"; from a checkout of difftool: pip install ./plugins/{package}" if package in HOUSE else ""
    return f"pip install {package}{also}"
