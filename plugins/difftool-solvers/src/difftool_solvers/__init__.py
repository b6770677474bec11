"""Fast samplers for any difftool model: 10 to 20 calls of the network instead of a thousand."""

from __future__ import annotations

from difftool.api import Register, hookimpl
from difftool_solvers.deis import DEIS
from difftool_solvers.dpm import DPM2M, DPM2MSDE, DPM3M
from difftool_solvers.heun import Heun
from difftool_solvers.ipndm import IPNDM
from difftool_solvers.unipc import UniPC


@hookimpl
def register_samplers(register: Register) -> None:
    """From the one that nobody has to think about to the one for 50 steps and more."""
    register("unipc", UniPC)
    register("dpm-2m", DPM2M)
    register("dpm-3m", DPM3M)
    register("dpm-2m-sde", DPM2MSDE)
    register("deis", DEIS)
    register("ipndm", IPNDM)
    register("heun", Heun)
