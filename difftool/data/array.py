"""Pictures that lie in one array, in memory or on disk: what most data sets open as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


class ArrayImages:
    """Images from an array uint8 [N, H, W, C] that nobody writes to, and what is known of each.

    `rows` says which row of the array each picture is, if it is not simply the row of its own number.
    """

    def __init__(
        self, pixels: Pixels, values: Mapping[str, Sequence[Any]] | None = None, rows: Rows | None = None
    ) -> None:
        self._pixels, self._values, self._rows = pixels, dict(values or {}), rows
        for key, column in self._values.items():
            if len(column) != len(self):
                raise ValueError(f"{len(column)} values of {key!r} for {len(self)} pictures")

    def __len__(self) -> int:
        return len(self._pixels if self._rows is None else self._rows)

    def take(self, indices: Sequence[int]) -> Pixels:
        """uint8 [N, H, W, C], the caller's own."""
        chosen = self.checked(indices)
        return self._pixels.take(chosen if self._rows is None else self._rows[chosen], axis=0)

    def values(self, indices: Sequence[int]) -> Mapping[str, Sequence[Any]]:
        """What is known of each, by key."""
        chosen = self.checked(indices).tolist() if self._values else []
        return {key: [column[index] for index in chosen] for key, column in self._values.items()}

    def checked(self, indices: Sequence[int]) -> Rows:
        """The indices as an array, all of pictures that there are."""
        chosen = np.asarray(indices, dtype=np.int64)
        wrong = (chosen < 0) | (chosen >= len(self))  # numpy would count from the end, which hides a wrong index
        if wrong.any():
            raise IndexError(f"there is no picture {chosen[wrong][0]}; they are 0 to {len(self) - 1}")
        return chosen
