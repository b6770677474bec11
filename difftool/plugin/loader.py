"""Loading plugins one by one, so that none can hurt another.

pluggy's own loader lets one broken plugin stop the program, drops a second entry point of the same name in silence
and accepts misspelt hooks; so each plugin gets a manager of its own here, is checked, and is kept whole or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pluggy
import pydantic

from difftool import __version__
from difftool.errors import PluginError
from difftool.plugin import hookspecs
from difftool.plugin.component import KINDS, Component
from difftool.plugin.entries import GROUP, PANELS, Source, entries, third_party_allowed
from difftool.plugin.registry import BUILTIN, Offer, Registry, objection
from difftool.plugin.spelling import nearest

BUILTIN_MODULES = tuple(
    f"difftool.builtin.{module}"
    for module in (
        *("schedules", "targets", "losses", "hybrid", "ddpm", "ddim", "unet", "mlp", "conditions", "bits"),
        *("shapes", "avatars", "images", "two_pixel", "density", "idx", "cifar", "npz", "csv_sink", "tensorboard"),
    )
)

HOOK_OF = {kind: f"register_{'losses' if kind == 'loss' else kind + 's'}" for kind in KINDS}
SLOW = 2.0
"""Seconds after which whoever waits for a plugin is told so."""
OBSERVERS = ("on_run_start", "on_log", "on_preview", "on_checkpoint", "on_run_end")


@dataclass
class Plugin:
    """One plugin after loading: what it offers and observes, or why it could not be used."""

    source: Source
    state: Literal["ok", "broken", "off"] = "ok"
    reason: str = ""
    offers: list[Offer] = field(default_factory=list)
    observers: dict[str, Callable[..., object]] = field(default_factory=dict)
    panel: Callable[[], Any] | None = None
    """what the dashboard calls to make it, if it is a panel"""


@dataclass(frozen=True)
class Installed:
    """Everything that is installed, loaded."""

    plugins: list[Plugin]
    registry: Registry


def sources() -> list[Source]:
    """All plugins there are: the built-ins, then entry points in order of their owners' names."""
    ours = [Source(BUILTIN, __version__, module.rpartition(".")[2], module) for module in BUILTIN_MODULES]
    return ours + entries(GROUP)


def panels() -> list[Source]:
    """All panels for the dashboard; nothing that builds parts asks for them."""
    return entries(PANELS)


@functools.cache
def installed() -> Installed:
    """Loads everything, once a process."""
    with contextlib.redirect_stdout(sys.stderr):  # whatever they print: standard output is for data
        plugins = [load(source) for source in sources()]
    for plugin in plugins:
        if plugin.state == "broken" and plugin.source.owner == BUILTIN:
            raise PluginError(f"a part of difftool itself is broken: {plugin.reason}", where=plugin.source.target)
    offers = [offer for plugin in plugins for offer in plugin.offers]
    broken = [f"{plugin.source.id}: {plugin.reason}" for plugin in plugins if plugin.state == "broken"]
    off = [plugin.source.owner for plugin in plugins if plugin.state == "off"]
    return Installed(plugins, Registry(offers, broken, off))


def load(source: Source) -> Plugin:
    """Imports and checks one plugin; whatever it does wrong becomes a reason."""
    if not third_party_allowed() and source.owner != BUILTIN:
        return Plugin(source, "off", "DIFFTOOL_PLUGINS=none")
    try:
        module_name, _, attribute = source.target.partition(":")
        with warnings.catch_warnings(), _patience(source):
            warnings.filterwarnings("ignore", "Field name .* shadows an attribute")  # refused below, in our words
            module: Any = importlib.import_module(module_name.strip())
        for part in filter(None, attribute.strip().split(".")):
            module = getattr(module, part)
        return _panel(source, module) if source.group == PANELS else _examine(source, module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit at import included
        return Plugin(source, "broken", reason(error))


@contextlib.contextmanager
def _patience(source: Source) -> Iterator[None]:
    """Says what a command is waiting for, if that takes long."""
    timer = threading.Timer(SLOW, lambda: print(f"waiting for the plugin {source.id} to load", file=sys.stderr))
    timer.daemon = True
    if source.owner != BUILTIN:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _examine(source: Source, module: Any) -> Plugin:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    known = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]
    manager.register(module, name=source.id)
    plugin = Plugin(source)
    callers = manager.get_hookcallers(manager.get_plugin(source.id)) or []
    if not callers:
        raise PluginError("implements no hook; mark its functions with difftool.api.hookimpl")
    for caller in callers:
        if not caller.has_spec():
            raise PluginError(f"there is no hook {caller.name!r}; {nearest(caller.name, known, 'the hooks are')}")
        for impl in caller.get_hookimpls():
            if impl.kwargnames:
                raise PluginError(f"{caller.name}: {impl.kwargnames[0]!r} has a default, so it would never be passed")
            if impl.wrapper or impl.hookwrapper:
                raise PluginError(f"{caller.name}: wrappers are not supported")
            if caller.name in OBSERVERS:
                plugin.observers[caller.name] = _only(impl.function, impl.argnames)
    for kind, hook in HOOK_OF.items():
        for impl in getattr(manager.hook, hook).get_hookimpls():
            impl.function(*[_registrar(plugin, kind)][: len(impl.argnames)])
    return plugin


def _panel(source: Source, named: Any) -> Plugin:
    """Made as the dashboard makes it, without arguments."""
    if not callable(named):
        raise PluginError(f"{source.target} is no class; a panel is a class with a title and draw(run, width, height)")
    if not callable(getattr(named(), "draw", None)):
        raise PluginError(f"{source.target} has no method draw(run, width, height), so it is no panel")
    return Plugin(source, panel=named)


def _registrar(plugin: Plugin, kind: str) -> Callable[[str, type[Component]], None]:
    def register(name: str, component: type[Component]) -> None:
        if why := objection(kind, name, component):
            raise PluginError(f"{HOOK_OF[kind]}: {why}")
        if any(offer.kind == kind and offer.name == name for offer in plugin.offers):
            raise PluginError(f"{HOOK_OF[kind]}: registers {name!r} twice")
        if any(offer.component is component for offer in plugin.offers):
            raise PluginError(f"{HOOK_OF[kind]}: registers {component.__name__} twice; derive a class for each name")
        plugin.offers.append(Offer(kind, name, component, plugin.source.owner))

    return register


def _only(function: Callable[..., object], names: tuple[str, ...]) -> Callable[..., object]:
    """A plugin asks for the arguments it wants, in any order; hooks may gain parameters later."""
    return lambda **arguments: function(**{name: arguments[name] for name in names})


def reason(error: BaseException) -> str:
    """What a plugin did wrong, and where, in one line."""
    if isinstance(error, pluggy.PluginValidationError):
        *_, hook, what = str(error).split("\n")
        return f"{hook.removeprefix('hookimpl definition: ')}: {what}"
    if isinstance(error, PluginError):
        return str(error)
    # The frames of the import system, and of who makes classes, say nothing about the plugin.
    foreign = ("<frozen", str(Path(pydantic.__file__).parent))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(foreign)]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:  # then the frames are the import system's
        error, place = SyntaxError(error.msg), f" at {error.filename}:{error.lineno}"
    if isinstance(error, pydantic.PydanticUserError):  # what follows is about pydantic, and a link to its pages
        return " ".join(f"{(error.message or '').partition(';')[0]} ({place.removeprefix(' at ')})".split())
    return " ".join(f"{type(error).__name__}: {error}{place}".split())
