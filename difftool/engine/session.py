"""A training run from its first step to its last: consumes the loop's ticks and writes the run directory."""

from __future__ import annotations

import contextlib
import time
import traceback
from typing import Any

import torch

from difftool.core.sampling import to_bytes
from difftool.core.types import RunInfo
from difftool.data.sheet import sheet
from difftool.engine import checkpoint, pictures
from difftool.engine.build import Workshop, how_of, model_of, versions
from difftool.engine.loop import State, Tick, train
from difftool.engine.meter import Meter
from difftool.engine.stopping import StopAsked
from difftool.engine.watch import Watcher
from difftool.errors import NonFiniteError, Stopped, exit_code_of
from difftool.plugin.blame import blamed
from difftool.plugin.component import SinkWriter
from difftool.plugin.loader import installed
from difftool.plugin.observers import Observers
from difftool.run.layout import RunDir
from difftool.run.records import encode
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
        self.writer = RunWriter(self.run)
        self.observers = Observers(installed().plugins, self.say)
        total = self.recipe.train.steps
        try:
            for sink in self.recipe.log.sinks:
                with blamed(self.shop.registry, sink, "opening"):
                    self.sinks.append(sink.open(self.info))
            self.event(
                "start",
                attempt=self.writer.attempt,
                from_step=self.first,
                total=total,
                versions=versions(self.recipe, self.shop.registry),
                changes=changes or {},
            )
            self.writer.status(force=True, state="running", step=self.first, total=total)
            self.observers.notify("on_run_start", run=self.info)
            with StopAsked() as stop:
                self._loop(stop)
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)

    def _loop(self, stop: StopAsked) -> None:
        recipe, device = self.recipe, self.shop.device
        meter = Meter(recipe, self.shop.feed, device, self.first)
        look = 1 if device.type == "cpu" else min(20, recipe.log.every)  # elsewhere looking means waiting
        ticks = train(self.state, self.shop.feed, recipe, self.shop.schedule, device, self.shop.precision)
        for tick in ticks:
            meter.add(tick)
            self.watcher.step(tick.step)
            last = tick.step == recipe.train.steps
            if (tick.step % look == 0 or last) and (why := meter.broken()):
                self._row(meter, tick)
                raise NonFiniteError(
                    f"{why} (step {tick.step})",
                    why="usually a learning rate that is too high, or data that is not what it should be",
                    do=f"difftool resume {self.run.root} --set optim.lr={recipe.optim.lr / 2:g} --allow-change optim.lr"
                    if self.saved
                    else "lower optim.lr, or set optim.grad_clip = 1.0",
                    saved=self.saved,
                )
            if tick.step % recipe.log.every == 0 or last or stop:
                self._row(meter, tick)
            start = time.monotonic()
            # Saved first, shown after: a preview that takes long or fails must not cost a checkpoint.
            if tick.step % recipe.checkpoint.every == 0 or last or stop:
                self._save()
            if not stop and (last or (recipe.preview.every and tick.step % recipe.preview.every == 0)):
                self._preview(stop)
            meter.paused += time.monotonic() - start
            if stop:
                self._save()  # the wish may have come while a preview was drawn
                raise Stopped(
                    f"stopped at step {tick.step} of {recipe.train.steps}",
                    interrupted=stop.interrupted,
                    do=f"difftool resume {self.run.root}",
                    saved=self.saved,
                )

    def _row(self, meter: Meter, tick: Tick) -> None:
        row = self.event("metrics", **meter.row(tick))
        eta = meter.eta(tick.step)
        self.writer.status(step=tick.step, eta=eta, rate=row["images_per_s"], loss=row["loss"])
        self.observers.notify("on_log", run=self.info, step=tick.step, metrics=row)
        self.watcher.row(row, eta)

    def _save(self) -> None:
        step = self.state.step
        if self.saved_step == step:
            return
        self.saved_step = step
        start = time.monotonic()
        path = checkpoint.save(self.run, self.shop, self.state)
        self.writer.sync()
        self.saved = f"step {step} in {path.absolute()}"
        self.event("checkpoint", step=step, path=str(path.relative_to(self.run.root)), seconds=time.monotonic() - start)
        self.observers.notify("on_checkpoint", run=self.info, step=step, path=str(path))
        self.watcher.wrote("checkpoint", path)

    def _preview(self, stop: StopAsked) -> None:
        """Pictures from the same noise every time. Whatever goes wrong here, training goes on."""
        try:
            self._draw_preview(stop)
        except Exception as error:
            self._log_traceback()
            self.say(f"no preview at step {self.state.step}: {type(error).__name__}: {error}")

    def _draw_preview(self, stop: StopAsked) -> None:
        recipe, step = self.recipe, self.state.step
        how = how_of(recipe.sampler, recipe.sample, recipe.preview)
        net = self.state.best.eval()
        model = model_of(self.shop, net, how)
        seeds = range(recipe.preview.count)
        parts = [seeds[i : i + recipe.sample.batch] for i in range(0, len(seeds), recipe.sample.batch)]
        done = []
        for number, part in enumerate(parts):
            for at in model.walk(part):
                self.watcher.drawing(number * at.total + at.index, len(parts) * at.total)
                self.writer.status()  # the heart beats while a preview is drawn
                if stop:
                    return
            done.append(to_bytes(at.x))
        pixels = torch.cat(done)
        words = {
            "step": step,
            "seeds": f"0-{len(seeds) - 1}",
            "sampler": self.shop.registry.dump(recipe.preview.sampler or recipe.sampler),
            "steps": at.total,
            "ema": self.state.ema is not None,
        }
        path = self.run.preview(step)
        replace_file(path, pictures.grid(pixels, words))
        replace_file(path.with_suffix(".json"), encode(words))
        self.event("preview", path=str(path.relative_to(self.run.root)), **words)
        self.observers.notify("on_preview", run=self.info, step=step, image=sheet(pixels.numpy()))
        self.watcher.wrote("preview", path)

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Into the run's log, and to every sink that still works."""
        record = self.writer.event(kind, **fields)
        for sink in list(self.sinks):
            try:
                sink.event(record)
            except Exception as error:
                self.sinks.remove(sink)
                self.say(f"the sink {type(sink).__name__} failed and is switched off: {error}")
        return record

    def say(self, text: str) -> None:
        """To the person and into the log."""
        self.event("log", level="warning", message=text)
        self.watcher.say(text)

    def _end(self, error: BaseException | None) -> None:
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
