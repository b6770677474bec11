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
