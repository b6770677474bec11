"""What is installed, without importing it: a cache that a child process fills.

Installing a plugin is running its code, and importing one may take seconds; commands that only list must do neither.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import platformdirs

from difftool import __version__
from difftool.errors import PluginError
from difftool.plugin.loader import Source, sources, third_party_allowed
from difftool.plugin.registry import BUILTIN

Row = dict[str, Any]


def catalogue() -> list[Row]:
    """One row a plugin: id, owner, version, state, reason, offers by kind, observers."""
    found = sources()
    allowed = third_party_allowed()
    cache = Path(platformdirs.user_cache_dir("difftool")) / f"plugins-{_key(found, allowed)}.json"
    try:
        rows: list[Row] = json.loads(cache.read_text())
        return rows
    except (OSError, ValueError):
        pass
    rows = _probe()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        for old in cache.parent.glob("plugins-*.json"):
            old.unlink(missing_ok=True)
        part = cache.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(rows))
        part.replace(cache)
    except OSError:
        pass  # a cache that cannot be written only costs time
    return rows


def _probe() -> list[Row]:
    command = [sys.executable, "-c", "from difftool.plugin.catalogue import report; report()"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise PluginError(
            "listing the plugins took more than two minutes",
            do="DIFFTOOL_PLUGINS=none difftool plugins list shows the built-ins alone",
        ) from None
    # What plugins print while they are imported comes before our line.
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("difftool-catalogue "):
            rows: list[Row] = json.loads(line.removeprefix("difftool-catalogue "))
            return rows
    raise PluginError(
        "a plugin ended the process that lists plugins",
        why=(done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1],
        do="DIFFTOOL_PLUGINS=none difftool plugins list shows the built-ins alone; uninstall the newest plugin",
    )


def report() -> None:
    """The child's side: loads everything and prints it as one line."""
    from difftool.plugin.loader import installed

    rows = []
    for plugin in installed().plugins:
        offers: dict[str, list[str]] = {}
        for offer in plugin.offers:
            offers.setdefault(offer.kind, []).append(offer.name)
        rows.append(
            {
                "id": plugin.source.id,
                "owner": plugin.source.owner,
                "version": plugin.source.version,
                "module": plugin.source.target,
                "state": plugin.state,
                "reason": plugin.reason,
                "offers": offers,
                "observers": sorted(plugin.observers),
            }
        )
    print("\ndifftool-catalogue " + json.dumps(rows), flush=True)


def _key(found: list[Source], allowed: bool) -> str:
    """Changes when anything that could change the answer does."""
    parts: list[object] = [__version__, sys.executable, sys.version, allowed]
    for source in found:
        parts.append(source)
        if source.owner == BUILTIN:
            continue
        dist = metadata.distribution(source.owner)
        record = dist.read_text("RECORD")
        editable = '"editable": true' in (dist.read_text("direct_url.json") or "")
        # Without a RECORD, or when the files may be edited in place, the files themselves must tell.
        parts.append(record if record and not editable else _stamps(source.target.partition(":")[0].partition(".")[0]))
    parts.append(_folder_stamps(Path(__file__).parent.parent / "builtin"))
    parts.append(_folder_stamps(Path(__file__).parent))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _stamps(package: str) -> object:
    try:
        spec = importlib.util.find_spec(package)  # finds a top-level package without importing it
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return [_folder_stamps(Path(folder)) for folder in spec.submodule_search_locations]
    return _stamp(Path(spec.origin)) if spec.origin else None


def _folder_stamps(folder: Path) -> list[tuple[str, int, int]]:
    return sorted(_stamp(path) for path in folder.rglob("*.py"))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        info = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), info.st_mtime_ns, info.st_size
