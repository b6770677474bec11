"""A slip of one letter in any section or key of the core is refused where it stands, with the right spelling."""

import re

import pytest

from difftool.errors import RecipeError
from difftool.recipe.make import make
from difftool.recipe.model import KEYS, SECTIONS
from difftool.recipe.source import parse

from .conftest import RICH, swap


def keys(text: str) -> list[tuple[int, int, str]]:
    """(line, column, key) of everything that is a key: at the start of a line, in headers, in inline tables."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0]
        if bare.startswith("["):
            spans = re.finditer(r"\w+", bare)
        else:
            spans = [m for m in re.finditer(r"\w+(?=(\.\w+)*\s*=)|(?<=\.)\w+(?=\s*=)", bare) if '"' not in m[0]]
        found += [(number, match.start(), match[0]) for match in spans]
    return found


def slips(word: str) -> set[str]:
    """Every dropped, doubled and swapped letter, and every letter replaced by another."""
    out = set()
    for i, letter in enumerate(word):
        out |= {word[:i] + word[i + 1 :], word[:i] + letter + word[i:]}
        out |= {word[:i] + "x" + word[i + 1 :], word[:i] + word[i + 1 : i + 2] + letter + word[i + 2 :]}
    return {slip for slip in out if slip and slip != word}


def with_slip(text: str, number: int, column: int, key: str, slip: str) -> str:
    lines = text.splitlines(keepends=True)
    line = lines[number - 1]
    lines[number - 1] = line[:column] + slip + line[column + len(key) :]
    return "".join(lines)


def test_the_scanner_sees_every_key():
    seen = [key for _, _, key in keys(RICH)]
    assert {*KEYS, "profile", "cpu", "cuda", "big", "width", "eta", "noise", "batch", "precision"} <= set(seen)
    for section, model in SECTIONS.items():
        assert section in seen
        assert set(model.model_fields) <= set(seen), f"rich.toml does not use all keys of [{section}]"


def test_every_slip_in_every_key_is_refused(registry, file):
    from difftool.recipe.load import prepare

    head, count = RICH.partition("[profile.")[0], 0  # quicker without the profiles where they are not meant
    for number, column, key in keys(RICH):
        text = head if number <= head.count("\n") else RICH
        if key in ("big", "label"):  # free names
            continue
        taken = {"sample", "sampler"} | set(KEYS) if text.splitlines()[number - 1].startswith("[") else set()
        for slip in slips(key) - taken:
            source = parse(with_slip(text, number, column, key, slip).encode(), label="mine.toml", folder=file.parent)
            with pytest.raises(RecipeError) as caught:
                prepare(source, registry)
            start = f"mine.toml:{number}: "
            told = [line for line in caught.value.problems if line.startswith(start) and slip in line]
            assert any(f"'{key}'" in line.removeprefix(start) for line in told), (slip, key, caught.value.problems)
            assert caught.value.exit_code == 2
            count += 1
    assert count > 5 * len(keys(RICH))


def test_a_section_that_becomes_another_is_refused_as_well(refused):
    text = swap(RICH, ("[sampler]", "[sample]"))
    line = RICH[: RICH.index("[sample]")].count("\n") + 1
    assert refused(text) == [f"mine.toml:{line}: cannot declare ('sample',) twice: [sample]"]


@pytest.mark.parametrize("style", ["[optim]\nrl = 3", "[optim]\n  'rl'=3", '[ optim ] # x\n"rl" = 3', "optim.rl = 3"])
def test_keys_may_be_written_in_any_way(style, refused):
    head = "recipe = 1\nname = 'x'\nbackbone = 'mlp'\ntrain.steps = 5\ndata = {name = 'shapes', size = 8}\n"
    (line,) = refused(head + style)
    assert re.fullmatch(r"mine.toml:[67]: optim.rl: unknown key; did you mean 'lr'\?", line)
    assert line.startswith(f"mine.toml:{5 + len(style.splitlines())}:")


def test_names_of_components(refused):
    for right, wrong in {"shapes": "shpaes", "cosine": "cosin", "huber": "hubre", "unet": "uneet"}.items():
        text = swap(RICH, (f'"{right}"', f'"{wrong}"'))
        (line, *_) = refused(text)
        assert f".name: no {'' if right != 'unet' else 'backbone'}" in line
        assert f"did you mean {right!r}?" in line
    assert refused(swap(RICH, ('predict = "v"', 'predict = "vv"'))) == [
        "mine.toml:4: predict: no target is called 'vv'; did you mean 'v'?"
    ]


def test_a_key_in_the_wrong_section_says_where_it_belongs(refused):
    text = swap(
        RICH,
        ("[optim]\n", "[optim]\nema = 0.9\nbatch = 3\nvariance = 1\n"),
        ("[sample]\n", "[sample]\nflip = true\nT = 100\nname = 'x'\n"),
        ("[log]\n", "[log]\nseed = 3\nlog = 1\n"),
        ("recipe = 1\n", "recipe = 1\nwidth = 3\n"),
    )
    told = {line.split(": ", 2)[1]: line.split("unknown key; ")[1] for line in refused(text)}
    assert told == {
        "width": "it belongs in [backbone]",
        "optim.ema": "it belongs in [train]",
        "optim.batch": "it belongs in [sample] or in [train]",
        "optim.variance": "it belongs in [sampler]",
        "sample.flip": "did you mean 'clip'? (or else it belongs in [train])",
        "sample.T": "it belongs in [schedule]",
        "sample.name": "it belongs at the top of the file",
        "log.seed": "it belongs at the top of the file or in [data]",
        "log.log": "it belongs at the top of the file",
    }


def test_a_key_that_is_like_nothing_is_told_what_there_is(refused):
    (line,) = refused(swap(RICH, ("[log]\n", "[log]\nbananas = 3\n")))
    assert line.endswith("log.bananas: unknown key; the keys here are every, sinks")


def test_make_needs_no_file(registry, tmp_path):
    recipe, problems = make({"recipe": 1, "nme": "x"}, registry, tmp_path)
    assert recipe is None
    assert problems[0].text == "is missing"
    assert "did you mean 'name'?" in problems[1].text
