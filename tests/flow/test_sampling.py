"""Sampling from what a run leaves: one file is enough, and pictures depend on their seeds alone."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import difftool
from difftool.core.model import How
from difftool.engine import sealed
from difftool.engine.build import load_model
from difftool.engine.described import describe
from difftool.engine.sample import draw, plan
from difftool.engine.sealed import open_model_file
from difftool.plugin.loader import installed


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One trained run for the whole file."""
    from difftool.engine.start import start
    from difftool.engine.watch import Watcher
    from difftool.recipe.load import prepare
    from difftool.recipe.source import parse

    from .conftest import TINY

    folder = tmp_path_factory.mktemp("sampled")
    registry = installed().registry
    recipe, _ = prepare(parse(TINY.encode(), label="tiny.toml", folder=folder), registry).recipe("none")
    return start(recipe, registry, folder, Watcher(), name="run")


@pytest.fixture
def model(run):
    return opened(run.weights)


def opened(path):
    return load_model(describe(open_model_file(path), installed().registry), "cpu")


def pixels(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_the_file_alone_gives_the_bytes_of_the_run(run, difftool_apart, tmp_path):
    shutil.copy(run.weights, tmp_path / "model.safetensors")
    difftool_apart("sample", "model.safetensors", "-n", 4, "--seeds", "0-3", "-o", "file", check=0)
    difftool_apart("sample", run.root, "-n", 4, "--seeds", "0-3", "-o", "run", check=0)
    ours = pixels(tmp_path / "file")
    assert len(ours) == 5
    assert ours == pixels(tmp_path / "run")


def test_pictures_barely_depend_on_the_batch(model, capsys):
    """Noise is the same bit for bit; what the processor rounds differently may move a pixel by 2 at most."""
    seeds = list(range(12))
    whole = model.sample(seeds, batch=12).int()
    worst = max(int((model.sample(seeds, batch=b).int() - whole).abs().max()) for b in (1, 2, 5, 8))
    with capsys.disabled():
        print(f"\nworst difference between batch sizes: {worst}/255")
    assert worst <= 2


@pytest.mark.parametrize("chosen", [[3], [3, 17], [5, 3, 1], list(range(20))])
def test_exact_gives_the_same_bytes_however_seeds_are_grouped(model, chosen):
    def exactly(seeds):
        parts = draw(model, seeds, model.how, batch=8, exact=True)
        return {
            seeds[place]: picture.numpy().tobytes()
            for part in parts
            for place, picture in zip(part.places, part.pixels, strict=True)
        }

    whole = exactly(range(20))
    assert exactly(chosen) == {seed: whole[seed] for seed in chosen}


def test_exact_walks_whole_batches_only(model, monkeypatch):
    """Whatever this processor rounds: the network never sees another batch size."""
    walked, plain = [], type(model).walk
    monkeypatch.setattr(
        type(model), "walk", lambda self, seeds, *rest: walked.append(seeds) or plain(self, seeds, *rest)
    )
    assert [part.places for part in draw(model, [3, 17], model.how, batch=8, exact=True)] == [[1, 0]]
    assert [part.places for part in draw(model, [3, 17], model.how, batch=8)] == [[0, 1]]
    assert [len(seeds) for seeds in walked] == [8, 2]
    assert (walked[0][3], walked[0][1]) == (3, 17)


def test_exact_batches_have_one_size_and_seeds_their_place():
    seeds = [0, 3, 11, 8, 19]
    batches = plan(seeds, 8, exact=True)
    assert all(len(batch) == 8 for batch in batches)
    assert all(place is None or seeds[place] % 8 == row for batch in batches for row, place in enumerate(batch))
    assert sorted(place for batch in batches for place in batch if place is not None) == [0, 1, 2, 3, 4]


def test_from_python(run):
    loaded = difftool.load(run.weights)
    pictures = loaded.sample(seeds=range(3))
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (3, 8, 8, 3)
    assert torch.equal(pictures, difftool.load(run.root).sample(range(3)))
    assert difftool.load(run.weights).sample([]).shape == (0, 8, 8, 3)


def test_png_metadata_says_what_made_it(run, difftool, tmp_path):
    difftool(
        "sample",
        run.root,
        "--seeds",
        "5",
        "--sampler",
        "ddim",
        "--steps",
        7,
        "--set",
        "sampler.eta=0.5",
        "-o",
        "o",
        check=0,
    )
    words = Image.open(tmp_path / "o" / "seed-00000005.png").text
    assert words["difftool.seed"] == "5"
    assert words["difftool.steps"] == "7"
    assert json.loads(words["difftool.sampler"]) == {"name": "ddim", "eta": 0.5}
    assert words["difftool.weights"] == open_model_file(run.weights).digest


def test_strip_gif_grid(run, difftool, tmp_path):
    done = difftool("sample", run.root, "-n", 3, "--strip", 5, "--gif", "film.gif", "-o", "o", check=0)
    with Image.open(tmp_path / "o" / "strip.png") as strip, Image.open(tmp_path / "film.gif") as film:
        assert strip.width > 5 * 60
        assert strip.height < strip.width
        assert film.n_frames > 5
    last = np.asarray(Image.open(tmp_path / "o" / "strip.png").convert("RGB"))
    final = np.asarray(Image.open(tmp_path / "o" / "seed-00000000.png").convert("RGB"))
    assert np.array_equal(last[2:66:8, -66:-2:8][:8, :8], final)
    assert str(tmp_path / "o") in done.stdout


def test_nothing_is_overwritten_unasked(run, difftool, tmp_path):
    difftool("sample", run.root, "-n", 1, "-o", "o", check=0)
    before = pixels(tmp_path / "o")
    refused = difftool("sample", run.root, "-n", 2, "-o", "o", check=2)
    assert "seed-00000000.png is already there" in refused.stderr
    assert pixels(tmp_path / "o") == before
    difftool("sample", run.root, "-n", 2, "-o", "o", "--overwrite", check=0)
    assert len(pixels(tmp_path / "o")) == 3
    for name in ("samples-run", "samples-run-2"):
        difftool("sample", run.root, "-n", 1, check=0)
        assert (tmp_path / name).is_dir()


def test_raw_weights_differ_from_averaged_ones(run, difftool, tmp_path):
    difftool("sample", run.root, "-n", 1, "-o", "a", check=0)
    difftool("sample", run.root, "-n", 1, "--raw", "-o", "b", check=0)
    assert (tmp_path / "a/seed-00000000.png").read_bytes() != (tmp_path / "b/seed-00000000.png").read_bytes()


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "logsnr", "karras"])
@pytest.mark.parametrize("steps", [1, 2, 19, 20])
def test_any_number_of_steps_with_any_spacing(model, spacing, steps):
    registry = installed().registry
    for name in ("ddpm", "ddim", "direct"):
        how = How(registry.get("sampler", name)(), steps, spacing)
        assert all(torch.isfinite(step.x).all() and torch.isfinite(step.x0).all() for step in model.walk([0], how))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seeds", "3-1"], "no seed or range"),
        (["--seeds", "0-99999999"], "more than a million"),
        (["--seeds", "1,1"], "occurs twice"),
        (["--seeds", "0-3", "-n", "5"], "disagree"),
        (["-n", "0"], "at least one"),
        (["--sampler", "ddpn"], "did you mean 'ddpm'?"),
        (["--steps", "21"], "at most one step a level: 20"),
        (["--set", "schedule.T=5"], "only [sampler] and [sample] may change here"),
        (["--set", "predict=x0"], "only [sampler] and [sample] may change here"),
        (["--set", "sampler.varience=zero"], "did you mean 'variance'?"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(run, difftool, arguments, says):
    done = difftool("sample", run.root, *arguments, check=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 5


def _edited(raw):
    return raw.replace(b'\\"linear\\"', b'\\"cosine\\"')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda raw: raw[:-1], "damaged"),
        (lambda raw: raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:], "damaged"),
        (_edited, "damaged or was edited"),
        (lambda raw: b"PK\x03\x04" + raw, "pickle"),
        (lambda raw: b"\x80\x04" + raw, "pickle"),
        (lambda raw: b"", "not a safetensors file"),
        (lambda raw: b"\xff" * 100, "not a safetensors file"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_and_never_sampled(run, difftool, tmp_path, damage, says):
    raw = run.weights.read_bytes()
    changed = damage(raw)
    assert changed != raw
    (tmp_path / "bad.safetensors").write_bytes(changed)
    done = difftool("sample", "bad.safetensors", check=2)
    assert says in done.stderr


def test_every_byte_of_the_file_is_sealed(run, tmp_path):
    from difftool.errors import InputError

    raw = run.weights.read_bytes()
    path = tmp_path / "flipped.safetensors"
    for position in itertools.chain(range(0, 200, 7), range(200, len(raw), len(raw) // 200)):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 0x10]) + raw[position + 1 :])
        with pytest.raises(InputError):
            opened(path)


def test_optimizer_and_foreign_files_say_what_they_are(run, difftool, tmp_path):
    import safetensors.torch

    done = difftool("sample", run.checkpoint(8) / "optimizer.safetensors", check=2)
    assert "holds optimizer, not a network" in done.stderr
    safetensors.torch.save_file({"x": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    assert "was not written by difftool" in difftool("sample", "foreign.safetensors", check=2).stderr
    assert "no file" in difftool("sample", "missing.safetensors", check=2).stderr
    assert "did you mean" in difftool("sample", "rum", "--runs", run.root.parent, check=2).stderr


@pytest.mark.usefixtures("hears_signals")
def test_ctrl_c_keeps_the_pictures_that_are_done(run, tmp_path):
    import os
    import signal
    import subprocess
    import sys
    import time

    command = [sys.executable, "-m", "difftool", "sample", str(run.root), "-n", "5000", "--batch", "1", "-o", "o"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("o/seed-*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    done = sorted(tmp_path.glob("o/*.png"))
    assert 3 <= len(done) < 5000
    assert all(np.asarray(Image.open(path)).shape == (8, 8, 3) for path in done)
    assert f"interrupted after {len(done)} of 5000 pictures" in stderr


def test_hostile_descriptions_are_refused_whatever_their_seal(run, tmp_path):
    """The seal is no secret: a file may be whole and still say nonsense."""
    import struct

    from difftool.engine.sealed import seal
    from difftool.errors import InputError

    raw = run.weights.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    payload = raw[8 + length :]
    for key, value in [
        ("recipe", "[]"),
        ("recipe", "{}"),
        ("recipe", "[" * 5000),
        ("shape", "[3, 8]"),
        ("shape", "7"),
        ("versions", "x"),
        ("kind", "soup"),
    ]:
        header = json.loads(raw[8 : 8 + length])
        header["__metadata__"][key] = value
        del header["__metadata__"]["seal"]
        header["__metadata__"]["seal"] = seal(header, payload)
        head = json.dumps(header).encode()
        (tmp_path / "bad.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + payload)
        with pytest.raises(InputError):
            opened(tmp_path / "bad.safetensors")
    deep = b'{"__metadata__":' + b"[" * 100_000
    (tmp_path / "deep.safetensors").write_bytes(struct.pack("<Q", len(deep)) + deep)
    with pytest.raises(InputError):
        opened(tmp_path / "deep.safetensors")


def test_raw_of_a_run_without_checkpoints_is_refused(run, difftool, tmp_path):
    shutil.copytree(run.root, tmp_path / "runs" / "bare")
    shutil.rmtree(tmp_path / "runs" / "bare" / "checkpoints")
    assert "no weights yet" in difftool("sample", "bare", "--raw", check=4).stderr


def test_a_device_that_is_none(run, difftool):
    assert "'bogus' is no device" in difftool("sample", run.root, "-n", 1, "--device", "bogus", check=2).stderr


def test_a_header_whose_length_looks_like_a_pickle_is_no_pickle(tmp_path):
    """One file in 32 begins with the byte that a pickle begins with."""
    from difftool.engine.sealed import open_sealed
    from difftool.engine.weights import encode, tensors_of

    path = tmp_path / "w.safetensors"
    for padding in range(400):
        raw = encode({"x": torch.arange(3.0)}, {"kind": "model", "padding": "x" * padding})
        if raw[0] == 0x80:
            break
    assert raw[0] == 0x80
    path.write_bytes(raw)
    assert torch.equal(tensors_of(open_sealed(path))["x"], torch.arange(3.0))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-n", 10**20], "more than a million"),
        (["--strip", 1], "from 2 frames, noise and picture"),
        (["--gif", "model.safetensors", "--overwrite"], "ends in .gif"),
    ],
)
def test_more_refusals(run, difftool, arguments, says):
    assert says in difftool("sample", run.root, *arguments, check=2).stderr


@pytest.fixture
def saying(monkeypatch):
    """Model files say something else in their recipe."""
    real = sealed.open_model_file

    def saying(**sections):
        def other(path):
            file = real(path)
            recipe = json.loads(file.words["recipe"]) | sections
            return replace(file, words=file.words | {"recipe": json.dumps(recipe)})

        monkeypatch.setattr(sealed, "open_model_file", other)

    return saying


def test_another_sampler_will_do_where_the_models_own_is_not_installed(difftool, run, saying):
    saying(sampler={"name": "acme-fast:jump"})
    done = difftool("sample", run.weights, "-n", "1", "--steps", "2", check=2)
    assert "needs the plugin acme-fast, which is not installed (pip install acme-fast)" in done.stderr
    assert "do: install it, or draw with another: difftool sample ... --sampler ddim" in done.stderr
    difftool("sample", run.weights, "-n", "1", "--steps", "2", "--sampler", "ddim", check=0)
    difftool("bench", "samplers", run.weights, "-n", "1", "--steps", "2", "--sampler", "ddim", check=0)


def test_what_cannot_be_used_is_named_with_its_place_and_a_plugin_without(difftool, run, saying):
    saying(sampler={"name": "ddim", "etta": 1}, loss={"name": "acme:huber"})
    told = difftool("sample", run.weights, "-n", "1", check=2).stderr
    assert "cannot be used here: 'acme:huber' needs the plugin acme, which is not" in told
    assert "; sampler.etta: unknown key" in told
    assert "--sampler ddim" not in told
