"""A virtual environment that has what is installed here, and what a test installs besides."""

import os
import site
import venv
from pathlib import Path

import difftool


def borrowed(folder: Path) -> dict[str, str]:
    """Makes one in folder/.venv; the environment variables under which its programs come first, and nothing is fetched.

    It is made without pip: the one that runs the test is borrowed, and with it everything else.
    """
    home = folder / ".venv"
    venv.create(home)
    parents = [*site.getsitepackages(), str(Path(difftool.__file__).parents[1])]
    packages = next(home.glob("lib/python*/site-packages"))
    (packages / "borrowed.pth").write_text("".join(f"import site; site.addsitedir({p!r})\n" for p in parents))
    for command in ("pip", "difftool"):
        script = home / "bin" / command
        script.write_text(f'#!/bin/sh\nexec "{home}/bin/python" -m {command} "$@"\n')
        script.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIFFTOOL", "PYTHON", "PIP"))}
    return kept | {
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",  # difftool itself may lie here without being installed
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "1",
    }
