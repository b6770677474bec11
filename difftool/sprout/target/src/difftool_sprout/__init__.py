"""A target for difftool: what the network predicts, and how its input and output are scaled."""

from difftool.api import Field, Target, hookimpl


class Sprout(Target):
    """A mix of noise and picture: (1 - picture) eps - picture x0, the same mix at every level."""

    picture: float = Field(0.3, ge=0, le=1)
    """share of the picture; 0: the noise alone, as eps; 0.5: half of the velocity; 1: the picture, as -x0"""

    def coefficients(self, alpha, sigma):
        """(skip, out, scale) of x0 = skip x_t + out F(scale x_t), for x_t = alpha x0 + sigma eps."""
        # YOURS: solve what F should be for x0. Here F = noise eps - picture x0, and eps = (x_t - alpha x0) / sigma.
        noise = 1 - self.picture
        both = noise * alpha + self.picture * sigma
        return noise / both, -sigma / both, 1.0


@hookimpl
def register_targets(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
