"""A noise schedule for difftool: how much of the picture is left at each level, and how much noise is on it."""

import math

from difftool.api import Field, NoiseSchedule, hookimpl


class Sprout(NoiseSchedule):
    """An arc from the picture to noise: alpha and sigma are the cosine and sine of an angle."""

    keeps = "power"  # alpha^2 + sigma^2 is 1 at every level; or "sum", "signal", "nothing"

    bend: float = Field(1.2, ge=1, le=2)
    """1: the angle grows evenly; more: slowly at first, so that more of the levels have little noise"""
    left: float = Field(0.005, ge=0.001, le=0.05)
    """alpha at level T: how much of the picture is left at the end"""

    def build(self):
        """The levels 0 to T: level 0 is the clean picture, sigma / alpha grows from each to the next."""
        import torch
        from difftool.api import Schedule

        end = math.acos(self.left)

        def curve(t):
            # YOURS: (alpha, sigma) at any levels t, whole or between, as float64.
            angle = end * (t / self.T) ** self.bend
            return angle.cos(), angle.sin()

        levels = torch.arange(self.T + 1, dtype=torch.float64)
        return Schedule(*curve(levels), curve)


@hookimpl
def register_schedules(register):
    """Offers it to recipes and to the command line."""
    register("sprout", Sprout)
