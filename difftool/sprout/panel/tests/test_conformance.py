"""Is the panel right? The rules of every panel, and two promises of its own."""

from difftool.testing import check_module, check_panel

from difftool_sprout import Sprout


def test_it_keeps_the_rules_of_every_panel():
    check_panel(Sprout())


def test_it_costs_nothing_to_be_listed():
    check_module("difftool_sprout")


def test_half_the_loss_is_half_the_bar_and_the_newest_row_comes_last():
    # YOURS: what only your panel promises.
    rows = [{"step": step, "loss": loss} for step, loss in [(1, 9.0), (10, 1.0), (1000, 0.5), (1010, float("nan"))]]
    first, last = Sprout().draw({"rows": rows}, width=42, height=2).plain.splitlines()
    assert first == "       10          1 " + 20 * "#"
    assert last == "    1,000        0.5 " + 10 * "#"


def test_before_the_first_row_it_says_so():
    assert Sprout().draw({"rows": []}, width=40, height=10) == "nothing yet"
