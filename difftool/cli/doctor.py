"""`difftool doctor`: what this machine can do, and what stands in the way."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from difftool import __version__
from difftool.cli.tables import as_json
from difftool.errors import safe_text


def doctor(json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False) -> None:
    """Python, torch, devices, disk, plugins: everything to know before training, or to put into a bug report."""
    from difftool.plugin.catalogue import catalogue
    from difftool.recipe.offered import offered

    facts = {
        "difftool": __version__,
        "python": f"{sys.version.split()[0]} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "disk here": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free in {Path.cwd()}",
        "terminal": f"{os.environ.get('TERM', 'unknown')}, {shutil.get_terminal_size().columns} columns",
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in ("pydantic", "safetensors", "textual")),
        "recipes": ", ".join(each.owned for each in offered()) or "none: the installation is incomplete",
    }
    rows = catalogue()
    third = [row for row in rows if row["owner"] != "difftool"]
    facts["plugins"] = (
        ", ".join(f"{row['id']} {row['version']} ({row['state']})" for row in third) or "none besides ours"
    )
    facts |= _torch()
    problems = [f"{row['id']}: {row['reason']}" for row in rows if row["state"] == "broken"]
    if sys.platform == "win32":
        problems.append("Windows is supported through WSL only")
    if json:
        as_json({"facts": facts, "problems": problems})
        return
    for label, text in facts.items():
        typer.echo(f"{label:>10}  {safe_text(text)}")
    for problem in problems:
        typer.echo(f"{'problem':>10}  {safe_text(problem)}")
    typer.echo(f"{'verdict':>10}  {'see the problems above' if problems else 'ready: difftool train quickstart'}")


def _torch() -> dict[str, str]:
    import torch

    from difftool.engine.device import describe, faster_precision, pick

    device = pick("auto")
    side = 1024 if device.type == "cuda" else 256
    net = torch.nn.Conv2d(64, 64, 3, padding=1).to(device)
    x = torch.randn(8, 64, side // 8, side // 8, device=device)

    def work(precision: str) -> object:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            return net(x)

    return {
        "torch": f"{torch.__version__}, built with{' CUDA ' + cuda if (cuda := torch.version.cuda) else 'out CUDA'}",
        "device": describe(device),
        "faster": f"{faster_precision(work, device)} for convolutions here",
    }
