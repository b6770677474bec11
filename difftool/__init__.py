"""difftool: train, watch, sample and extend diffusion models from the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from difftool.engine.notebook import load as load
    from difftool.engine.notebook import train as train

__all__ = ["__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    """`difftool.load` and `difftool.train` fetch torch when they are first used; importing difftool does not."""
    if name in ("load", "train"):
        from difftool.engine import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'difftool' has no attribute {name!r}")
