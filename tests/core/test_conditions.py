"""What a network is told: labels learned from the data, and withheld as often as was asked for."""

import pytest
import torch

from difftool.builtin.conditions import Labels
from difftool.core.conditions import encoded, withheld
from difftool.errors import InputError


def test_labels_learn_what_there_is_in_an_order_of_its_own():
    labels = Labels().fit(["star", "circle", "star", "heart"])
    assert labels.classes == labels.choices == ("circle", "heart", "star")
    assert labels.shape == (3,)
    assert labels.encode("heart").tolist() == [0, 1, 0]
    assert labels.null.tolist() == [0, 0, 0]
    assert labels.fit(["heart"]) == labels  # what it knows, it keeps
    assert Labels().fit([10, 9, 2, 9]).classes == ("2", "9", "10")
    assert Labels().fit([10, 9]).encode(10).tolist() == [0, 1]


def test_a_label_that_is_none_is_refused_with_the_nearest():
    labels = Labels(classes=("circle", "star"))
    with pytest.raises(InputError, match=r"there is no label 'cirle'; did you mean 'circle'\?"):
        labels.encode("cirle")
    with pytest.raises(InputError, match="there is no label 'moon'; the labels are circle, star"):
        labels.fit(["circle", "moon"])


def test_classes_are_all_different_and_some_pictures_are_told():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        Labels(classes=("a", "b", "a"))
    with pytest.raises(ValueError, match="less than 1"):
        Labels(drop=1)


def test_rows_are_encoded_by_key():
    rows = encoded({"label": Labels(classes=("a", "b"))}, {"label": ["b", "a", "b"]})
    assert rows["label"].tolist() == [[0, 1], [1, 0], [0, 1]]
    assert rows["label"].dtype == torch.float32


def test_what_is_withheld_is_null_and_one_throw_serves_all():
    conditions = {"a": Labels(classes=("x", "y"), drop=0.3), "b": Labels(classes=("z",), drop=0.6)}
    rows = encoded(conditions, {"a": ["x"] * 5, "b": ["z"] * 5})
    kept = withheld(conditions, rows, torch.tensor([0.0, 0.29, 0.3, 0.59, 0.6]))
    assert kept["a"][:, 0].tolist() == [0, 0, 1, 1, 1]
    assert kept["b"][:, 0].tolist() == [0, 0, 0, 0, 1]
    assert rows["a"][:, 0].tolist() == [1] * 5
