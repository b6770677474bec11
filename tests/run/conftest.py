import pytest

from difftool.run.layout import RunDir
from difftool.run.writer import create_run


@pytest.fixture
def run(tmp_path) -> RunDir:
    """A fresh run, the only one under tmp_path/runs."""
    return create_run(tmp_path / "runs" / "toy-1", {"recipe": "toy", "device": "cpu"}, "recipe = 1\n")
