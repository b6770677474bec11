"""What a value may be, and what is said when it is not."""

import pytest

from .conftest import RICH, line_of, swap


def test_an_integral_float_counts_as_a_whole_number(read):
    recipe = read(swap(RICH, ("steps = 100", "steps = 1e4"), ("seed = 3", "seed = 2.0"), ("T = 500", "T = 5e2")))
    assert (recipe.train.steps, recipe.seed, recipe.schedule.T) == (10_000, 2, 500)
    assert {type(value) for value in (recipe.train.steps, recipe.seed, recipe.schedule.T)} == {int}


def test_a_whole_number_counts_as_a_number(read):
    assert read(swap(RICH, ("delta = 0.5", "delta = 2"))).loss.delta == 2.0


def test_arrays_become_tuples_and_underscores_are_fine(read):
    recipe = read(swap(RICH, ("count = 512", "count = 1_000")))
    assert recipe.data.count == 1000
    assert recipe.data.size == (32, 16)
    assert recipe.optim.betas == (0.8, 0.99)


WRONG = [  # (what stands there, what stands there instead, what is said)
    ("steps = 100\n", "steps = 1.5\n", "train.steps: expected a whole number, got 1.5"),
    ("steps = 100\n", "steps = true\n", "train.steps: expected a whole number, got true"),
    ("steps = 100\n", 'steps = "12"\n', 'train.steps: expected a whole number, got "12" (text: remove the quotes)'),
    ("steps = 100\n", "steps = 0\n", "train.steps: must be at least 1, got 0"),
    ("steps = 100\n", "steps = -1e4\n", "train.steps: must be at least 1, got -10000"),
    ("steps = 100\n", "steps = inf\n", "train.steps: expected a whole number, got inf"),
    ("steps = 100\n", "steps = 1e300\n", "train.steps: expected a whole number, got 1e+300"),
    (
        "steps = 100\n",
        f"steps = {2**63}\n",
        "train.steps: is too large for a whole number (64 bits), got 9223372036854775808",
    ),
    ("steps = 100\n", "steps = 2026-11-20\n", "train.steps: expected a whole number, got 2026-11-20"),
    ("steps = 100\n", "steps = [100]\n", "train.steps: expected a whole number, got [100]"),
    ("steps = 100\n", "steps = {n = 1}\n", "train.steps: expected a whole number, got a table"),
    ("lr = 3e-4", "lr = true", "optim.lr: expected a number, got true"),
    ("lr = 3e-4", 'lr = "3e-4"', 'optim.lr: expected a number, got "3e-4" (text: remove the quotes)'),
    ("lr = 3e-4", "lr = nan", "optim.lr: expected a finite number, got nan"),
    ("lr = 3e-4", "lr = -inf", "optim.lr: expected a finite number, got -inf"),
    ("lr = 3e-4", "lr = 0", "optim.lr: must be above 0.0, got 0"),
    ("ema = 0.99", "ema = 1", "train.ema: must be below 1.0, got 1"),
    ("noise = 0.9\n", "noise = 1.01\n", "sampler.noise: must be at most 1.0, got 1.01"),
    ("flip = true", "flip = 1", "train.flip: expected true or false, got 1"),
    ("flip = true", 'flip = "true"', 'train.flip: expected true or false, got "true" (text: remove the quotes)'),
    (
        'lr_decay = "linear"',
        'lr_decay = "lineer"',
        "optim.lr_decay: expected 'none', 'linear' or 'cosine', got \"lineer\"; did you mean 'linear'?",
    ),
    ('lr_decay = "linear"', "lr_decay = 3", "optim.lr_decay: expected 'none', 'linear' or 'cosine', got 3"),
    (
        'spacing = "karras"',
        "spacing = true",
        "sample.spacing: expected 'uniform', 'quadratic', 'logsnr' or 'karras', got true",
    ),
    ("channels = 1", "channels = 2", "data.channels: expected 1 or 3, got 2"),
    ("channels = 1", "channels = true", 'data.channels: expected 1 or 3, got "true"'),
    ("channels = 1", 'channels = "1"', 'data.channels: expected 1 or 3, got "1"'),
    ('device = "cpu"', 'device = "gpu"', 'train.device: expected one of auto, cpu, mps, cuda, cuda:N, got "gpu"'),
    ('device = "cpu"', "device = 0", "train.device: expected text in quotes, got 0"),
    ("size = [32, 16]", "size = 32.5", "data.size: expected a whole number, got 32.5"),
    ("size = [32, 16]", "size = 4", "data.size: must be at least 8, got 4"),
    ("size = [32, 16]", "size = [32, 4]", "data.size.1: must be at least 8, got 4"),
    ("size = [32, 16]", "size = [32, 16.5]", "data.size.1: expected a whole number, got 16.5"),
    ("size = [32, 16]", "size = [32]", "data.size.1: is missing"),
    ("size = [32, 16]", 'size = "32"', 'data.size: expected a whole number, got "32" (text: remove the quotes)'),
    ("betas = [0.8, 0.99]", "betas = 0.8", "optim.betas: expected an array, got 0.8"),
    ("betas = [0.8, 0.99]", "betas = [0.8, 1.0]", "optim.betas.1: must be below 1.0, got 1.0"),
    (
        "betas = [0.8, 0.99]",
        "betas = [0.8, 0.9, 0.99]",
        "optim.betas: must be an array of at most 2, got [0.8, 0.9, 0.99]",
    ),
    ("mults = [1, 2]", "mults = []", "backbone.mults: must be an array of at least 1, got []"),
    ("mults = [1, 2]", "mults = [1, true]", "backbone.mults.1: expected a whole number, got true"),
    ("attention = [16]", "attention = 16", "backbone.attention: expected an array, got 16"),
    ('kinds = ["circle", "star"]', 'kinds = ["circle", "sttar"]', "data.kinds.1: expected 'circle',"),
    ("count = 9", "count = 257", "preview.count: must be at most 256, got 257"),
    (
        'sampler = { name = "ddim", eta = 0.5 }',
        'sampler = { name = "ddim", eta = "1" }',
        'preview.sampler.eta: expected a number, got "1" (text: remove the quotes)',
    ),
    (
        'sampler = { name = "ddim", eta = 0.5 }',
        "sampler = { eta = 0.5 }",
        'preview.sampler: which sampler? write name = "..."; there are ddim, ddpm, direct',
    ),
    (
        'sampler = { name = "ddim", eta = 0.5 }',
        "sampler = { name = 3 }",
        "preview.sampler.name: expected a name in quotes, got 3",
    ),
    ('sampler = { name = "ddim", eta = 0.5 }', 'sampler = ["ddim"]', "preview.sampler: expected a table"),
    (
        "sinks = []",
        'sinks = ["tensorboad"]',
        "log.sinks.0: no sink is called 'tensorboad'; did you mean 'tensorboard'?",
    ),
    ("sinks = []", 'sinks = ["csv", {name = "csv", columns = ["lr"]}]', "log.sinks.1: this sink is there already"),
    ("sinks = []", 'sinks = "csv"', 'log.sinks: expected an array, as in ["csv"]'),
    (
        "sinks = []",
        'sinks = ["tb:board"]',
        "log.sinks.0: 'tb:board' needs the plugin tb, which is not installed (pip install tb)",
    ),
    ('predict = "v"', "predict = 3", "predict: expected a table or a name, got 3"),
    ('predict = "v"', "predict = { name = 'v', x = 1 }", "predict.x: unknown key; the keys here are name"),
    ("seed = 3\n", "seed = -1\n", "seed: expected a whole number from 0, got -1"),
    ("seed = 3\n", "seed = 1.5\n", "seed: expected a whole number from 0, got 1.5"),
    ("seed = 3\n", "seed = true\n", "seed: expected a whole number from 0, got true"),
    ("recipe = 1\n", "recipe = 2\n", "recipe: this difftool reads recipes of format 1, not 2"),
    ("recipe = 1\n", 'recipe = "1"\n', 'recipe: this difftool reads recipes of format 1, not "1"'),
    ("recipe = 1\n", "recipe = true\n", "recipe: this difftool reads recipes of format 1, not true"),
    ('name = "rich"', 'name = "../x"', "name: expected letters, digits, '.', '_' and '-', at most 64, got \"../x\""),
    ('name = "rich"', 'name = ""', "name: expected letters, digits"),
    ('name = "rich"', 'name = "-rf"', "name: expected letters, digits"),
    ('name = "rich"', "name = 3", "name: expected letters, digits"),
    ('name = "rich"', f'name = "{"x" * 65}"', "name: expected letters, digits"),
]


@pytest.mark.parametrize(
    ("right", "wrong", "said"), WRONG, ids=[f"{k} {case[1].strip()[:40]}" for k, case in enumerate(WRONG)]
)
def test_a_wrong_value(refused, right, wrong, said):
    text = swap(RICH, (right, wrong)) if RICH.count(right) == 1 else RICH.replace(right, wrong, 1)
    number = RICH[: RICH.index(right)].count("\n") + 1
    line = next(line for line in refused(text) if "(profile" not in line)
    assert line.startswith(f"mine.toml:{number}: {said}"), line


def test_a_windows_path_is_explained(refused, read):
    base = swap(
        RICH,
        ('name = "shapes"', 'name = "images"\n{path}'),
        ('count = 512\nseed = 5\nkinds = ["circle", "star"]\n', ""),
    )
    say = "because a backslash in \"double quotes\" is an escape; put a path in 'single quotes' or write it with /"
    assert refused(base.replace("{path}", r'path = "C:\temp"')) == [f"mine.toml:8: data.path: holds a tab, {say}"]
    assert refused(base.replace("{path}", r'path = "C:\new"')) == [f"mine.toml:8: data.path: holds a line break, {say}"]
    (line,) = refused(base.replace("{path}", r'path = "C:\Users\me"'))
    assert line.startswith('mine.toml:8: invalid hex value; a backslash in "double quotes" is an escape: put a path in')
    (line,) = refused(base.replace("{path}", r'path = "C:\my"'))
    assert line.startswith("mine.toml:8: unescaped '\\' in a string; a backslash in")
    assert read(base.replace("{path}", r"path = 'C:\temp'")).data.path.name == r"C:\temp"


def test_a_control_character_from_an_option_is_named_too(refused):
    assert refused(RICH, sets=['train.device="c\\tpu"'])[0].startswith(
        '--set train.device="c\\tpu": train.device: holds a tab'
    )


def test_everything_wrong_at_once_each_with_its_line(refused):
    text = swap(
        RICH,
        ("recipe = 1\n", "recipe = 9\n"),
        ("T = 500", "T = 0"),
        ("width = 16", "width = 16.5"),
        ("[loss]", "[losss]"),
        ('variance = "beta"', 'variance = "betta"'),
        ("warmup = 10", "warmpu = 10"),
        ("clip = false", "clip = 7"),
        ("accumulate = 2", "accumulate = 3"),
        ("keep = 3", "keep = 0"),
        ("eta = 0.5", "eta = 2"),
        ("blocks = 2 }", "blokcs = 2 }"),
    )
    lines = refused(text)
    for part in (
        "recipe = 9",
        "T = 0",
        "16.5",
        "[losss]",
        "betta",
        "warmpu",
        "clip = 7",
        "keep = 0",
        "eta = 2",
        "blokcs",
    ):
        assert any(line.startswith(f"mine.toml:{line_of(text, part)}: ") for line in lines), (part, lines)
    assert any(line.startswith(f"mine.toml:{line_of(text, 'accumulate = 3')}: train.accumulate: ") for line in lines)
    assert len(lines) == len(set(lines))


def test_what_is_missing(refused):
    assert refused("") == [
        "mine.toml:1: recipe: is missing; write recipe = 1 on the first line",
        "mine.toml:1: name: is missing",
        "mine.toml:1: data: is missing",
        "mine.toml:1: backbone: is missing",
        "mine.toml:1: train: is missing",
    ]
    text = swap(RICH, ("steps = 100\n", ""))
    assert refused(text) == [f"mine.toml:{line_of(text, '[train]')}: train.steps: is missing"]


def test_a_small_recipe_is_enough(read):
    recipe = read('recipe = 1\nname = "x"\ndata = "shapes"\nbackbone = "unet"\ntrain.steps = 5\n')
    assert (recipe.seed, recipe.train.batch, recipe.schedule.T, recipe.preview.sampler) == (0, 128, 1000, None)
    assert [type(part).__name__ for part in (recipe.predict, recipe.loss, recipe.sampler)] == ["Eps", "L2", "DDPM"]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            (("accumulate = 2", "accumulate = 5"),),
            "train.accumulate: 5 parts do not divide a batch of 16; the nearest that do are 4",
        ),
        (
            (("accumulate = 2", "accumulate = 17"),),
            "train.accumulate: 17 parts do not divide a batch of 16; the nearest that do are 16",
        ),
        ((("T = 500", "T = 19"),), "sample.steps: at most one step a level: 19 (schedule.T), got 20"),
        ((("steps = 10\n", "steps = 501\n"),), "preview.steps: at most one step a level: 500 (schedule.T), got 501"),
        (
            (("size = [32, 16]", "size = [32, 18]"),),
            "backbone.mults: width 18 cannot be halved once after patch 2; the nearest that can are 16 and 20",
        ),
        ((("width = 16", "width = 12"),), "backbone.width: 12 is not a multiple of 8; the nearest are 8 and 16"),
        (
            (("attention = [16]", "attention = [4]"),),
            "backbone.attention: the network never works at side 4, only at 16 and 8",
        ),
    ],
)
def test_keys_that_do_not_fit_together(refused, pairs, said):
    text = swap(RICH, *pairs)
    lines = [line for line in refused(text) if "(profile" not in line]
    assert [line.split(": ", 1)[1] for line in lines] == [said]
    number = int(lines[0].split(":")[1])
    key = said.split(":")[0].split(".")[1]
    assert text.splitlines()[number - 1].startswith(key)


def test_a_network_too_small_for_the_picture_is_told_at_its_name(refused):
    text = 'recipe = 1\nname = "x"\n[data]\nname = "shapes"\nsize = 64\n[backbone]\nname = "mlp"\n[train]\nsteps = 5\n'
    (line,) = refused(text)
    assert line.startswith("mine.toml:7: backbone.name: mlp takes pictures of at most 4096 numbers")
