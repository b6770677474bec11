"""EDM (Karras et al. 2022, arXiv 2206.00364) in four parts that also work with others.

The paper writes x = x0 + sigma n. Here x_t = alpha x0 + sigma eps, so its sigma is the noise ratio sigma / alpha, and
its x is x_t / alpha.
"""

from __future__ import annotations

from difftool.api import Register, hookimpl
from difftool_edm.loss import Lognormal
from difftool_edm.sampler import Heun
from difftool_edm.schedule import Exploding
from difftool_edm.target import Preconditioned


@hookimpl
def register_targets(register: Register) -> None:
    """What the network says."""
    register("edm", Preconditioned)


@hookimpl
def register_losses(register: Register) -> None:
    """Where it learns."""
    register("lognormal", Lognormal)


@hookimpl
def register_schedules(register: Register) -> None:
    """How noise grows."""
    register("edm", Exploding)


@hookimpl
def register_samplers(register: Register) -> None:
    """How it is taken away."""
    register("edm", Heun)
