"""Does guidance draw what is asked for? Told by a small classifier that learns the shapes in the same test."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from difftool.builtin.shapes import Shapes
from difftool.core.sampling import from_bytes

KINDS = ("circle", "square", "star", "triangle")

RECIPE = """
recipe = 1
name = "named"
predict = "x0"
[data]
name = "shapes"
size = 16
kinds = ["circle", "square", "star", "triangle"]
smallest = 0.6
wander = 0.3
tilt = 0
[conditions.label]
name = "labels"
drop = 0.15
[schedule]
name = "cosine"
[backbone]
name = "unet"
width = 64
mults = [1, 2]
blocks = 1
patch = 2
[sample]
steps = 50
[optim]
lr = 2e-3
warmup = 50
lr_decay = "cosine"
[train]
steps = 1500
batch = 32
ema = 0.99
device = "cpu"
[preview]
every = 0
count = 16
"""


def classifier():
    """Knows the shapes it was not trained on as well as those it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, len(KINDS)),
        )  # fmt: skip
    data = Shapes(size=16, kinds=KINDS, smallest=0.6, wander=0.3, tilt=0, count=6000, seed=99).open()
    x = from_bytes(torch.from_numpy(data.take(range(6000))))
    y = torch.tensor([KINDS.index(name) for name in data.values(range(6000))["label"]])
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for step in range(600):
        rows = torch.arange(step * 64, step * 64 + 64) % 5000
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()
    assert float((net(x[5000:]).argmax(1) == y[5000:]).float().mean()) > 0.99
    return lambda pictures: net(from_bytes(pictures)).argmax(1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_guidance_draws_the_named_shape_and_without_a_name_all_occur(tmp_path, monkeypatch):
    import difftool

    monkeypatch.chdir(tmp_path)
    (tmp_path / "named.toml").write_text(RECIPE)
    model = difftool.load(difftool.train("named.toml", name="run"))
    seen = classifier()
    right = 0
    for place, name in enumerate(KINDS):
        drawn = model.sample(range(1000, 1050), told={"label": name}, guidance=3.0)
        right += int((seen(drawn) == place).sum())
    told = model.sample(range(1000, 1100), told={"label": KINDS})
    anyhow = seen(model.sample(range(200), guidance=0.0)).bincount(minlength=len(KINDS))
    counts = dict(zip(KINDS, anyhow.tolist(), strict=True))
    print(f"guidance 3: {right} of 200 are the shape that was named; scale 0: {counts}")
    print(f"guidance 1: {int((seen(told) == torch.arange(1000, 1100) % 4).sum())} of 100")
    assert right >= 190
    command = ["sample", str(tmp_path / "runs" / "run"), "--label", "star", "--guidance", "3", "--seeds", "1000-1019"]
    subprocess.run([sys.executable, "-m", "difftool", *command, "-o", "stars"], check=True, capture_output=True)
    stars = [np.asarray(Image.open(path)) for path in sorted(Path("stars").glob("seed-*.png"))]
    assert int((seen(torch.from_numpy(np.stack(stars))) == KINDS.index("star")).sum()) >= 19
    assert int(anyhow.min()) > 10
