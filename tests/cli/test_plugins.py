"""`difftool plugins`."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from difftool.plugin import loader

PLUGIN = '''
from difftool.api import Loss, Sampler, hookimpl

class Mine(Sampler):
    """Mine is best.

    At length.
    """
    first: float = 0.5
    """how far"""
    inner: Loss | None = None
    """a loss"""

@hookimpl
def register_samplers(register):
    register("mine", Mine)
'''
OBSERVER = "from difftool.api import hookimpl\n@hookimpl\ndef on_log(step): pass\n"


def put(folder, dist, code):
    (folder / f"{dist}_module.py").write_text(code)
    info = folder / f"{dist}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[difftool]\nmain = {dist}_module\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    put(folder, "toy", PLUGIN)
    put(folder, "watcher", OBSERVER)
    put(folder, "broken", "import no_such_library")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.syspath_prepend(str(folder))
    loader.installed.cache_clear()
    yield folder
    loader.installed.cache_clear()
    for name in ("toy_module", "watcher_module"):
        sys.modules.pop(name, None)


def test_list(site, cli):
    code, out, _ = cli("plugins", "list")
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert rows["difftool:ddpm"].split()[2:] == ["ok", "sampler", "ddpm"]
    assert rows["toy:main"].split()[1:] == ["1.2", "ok", "sampler", "mine"]
    assert rows["watcher:main"].endswith("observes the run")
    assert "broken  ModuleNotFoundError: No module named 'no_such_library'" in rows["broken:main"]
    assert "toy_module" not in sys.modules


def test_recipes_are_listed_with_their_package_or_alone(site, cli, monkeypatch):
    for name, entry in (("toy", "toy_recipes"), ("alone", "alone_recipes")):
        (site / entry / "recipes").mkdir(parents=True)
        (site / entry / "__init__.py").touch()
        (site / entry / "recipes" / f"{name}-faces.toml").touch()
        if name == "alone":
            put(site, name, "")
        points = site / f"{name}-1.2.dist-info" / "entry_points.txt"
        kept = points.read_text() if name == "toy" else ""
        points.write_text(f"{kept}[difftool.recipes]\nmain = {entry}\n")
    rows = {line.split()[0]: line.split()[1:] for line in cli("plugins", "list")[1].splitlines()}
    assert rows["toy:main"] == ["1.2", "ok", "sampler", "mine;", "recipe", "toy-faces"]
    assert rows["alone"] == ["1.2", "ok", "recipe", "alone-faces"]
    assert "recipe" not in rows["watcher:main"]
    assert "alone brings recipes alone: alone-faces" in cli("plugins", "info", "alone")[2]
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    assert "-faces" not in cli("plugins", "list")[1]


def test_what_a_package_of_ours_offers_is_said_to_be_left_out(site, cli, monkeypatch):
    put(site, "difftool-solvers", "raise SystemExit('never imported')")
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "none")
    loader.installed.cache_clear()
    code, _, err = cli("plugins", "info", "unipc")
    assert (code, "'unipc' is left out by DIFFTOOL_PLUGINS=none" in err) == (2, True)
    assert "'dit' is not installed" in cli("plugins", "info", "dit")[2]


def test_list_as_json(site, cli):
    rows = json.loads(cli("plugins", "list", "--json")[1])
    assert {row["id"]: row["state"] for row in rows}["broken:main"] == "broken"


def test_a_plugin_may_do_its_worst(site):
    for dist, code in {
        "exits": "import os; os._exit(0)",
        "noisy": "print('difftool-catalogue', end=''); import sys; print('x' * 9999, file=sys.stderr)\n" + OBSERVER,
    }.items():
        put(site, dist, code)
    script = (
        "import sys; sys.argv = ['difftool', 'plugins', 'list']\n"
        "from difftool.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as done: print(done.code)\n"
        "print('torch' in sys.modules, [name for name in sys.modules if name.endswith('_module')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    *listing, code, modules = done.stdout.splitlines()
    assert (done.stderr, code, modules) == ("", "0", "False []")
    rows = {line.split()[0]: line for line in listing}
    assert rows["exits:main"].endswith("broken  ends the process that imports it (exit code 0)")
    assert rows["noisy:main"].endswith("observes the run")
    assert rows["toy:main"].endswith("sampler mine")


@pytest.mark.parametrize("name", ["ddpm", "sampler.ddpm"])
def test_info_of_a_component(cli, name):
    code, out, _ = cli("plugins", "info", name)
    assert code == 0
    assert out.startswith("sampler ddpm\nAncestral sampling (Ho et al. 2020, algorithm 2), for any falling levels.\n\n")
    assert '  variance: "full" or "beta" or "zero" or "learned" = "full"\n      full: beta_t' in out
    assert "  noise: number = 1.0\n      share of sigma" in out
    assert "from difftool:ddpm 0.1.0 (difftool.builtin.ddpm.DDPM)" in out


def test_the_second_half_of_an_id_will_do(cli):
    assert cli("plugins", "info", "two_pixel")[1] == cli("plugins", "info", "difftool:two_pixel")[1]
    assert "difftool:ddim" in cli("plugins", "info", "ddim")[1]
    assert "sampler direct" not in cli("plugins", "info", "ddim")[1], "a component's own name comes first"


def test_info_of_required_and_complicated_fields(cli):
    out = cli("plugins", "info", "images")[1]
    assert "  path: path = required\n" in out
    assert "  size: whole number or [whole number, whole number] = required\n" in out
    assert "  channels: 1 or 3 = 3\n" in out
    assert "  kinds: array of " in cli("plugins", "info", "shapes")[1]


def test_info_of_a_third_partys(site, cli):
    for name in ("mine", "toy:mine", "sampler.mine", "toy", "toy:main"):
        code, out, _ = cli("plugins", "info", name)
        assert code == 0
        assert out.startswith("sampler toy:mine\nMine is best.\n\nAt length.\n\n  first: number = 0.5\n      how far\n")
        assert "  inner: loss = absent\n" in out
        assert out.endswith("from toy:main 1.2 (toy_module.Mine)\n")


def test_info_of_a_broken_plugin_and_of_one_that_only_observes(site, cli):
    assert cli("plugins", "info", "watcher") == (
        0,
        "watcher:main 1.2 ok: observes the run: on_log\n",
        "",
    )
    code, out, _ = cli("plugins", "info", "broken")
    assert code == 0
    assert out.startswith("broken:main 1.2 broken: ModuleNotFoundError")
    code, out, err = cli("plugins", "info", "broken", "--json")
    assert json.loads(out) == []
    assert "ModuleNotFoundError" in err


def test_info_of_all_that_ships(cli):
    code, out, _ = cli("plugins", "info", "difftool")
    assert code == 0
    assert out.count("\nfrom difftool:") == len(loader.installed().registry.offers)
    described = json.loads(cli("plugins", "info", "difftool", "--json")[1])
    assert {row["name"] for row in described} > {"unet", "ddpm", "shapes"}
    json.dumps(described, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dppm", "'ddpm'"),
        ("sampler.dpm", "'sampler.ddpm'"),
        ("loss.ddpm", "'"),
        ("qqqqq", "there are avatars, bits-per-dim, cifar, "),
    ],
)
def test_info_of_nothing(cli, name, hint):
    code, out, err = cli("plugins", "info", name)
    assert (code, out) == (2, "")
    assert err.startswith(f"difftool: error: nothing installed is called {name!r}; ")
    assert hint in err
    assert len(err.splitlines()) == 1


def test_a_wrong_wish(cli, monkeypatch):
    monkeypatch.setenv("DIFFTOOL_PLUGINS", "nnone")
    code, _, err = cli("plugins", "list")
    assert (code, err) == (2, "difftool: error: DIFFTOOL_PLUGINS is 'nnone'; it may be 'all' or 'none'\n")


@pytest.mark.parametrize("name", ["unipc", "sampler.unipc", "difftool-solvers:unipc", "difftool-solvers"])
@pytest.mark.parametrize("command", ["info", "check"])
def test_a_part_of_the_house_that_is_not_installed_names_its_package(cli, command, name, monkeypatch):
    monkeypatch.setattr(metadata, "distributions", list)  # it may be installed here
    loader.installed.cache_clear()
    code, _, err = cli("plugins", command, name)
    loader.installed.cache_clear()
    assert code == 2
    assert err.splitlines()[:2] == [
        f"difftool: error: {name!r} is not installed",
        "why: it comes with difftool-solvers",
    ]
    assert "pip install difftool-solvers" in err


def test_a_new_package_may_not_take_a_name_of_the_house(cli):
    code, _, err = cli("plugins", "new", "unipc", "--kind", "sampler")
    assert code == 2
    assert "unipc is what difftool-solvers calls its sampler" in err
