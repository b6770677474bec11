"""A metric for difftool: numbers that judge a model."""

from difftool.api import Field, Metric, hookimpl


class Sprout(Metric):
    """Contrast: how far pixels are from their picture's mean, of 255, in the model's pictures and in the data."""

    pictures: int = Field(64, ge=1)
    """how many of each"""

    def measure(self, model, images, watch):
        """Numbers by name; a tuple of numbers is one for each level. `watch(done, in_all)` moves the progress bar."""
        import numpy as np

        made = np.asarray(model.sample(range(self.pictures)).cpu())  # uint8 [N, H, W, C]; picture k has seed k
        real = images.take(range(min(self.pictures, len(images))))
        watch(self.pictures, self.pictures)
        # YOURS: what is measured.
        return {"contrast": contrast(made), "contrast_of_data": contrast(real)}


def contrast(pixels) -> float:
    """The mean over pictures of the standard deviation within each."""
    return float(pixels.reshape(len(pixels), -1).std(axis=1).mean())


@hookimpl
def register_metrics(register):
    """Offers it to the command line."""
    register("sprout", Sprout)
