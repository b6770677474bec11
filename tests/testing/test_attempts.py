"""What kits are told of a run is what a trainer tells: the events written by hand have the keys of real ones."""

import json

import pytest

from difftool.testing import attempts

from ..flow.conftest import events, go_on, recipe, registry, train  # noqa: F401  (fixtures)

CHECKPOINT = dict(attempts.whole())["a checkpoint"]
BY_HAND = [attempts.start(), attempts.row(1), attempts.preview(10), CHECKPOINT, attempts.end(40)]


@pytest.fixture
def real(train, go_on):  # noqa: F811
    run = train("train.steps=4", "preview.every=2", "checkpoint.every=2")
    assert go_on(run, "train.steps=6")
    return run


def test_events_have_the_keys_of_real_ones(real):
    """A key less would let a part pass that stumbles over it; a key more, one that needs it."""
    for event in BY_HAND:
        theirs = events(real, event["kind"])
        assert theirs
        assert {frozenset(each) for each in theirs} == {frozenset(event)}


def test_what_lies_in_the_folder_lies_in_a_real_one(real, tmp_path):
    root = tmp_path / "by-hand" / attempts.run_in(tmp_path / "by-hand").id
    assert {path.name for path in root.iterdir()} <= {path.name for path in real.root.iterdir()}
    for name in ("run.json", "status.json"):
        assert set(json.loads((root / name).read_text())) <= set(json.loads((real.root / name).read_text()))
