"""The machinery of the checks: what is told, and that nothing is left behind."""

import random
import re
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from difftool import testing
from difftool.api import Exporter, InputError, Sampler
from difftool.builtin.ddim import DDIM
from difftool.testing import rules
from difftool.testing.modules import loads_no_torch
from difftool.testing.rules import (
    alike,
    elsewhere,
    findings,
    gap,
    in_another_process,
    line_of,
    repeats,
    untouched,
)

from .right_samplers import Right


def good(part, seed):
    """Is always kept,
    in two lines."""
    return None


def bad(part, seed):
    """Is never kept."""
    return f"{part} with {seed}"


def raises(part, seed):
    """Fails."""
    raise KeyError("no\nsuch key")


def exits(part, seed):
    """Leaves."""
    raise SystemExit(3)


def meddles(part, seed):
    """Changes the world."""
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    np.seterr(all="raise")
    print("hello")


def test_a_finding_is_the_rule_in_one_line_and_the_reason_in_words():
    found = findings((good, bad, raises, exits), "it", 7)
    assert [(finding.kept, finding.reason) for finding in found[:2]] == [(True, None), (False, "it with 7")]
    assert line_of(good) == "Is always kept, in two lines."
    lines = [rule.__code__.co_firstlineno + 2 for rule in (raises, exits)]
    assert found[2].reason == f"raises KeyError: 'no\\nsuch key' (test_rules.py:{lines[0]})"
    assert found[3].reason == f"raises SystemExit: 3 (test_rules.py:{lines[1]})"
    assert found[4].rule == "Changes nothing in the process around it and prints nothing."
    assert found[4].kept


def test_the_place_is_a_line_of_a_file():
    """A dataclass's __init__ is compiled from a text: that has lines, and nobody can open it."""

    @dataclass(frozen=True)
    class Pair:
        one: int

    def assigns(part, seed):
        """Assigns."""
        Pair(1).one = 2

    (found, _) = findings((assigns,), None, 0)
    assert re.fullmatch(r"raises FrozenInstanceError: .*'one' \(test_rules\.py:\d+\)", found.reason)


def test_a_module_that_another_process_cannot_import_is_told():
    assert loads_no_torch("json", 0) is None
    assert loads_no_torch("no_such_module", 0).startswith("importing no_such_module fails in a new process")


def test_another_process_that_never_answers_is_told(monkeypatch):
    monkeypatch.setattr(rules, "PATIENCE", 0.5)

    def asks(part, seed):
        """Asks."""
        return in_another_process(part, "import time; time.sleep(60)")

    (found, _) = findings((asks,), DDIM(), 0)
    assert found.reason.startswith("in another process it does not answer within 0.5 s")


def test_whoever_meddles_is_told_on_and_undone(capsys):
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    settings = torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()
    first, process = findings((meddles,), None, 0)
    assert first.kept
    for words in (
        "torch's default dtype: torch.float32 becomes torch.float64",
        "whether torch computes gradients: True becomes False",
        "how numpy treats errors",
        "it prints 'hello': standard output is for data",
    ):
        assert words in process.reason
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()) == settings
    assert alike(states, (torch.get_rng_state(), np.random.get_state(), random.getstate()))
    assert capsys.readouterr().out == ""


def test_warnings_of_a_part_are_its_own_affair():
    def warns(part, seed):
        """Warns."""
        np.log(np.zeros(1))
        torch.from_numpy(np.broadcast_to(np.zeros(1), 3))

    assert findings((warns,), None, 0)[0].kept


def test_randomness_is_found_out():
    assert repeats(lambda: torch.ones(2)) is None
    assert repeats(lambda: torch.rand(2)) == "it moves the global random generator of torch"
    assert repeats(np.random.rand) == "it moves the global random generator of numpy"
    assert repeats(random.random) == "it moves the global random generator of Python"
    assert "randomness of its own" in repeats(np.random.default_rng().random)

    def tidies_up():
        with torch.random.fork_rng(devices=[]):
            return torch.rand(2)

    assert "randomness of its own" in repeats(tidies_up)


def test_alike_is_to_the_bit():
    nan = torch.tensor([float("nan"), 1.0])
    assert alike({"a": [nan, (1, None)]}, {"a": [nan.clone(), (1, None)]})
    assert not alike(nan, torch.tensor([7.0, 1.0]))
    assert not alike(torch.ones(2), torch.ones(2).double())
    assert not alike(torch.ones(2), torch.ones(1, 2))
    assert not alike(1, 1.0)
    assert not alike([1], [1, 2])
    assert not alike(np.ones(2), np.ones(2, dtype=int))


def test_the_gap_between_tensors():
    assert gap(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])) == 0.5
    assert gap(torch.ones(2), torch.ones(3)) == float("inf")
    assert gap(torch.tensor([float("nan")]), torch.ones(1)) == float("inf")


def test_edits_are_seen_and_new_values_are_not_edits():
    x, y = torch.ones(2), torch.ones(2)
    with untouched(x=x, y=y) as edited:
        x.add_(1)
        y = y + 1
    assert edited == ["it edits x in place"]


def test_tensors_left_behind_on_the_cpu_are_found():
    assert elsewhere(lambda device: torch.ones(2, device=device) + torch.ones(2, device=device)) is None
    assert "stays on the CPU" in elsewhere(lambda device: torch.ones(2, device=device) * torch.ones(2))
    # whatever else may fail without memory is no fault
    assert elsewhere(lambda device: float(torch.ones(2, device=device).sum())) is None


def test_a_check_lists_every_broken_rule():
    class Silent(Right):
        def run(self, denoiser, x, times, draw):
            yield from ()

    with pytest.raises(testing.ConformanceError) as caught:
        testing.check_sampler(Silent())
    text = str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert text.startswith(f"Silent breaks {len(caught.value.broken)} of ")
    assert len(caught.value.broken) > 8
    assert "\n  Yields one Step for each hop, " in text
    assert "\n      run() yields nothing; a Step for each hop was expected" in text
    assert text.count("yields nothing") == 1  # what many rules say is said once


def test_a_check_gives_what_it_found():
    class Mean(Sampler):
        """What samplers with `gives = "means"` are asked: the way, and not the law."""

        gives = "means"

        def times(self, schedule, n=None):
            return (float(schedule.T), 0.0)

        def run(self, denoiser, x, times, draw):
            from difftool.api import Step

            x0 = denoiser(x, times[0]).x0
            yield Step(1, 1, 0.0, x0, x0)

    found = testing.check_sampler(Mean(), seed=3)
    assert all(finding.kept for finding in found)
    assert len(found) == len(testing.conformance.RULES["sampler"]) + 1


def test_a_check_of_something_else_says_so():
    with pytest.raises(TypeError, match="an object of a class derived from Loss was expected, not a Right"):
        testing.check_loss(Right())
    with pytest.raises(TypeError, match="not the class Right"):
        testing.check_sampler(Right)

    class Writes(Exporter):
        """Writes."""

    with pytest.raises(InputError, match="there is no check for Writes; there are checks for schedule, backbone"):
        testing.examine(Writes())
