"""Whatever a plugin does wrong is one clear line, and hurts nothing else (Shelf.reason checks the second half)."""

import pytest

from difftool.plugin import loader

HEAD = '''
from difftool.api import Field, Loss, Sampler, hookimpl

class Mine(Sampler):
    """Mine."""

class Other(Sampler):
    """Another."""
'''

HOOK = (
    HEAD
    + """
@hookimpl
def register_samplers(register):
    register("mine", Mine)
"""
)


def registering(component: str) -> str:
    """A plugin that offers one hand-written component."""
    return HEAD + component + '\n\n@hookimpl\ndef register_samplers(register):\n    register("own", Own)\n'


def test_a_good_plugin_is_ok(shelf):
    shelf.add(HOOK)
    (plugin,) = shelf.third()
    assert (plugin.state, plugin.reason, plugin.source.id, plugin.source.version) == ("ok", "", "toy:main", "1.0")
    assert [(offer.kind, offer.owned) for offer in plugin.offers] == [("sampler", "toy:mine")]


CASES = {
    "missing dependency": (
        "import no_such_library",
        ["ModuleNotFoundError: No module named 'no_such_library'", "py:1"],
    ),
    "missing name": ("from difftool.api import Smapler", ["ImportError", "cannot import name 'Smapler'", "py:1"]),
    "syntax": ("x = 1\ndef broken(:\n", ["SyntaxError: invalid syntax at ", "py:2"]),
    "exit at import": ("import sys\nsys.exit(3)", ["SystemExit: 3 at ", "py:2"]),
    "several lines": ("raise ValueError('one\\ntwo\\n  three')", ["ValueError: one two three at "]),
    "raises after registering": (
        HOOK + "    raise RuntimeError('half way')\n",
        ["RuntimeError: half way at ", "py:13"],
    ),
    "exits in the hook": (HOOK + "    raise SystemExit\n", ["SystemExit: at "]),
    "misspelt hook": (
        HOOK.replace("register_samplers", "register_sampler"),
        ["no hook 'register_sampler'", "did you mean 'register_samplers'?"],
    ),
    "misspelt observer": (
        HEAD + "\n@hookimpl\ndef on_logs(run): pass\n",
        ["no hook 'on_logs'", "did you mean 'on_log'?"],
    ),
    "hook from nowhere": (
        HEAD + "\n@hookimpl\ndef frobnicate(register): pass\n",
        ["no hook 'frobnicate'", "the hooks are on_checkpoint, ", "register_targets"],
    ),
    "one good hook and one misspelt": (HOOK + "\n@hookimpl\ndef on_lgo(run): pass\n", ["no hook 'on_lgo'"]),
    "no hook": (HEAD, ["implements no hook", "difftool.api.hookimpl"]),
    "parameter with a default": (
        HEAD + "\n@hookimpl\ndef register_samplers(register, x=1): pass\n",
        ["register_samplers: 'x' has a default"],
    ),
    "unknown parameter": (
        HEAD + "\n@hookimpl\ndef register_samplers(reg): pass\n",
        ["register_samplers(reg): ", "'reg'", "can not be found"],
    ),
    "wrapper": (
        HEAD + "\n@hookimpl(wrapper=True)\ndef on_log(run):\n    return (yield)\n",
        ["on_log: wrappers are not supported"],
    ),
    "old wrapper": (
        HEAD + "\n@hookimpl(hookwrapper=True)\ndef on_log(run):\n    yield\n",
        ["on_log: wrappers are not supported"],
    ),
    "wrong base": (
        HOOK.replace("samplers(register)", "losses(register)"),
        ["register_losses: ", "is not a Loss; derive it from difftool.api.Loss"],
    ),
    "no component": (HOOK.replace(", Mine)", ", 3)"), ["3 is not a Sampler"]),
    "an instance": (HOOK.replace(", Mine)", ", Mine())"), ["is not a Sampler"]),
    "bad name": (
        HOOK.replace('"mine"', '"My Sampler"'),
        ["a name is lower-case letters, digits, - and _; 'My Sampler' is not"],
    ),
    "owned name": (HOOK.replace('"mine"', '"toy:mine"'), ["'toy:mine' is not"]),
    "name that is no text": (HOOK.replace('"mine"', "3"), ["a name is lower-case letters", "3 is not"]),
    "same name twice": (HOOK + '    register("mine", Other)\n', ["registers 'mine' twice"]),
    "same class twice": (HOOK + '    register("again", Mine)\n', ["registers Mine twice"]),
    "no docstring": (registering("class Own(Sampler):\n    x: int = 1"), ["Own has no docstring"]),
    "field hides a method": (
        registering('class Own(Sampler):\n    """Own."""\n    run: int = 1'),
        ["'run' of Own hides a name that belongs to Sampler; rename it"],
    ),
    "field hides pydantic": (
        registering('class Own(Sampler):\n    """Own."""\n    copy: int = 1'),
        ["'copy' of Own hides"],
    ),
    "field without a type": (
        registering('class Own(Sampler):\n    """Own."""\n    width = 1'),
        ["`width = 1`. All model fields require a type annotation (", "py:9)"],
    ),
    "field called name": (
        registering('class Own(Sampler):\n    """Own."""\n    name: str = ""'),
        ["'name' of Own hides"],
    ),
    "list field": (
        registering('class Own(Sampler):\n    """Own."""\n    steps: list[int] = []'),
        ["'steps' of Own can be changed from outside; use a tuple"],
    ),
    "infinite default": (
        registering('class Own(Sampler):\n    """Own."""\n    upto: float = float("inf")'),
        ["'upto' of Own has the default inf, which no recipe can say"],
    ),
    "list deep inside": (
        registering('class Own(Sampler):\n    """Own."""\n    steps: tuple[dict[str, int], ...] | None = None'),
        ["use a tuple"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_one_line(shelf, case):
    code, parts = CASES[case]
    reason = shelf.reason(code)
    assert [part for part in parts if part not in reason] == [], reason


def test_a_target_that_is_not_there(shelf):
    shelf.add(HOOK, target="{module}:nothing")
    assert "has no attribute 'nothing'" in shelf.third()[0].reason
    shelf.add(HOOK, dist="other", target="no_such_module")
    assert "No module named 'no_such_module'" in shelf.third()[0].reason


def test_an_entry_point_may_name_an_object(shelf):
    shelf.add(
        HEAD
        + """
class Offers:
    @hookimpl
    def register_samplers(self, register):
        register("inner", Mine)

class Holder:
    offers = Offers()
""",
        target="{module}:Holder.offers",
    )
    (plugin,) = shelf.third()
    assert plugin.reason == ""
    assert [offer.name for offer in plugin.offers] == ["inner"]


def test_a_broken_plugin_hurts_no_other_and_all_reasons_are_kept(shelf):
    shelf.add("raise ValueError('first')", dist="a")
    shelf.add(HOOK, dist="b")
    shelf.add("import no_such_library", dist="c")
    here = shelf.load()
    assert [plugin.state for plugin in here.plugins[-3:]] == ["broken", "ok", "broken"]
    assert here.registry.get("sampler", "mine").__name__ == "Mine"
    assert len(here.registry.broken) == 2


def test_damaged_packages_of_others_are_passed_over(shelf):
    shelf.add(HOOK)
    for number, (meta, entries) in enumerate(
        [
            (b"Name: x\nVersion: 1\n", b"[difftool]\nno equals sign\n"),
            (b"Name: x\nVersion: 1\n", b"\xff\xfe[difftool]\nx = y\n"),
            (b"Name: x\nVersion: 1\n", b"not an entry point"),
        ]
    ):
        info = shelf.folder / f"damaged{number}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_bytes(meta)
        (info / "entry_points.txt").write_bytes(entries)
    assert [plugin.source.id for plugin in shelf.third()] == ["toy:main"]
    assert shelf.third()[0].state == "ok"


def test_a_hook_may_leave_out_its_parameter(shelf):
    shelf.add(HEAD + "\nseen = []\n@hookimpl\ndef register_samplers():\n    seen.append(1)\n")
    assert shelf.third()[0].state == "ok"


def test_ctrl_c_while_loading_is_not_the_plugins_fault(shelf):
    shelf.add("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        shelf.load()


def test_what_a_plugin_prints_does_not_get_into_the_data(shelf, capsys):
    shelf.add("print('HELLO')\n" + registering('class Own(Sampler):\n    """Own."""'))
    assert shelf.load().registry.get("sampler", "own")
    assert capsys.readouterr() == ("", "HELLO\n")


def test_whoever_waits_for_a_plugin_is_told_for_which(shelf, capsys, monkeypatch):
    monkeypatch.setattr(loader, "SLOW", 0.05)
    shelf.add("import time\ntime.sleep(1)\n" + registering('class Own(Sampler):\n    """Own."""'))
    shelf.load()
    assert capsys.readouterr().err == "waiting for the plugin toy:main to load\n"
