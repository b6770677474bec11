"""On a network that has learned a little: ten calls of a solver against ten of ddim, as a person would ask for it."""

from __future__ import annotations

import json
import subprocess
import sys

RECIPE = """
recipe = 1
name = "small"
predict = "eps"

[data]
name = "shapes"
size = 8
count = 2000

[schedule]
name = "linear"

[backbone]
name = "mlp"
width = 128
depth = 3

[sampler]
name = "ddim"

[optim]
lr = 2e-3
warmup = 20
lr_decay = "cosine"

[train]
steps = 600
batch = 64
ema = 0.98

[preview]
every = 0
count = 1
"""
MULTISTEP = {f"difftool-solvers:{name}" for name in ("unipc", "ipndm", "dpm-2m", "dpm-3m", "deis")}


def asked(folder, words):
    """What `difftool` says, from a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "difftool", *words.split()], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_ten_calls_the_best_comes_at_least_twice_as_near_as_ddim(tmp_path):
    """To what 1,000 steps of ddim make of the same noise."""
    (tmp_path / "small.toml").write_text(RECIPE)
    asked(tmp_path, "train small.toml --name small --profile none --set train.device=cpu")
    samplers = " ".join(f"--sampler {name}" for name in sorted(MULTISTEP | {"ddim"}))
    told = asked(tmp_path, f"bench samplers small {samplers} --steps 10 -n 64 --json --device cpu")
    ratios = {row["sampler"]["name"]: row["ratio"] for row in json.loads(told)["rows"] if row["calls"] == 10}
    assert ratios.pop("ddim") == 1
    assert ratios.keys() == MULTISTEP
    assert min(ratios.values()) <= 0.5
    assert max(ratios.values()) < 1
