"""Only a person's second Ctrl-C ends at once: what else asks leaves the checkpoint its time."""

import os
import signal

import pytest

from difftool.engine.stopping import StopAsked


@pytest.fixture
def left(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(signal, "getsignal", lambda _: signal.SIG_DFL)  # the tests may have been started with nohup
    return codes


@pytest.mark.parametrize("first", ["ask", signal.SIGTERM, signal.SIGHUP], ids=str)
def test_the_first_ctrl_c_after_another_wish_waits_and_the_second_does_not(left, first):
    with StopAsked() as stop:
        stop.ask() if first == "ask" else signal.raise_signal(first)
        assert stop
        signal.raise_signal(signal.SIGINT)
        assert left == []
        signal.raise_signal(signal.SIGINT)
        assert left == [130]


def test_schedulers_may_repeat_themselves(left):
    with StopAsked() as stop:
        signal.raise_signal(signal.SIGINT)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(number)
        assert (left, stop.interrupted) == ([], True)
