"""Drawn faces as an opened data set: pixels from the cache, words from the dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from difftool.api import ArrayImages
from difftool.builtin.avatar_traits import traits

if TYPE_CHECKING:
    import numpy as np

WORDS = ("hair", "eyes", "expression", "accessory", "caption")


class AvatarImages(ArrayImages):
    """Pictures whose words are worked out when they are asked for."""

    def __init__(self, pixels: np.ndarray[Any, np.dtype[np.uint8]], seed: int, label: str) -> None:
        super().__init__(pixels)
        self._seed, self._label = seed, label

    def values(self, indices: Sequence[int]) -> Mapping[str, Sequence[Any]]:
        """The four attributes, a caption that says them in a sentence, and the label that the recipe asks for."""
        found = [traits(self._seed, index) for index in self.checked(indices).tolist()]
        return {"label": [getattr(each, self._label) for each in found]} | {
            word: [getattr(each, word) for each in found] for word in WORDS
        }
