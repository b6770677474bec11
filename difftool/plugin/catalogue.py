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
from pathlib import Path
from typing import Any

import platformdirs

from difftool import __version__
from difftool.errors import PluginError
from difftool.plugin.entries import Source, third_party_allowed
from difftool.plugin.loader import Plugin, load, panels, sources
from difftool.plugin.registry import BUILTIN

Row = dict[str, Any]

MARK = "difftool-catalogue "
PATIENCE = 60.0


def catalogue() -> list[Row]:
    """One row a plugin: id, owner, version, state, reason, offers by kind, observers."""
    found = sources() + panels()
    allowed = third_party_allowed()
    cache = Path(platformdirs.user_cache_dir("difftool")) / f"plugins-{_key(found, allowed)}.json"
    try:
        rows: list[Row] = json.loads(cache.read_text())
        return rows
    except (OSError, ValueError):
        pass
    rows = _probe(found)
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


def _probe(found: list[Source]) -> list[Row]:
    """Children report plugin after plugin; where one dies, the next goes on behind the plugin that killed it."""
    rows: list[Row] = []
    while len(rows) < len(found):
        reported, death = _child(len(rows))
        rows += reported
        if len(rows) < len(found):
            guilty = found[len(rows)]
            if guilty.owner == BUILTIN:
                raise PluginError("a part of difftool itself is broken", where=guilty.target, why=death)
            rows.append(_row(Plugin(guilty, "broken", death)))
    return rows


def _child(start: int) -> tuple[list[Row], str]:
    """(the rows from `start` that a child process wrote, how it ended if too few)."""
    command = [sys.executable, "-P", "-c", f"from difftool.plugin.catalogue import report; report({start})"]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}  # it sees what we see
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, env=os.environ | path)
        output, code = done.stdout, done.returncode
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
        death = f"ends the process that imports it (exit code {code})" + (f": {last}" if last else "")
    except subprocess.TimeoutExpired as error:
        output, death = error.stdout or b"", f"cannot be imported within {PATIENCE:g} s"
    lines = output.decode(errors="replace").splitlines()
    return [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)], death


def report(start: int) -> None:
    """The child's side: a line for each plugin as soon as it is loaded."""
    for source in (sources() + panels())[start:]:
        print(f"\n{MARK}{json.dumps(_row(load(source)))}", flush=True)  # whatever a plugin prints ends before


def _row(plugin: Plugin) -> Row:
    offers: dict[str, list[str]] = {}
    for offer in plugin.offers:
        offers.setdefault(offer.kind, []).append(offer.name)
    if plugin.panel:
        offers["panel"] = [plugin.source.entry]
    return {
        "id": plugin.source.id,
        "owner": plugin.source.owner,
        "version": plugin.source.version,
        "module": plugin.source.target,
        "state": plugin.state,
        "reason": plugin.reason,
        "offers": offers,
        "observers": sorted(plugin.observers),
    }


def _key(found: list[Source], allowed: bool) -> str:
    """Changes when anything that could change the answer does."""
    parts: list[object] = [__version__, sys.executable, sys.version, allowed]
    # Installing or removing anything, a plugin's dependency too, touches a folder of sys.path.
    parts += [_stamp(Path(folder)) for folder in sys.path if folder not in ("", str(Path.cwd()))]
    for source in found:
        parts.append(source)
        if source.dist is None:  # built in
            continue
        record = source.dist.read_text("RECORD")
        origin = json.loads(source.dist.read_text("direct_url.json") or "{}")
        editable = origin.get("dir_info", {}).get("editable", False)
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
