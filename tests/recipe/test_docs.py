"""docs/recipes.md is true: its tables come from the models, its recipes load, its errors are the real ones.

`python tests/recipe/test_docs.py` writes the tables anew.
"""

import re
import shlex
from inspect import cleandoc
from pathlib import Path

import pytest

from difftool.errors import RecipeError
from difftool.plugin.component import kind_of
from difftool.plugin.loader import installed
from difftool.recipe.explain import show, type_words
from difftool.recipe.load import load
from difftool.recipe.model import DEFAULTS, DEVICES, SCALARS, SECTIONS

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}


def rows(model) -> list[str]:
    """One row for each key of a model."""
    registry, lines = installed().registry, []
    for key, info in model.model_fields.items():
        limits = [
            f"{words} {getattr(each, name):,.10g}"
            for each in info.metadata
            for name, words in LIMITS.items()
            if getattr(each, name, None) is not None and getattr(each, name) < 2**63
        ]
        kind = ", ".join([type_words(info.annotation), *limits])
        default = registry.plain(info.get_default(call_default_factory=True))
        text = "**required**" if info.is_required() else "absent" if default is None else f"`{show(default)}`"
        lines.append(f"| `{key}` | {kind} | {text} | {info.description} |")
    return lines


HEAD = "| key | type | default | meaning |\n|---|---|---|---|\n"


def keys_of(section: str) -> str:
    """The tables of a section: its keys, or for each component that ships, its keys."""
    model = SECTIONS[section]
    kind = kind_of(model)
    if kind is None:
        return f"\n{HEAD}" + "\n".join(rows(model)) + "\n\n"
    usual = DEFAULTS.get(section)
    text = f"\nDefault: `{usual}`.\n" if usual else "\n"
    for offer in (offer for offer in installed().registry.offers if offer.kind == kind):
        about = cleandoc(offer.component.__doc__).split("\n\n")[0].replace("\n", " ")
        table = rows(offer.component)
        text += f"\n`{offer.name}`: {about}\n" + (f"\n{HEAD}" + "\n".join(table) + "\n" if table else "")
    return text + "\n"


def rendered(page: str) -> str:
    """The page with its tables made anew."""
    return TABLE.sub(lambda match: match[1] + keys_of(match[2]) + match[3], page)


def blocks(kind: str, note: str = "") -> list[str]:
    return [match[3] for match in BLOCK.finditer(PAGE.read_text()) if (match[1], match[2] or "") == (kind, note)]


def test_the_tables_are_those_of_the_models():
    page = PAGE.read_text()
    assert rendered(page) == page, "python tests/recipe/test_docs.py writes the tables anew"
    assert [match[2] for match in TABLE.finditer(page)] == list(SECTIONS)


def test_nothing_is_left_out():
    page = PAGE.read_text()
    for key in [*SCALARS, *SECTIONS, *DEVICES, "profile.NAME"]:
        assert f"`{key}`" in page or f"[{key}]" in page or f"[{key}." in page, key


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_recipe_on_the_page_is_good(text, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    load(str(tmp_path / "mine.toml"), installed().registry)


@pytest.mark.parametrize("text", blocks("toml", "part"))
def test_every_part_of_a_recipe_fits_the_smallest_one(text, tmp_path):
    small = "" if "backbone" in text.split("[profile")[0] else 'backbone = "unet"\n'
    small += "" if "[data]" in text else 'data = "shapes"\n'
    top, mark, sections = text.partition("[")
    train = "" if "[train]" in text else "[train]\nsteps = 5\n"
    whole = f'recipe = 1\nname = "x"\n{small}{top}{train}{mark}{sections}'
    (tmp_path / "mine.toml").write_text(whole)
    load(str(tmp_path / "mine.toml"), installed().registry)


def test_the_errors_on_the_page_are_the_real_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (wrong,), (said,) = blocks("toml", "wrong"), blocks("text", "said")
    Path("mine.toml").write_text(wrong)
    with pytest.raises(RecipeError) as caught:
        load("mine.toml", installed().registry)
    assert caught.value.render() == said.strip()


def test_the_commands_on_the_page_are_right(tmp_path):
    lines = [line for text in blocks("sh") for line in text.splitlines() if line.startswith("difftool train")]
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line, comments=True)
        sets = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
        named = [words[i + 1] for i, word in enumerate(words) if word == "--profile"]
        data = str(tmp_path) if "--data" in words else None
        load(words[2], installed().registry, sets=sets, data=data, profile=named[0] if named else "auto")


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
