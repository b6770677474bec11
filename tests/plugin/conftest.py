import itertools
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from difftool.plugin.loader import Installed, Plugin, installed

_serial = itertools.count()


@dataclass
class Shelf:
    """A folder on sys.path that throw-away plugins are put on."""

    folder: Path
    modules: list[str] = field(default_factory=list)

    def add(
        self, code: str, *, dist="toy", version="1.0", entry="main", target="{module}", module=None, group="difftool"
    ) -> str:
        """One distribution with one entry point; its module's name."""
        module = module or f"difftool_toy_{next(_serial)}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(code)
        info = self.folder / f"{dist.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        with (info / "entry_points.txt").open("a") as file:
            file.write(f"[{group}]\n{entry} = {target.format(module=module)}\n")
        return module

    def load(self) -> Installed:
        """Everything, as a new process would see it."""
        return installed.__wrapped__()

    def third(self) -> list[Plugin]:
        """The plugins that are not built in."""
        return [plugin for plugin in self.load().plugins if plugin.source.owner != "difftool"]

    def reason(self, code: str) -> str:
        """Why a plugin with this code is refused; nothing else may be hurt by it."""
        self.add(code)
        here = self.load()
        plugin = here.plugins[-1]
        assert plugin.state == "broken"
        assert plugin.offers == []
        assert plugin.observers == {}
        assert all(p.state == "ok" for p in here.plugins[:-1])
        assert here.registry.get("sampler", "ddpm").__name__ == "DDPM"
        assert here.registry.broken == [f"toy:main: {plugin.reason}"]
        assert "\n" not in plugin.reason
        return plugin.reason


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("DIFFTOOL_PLUGINS", raising=False)
    made = Shelf(folder)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)
