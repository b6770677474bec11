"""Labels, guidance, variations and other schedules, from the recipe to the pictures on disk."""

import json

import pytest
import torch
from PIL import Image

from difftool.core.guidance import Guidance
from difftool.core.randomness import Stream, uniform
from difftool.engine.build import how_of, load_model
from difftool.engine.data import fingerprint, opened
from difftool.engine.described import describe
from difftool.engine.feed import Feed
from difftool.engine.sealed import open_model_file
from difftool.engine.watch import Watcher
from difftool.engine.weights import tensors_of
from difftool.errors import InputError
from difftool.plugin.loader import installed

LABELS = ("conditions.label=labels", "data.kinds=['circle','star','heart']")
QUIET = ("--set", "sampler.noise=0")
WORDS = ["circle", "heart", "star"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with labels for the whole file."""
    from difftool.engine.start import start
    from difftool.engine.watch import Watcher
    from difftool.recipe.load import prepare
    from difftool.recipe.source import parse

    from .conftest import TINY

    folder, registry = tmp_path_factory.mktemp("labelled"), installed().registry
    source = parse(TINY.encode(), label="tiny.toml", folder=folder)
    recipe, _ = prepare(source, registry, sets=[*LABELS, "optim.lr=0.05", "data.count=40"]).recipe("none")
    return start(recipe, registry, folder, Watcher(), name="run")


@pytest.fixture
def draw(difftool, run, tmp_path):
    """Samples into a folder; {file name: picture}."""
    count = iter(range(100))

    def go(*arguments):
        out = tmp_path / f"out{next(count)}"
        difftool("sample", run.root, *arguments, "-o", out, check=0)
        drawn = {}
        for path in sorted(out.glob("*.png")):
            with Image.open(path) as picture:
                picture.load()
                picture.path = path
                drawn[path.name] = picture
        return drawn

    return go


def alike(a, b):
    """But for what a processor rounds at another batch size."""
    return max(abs(x - y) for x, y in zip(a.tobytes(), b.tobytes(), strict=True)) <= 1


def words(picture):
    return {key.removeprefix("difftool."): value for key, value in picture.text.items()}


def test_the_names_are_in_the_recipe_and_in_the_weights(run):
    assert 'classes = [\n    "circle",\n    "heart",\n    "star",\n]' in run.recipe.read_text()
    known = describe(open_model_file(run.weights), installed().registry)
    assert known.conditions["label"].classes == ("circle", "heart", "star")
    model = load_model(known, "cpu")
    assert model.net.told.about_label.weight.shape[1] == 3


def test_going_on_with_labels_gives_the_same_bits_as_never_stopping(train, go_on):
    whole = train(*LABELS, "train.steps=6", "optim.lr_decay=none", name="whole")
    part = train(*LABELS, "train.steps=3", "optim.lr_decay=none", name="part")
    go_on(part, "train.steps=6")
    ours, theirs = open_model_file(part.weights), open_model_file(whole.weights)
    tensors = [tensors_of(file) for file in (ours, theirs)]
    assert all(torch.equal(value, tensors[1][name]) for name, value in tensors[0].items())


def test_a_batch_is_told_its_labels_and_withheld_as_often_as_the_recipe_says(recipe, registry):
    data = opened(recipe(*LABELS, "conditions.label.drop=0.25", "train.batch=2000"), registry, Watcher())
    made, images = data.recipe, data.images
    feed = Feed(images, made, registry, torch.device("cpu"))
    (one, two) = feed(1)
    rows = torch.cat([one.cond["label"], two.cond["label"]])
    withheld = uniform(made.seed, Stream.LABELS, 1, range(2000)) < 0.25  # of the whole batch, however it is divided
    assert torch.equal(rows.sum(1) == 0, withheld)
    kept = rows.sum(1)
    assert set(kept.tolist()) == {0.0, 1.0}
    assert 0.22 < float((kept == 0).float().mean()) < 0.28
    names = images.values(feed.order.indices(1).tolist())["label"]
    assert all(row[WORDS.index(name)] == 1 for row, name in zip(rows, names, strict=True) if row.sum())
    again = torch.cat([part.cond["label"] for part in feed(1)])
    assert torch.equal(rows, again)
    assert not torch.equal(rows, torch.cat([part.cond["label"] for part in feed(2)]))


def test_other_labels_are_other_data(recipe):
    images = recipe(*LABELS).data.open()
    plain = fingerprint(images)

    class Renamed:
        __len__, take = images.__len__, images.take

        def values(self, indices):
            return {"label": ["moon" if name == "star" else name for name in images.values(indices)["label"]]}

    Renamed.__len__ = lambda self: len(images)
    renamed = Renamed()
    assert fingerprint(renamed) == plain
    assert fingerprint(renamed, ["label"]) != fingerprint(images, ["label"])


def test_the_preview_has_a_guidance_of_its_own(recipe):
    made = recipe(*LABELS, "sample.guidance=2", "preview.guidance=0", "sample.guidance_levels=[2,9]")
    assert how_of(made.sampler, made.sample).guidance == Guidance(2, (2, 9))
    assert how_of(made.sampler, made.sample, made.preview).guidance == Guidance(0, (2, 9))


@pytest.mark.parametrize(
    ("change", "key"),
    [("data.kinds=['circle','heart']", "conditions"), ("backbone.activation=relu", "backbone")],
)
def test_weights_whose_numbers_mean_something_else_are_refused(train, run, change, key):
    weights = open_model_file(run.weights)
    with pytest.raises(Exception, match=rf"the weights were trained otherwise: {key}\."):
        train(*LABELS, change, weights=weights)
    train(*LABELS, "train.steps=1", "conditions.label.drop=0.3", "backbone.dropout=0.1", weights=weights)


def test_a_data_set_that_says_too_little_is_told_so(recipe, registry):
    data = opened(recipe(*LABELS), registry, Watcher())
    made, images = data.recipe, data.images
    for said in ({}, {"label": ["star"]}):
        feed = Feed(images, made, registry, torch.device("cpu"))
        images.values = lambda indices, said=said: said
        with pytest.raises(InputError, match=f"says {len(said)} times what `label` is, of 3 pictures"):
            next(iter(feed(1)))


def test_labels_change_the_picture_and_the_metadata_says_which(draw):
    circle, star = (draw("--seeds", "3", "--label", name)["seed-00000003.png"] for name in ("circle", "star"))
    assert words(circle)["label"] == "circle"
    assert words(circle)["guidance"] == "1.0"
    assert circle.tobytes() != star.tobytes()
    turns = draw("--seeds", "0-5", "--label", "star,circle")
    assert [words(turns[f"seed-{k:08d}.png"])["label"] for k in range(6)] == ["star", "circle"] * 3
    assert alike(turns["seed-00000003.png"], circle)
    usual = draw("-n", "4")
    assert [words(usual[f"seed-{k:08d}.png"])["label"] for k in range(4)] == [*WORDS, "circle"]
    assert words(usual["grid.png"])["labels"] == "circle,heart,star,circle"


def test_guidance_on_the_command_line(draw):
    plain = draw("--seeds", "1", "--label", "star")["seed-00000001.png"].tobytes()
    assert draw("--seeds", "1", "--label", "star", "--guidance", "1")["seed-00000001.png"].tobytes() == plain
    assert draw("--seeds", "1", "--label", "label=star", "--guidance", "4")["seed-00000001.png"].tobytes() != plain
    nothing, other = (
        draw("--seeds", "1", "--label", label, "--guidance", "0")["seed-00000001.png"] for label in ("star", "heart")
    )
    assert nothing.tobytes() == other.tobytes() != plain
    assert "label" not in words(nothing)


def test_variations_and_rows_between_two_pictures(draw):
    drawn = draw("-n", "2")
    a, b = (picture.path for name, picture in drawn.items() if name.startswith("seed"))
    near = draw("--from", a, "--level", "1", "-n", "3", *QUIET)
    assert words(near["grid.png"])["from"] == "seed-00000000.png at level 1"
    assert words(near["grid.png"])["guidance"] == "0.0"  # nothing is told
    free = [
        draw("--from", a, "--level", "15", "--seeds", "1", *also)["seed-00000001.png"]
        for also in ([], ["--label", "star"])
    ]
    assert free[0].tobytes() != free[1].tobytes()
    row = draw("--between", a, b, "--level", "12", "--frames", "4", "-n", "2", *QUIET)
    frames = [name for name in row if name.startswith("seed")]
    assert frames == [f"seed-{seed:08d}-frame-{k:02d}.png" for seed in (0, 1) for k in range(4)]
    assert row["grid.png"].width == 4 * 64 + 10
    ends = draw("--from", a, "--level", "12", "--seeds", "0", *QUIET)["seed-00000000.png"]
    assert alike(row["seed-00000000-frame-00.png"], ends)
    cut = draw("--between", a, b, "--level", "12", "--frames", "4", "-n", "2", "--batch", "3", *QUIET)
    for name in frames:
        assert alike(row[name], cut[name])


def test_labels_can_be_left_out_again(recipe):
    assert recipe(*LABELS, "conditions={}").conditions == {}


def test_the_film_of_guesses_is_another_film(draw):
    noise = draw("-n", "1", "--strip", "3")["strip.png"]
    guess = draw("-n", "1", "--strip", "3", "--guess")["strip.png"]
    assert noise.size == guess.size
    cells = [picture.crop((66 * k + 2, 2, 66 * k + 66, 66)).tobytes() for picture in (noise, guess) for k in (0, 1, 2)]
    assert cells[0] == cells[3]  # both begin with x_T
    assert cells[1] != cells[4]


def test_on_another_schedule(draw):
    there = draw("-n", "1", "--on", "cosine", "--steps", "30")["seed-00000000.png"]
    assert json.loads(words(there)["on"])["name"] == "cosine"
    assert words(there)["steps"] == "30"
    table = draw("-n", "1", "--on", '{name = "cosine", T = 40}')["seed-00000000.png"]
    assert words(table)["steps"] == "40"
    assert there.tobytes() != table.tobytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--label", "sta"], "--label sta: 'sta' is no label; did you mean 'star'?"),
        (["--label", "moon"], "'moon' is no label; there are circle, heart, star"),
        (["--label", "star,moon"], "'moon' is no label"),
        (["--label", "hair=red"], "nothing called 'hair' is told; there is label"),
        (["--strip", "1000"], "from 2 frames, noise and picture, to 64"),
        (["--from", "."], "this is a folder, not a picture"),
        (["--guidance", "-1"], "sample.guidance: "),
        (["--guidance", "nan"], "sample.guidance: "),
        (["--guidance", "3", "--set", "sample.guidance_levels=[9, 3]"], "from the lower to the higher level"),
        (["--on", "{name='linear', T=10, last=0.02}"], "never gets near noise"),
        (["--from", "nowhere.png"], "--from nowhere.png: there is no such file"),
        (["--level", "3"], "--level goes with --from or --between"),
        (["--frames", "3"], "--frames goes with --between"),
        (["--guess"], "--guess is about the film"),
        (["--on", "cosin"], "did you mean 'cosine'?"),
        (["--on", "cosine", "--steps", "2000"], "at most one step a level: 1000"),
        (["--set", "schedule=cosine"], "--on SCHEDULE samples on another schedule"),
        (["--set", "schedule.T=30"], "only [sampler] and [sample] may change here"),
        (["--set", "predict=v"], "another predict would give noise"),
        (["--sampler", "ddpm", "--set", "sampler.variance=learned"], 'train with loss = "hybrid"'),
        (["--exact", "--between", "a.png", "b.png"], "--exact is for pictures that differ by their seeds"),
    ],
)
def test_refusals(difftool, run, arguments, says):
    done = difftool("sample", run.root, *arguments, check=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_pictures_of_another_size_and_levels_beyond(difftool, run, tmp_path):
    Image.new("RGB", (9, 8)).save(tmp_path / "wide.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "right.png")
    done = difftool("sample", run.root, "--from", "wide.png", check=2)
    assert "the picture is 9x8, the model makes 8x8" in done.stderr
    done = difftool("sample", run.root, "--from", "right.png", "--guidance", "3", check=2)
    assert "guidance 3 needs a label with --from" in done.stderr
    done = difftool("sample", run.root, "--from", "right.png", "--level", "21", check=2)
    assert "--level 21: from 1, almost the picture itself, to 20" in done.stderr


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["conditions.hair=labels"], "the data says nothing called 'hair' of its pictures"),
        (
            ["conditions.label=labels", "conditions.label.classes=['circle']"],
            r"there is no label.*\(conditions\.label\)",
        ),
    ],
)
def test_what_the_data_does_not_say(train, sets, says):
    with pytest.raises(Exception, match=says):
        train(*sets)


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["sample.guidance=2"], "guidance needs a condition"),
        (["conditions.label=labels", "conditions.label.drop=0", "preview.guidance=2"], "preview.guidance: the network"),
        (["conditions.label=labels", "sample.guidance_levels=[9, 3]"], "from the lower to the higher level"),
        (["sampler.variance=learned"], 'train with loss = "hybrid"'),
        (["conditions=labels"], "expected tables, as in [conditions.KEY]"),
        (["conditions.label.drop=0.1"], "which condition?"),
        (["conditions.label=labels", "conditions.label.drop=1"], "must be below 1"),
        (["conditions.label=labels", "conditions.label.classes=['a','a']"], "'a' occurs twice"),
    ],
)
def test_recipes_that_could_not_work(recipe, sets, says):
    with pytest.raises(Exception) as refused:
        recipe(*sets)
    assert says in refused.value.render()


def test_the_loop_tells_the_network_its_labels(run, recipe, registry):
    """Nothing else moves the weights that hear them."""
    from difftool.engine.build import network

    made = opened(recipe(*LABELS), registry, Watcher()).recipe
    before = network(made, registry).told.about_label.weight
    after = load_model(describe(open_model_file(run.weights), registry), "cpu").net.told.about_label.weight
    assert before.shape == after.shape
    assert not torch.allclose(before, after, atol=1e-3)


def test_the_metadata_is_enough_to_guide_again(draw):
    some = ["--set", "sample.guidance_levels=[2,9]", "--set", "sample.guidance_rescale=0.5"]
    said = words(draw("--seeds", "1", "--label", "star", "--guidance", "3", *some)["seed-00000001.png"])
    assert (said["guidance"], said["guidance_levels"], said["guidance_rescale"]) == ("3.0", "(2.0, 9.0)", "0.5")


def test_a_condition_that_is_no_list_is_told_a_number():
    from types import SimpleNamespace

    from difftool.cli.asked import told_of

    known = SimpleNamespace(conditions={"turn": SimpleNamespace(choices=())})
    assert told_of(["turn=1.5"], known) == {"turn": (1.5,)}
    assert told_of(["a, b"], known) == {"turn": ("a, b",)}


def test_weights_from_before_a_key_was_there_have_its_default(recipe, registry):
    from types import SimpleNamespace

    from difftool.engine.origin import begin_with
    from difftool.recipe.write import plain

    table = plain(recipe(*LABELS), registry)
    older = {**table, "backbone": {k: v for k, v in table["backbone"].items() if k not in ("norm", "heads")}}
    begin_with(SimpleNamespace(words={"recipe": json.dumps(older)}, label="old"), table, registry)
