"""A sampler for difftool: a way from noise to pictures."""

import math
from itertools import pairwise

from difftool.api import Denoiser, Draw, Field, Sampler, Step, hookimpl


class Sprout(Sampler):
    """Straight to the guess, as ddim, with a share of the noise drawn anew at each step."""

    fresh: float = Field(0.0, ge=0, le=1)
    """share of the variance that is drawn anew; 0: none, as ddim; 1: all that there is, as ddpm"""

    def run(self, denoiser: Denoiser, x, times: tuple[float, ...], draw: Draw):
        """Yields a Step for each hop from a level t down to the next, s; x_t = alpha_t x0 + sigma_t eps."""
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop = denoiser.schedule.hop(t, s)  # every coefficient of this hop, as plain floats
            guess = denoiser(x, t)  # what the network thinks of x: guess.x0 and guess.eps
            # YOURS: where x goes from here.
            variance = self.fresh * hop.posterior
            kept = math.sqrt(max(0.0, hop.sigma_s**2 - variance))
            x = hop.alpha_s * guess.x0 + kept * guess.eps
            if variance > 0:
                x = x + math.sqrt(variance) * draw()
            yield Step(index, len(times) - 1, s, x, guess.x0)


@hookimpl
def register_samplers(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
