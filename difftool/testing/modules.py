"""What a module must keep that difftool loads by name: it is imported by every command that builds parts."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

from difftool.testing.rules import PATIENCE, Rule

CODE = """
import importlib, sys, time
import difftool.plugin.loader
before, began = "torch" in sys.modules, time.perf_counter()
importlib.import_module(sys.argv[1])
print()
print("cost", time.perf_counter() - began, not before and "torch" in sys.modules)
"""


@functools.cache
def cost(module: str) -> tuple[float, bool] | None:
    """(seconds to import it in a new process, whether that loads torch); None if it cannot be told."""
    command = [sys.executable, "-W", "ignore", "-P", "-c", CODE, module]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=os.environ | path
        )
    except subprocess.TimeoutExpired:
        return None
    word, *figures = (done.stdout.strip().rpartition("\n")[2]).split() or [""]
    return (float(figures[0]), figures[1] == "True") if word == "cost" and done.returncode == 0 else None


def loads_no_torch(module: str, seed: int) -> str | None:
    """Loads no torch when it is imported: every command that builds parts would wait for it."""
    found = cost(module)
    if found is None:
        return f"importing {module} fails in a new process, or takes longer than {PATIENCE:g} s"
    if found[1]:
        return (
            f"importing {module} takes {found[0]:.1f} s and loads torch; import it inside the method that needs it, "
            "and put a network into a second module"
        )
    return None


RULES: tuple[Rule, ...] = (loads_no_torch,)
