"""`difftool plugins new`: a package of one's own, complete and right, to be changed. Never imports torch."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import difftool
from difftool.errors import DiskError, InputError, safe_text

KINDS = {
    "sampler": "sampler",
    "backbone": "network",
    "schedule": "noise schedule",
    "loss": "loss",
    "target": "target",
    "condition": "condition",
    "dataset": "data set",
    "metric": "metric",
    "sink": "sink",
    "panel": "panel",
}
"""What can be made, and what it is called in a sentence."""

LONGEST = 50
"""Letters of a name."""

SPROUT = Path(difftool.__file__).parent / "sprout"
"""What is written: `every` whatever the kind, and a folder for each kind. In them `sprout` stands for the name."""

FILES = {
    "src/difftool_sprout/__init__.py": "the part itself: begin here, at YOURS",
    "src/difftool_sprout/net.py": "its layers",
    "tests/test_conformance.py": "is it right? the rules of its kind, and a promise of its own",
    "pyproject.toml": "its name, its version, and the line that makes it a plugin",
    "README.md": "how to use it",
    "CHANGELOG.md": "what changed, for those who use it",
    ".github/workflows/test.yml": "runs the tests on GitHub",
    ".gitignore": "what does not belong into git",
}
"""Every file there may be and what it is for, in the order in which a person reads them."""


@dataclass(frozen=True)
class Plant:
    """What is made, under every name that it needs."""

    kind: str
    name: str  # in recipes: my-sampler

    @property
    def package(self) -> str:
        """For pip: difftool-my-sampler."""
        return f"difftool-{self.name}"

    @property
    def module(self) -> str:
        """For Python: difftool_my_sampler."""
        return self.package.replace("-", "_")

    @property
    def cls(self) -> str:
        """The class: MySampler."""
        return "".join(word.capitalize() for word in self.name.split("-"))

    def named(self, text: str) -> str:
        """A template's text, or path, with these names in it."""
        panel = self.kind == "panel"
        words = {
            "difftool_sprout": self.module,
            "difftool-sprout": self.package,
            "sproutkind": KINDS[self.kind],
            "sproutgroup": '"difftool.panels"' if panel else "difftool",
            "sproutpoint": f"{self.module}:{self.cls}" if panel else self.module,
            "0.0.0": difftool.__version__.partition("+")[0],
            "Sprout": self.cls,
            "sprout": self.name,
        }
        return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], text)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What recipes will call it, as in my-sampler.")],
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help=f"One of {', '.join(KINDS)}.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The folder that it is made in.")] = Path(),
) -> None:
    """Write a package with a part of your own, complete and tested, to be changed."""
    plant = planted(name, kind)
    texts = files(plant)
    folder = (out.expanduser() / plant.package).absolute()
    write(folder, texts)
    typer.echo(safe_text(str(folder)))
    typer.echo(safe_text("\n".join(_told(plant, folder, texts))), err=True)


def planted(name: str, kind: str | None) -> Plant:
    """The names of what is asked for; whatever cannot be, or would be in the way of something else, is refused."""
    from difftool.plugin.spelling import nearest

    if kind is None:
        raise InputError("--kind is missing: which kind of part?", do=f"--kind {'|'.join(KINDS)}")
    if kind not in KINDS:
        raise InputError(f"--kind {kind}: there is no such kind; {nearest(kind, KINDS, 'there are')}")
    if "/" in name or "\\" in name:
        raise InputError(f"{name} is a path, and NAME is a name", do="say with --out DIR in which folder to make it")
    rest = name.removeprefix("difftool-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", rest) or len(rest) > LONGEST:
        raise InputError(
            f"{name!r} cannot be a name: that is lower-case letters and digits, words joined by -, a letter first, "
            f"{LONGEST} in all at most",
            do=f"difftool plugins new {_tidy(rest, kind)} --kind {kind}",
        )
    plant = Plant(kind, rest)
    _free(plant)
    return plant


def _tidy(name: str, kind: str) -> str:
    """A name that can be, and is near to one that cannot."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    tidy = re.sub(r"[^a-z0-9]+", "-", words)[:LONGEST].strip("-")
    return tidy if tidy[:1].isalpha() else f"my-{tidy or kind}"


def _free(plant: Plant) -> None:
    """Refuses a name that means something already."""
    from difftool.plugin.catalogue import catalogue
    from difftool.plugin.house import house_of
    from difftool.plugin.registry import BUILTIN

    other = f"another name, such as {plant.name}-{plant.kind}"
    if house := house_of(plant.name, plant.kind):
        raise InputError(
            f"{plant.name} is what {house} calls its {plant.kind}: two of one name are in the way", do=other
        )
    if plant.cls in {*vars(builtins), *keyword.kwlist, *_used(plant), "Difftool"}:
        raise InputError(f"{plant.name} cannot be a name: {plant.cls} means something else in the code", do=other)
    if _is_value(plant.name):
        raise InputError(f"{plant.name} cannot be a name: in a recipe it is no word", do=other)
    for row in catalogue():
        if plant.name not in row["offers"].get(plant.kind, ()) or row["owner"] == plant.package:
            continue
        whose = "is built in" if row["owner"] == BUILTIN else f"is there already, from {row['owner']}"
        raise InputError(
            f"{plant.name} {whose}, so yours would have to be called {plant.package}:{plant.name}", do=other
        )
    try:
        version = metadata.version(plant.package)
    except metadata.PackageNotFoundError:
        return
    raise InputError(
        f"{plant.package} {version} is installed, and yours would replace it",
        do=f"{other}, or pip uninstall {plant.package}",
    )


def _used(plant: Plant) -> set[str]:
    """Names that the code of its kind uses itself; a class called as one of them would hide it."""
    found: set[str] = set()
    for path, text in _templates(plant.kind).items():
        for node in ast.walk(ast.parse(text)) if path.endswith(".py") else ():
            match node:
                case ast.Name(id=name) | ast.ClassDef(name=name) | ast.alias(name=name):
                    found.add(name)
    return found - {"Sprout"}


def _is_value(name: str) -> bool:
    """Whether TOML reads the bare word as something else than text."""
    try:
        tomllib.loads(f"x = {name}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def files(plant: Plant) -> dict[str, str]:
    """{path: text} of the whole package."""
    texts = _templates("every") | _templates(plant.kind)
    use = (SPROUT / plant.kind / "use.md").read_text("utf-8")
    texts["README.md"] = texts["README.md"].replace("sproutuse\n", use)
    return {plant.named(path): plant.named(text) for path, text in texts.items()}


def _templates(folder: str) -> dict[str, str]:
    """By name: pip and others put files of their own beside them."""
    return {path: (SPROUT / folder / path).read_text("utf-8") for path in FILES if (SPROUT / folder / path).is_file()}


def write(folder: Path, texts: dict[str, str]) -> None:
    """The folder with these files in it: all of them, or, if that cannot be, no folder."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError:
        if folder.parent.is_dir():
            raise InputError(f"{folder} is already there", do="another name, or another folder with --out") from None
        raise InputError(f"{folder.parent} is a file", do="name a folder with --out") from None
    except OSError as error:
        raise _refused(folder, error) from None
    try:
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8", newline="\n")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)  # Ctrl-C included: half a package helps nobody
        if isinstance(error, OSError):
            raise _refused(folder, error) from None
        raise


def _refused(folder: Path, error: OSError) -> DiskError:
    why = error.strerror or str(error)
    return DiskError(f"cannot make {folder}", why=why, do="name a folder that you may write to with --out")


def _told(plant: Plant, folder: Path, texts: dict[str, str]) -> list[str]:
    """What lies there, and what to type next."""
    width = max(map(len, texts))
    here = [f"  {path:<{width}}  {clue}" for key, clue in FILES.items() if (path := plant.named(key)) in texts]
    use = re.findall(r"^```sh\n(.*?)^```", texts["README.md"].split("\n## Use\n")[1], re.MULTILINE | re.DOTALL)[0]
    lacking = [module for module in ("hatchling", "pytest") if find_spec(module) is None]
    next_ = [
        f"cd {shlex.quote(str(folder))}",
        *(["pip install 'difftool[test]'"] if lacking else []),
        "pip install --no-build-isolation -e .",
        "pytest",
        f"difftool plugins check {plant.package}",
        *use.splitlines(),
    ]
    return [f"the {KINDS[plant.kind]} {plant.name}:", *here, "next:", *(f"  {line}" for line in next_)]
