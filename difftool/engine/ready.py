"""A data set made ready: prepared, told about, opened. Needs no torch, so that what is wrong is said at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from difftool.errors import InputError
from difftool.plugin.blame import blamed

if TYPE_CHECKING:
    from difftool.core.types import Images, Report
    from difftool.engine.watch import Watcher
    from difftool.plugin.component import Dataset
    from difftool.plugin.registry import Registry


def ready(dataset: Dataset, registry: Registry, watcher: Watcher) -> tuple[Images, Report | None]:
    """The pictures, at least one, and what was found."""
    with blamed(registry, dataset, "preparing the data"):
        report = dataset.prepare(partial(watcher.progress, "preparing pictures"))
    for line in (report.found, *report.notes) if report else ():
        watcher.say(line)
    with blamed(registry, dataset, "opening the data"):
        images = dataset.open()
    if len(images) == 0:
        raise InputError("the data set is empty", where=registry.offer(type(dataset)).owned)
    return images, report
