"""Who owns a name, and what a recipe means by it."""

import pytest

from difftool.builtin.ddpm import DDPM
from difftool.errors import InputError
from difftool.plugin.component import KINDS
from difftool.plugin.house import HOUSE
from difftool.plugin.loader import BUILTIN_MODULES, HOOK_OF, OBSERVERS, installed
from difftool.plugin.registry import Registry, UnknownComponent, objection


def offering(name: str, cls: str = "Mine") -> str:
    return f'''
from difftool.api import Sampler, hookimpl

class {cls}(Sampler):
    """Mine."""

@hookimpl
def register_samplers(register):
    register("{name}", {cls})
'''


def test_two_plugins_with_one_name(shelf):
    shelf.add(offering("unipc", "A"), dist="difftool-solvers")
    shelf.add(offering("unipc", "B"), dist="other")
    registry = shelf.load().registry
    with pytest.raises(UnknownComponent) as caught:
        registry.get("sampler", "unipc")
    assert str(caught.value) == (
        "2 plugins offer a sampler called 'unipc'; write 'difftool-solvers:unipc' or 'other:unipc'"
    )
    assert caught.value.exit_code == 2
    assert registry.get("sampler", "difftool-solvers:unipc").__name__ == "A"
    assert registry.get("sampler", "other:unipc").__name__ == "B"
    names = registry.names("sampler")
    assert "unipc" not in names
    assert {"difftool-solvers:unipc", "other:unipc"} < set(names)


def test_a_bare_builtin_name_is_always_the_builtin(shelf):
    shelf.add(offering("ddpm"))
    registry = shelf.load().registry
    assert registry.get("sampler", "ddpm") is DDPM
    assert registry.get("sampler", "difftool:ddpm") is DDPM
    assert registry.get("sampler", "toy:ddpm").__name__ == "Mine"
    assert {"ddpm", "toy:ddpm"} < set(registry.names("sampler"))


def test_an_owned_name_works_without_need_and_a_bare_one_too(shelf):
    shelf.add(offering("mine"))
    registry = shelf.load().registry
    assert registry.get("sampler", "toy:mine") is registry.get("sampler", "mine")
    assert "mine" in registry.names("sampler")
    assert "toy:mine" not in registry.names("sampler")


def test_every_name_listed_can_be_got(shelf):
    shelf.add(offering("ddpm", "A"), dist="one")
    shelf.add(offering("same", "B"), dist="two")
    shelf.add(offering("same", "C"), dist="three")
    registry = shelf.load().registry
    for kind in KINDS:
        for name in registry.names(kind):
            assert registry.get(kind, name)


def test_a_plugin_cannot_rename_a_builtin(shelf):
    shelf.add(
        "from difftool.api import hookimpl\nfrom difftool.builtin.ddpm import DDPM\n"
        '@hookimpl\ndef register_samplers(register):\n    register("stolen", DDPM)\n'
    )
    registry = shelf.load().registry
    assert registry.get("sampler", "stolen") is DDPM
    assert registry.dump(DDPM())["name"] == "ddpm"


def test_two_distributions_with_the_same_entry_point(shelf):
    shelf.add(offering("a"), dist="one", entry="same")
    shelf.add(offering("b"), dist="two", entry="same")
    assert [(plugin.source.id, plugin.state) for plugin in shelf.third()] == [("one:same", "ok"), ("two:same", "ok")]


def test_one_distribution_with_two_entry_points(shelf):
    shelf.add(offering("a"), entry="x")
    shelf.add(offering("b"), entry="y")
    assert [plugin.source.id for plugin in shelf.third()] == ["toy:x", "toy:y"]


def test_a_distribution_that_is_twice_on_the_path_counts_once(shelf, tmp_path, monkeypatch):
    from .conftest import Shelf

    behind = tmp_path / "behind"
    behind.mkdir()
    monkeypatch.syspath_prepend(str(behind))
    Shelf(behind).add(offering("a"), version="1.0", module="difftool_toy_twice")
    monkeypatch.syspath_prepend(str(shelf.folder))
    shelf.add(offering("a"), version="2.0", module="difftool_toy_twice")
    (plugin,) = shelf.third()
    assert plugin.source.version == "2.0"
    assert plugin.offers[0].component.__module__ == "difftool_toy_twice"


def test_builtins_alone(shelf, monkeypatch):
    shelf.add("raise SystemExit('never imported')")
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    (plugin,) = shelf.third()
    assert (plugin.state, plugin.reason) == ("off", "DIFFTOOL_PLUGINS=none")
    assert len(shelf.load().plugins) == len(BUILTIN_MODULES) + 1


@pytest.mark.parametrize("value", ["all", ""])
def test_all_is_the_default(shelf, monkeypatch, value):
    shelf.add(offering("mine"))
    monkeypatch.setenv("DIFFTOOL_PLUGINS", value)
    assert shelf.third()[0].state == "ok"


def test_another_wish_is_refused(monkeypatch):
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "nonne")
    with pytest.raises(InputError, match="DIFFTOOL_PLUGINS is 'nonne'; it may be 'all' or 'none'"):
        installed.__wrapped__()


def test_a_missing_plugin_is_named_with_its_remedy():
    with pytest.raises(
        UnknownComponent, match=r"needs the plugin acme-solvers, which is not installed \(pip install a"
    ):
        installed().registry.get("sampler", "acme-solvers:unipc")


@pytest.mark.parametrize("package", HOUSE)
def test_a_package_of_the_house_is_named_for_a_bare_name_too(package):
    for kind, names in HOUSE[package].items():
        for name in names if kind in KINDS else ():
            for registry, why in (
                (
                    Registry(),
                    f"is not installed (pip install {package}; from a checkout of difftool: pip install ./plug",
                ),
                (Registry(off=[package]), "DIFFTOOL_PLUGINS=none leaves out"),
            ):
                with pytest.raises(UnknownComponent) as caught:
                    registry.get(kind, name)
                assert str(caught.value).startswith(f"{name!r} needs the plugin {package}, which ")
                assert why in str(caught.value)


def test_a_broken_plugin_is_quoted(shelf):
    shelf.add("import no_such_library", dist="difftool-solvers")
    registry = shelf.load().registry
    with pytest.raises(UnknownComponent, match="which is broken: difftool-solvers:main: ModuleNotFoundError"):
        registry.get("sampler", "difftool-solvers:unipc")
    with pytest.raises(UnknownComponent, match=r"no sampler is called 'fast'; .*\(broken plugins: difftool-solvers:m"):
        registry.get("sampler", "fast")
    with pytest.raises(UnknownComponent, match="'unipc' needs the plugin difftool-solvers, which is broken"):
        registry.get("sampler", "unipc")


def test_unknown_names():
    registry = installed().registry
    for wrong, hint in {"ddmp": "did you mean 'ddpm'?", "qqq": "they are ddim, ddpm, direct"}.items():
        with pytest.raises(UnknownComponent) as caught:
            registry.get("sampler", wrong)
        assert str(caught.value) == f"no sampler is called {wrong!r}; {hint}"
    with pytest.raises(UnknownComponent, match="no sampler is called 'difftool:nothing'"):
        registry.get("sampler", "difftool:nothing")
    with pytest.raises(UnknownComponent, match="no exporter is called 'onnx'; there are none"):
        registry.get("exporter", "onnx")
    with pytest.raises(UnknownComponent, match="no sampler is called 'l2'"):
        registry.get("sampler", "l2")


def test_every_builtin_is_as_good_as_we_ask_of_others():
    offers = installed().registry.offers
    assert {offer.kind for offer in offers} >= {"schedule", "target", "loss", "sampler", "backbone", "dataset"}
    for offer in offers:
        assert objection(offer.kind, offer.name, offer.component) is None
        for field, info in offer.component.model_fields.items():
            assert (info.description or "").strip(), f"{offer.owned}.{field} has no docstring"
        assert offer.owned == offer.name


def test_each_kind_has_its_hook():
    from difftool.plugin import hookspecs

    hooks = {name for name in vars(hookspecs) if name.startswith(("register_", "on_"))}
    assert hooks == {*HOOK_OF.values(), *OBSERVERS}
    assert all(vars(hookspecs)[hook].__doc__ for hook in hooks)


def test_an_empty_registry_answers_too():
    assert Registry().names("loss") == []
    with pytest.raises(UnknownComponent, match="there are none"):
        Registry().get("loss", "l2")
