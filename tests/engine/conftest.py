"""A recipe for the smallest of networks, and its changes."""

from pathlib import Path

import pytest

from difftool.plugin.loader import installed
from difftool.recipe.load import prepare
from difftool.recipe.source import parse

TEXT = b"""
recipe = 1
name = "t"
[data]
name = "shapes"
size = 8
count = 12
[schedule]
name = "linear"
T = 20
scale = true
last = 0.3
[backbone]
name = "mlp"
width = 16
[train]
steps = 5
batch = 8
ema = 0.9
device = "cpu"
precision = "float32"
"""


@pytest.fixture
def registry():
    return installed().registry


@pytest.fixture
def make(registry):
    def recipe(*sets):
        source = parse(TEXT, label="t.toml", folder=Path())
        return prepare(source, registry, sets=list(sets)).recipe("none")[0]

    return recipe
