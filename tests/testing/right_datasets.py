"""A data set that is right: small pictures, drawn when asked for."""

from dataclasses import dataclass

import numpy as np

from difftool.api import Dataset


def picture(index):
    """One small picture, of its index alone."""
    return np.random.default_rng(index).integers(0, 256, (4, 4, 3), dtype=np.uint8)


@dataclass
class Images:
    """Thirty of them, each of one of three kinds."""

    count: int = 30

    def __len__(self):
        return self.count

    def checked(self, indices):
        indices = [int(index) for index in indices]
        if any(not 0 <= index < self.count for index in indices):
            raise IndexError(indices)
        return indices

    def take(self, indices):
        return np.stack([picture(index) for index in self.checked(indices)])

    def values(self, indices):
        return {"label": [f"kind {index % 3}" for index in self.checked(indices)]}


class Right(Dataset):
    @property
    def shape(self):
        return (3, 4, 4)

    def open(self):
        return Images()


def wrong(name, **methods):
    """A data set whose opened pictures differ from the right ones in some methods."""
    images = type(name, (Images,), methods)
    return type(name, (Right,), {"open": lambda self: images()})


def taking(name, change):
    """A data set whose take(indices) is change(the right take, indices)."""
    return wrong(name, take=lambda self, indices: change(lambda chosen: Images.take(self, chosen), indices))


def telling(name, change):
    """A data set whose values(indices) are change(the right values, indices)."""
    return wrong(name, values=lambda self, indices: change(lambda chosen: Images.values(self, chosen), indices))
