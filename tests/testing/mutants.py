"""Parts that are wrong on purpose: each is caught by the rule that is meant for it, in words that fit."""

import pytest

from difftool.testing.rules import findings


def mutants(*rows):
    """Parameters (part, rule, word) with readable names; a class stands for an object of it without fields."""
    return pytest.mark.parametrize(("part", "rule", "word"), [pytest.param(*row, id=_name(row[0])) for row in rows])


def _name(part):
    return part.__name__ if isinstance(part, type) else type(part).__name__


def caught(part, rule, word):
    """The rule is broken by this part, its reason has the word, and nothing around is changed."""
    found, process = findings((rule,), part() if isinstance(part, type) else part, 0)
    assert found.reason, f"{rule.__name__} finds nothing wrong"
    print(f"{type(part).__name__ if not isinstance(part, type) else part.__name__}: {found.rule}\n      {found.reason}")
    assert word in found.reason, found.reason
    assert process.kept, process.reason


def broken(parts, rules, seeds):
    """What is wrong with parts that are right: nothing, one hopes."""
    return [
        (type(part).__name__, seed, finding.rule, finding.reason)
        for part in parts
        for seed in seeds
        for finding in findings(rules, part, seed)
        if not finding.kept
    ]
