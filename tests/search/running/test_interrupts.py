"""Signals that end a search: each raises once, a burst counts as one, `nohup` is respected."""

from __future__ import annotations

import os
import pty
import signal
import threading
from collections.abc import Iterator

import pytest

from search.running import interrupts
from search.running.interrupts import SIGNALS, listen, listening
from search.running.stop_heard import noticing


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interrupts._Callback.last = float("-inf")
    for number in SIGNALS:  # the tests may run under `nohup` themselves
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_every_signal_ends_as_ctrl_c_does(number: signal.Signals) -> None:
    listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("second", SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_at_once_adds_nothing(second: signal.Signals) -> None:
    listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(second)


def test_a_second_signal_a_while_later_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    listen()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    monkeypatch.setattr(interrupts, "BURST_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with listening():
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_while_something_must_be_whole_no_signal_breaks_it_off() -> None:
    listen()
    before = signal.getsignal(signal.SIGTERM)
    with listening(None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_search_in_another_thread_leaves_signals_alone() -> None:
    before, found = signal.getsignal(signal.SIGTERM), list[object]()
    thread = threading.Thread(target=lambda: found.append(listen()))
    thread.start()
    thread.join()
    assert found == [{}]
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_the_terminal_is_closed_what_is_printed_reaches_nobody() -> None:
    keyboard, screen = pty.openpty()
    kept = os.dup(1)
    try:
        os.dup2(screen, 1)
        os.close(keyboard)
        with pytest.raises(OSError, match="Input/output error"):
            os.write(1, b"lost")
        with listening(None):
            signal.raise_signal(signal.SIGHUP)
        os.write(1, b"lost")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(screen)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_search_is_told_that_a_signal_stopped_it(number: signal.Signals) -> None:
    with noticing() as stop, listening(lambda *_: None):
        assert not stop.is_signal
        signal.raise_signal(number)
    assert stop.is_signal


def test_a_signal_that_is_passed_over_stops_nothing() -> None:
    with noticing() as stop, listening(None):
        signal.raise_signal(signal.SIGINT)
    assert not stop.is_signal
