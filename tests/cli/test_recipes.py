"""`difftool recipes`, and every refusal that needs no tensors: none of it loads torch."""

import json
import os
import re
import struct
import subprocess
import sys

import pytest

from difftool.recipe.offered import shipped

GOOD = 'recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\n\n[train]\nsteps = 5\n'


def test_list(cli):
    code, out, _ = cli("recipes", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", *shipped()]
    assert re.search(r"^quickstart +Drawn anime faces at 32x32: a small network", out, re.MULTILINE)
    rows = json.loads(cli("recipes", "list", "--json")[1])
    assert [row["name"] for row in rows] == list(shipped())
    assert all(row["about"] for row in rows)


def test_show_prints_the_file(cli):
    assert cli("recipes", "show", "quickstart") == (0, shipped()["quickstart"].read_text(), "")
    code, out, err = cli("recipes", "show", "recipes/quickstart.toml")
    assert (code, out) == (0, shipped()["quickstart"].read_text())
    assert err == "recipes/quickstart.toml is not here; using the recipe quickstart that ships with difftool\n"


def test_copy(cli, tmp_path):
    code, _, err = cli("recipes", "copy", "quickstart")
    target = tmp_path / "quickstart.toml"
    assert code == 0
    assert err == f"{target}\nnext: edit it, then difftool train quickstart.toml\n"
    assert target.read_text() == shipped()["quickstart"].read_text()
    code, _, err = cli("recipes", "copy", "quickstart")
    assert (code, err) == (2, f"difftool: error: {target} is already there\ndo: name another file\n")
    (tmp_path / "folder").mkdir()
    assert cli("recipes", "copy", "quickstart", "folder")[0] == 0
    assert (tmp_path / "folder" / "quickstart.toml").exists()
    code, _, err = cli("recipes", "copy", "quickstart", "nowhere/x.toml")
    assert code == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in err


def test_check(cli, tmp_path):
    (tmp_path / "good.toml").write_text(GOOD + "[profile.cpu]\ntrain.batch = 8\n")
    (tmp_path / "bad.toml").write_text(GOOD.replace("steps = 5", "steps = 5\nbacth = 3\nema = 7"))
    (tmp_path / "worse.toml").write_text(GOOD.replace('"unet"', '"unett"'))
    assert cli("recipes", "check", "good.toml", "quickstart") == (
        0,
        "",
        f"good.toml: good (profiles: cpu)\n{shipped()['quickstart']}: good\n",
    )
    code, _, err = cli("recipes", "check", "bad.toml", "good.toml", "worse.toml")
    assert code == 2
    assert err.splitlines() == [
        "good.toml: good (profiles: cpu)",
        "difftool: error: 3 problems in the recipe",
        "bad.toml:9: train.ema: must be below 1.0, got 7",
        "bad.toml:8: train.bacth: unknown key; did you mean 'batch'?",
        "worse.toml:4: backbone: no backbone is called 'unett'; did you mean 'unet'?",
    ]


@pytest.mark.parametrize(
    ("line", "slip", "said"),
    [
        (7, ("steps = 5", "stepz = 5"), "train.stepz: unknown key; did you mean 'steps'?"),
        (6, ("[train]", "[trian]"), "trian: unknown key; did you mean 'train'?"),
        (2, ("name", "nmae"), "nmae: unknown key; did you mean 'name'?"),
    ],
)
@pytest.mark.parametrize("command", [["recipes", "check"], ["train"], ["train", "--dry-run"]])
def test_a_slip_on_the_command_line(cli, tmp_path, command, line, slip, said):
    (tmp_path / "r.toml").write_text(GOOD.replace(*slip))
    code, out, err = cli(*command, "r.toml")
    assert (code, out) == (2, "")
    assert f"r.toml:{line}: {said}" in err.replace("difftool: error: ", "").splitlines()
    assert not (tmp_path / "runs").exists()


def test_check_with_set(cli, tmp_path):
    (tmp_path / "r.toml").write_text(GOOD)
    code, _, err = cli("recipes", "check", "r.toml", "--set", "train.step=5")
    assert (code, err) == (
        2,
        "difftool: error: --set train.step=5: train.step: unknown key; did you mean 'steps'?\n",
    )
    assert cli("recipes", "check", "r.toml", "--set", "schedule=cosine")[0] == 0


def test_an_unknown_recipe(cli, tmp_path):
    code, _, err = cli("recipes", "show", "quickstrat")
    assert (code, err.splitlines()) == (
        2,
        [
            f"difftool: error: there is no recipe quickstrat ({tmp_path / 'quickstrat'})",
            "why: it is no file, and no recipe has that name: did you mean 'quickstart'?",
            "do: difftool recipes list",
        ],
    )


def test_schema(cli):
    code, out, _ = cli("recipes", "schema")
    assert code == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


DRIVER = """
import builtins, contextlib, io, json, sys
from difftool.cli.app import main
rows = []
for argv in json.loads(sys.stdin.read()):
    sys.argv, out, err = ["difftool", *argv], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try: main()
        except SystemExit as done: code = done.code
    rows.append([code, out.getvalue(), err.getvalue(), getattr(builtins, "torch_was_asked_for", "")])
print(json.dumps(rows))
"""

WITHOUT_TORCH = {  # what is typed: (exit code, what is said)
    "--help": (0, "Begin with: difftool train quickstart"),
    "--version": (0, "difftool "),
    "train --help": (0, "difftool train quickstart"),
    "sample --help": (0, "--seeds"),
    "recipes list": (0, "quickstart"),
    "recipes show quickstart": (0, "recipe = 1"),
    "recipes copy quickstart copied.toml": (0, "copied.toml"),
    "recipes check quickstart": (0, "good"),
    "recipes schema": (0, "$defs"),
    "plugins list": (0, "difftool:ddpm"),
    "plugins info unet": (0, "backbone unet"),
    "runs list": (0, "no runs in"),
    "runs show latest": (2, "difftool: error:"),
    "recipes check bad.toml": (2, "bad.toml:8: train.bacth"),
    "train bad.toml": (2, "bad.toml:8: train.bacth"),
    "train nothing.toml": (2, "there is no recipe nothing.toml"),
    "train quickstart --set train.stepz=3": (2, "--set train.stepz=3: train.stepz"),
    "train quickstart --set optim.lr": (2, "expected section.key=VALUE"),
    "train quickstart --profile cup": (2, "has no profile 'cup'"),
    "train quickstart --name ../x": (2, "difftool: error:"),
    "train quickstart --data nowhere": (2, "--data nowhere: there is no such folder"),
    "train quickstart --from nothing.safetensors": (2, "there is no file"),
    "train quickstart --from pickle.safetensors": (2, "is a pickle"),
    "train quickstart --set backbone.patch=5": (2, "5 does not divide size 32"),
    "resume latest": (2, "difftool: error:"),
    "sample nothing.safetensors": (2, "there is no file"),
    "sample pickle.safetensors": (2, "is a pickle, and opening one runs its code"),
    "sample zip.safetensors": (2, "is a pickle"),
    "sample good.safetensors --seeds 3-1": (2, "--seeds 3-1"),
    "sample good.safetensors --seeds 1,1": (2, "a seed occurs twice"),
    "sample good.safetensors --seeds x": (2, "is no seed or range"),
    "sample good.safetensors -n 0": (2, "at least one picture"),
    "sample good.safetensors -n 3 --seeds 1": (2, "disagree"),
    "sample good.safetensors --sampler ddmp": (2, "did you mean 'ddpm'?"),
    "sample good.safetensors --steps 2000": (2, "at most one step a level: 1000"),
    "sample good.safetensors --set sampler.vraiance=zero": (2, "did you mean 'variance'?"),
    "sample good.safetensors --set train.steps=3": (2, "only [sampler] and [sample] may change here"),
    "sample good.safetensors --raw": (2, "--raw is for a run"),
    "sample good.safetensors -o bad.toml": (2, "is a file"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every command above in one process, in which importing torch is noted and fails."""
    from difftool.engine.sealed import seal

    folder = tmp_path_factory.mktemp("without-torch")
    trap = folder / "trap"
    trap.mkdir()
    (trap / "torch.py").write_text(
        "import builtins, traceback\n"
        "builtins.torch_was_asked_for = ''.join(traceback.format_stack())\n"
        "raise ImportError('torch is not for this')\n"
    )
    (folder / "bad.toml").write_text(GOOD.replace("steps = 5", "steps = 5\nbacth = 3"))
    (folder / "pickle.safetensors").write_bytes(b"\x80\x04\x95" + bytes(64))
    (folder / "zip.safetensors").write_bytes(b"PK\x03\x04" + bytes(64))
    recipe = {
        "name": "x",
        "sampler": {"name": "ddpm"},
        "sample": {"count": 4},
        "schedule": {"name": "linear", "T": 1000},
        "predict": {"name": "eps"},
        "backbone": {"name": "mlp"},
        "loss": {"name": "l2"},
    }
    words = {"difftool": "1", "kind": "model", "recipe": json.dumps(recipe), "shape": "[3, 8, 8]", "versions": "{}"}
    header = json.dumps({"__metadata__": words | {"seal": seal({"__metadata__": words}, b"")}}).encode()
    (folder / "good.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps([text.split() for text in WITHOUT_TORCH]),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(trap), *sys.path]), "XDG_CACHE_HOME": str(folder / "c")},
        check=True,
    )
    return dict(zip(WITHOUT_TORCH, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("text", WITHOUT_TORCH)
def test_no_tensors_no_torch(answers, text):
    code, out, err, asked = answers[text]
    assert asked == ""
    assert (code, WITHOUT_TORCH[text][1] in out + err) == (WITHOUT_TORCH[text][0], True), out + err
    if code:
        assert 1 <= len(err.splitlines()) <= 5
        assert err.startswith("difftool: error: ")
        assert "Traceback" not in err


def test_the_trap_works(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('caught')")
    done = subprocess.run(
        [sys.executable, "-m", "difftool", "train", "quickstart"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    assert done.returncode == 1
    assert "caught" in done.stderr
