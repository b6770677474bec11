"""A loss for difftool: how wrong the network is."""

from difftool.api import Field, Loss, Noised, hookimpl


class Sprout(Loss):
    """Half the square of small errors, `soft` times the size of large ones, and smooth between (Charbonnier)."""

    soft: float = Field(1.0, gt=0)
    """the size of an error at which the square turns into a straight line"""

    def __call__(self, output, noised: Noised):
        """One value for each picture, [B]; `noised` has target, x0, eps, x_t, t, alpha, sigma, gain and schedule."""
        error = output - noised.target  # [B, C, H, W]
        # YOURS: what an error costs. Times noised.gain it would be the error of the picture x0.
        square = error.square()
        cost = self.soft * square / ((square + self.soft**2).sqrt() + self.soft)
        return cost.flatten(1).mean(1)

    # def levels(self, u, schedule):
    #     """Where training happens: a level for each u in [0, 1); without this, evenly over 1 to T."""


@hookimpl
def register_losses(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
