"""A plugin with samplers of all kinds, most of them bad: what `difftool bench samplers` must bear."""

import sys
from itertools import pairwise
from math import inf
from pathlib import Path

from difftool.api import Sampler, Step, hookimpl


class Euler(Sampler):
    """The plain way, to be spoilt by the others."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            self.meddle(index, t, s)
            hop, guess = denoiser.schedule.hop(t, s), denoiser(x, t)
            x = self.spoil(hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps, draw)
            yield Step(index, len(times) - 1, s, x, guess.x0)

    def meddle(self, index, t, s):
        pass

    def spoil(self, x, draw):
        return x


class Twice(Sampler):
    """Asks again where it arrives, except at 0."""

    def run(self, denoiser, x, times, draw):
        for index, (t, s) in enumerate(pairwise(times), 1):
            hop, guess = denoiser.schedule.hop(t, s), denoiser(x, t)
            there = hop.alpha_s * guess.x0 + hop.sigma_s * guess.eps
            if s > 0:
                denoiser(there, s)
            x = there
            yield Step(index, len(times) - 1, s, x, guess.x0)


class Noisy(Euler):
    """Some noise on top."""

    def spoil(self, x, draw):
        return x + 0.01 * draw()


class Middling(Euler):
    """Means."""

    gives = "means"


class Raises(Euler):
    """Raises."""

    def meddle(self, index, t, s):
        if index == 2:
            raise RuntimeError("out of\nideas")


class Quits(Euler):
    """Leaves."""

    def meddle(self, index, t, s):
        sys.exit(3)


class Nan(Euler):
    """Not a number."""

    def spoil(self, x, draw):
        return x * float("nan")


class Early(Euler):
    """Stops early."""

    def run(self, denoiser, x, times, draw):
        for step, _ in zip(super().run(denoiser, x, times, draw), times[2:], strict=False):
            yield step


class Few(Euler):
    """Refuses many steps."""

    def times(self, schedule, n=None):
        if n > 3:
            raise ValueError("three at most")
        return super().times(schedule, n)


class Flat(Euler):
    """The wrong shape."""

    def run(self, denoiser, x, times, draw):
        yield Step(1, 1, 0.0, x[:1, :1], x)


class Needy(Euler):
    """Has no default."""

    order: int
    """which"""


class Learned(Euler):
    """Reads a variance."""

    @property
    def outputs(self):
        return 2


class Torn(Euler):
    """Cannot even say."""

    @property
    def outputs(self):
        raise KeyError("torn")


class Endless(Euler):
    """Has a default that no JSON can say."""

    band: tuple[float, float] = (0.0, inf)
    """between which"""


class Rival(Euler):
    """Another bench of the same run writes its files while this one measures."""

    def meddle(self, index, t, s):
        Path("bench-run").mkdir(exist_ok=True)
        Path("bench-run", "samplers.json").write_text("the other's")


class Stopped(Euler):
    """Somebody presses Ctrl-C while it works."""

    def run(self, denoiser, x, times, draw):
        if len(times) > 4:
            raise KeyboardInterrupt
        yield from super().run(denoiser, x, times, draw)


@hookimpl
def register_samplers(register):
    bad = (Raises, Quits, Nan, Early, Few, Flat, Needy, Learned, Torn, Endless, Rival, Stopped)
    for cls in (Twice, Noisy, Middling, *bad):
        register(cls.__name__.lower(), cls)
