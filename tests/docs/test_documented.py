"""Nothing that plugins may use goes without a word in docs/plugins.md."""

import inspect
import re

import pytest

from difftool import api
from difftool.plugin import hookspecs
from difftool.plugin.component import KINDS, Component
from difftool.plugin.house import HOUSE
from difftool.plugin.loader import HOOK_OF, load, sources
from difftool.plugin.registry import BUILTIN

from .extract import page

TEXT = page("plugins.md")
HOOKS = [name for name in vars(hookspecs) if name.startswith(("register_", "on_"))]
LOADED = [load(source) for source in sources() if source.owner == BUILTIN]
OWN = [
    (base, name, member)
    for base in KINDS.values()
    for name, member in vars(base).items()
    if not name.startswith("_") or name == "__call__"
    if inspect.isfunction(member) or isinstance(member, property | classmethod)
]


def signature(name, function):
    return f"def {name}{inspect.signature(function)}".replace("'", "")


def section(title):
    """What stands under the heading that has `title` in it, up to the next heading."""
    found = re.findall(rf"^#{{2,4}} [^\n]*`{title}`\n(.*?)(?=^#{{2,4}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, title
    return found[0]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_section_with_its_signature(hook):
    assert signature(hook, getattr(hookspecs, hook)) in section(hook)


@pytest.mark.parametrize(("base", "name", "member"), OWN, ids=[f"{base.__name__}.{name}" for base, name, _ in OWN])
def test_a_method_of_a_base_has_its_signature_there(base, name, member):
    function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
    assert signature(name, function) in TEXT


@pytest.mark.parametrize("name", api.__all__)
def test_a_name_of_the_api_is_in_the_table(name):
    assert len(re.findall(rf"^\| `{name}` \| .+ \|$", TEXT, re.MULTILINE)) == 1


def test_the_table_has_nothing_else():
    table = TEXT.split("## All names of")[1]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(api.__all__)


def test_every_kind_is_a_component_of_the_api():
    for base in KINDS.values():
        assert issubclass(base, Component)
        assert getattr(api, base.__name__) is base


def test_links_within_the_page_lead_somewhere():
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in anchors


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_says_which_shipped_parts_use_it(kind):
    """Examples to read, whatever is installed here: ours, then those of the house."""
    ours = [offer.name for plugin in LOADED for offer in plugin.offers if offer.kind == kind]
    line = f"Shipped: {', '.join(f'`{name}`' for name in ours) or 'none'}."
    for package, kinds in HOUSE.items():
        if kind in kinds:
            names = ", ".join(f"`{name}`" for name in kinds[kind])
            line += f" In [{package}](../plugins/{package}/README.md): {names}."
    told = " ".join(section(HOOK_OF[kind]).split())
    assert line in told
