"""Saying whose fault it is: an exception inside somebody's component is told with its name, not as a bug of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from difftool.errors import DifftoolError, MachineError, PluginError, out_of_memory
from difftool.plugin.component import Component
from difftool.plugin.registry import BUILTIN, Registry


@contextlib.contextmanager
def blamed(registry: Registry, part: Component, doing: str) -> Iterator[None]:
    """Whatever goes wrong inside is the part's doing, unless it ships with difftool: then it is a bug of ours."""
    try:
        yield
    except DifftoolError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise MachineError(
                f"out of memory while {doing}",
                why=str(error).split("\n", maxsplit=1)[0],
                do="a smaller train.batch or a larger train.accumulate; --batch when sampling; metric.batch for eval",
            ) from error
        offer = registry.offer(type(part))
        if offer.owner == BUILTIN:
            raise
        raise PluginError(
            f"the {offer.kind} {offer.owned} failed while {doing}: {type(error).__name__}: {error}",
            do=f"tell the authors of {offer.owner}, or choose another {offer.kind}",
        ) from error
