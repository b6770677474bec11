from pathlib import Path

import pytest

from difftool.errors import DifftoolError, RecipeError
from difftool.plugin.loader import installed
from difftool.recipe.load import load
from difftool.recipe.offered import shipped

RICH = (Path(__file__).parent / "rich.toml").read_text()
"""Every section and every key of the core, nested components, inline tables, dotted keys, profiles."""

END = RICH.count("\n") + 1
"""The line after its last."""

SHIPPED = {name: path.read_text() for name, path in shipped().items()}
ALL = {**SHIPPED, "rich": RICH}


@pytest.fixture(scope="session")
def registry():
    return installed().registry


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mine.toml"


@pytest.fixture
def read(file, registry):
    """Loads a text as a recipe file; the recipe under a profile."""

    def read(text: str, profile: str = "none", **options):
        file.write_text(text)
        return load(str(file), registry, profile=profile, **options).recipe(profile)[0]

    return read


@pytest.fixture
def refused(file, registry):
    """The lines of a refusal, without the folder."""

    def refused(text: str | bytes, **options) -> list[str]:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DifftoolError) as caught:
            load(str(file), registry, **options)
        error = caught.value
        assert error.exit_code == 2
        assert len(error.render().splitlines()) <= max(5, len(getattr(error, "problems", [])) + 2)
        lines = error.problems if isinstance(error, RecipeError) else [str(error)]
        assert all("\n" not in line for line in lines)
        return [line.replace(f"{file.parent}/", "") for line in lines]

    return refused


def swap(text: str, *pairs: tuple[str, str]) -> str:
    """The text with parts replaced, each of which must be there exactly once."""
    for old, new in pairs:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    return text


def line_of(text: str, part: str) -> int:
    """The number of the only line that holds a part."""
    (number,) = [number for number, line in enumerate(text.splitlines(), 1) if part in line]
    return number
