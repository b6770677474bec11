"""Is the sink right? The rules of every sink, and one promise of its own."""

from difftool.api import RunInfo
from difftool.testing import check_module, check_sink

from difftool_sprout import Sprout


def test_it_keeps_the_rules_of_every_sink():
    check_sink(Sprout())


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_a_line_for_each_event_that_is_wanted_also_after_a_resume(tmp_path):
    # YOURS: what only your sink promises.
    run = RunInfo(dir=str(tmp_path), id="run", recipe={}, seed=0, device="cpu")
    for step in (10, 20):
        writer = Sprout(kinds=("metrics",)).open(run)
        writer.event({"kind": "metrics", "time": 1.5, "step": step, "loss": 0.25, "loss_q": [0.1, 0.2, 0.3, None]})
        writer.event({"kind": "end", "time": 2.5, "state": "stopped", "exit": 75, "step": step})
        writer.close()
    assert (tmp_path / "sprout.txt").read_text() == "metrics step=10 loss=0.25\nmetrics step=20 loss=0.25\n"
