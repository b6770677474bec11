"""A data set for difftool: pictures that are computed."""

from difftool.api import Dataset, Field, hookimpl


class Sprout(Dataset):
    """Soft discs of any colour on a dark ground, each somewhere else."""

    size: int = Field(32, ge=8, le=512)
    """side of the pictures in pixels"""
    count: int = Field(2048, ge=1)
    """how many pictures"""

    @property
    def shape(self):
        """(channels, height, width), known before anything is drawn."""
        return 3, self.size, self.size

    def prepare(self, watch):
        """Draws them all before step 1, once; they are kept in the cache."""
        self._pixels(watch)

    def open(self):
        """The pictures, and by name what is known of each."""
        from difftool.api import ArrayImages

        radii = [float(disc(index)[2]) for index in range(self.count)]
        return ArrayImages(self._pixels(lambda done, total: None), {"radius": radii})

    def _pixels(self, watch):
        from difftool.api import drawn

        # All that the pictures depend on besides their shape: raise the version when a line of the drawing changes.
        depends = {"version": 1}
        return drawn("difftool-sprout", depends, (self.count, self.size, self.size, 3), self._draw, watch)

    def _draw(self, index):
        """Picture `index` as uint8 [H, W, C]; it depends on the index alone."""
        import numpy as np

        # YOURS: what there is to see.
        x, y, radius, *colour = disc(index)
        down, along = (np.mgrid[: self.size, : self.size] + 0.5) / self.size
        inside = radius - np.hypot(along - x, down - y)  # above 0 inside the disc
        cover = np.clip(inside * self.size + 0.5, 0, 1)[..., None]  # the edge is a pixel wide
        return np.rint(255 * cover * np.array(colour)).astype(np.uint8)


def disc(index):
    """x, y, radius, red, green and blue of a disc, from 0 to 1."""
    import numpy as np

    return np.random.default_rng(index).uniform([0.3, 0.3, 0.1, 0.3, 0.3, 0.3], [0.7, 0.7, 0.3, 1, 1, 1])


@hookimpl
def register_datasets(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
