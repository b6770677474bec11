"""What a batch is made of: mirrors and withheld labels by step, time spent on data, room on the device."""

import time

import numpy as np
import pytest
import torch

from difftool.data.array import ArrayImages
from difftool.engine.feed import Feed, fits

CPU = torch.device("cpu")
COUNT = 32


@pytest.fixture
def feed(make, registry):
    """Feeds pictures to the recipe with some changes."""

    def build(images, *sets):
        return Feed(images, make(f"train.batch={COUNT}", *sets), registry, CPU)

    return build


def alike():
    """The same picture everywhere, dark on the left, with the same label: only what is drawn for a slot differs."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = 255
    return ArrayImages(np.stack([picture] * COUNT), {"label": ["a"] * COUNT})


def test_other_slots_are_mirrored_at_every_step(feed):
    mirroring = feed(alike(), "train.flip=true")

    def mirrored(step):
        (part,) = mirroring(step)
        return (part.x0[:, 0, 0, 0] > 0).tolist()

    assert 0 < sum(mirrored(1)) < COUNT
    assert mirrored(1) == mirrored(1)
    assert len({tuple(mirrored(step)) for step in range(1, 5)}) == 4


def test_the_labels_of_other_slots_are_withheld_at_every_step(feed):
    telling = feed(alike(), "conditions.label={name='labels', classes=['a', 'b'], drop=0.5}")

    def told(step):
        (part,) = telling(step)
        return part.cond["label"][:, 0].tolist()

    assert 0 < sum(told(1)) < COUNT
    assert told(1) == told(1)
    assert len({tuple(told(step)) for step in range(1, 5)}) == 4


def test_the_time_that_pictures_take_is_counted(feed):
    class Slow(ArrayImages):
        def take(self, indices):
            time.sleep(0.02)
            return super().take(indices)

    waiting = feed(Slow(np.zeros((COUNT, 8, 8, 3), np.uint8)))
    assert waiting.waited == 0
    list(waiting(1))
    assert waiting.waited >= 0.02


def test_pictures_live_on_a_gpu_if_they_take_a_third_of_its_free_memory_at_most(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (300, 1000))
    assert fits(100, torch.device("cuda"))
    assert not fits(101, torch.device("cuda"))
    assert not fits(1, CPU)
