"""The JSON schema for editors: it takes every good recipe and refuses slips. The checker below knows what it uses."""

import copy
import json
import re
import tomllib

import pytest

from difftool.recipe.model import SECTIONS
from difftool.recipe.schema import schema

from .conftest import ALL, RICH, swap

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
}
SILENT = {"title", "description", "default", "format", "$schema", "$defs"}


def fits(value, rule, root) -> bool:
    """Whether a value satisfies a rule; a keyword that this does not know is a failure of the test."""
    if rule is True or rule is False:
        return rule
    assert set(rule) <= {*SILENT, *CHECKS, "additionalProperties", "type"}, set(rule)
    if "type" in rule:
        kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
        if not any(is_a(value, kind) for kind in kinds):
            return False
    if isinstance(value, dict) and "additionalProperties" in rule:
        more = [inner for key, inner in value.items() if key not in rule.get("properties", {})]
        if not all(fits(inner, rule["additionalProperties"], root) for inner in more):
            return False
    return all(check(value, rule[key], root) for key, check in CHECKS.items() if key in rule)


def is_a(value, kind) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, TYPES[kind])


def number(test):
    return lambda value, bound, root: not isinstance(value, int | float) or test(value, bound)


CHECKS = {
    "$ref": lambda value, ref, root: fits(value, root["$defs"][ref.removeprefix("#/$defs/")], root),
    "anyOf": lambda value, rules, root: any(fits(value, rule, root) for rule in rules),
    "enum": lambda value, choices, root: any(value == choice and type(value) is type(choice) for choice in choices),
    "const": lambda value, only, root: value == only and type(value) is type(only),
    "properties": lambda value, rules, root: (
        not isinstance(value, dict) or all(fits(value[key], rule, root) for key, rule in rules.items() if key in value)
    ),
    "propertyNames": lambda value, rule, root: not isinstance(value, dict) or all(fits(k, rule, root) for k in value),
    "required": lambda value, keys, root: not isinstance(value, dict) or set(keys) <= set(value),
    "items": lambda value, rule, root: not isinstance(value, list) or all(fits(item, rule, root) for item in value),
    "prefixItems": lambda value, rules, root: (
        not isinstance(value, list) or all(fits(item, rule, root) for item, rule in zip(value, rules, strict=False))
    ),
    "minItems": lambda value, least, root: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, root: not isinstance(value, list) or len(value) <= most,
    "pattern": lambda value, pattern, root: not isinstance(value, str) or bool(re.search(pattern, value)),
    "minimum": number(lambda value, bound: value >= bound),
    "maximum": number(lambda value, bound: value <= bound),
    "exclusiveMinimum": number(lambda value, bound: value > bound),
    "exclusiveMaximum": number(lambda value, bound: value < bound),
    "multipleOf": number(lambda value, bound: value % bound == 0),
}


@pytest.fixture(scope="module")
def root(registry):
    return json.loads(json.dumps(schema(registry)))


@pytest.mark.parametrize("name", ALL)
def test_every_good_recipe_fits(name, root):
    assert fits(tomllib.loads(ALL[name]), root, root)


def test_a_resolved_recipe_fits(read, registry, root):
    from difftool.recipe.write import plain

    assert fits(plain(read(RICH), registry), root, root)


@pytest.mark.parametrize("name", ALL)
def test_every_changed_key_is_refused(name, root):
    def walk(table, path=()):
        for key, value in table.items():
            yield (*path, key)
            if isinstance(value, dict):
                yield from walk(value, (*path, key))

    good, count = tomllib.loads(ALL[name]), 0
    for path in walk(good):
        if path in (("profile", "big"), ("conditions", "label")) or path[2:] == ("preview", "sampler", "noise"):
            continue  # free names, and what a schema cannot know
        if path[0] == "profile" and len(path) == 2:
            continue  # any name: a schema cannot know that it was meant for a device
        bad = copy.deepcopy(good)
        table = bad
        for key in path[:-1]:
            table = table[key]
        table[path[-1] + "x"] = table.pop(path[-1])
        assert not fits(bad, root, root), path
        count += 1
    assert count > 20


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("steps = 100\n", "steps = 1.5\n"),
        ("steps = 100\n", "steps = 0\n"),
        ("lr = 3e-4", "lr = 0"),
        ("flip = true", "flip = 1"),
        ('lr_decay = "linear"', 'lr_decay = "x"'),
        ("betas = [0.8, 0.99]", "betas = [0.8]"),
        ("betas = [0.8, 0.99]", "betas = [0.8, 1.0]"),
        ('device = "cpu"', 'device = "gpu"'),
        ('name = "ddim", eta = 0.5', 'name = "ddim", eta = 5'),
        ('name = "huber"', 'name = "hubert"'),
        ('predict = "v"', 'predict = "w"'),
        ('name = "rich"', 'name = "../x"'),
        ("recipe = 1\n", "recipe = 2\n"),
        ("train.batch = 8", "train.batch = 0"),
    ],
)
def test_wrong_values_are_refused(right, wrong, root):
    assert fits(tomllib.loads(RICH), root, root)
    assert not fits(tomllib.loads(swap(RICH, (right, wrong))), root, root)


def test_every_section_and_key_is_described(root):
    assert set(SECTIONS) < set(root["properties"])
    for section, model in SECTIONS.items():
        rule = root["properties"][section]
        rule = rule.get("additionalProperties") or rule
        if "$ref" in rule:
            for table in root["$defs"][rule["$ref"].removeprefix("#/$defs/")]["anyOf"][1:]:
                fields = {k: v for k, v in table["properties"].items() if k != "name"}
                assert table["description"]
                assert all(field.get("description") for field in fields.values())
        else:
            assert set(rule["properties"]) == set(model.model_fields)
            assert all(field["description"] for field in rule["properties"].values())


def test_a_component_may_hold_its_own_kind(registry):
    from difftool.plugin.component import Loss
    from difftool.plugin.registry import Offer, Registry

    class Wrapped(Loss):
        """Another loss."""

        inner: Loss
        """which"""
        more: tuple[Loss, ...] = ()
        """others"""

    mixed = Registry([*registry.offers, Offer("loss", "wrapped", Wrapped, "toy")])
    root = json.loads(json.dumps(schema(mixed)))
    loss = {"name": "wrapped", "inner": {"name": "wrapped", "inner": "l2"}, "more": ["l1", {"name": "huber"}]}
    good = tomllib.loads(RICH) | {"loss": loss}
    assert fits(good, root, root)
    assert not fits(good | {"loss": loss | {"more": ["l9"]}}, root, root)
    assert not fits(good | {"loss": {"name": "wrapped", "inner": {"name": "huber", "delt": 1}}}, root, root)
