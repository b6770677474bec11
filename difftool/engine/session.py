"""A training run from its first step to its last: consumes the loop's ticks and writes the run directory."""

from __future__ import annotations

import contextlib
import time
import traceback
from typing import Any

from difftool.core.types import RunInfo
from difftool.data.sheet import sheet
from difftool.engine import checkpoint
from difftool.engine.build import Workshop, versions
from difftool.engine.curve import Curve
from difftool.engine.loop import State, train
from difftool.engine.machine import Machine
from difftool.engine.meter import Meter
from difftool.engine.orders import Orders
from difftool.engine.preview import preview
from difftool.engine.stopping import StopAsked
from difftool.engine.watch import Watcher
from difftool.errors import NonFiniteError, Stopped, exit_code_of
from difftool.plugin.blame import blamed
from difftool.plugin.component import SinkWriter
from difftool.plugin.loader import installed
from difftool.plugin.observers import Observers
from difftool.recipe.write import toml
from difftool.run.layout import RunDir
from difftool.run.records import Status, load
from difftool.run.writer import RunWriter, replace_file


class Session:
    """One attempt at a run; the caller holds the run's lock."""

    def __init__(self, run: RunDir, shop: Workshop, state: State, watcher: Watcher) -> None:
        self.run, self.shop, self.state, self.watcher = run, shop, state, watcher
        self.recipe = shop.recipe
        self.first = state.step
        self.info = RunInfo(str(run.root.absolute()), run.name, shop.table, self.recipe.seed, str(shop.device))
        self.saved = f"step {self.first} in {run.checkpoint(self.first).absolute()}" if self.first else ""
        self.saved_step = self.first or -1
        self.sinks: list[SinkWriter] = []

    def go(self, changes: dict[str, Any] | None = None) -> None:
        """Trains to the end; whatever ends it is written down before it is raised."""
        before = Status.from_json(load(self.run.status))
        self.curve = Curve(before.curve, before.step, self.first)
        self.writer = RunWriter(self.run)
        self.stop = StopAsked()
        self.orders = Orders(self, self.stop)
        self.observers = Observers(installed().plugins, self.say)
        total = self.recipe.train.steps
        try:
            for sink in self.recipe.log.sinks:
                with blamed(self.shop.registry, sink, "opening"):
                    self.sinks.append(sink.open(self.info))
            if changes:  # not before: what a sink refuses must leave the run as it was
                replace_file(self.run.recipe, toml(self.shop.table).encode())
            self.event(
                "start",
                attempt=self.writer.attempt,
                from_step=self.first,
                total=total,
                versions=versions(self.recipe, self.shop.registry),
                changes=changes or {},
            )
            self.writer.status(
                force=True, state="running", step=self.first, total=total, curve=self.curve.reach(self.first)
            )
            self.observers.notify("on_run_start", run=self.info)
            with self.stop, Machine(self.run.root, self.writer.event):
                self._loop()
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)

    def _loop(self) -> None:
        recipe, device, stop, orders = self.recipe, self.shop.device, self.stop, self.orders
        meter = self.meter = Meter(recipe, self.shop.feed, device, self.first)
        look = 1 if device.type == "cpu" else min(20, recipe.log.every)  # elsewhere looking means waiting
        ticks = train(self.state, self.shop.feed, recipe, self.shop.schedule, device, self.shop.precision)
        for tick in ticks:
            meter.add(tick)
            self.watcher.step(tick.step)
            self.writer.status(step=tick.step, curve=self.curve.reach(tick.step))
            last = tick.step == recipe.train.steps
            if (tick.step % look == 0 or last) and (why := meter.broken()):
                self.row()
                raise NonFiniteError(
                    f"{why} (step {tick.step})",
                    why="usually a learning rate that is too high, or data that is not what it should be",
                    do=f"difftool resume {self.run.root} --set optim.lr={recipe.optim.lr / 2:g} --allow-change optim.lr"
                    if self.saved
                    else "lower optim.lr, or set optim.grad_clip = 1.0",
                    saved=self.saved,
                )
            orders.hear()
            if tick.step % recipe.log.every == 0 or last or stop:
                self.row()
            with meter.aside():
                # Saved first, shown after: a preview that takes long or fails must not cost a checkpoint.
                if tick.step % recipe.checkpoint.every == 0 or last or stop:
                    self.save()
                if not stop and (last or (recipe.preview.every and tick.step % recipe.preview.every == 0)):
                    self.preview(recipe.preview.raw)
                orders.answer(more=not last)
            if stop:
                self.row()  # the wish may have come while a preview was drawn, or in a pause
                self.save()
                raise Stopped(
                    f"stopped at step {tick.step} of {recipe.train.steps}",
                    interrupted=stop.interrupted,
                    do=f"difftool resume {self.run.root}",
                    saved=self.saved,
                )

    def row(self) -> None:
        """Writes the means since the last row, if there are steps since."""
        meter = self.meter
        if not meter.steps:
            return
        row = self.event("metrics", **meter.row())
        step = row["step"]
        eta = meter.eta(step)
        curve = self.curve.add(step, row["loss"])
        self.writer.status(step=step, eta=eta, rate=row["images_per_s"], loss=row["loss"], curve=curve)
        self.observers.notify("on_log", run=self.info, step=step, metrics=row)
        self.watcher.row(row, eta)

    def save(self) -> bool:
        """Writes a checkpoint; False if this step has one."""
        step = self.state.step
        if self.saved_step == step:
            return False
        start = time.monotonic()
        path = checkpoint.save(self.run, self.shop, self.state)
        self.writer.sync()
        self.saved_step, self.saved = step, f"step {step} in {path.absolute()}"
        self.event("checkpoint", step=step, path=str(path.relative_to(self.run.root)), seconds=time.monotonic() - start)
        self.observers.notify("on_checkpoint", run=self.info, step=step, path=str(path))
        self.watcher.wrote("checkpoint", path)
        return True

    def preview(self, raw: bool) -> str:
        """Draws a preview; says why there is none. Whatever goes wrong here, training goes on."""
        try:
            drawn = preview(self.run, self.shop, self.state, self._beat, raw)
            if drawn is None:
                return "not finished: the run is stopping"
            fields, pixels = drawn
            self.event("preview", **fields)
            self.observers.notify("on_preview", run=self.info, step=self.state.step, image=sheet(pixels.numpy()))
            self.watcher.wrote("preview", self.run.preview(self.state.step))
        except Stopped:  # somebody asked for the run to be ended at once
            raise
        except Exception as error:
            self._log_traceback()
            why = f"no preview at step {self.state.step}: {type(error).__name__}: {error}"
            self.say(why)
            return why
        return ""

    def _beat(self, done: int, total: int) -> bool:
        """The heart beats while a preview is drawn, and a wish to stop is heard; true: leave it."""
        self.watcher.drawing(done, total)
        self.writer.status()
        self.orders.hear()
        return bool(self.stop)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Into the run's log, and to every sink that still works."""
        record = self.writer.event(kind, **fields)
        for sink in list(self.sinks):
            try:
                sink.event(record)
            except Exception as error:
                self.sinks.remove(sink)
                with contextlib.suppress(Exception):
                    sink.close()
                self.say(f"the sink {type(sink).__name__} failed and is switched off: {error}")
        return record

    def say(self, text: str) -> None:
        """To the person and into the log."""
        self.event("log", level="warning", message=text)
        self.watcher.say(text)

    def _end(self, error: BaseException | None) -> None:
        self.orders.close()
        stopped = isinstance(error, Stopped | KeyboardInterrupt)
        state = "done" if error is None else "stopped" if stopped else "failed"
        code = exit_code_of(error) if error else 0
        if state == "failed":
            self._log_traceback()
            self.event("log", level="error", message=str(error) or type(error).__name__)
        self.event("end", state=state, exit=code, step=self.state.step)
        self.writer.status(force=True, state=state, exit=code, step=self.state.step, eta=None)
        self.observers.notify("on_run_end", run=self.info, outcome=state)
        for sink in self.sinks:
            try:
                sink.close()
            except Exception as failure:
                self.watcher.say(f"the sink {type(sink).__name__} failed to close: {failure}")
        self.writer.close()

    def _log_traceback(self) -> None:
        with contextlib.suppress(OSError), self.run.log.open("a") as log:  # the disk may be what failed
            log.write(traceback.format_exc())
