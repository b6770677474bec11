"""Are drawn digits legible? A small classifier that learns the real ones judges a model's samples.

python benchmarks/digits.py RUN FOLDER        a run of the recipe mnist, and the folder it was trained on
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

import difftool
from difftool.builtin.idx import Idx

SURE = 0.9
SAMPLES = 256
HELD_OUT = 1000


def judge(pixels: torch.Tensor, labels: torch.Tensor) -> tuple[nn.Module, float]:
    """A classifier of digits, and its share of right answers on digits it has not seen."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 49, 10),
    )  # fmt: skip
    order = torch.randperm(len(pixels))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(8):
        for part in rest[torch.randperm(len(rest))].split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(pixels[part]), labels[part]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        right = (net(pixels[held]).argmax(1) == labels[held]).float().mean().item()
    return net, right


def main(run: str, folder: str) -> None:
    """Prints the table."""
    images = Idx(path=folder).open()
    everything = range(len(images))
    pixels = torch.from_numpy(images.take(everything)).permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.tensor([int(value) for value in images.values(everything)["label"]])
    net, right = judge(pixels, labels)
    model = difftool.load(Path(run))
    drawn = model.sample(range(SAMPLES), batch=64)
    with torch.no_grad():
        shares = net(torch.as_tensor(np.asarray(drawn)).permute(0, 3, 1, 2) / 127.5 - 1).softmax(1)
    sure, digits = shares.max(1)
    print(f"the judge is right on held-out digits: {right:.1%}")
    print(f"samples it is {SURE} sure of: {(sure >= SURE).float().mean():.1%} of {SAMPLES}")
    print(f"samples of 0 to 9: {torch.bincount(digits, minlength=10).tolist()}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
