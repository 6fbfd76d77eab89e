"""The ledger: what is appended is there, in order, whatever a crash has left in between."""

from __future__ import annotations

import errno
import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compress.errors import DiskError
from search.study.ledger import FILE, Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def numbers(ledger: Ledger) -> list[int]:
    return [event["n"] for event in ledger.events()]


def test_a_ledger_that_is_not_there_has_no_events(ledger: Ledger) -> None:
    assert list(ledger.events()) == []
    assert not ledger.path.exists()


def test_events_come_back_in_the_order_they_were_appended(ledger: Ledger) -> None:
    for n in (3, 1, 2):
        ledger.append("counted", n=n)
    assert numbers(ledger) == [3, 1, 2]


def test_an_event_is_returned_as_it_will_be_read(ledger: Ledger) -> None:
    written = ledger.append("asked", choices={"width": 0.5, "pair": (1, 2)}, reason="é\n")
    assert [written] == list(ledger.events())
    assert written["choices"] == {"width": 0.5, "pair": [1, 2]}


def test_two_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    for n in range(10):
        (one if n % 2 else other).append("counted", n=n)
    assert numbers(one) == list(range(10))


def test_a_torn_last_line_is_skipped_and_said(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    ledger.append("counted", n=1)
    with ledger.path.open("ab") as file:
        file.write(b'{"event":"counted","n":')
    with caplog.at_level(logging.WARNING):
        assert numbers(ledger) == [1]
    assert f"{FILE}: line 2 cannot be read, skipped" in caplog.text


def test_the_news_are_what_was_written_since_and_a_line_in_the_making_comes_later(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader = Ledger(ledger.path.parent)
    assert list(reader.news()) == []
    ledger.append("counted", n=1)
    assert numbers(reader) == [1]
    ledger.append("counted", n=2)
    whole = ledger.path.read_bytes()
    ledger.append("counted", n=3)
    line = ledger.path.read_bytes()[len(whole) :]
    ledger.path.write_bytes(whole + line[:20])
    assert [event["n"] for event in reader.news()] == [2]
    assert list(reader.news()) == []
    ledger.path.write_bytes(whole + line)
    assert [event["n"] for event in reader.news()] == [3]
    assert not caplog.text
    with ledger.path.open("r+b") as file:
        file.truncate(len(whole + line) - 1)  # whole, but for its end
    again = Ledger(ledger.path.parent)
    assert numbers(again) == [1, 2, 3]
    with ledger.path.open("ab") as file:
        file.write(b"\n")
    assert list(again.news()) == [], "an event read before is not read again"
    with ledger.path.open("ab") as file:
        file.write(b"no event\n")
    ledger.append("counted", n=5)
    assert [event["n"] for event in reader.news()] == [5]
    assert f"{FILE}: line 4 cannot be read, skipped" in caplog.text


def test_after_a_torn_line_the_next_event_starts_on_a_new_one(ledger: Ledger) -> None:
    ledger.append("counted", n=1)
    with ledger.path.open("ab") as file:
        file.write(b'{"event":"counted","n":')
    ledger.append("counted", n=3)
    assert numbers(ledger) == [1, 3]


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 4096, b"\xff\xfe\x80", b"[1, 2]", b'"text"', b"7", b"null", b'{"n": 2}', b"{" * 5000]
)
def test_garbage_in_the_middle_costs_its_own_line_only(ledger: Ledger, garbage: bytes) -> None:
    ledger.append("counted", n=1)
    with ledger.path.open("ab") as file:
        file.write(garbage + b"\n")
    ledger.append("counted", n=3)
    assert numbers(ledger) == [1, 3]


def test_empty_lines_are_nothing_to_speak_of(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    ledger.append("counted", n=1)
    with ledger.path.open("ab") as file:
        file.write(b"\n\n")
    assert numbers(ledger) == [1]
    assert caplog.text == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_and_leaves_no_trace(ledger: Ledger, value: float) -> None:
    ledger.append("counted", n=1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.append("counted", n=value)
    assert numbers(ledger) == [1]


def test_a_full_disk_is_a_sentence_and_what_follows_is_kept(ledger: Ledger) -> None:
    ledger.append("counted", n=1)
    here = ledger.path.stat().st_size
    code = (
        "import resource, signal, sys; from pathlib import Path; from compress.errors import DiskError\n"
        "from search.study.ledger import Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({here + 9}, {here + 9}))\n"
        "try: Ledger(Path(sys.argv[1])).append('counted', n=2)\n"
        "except DiskError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ledger.path.parent)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"ledger: cannot write {ledger.path}: No space left on device\n", "")
    ledger.append("counted", n=3)
    assert numbers(ledger) == [1, 3]


def test_a_ledger_that_must_not_be_written_says_why(ledger: Ledger) -> None:
    ledger.path.mkdir()
    with pytest.raises(DiskError, match="directory"):
        ledger.append("counted", n=1)


def ours(ledger: Ledger, then: Callable[[int], None]) -> Callable[[int], None]:
    """`then` for files that are this ledger: those of other tests may still be on their way to the disk."""
    return lambda file: then(file) if os.path.samestat(os.fstat(file), ledger.path.stat()) else None


def test_events_written_at_once_are_there_in_order_and_forced_to_the_disk_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", ours(ledger, synced.append))
    written = ledger.append_all("counted", [{"n": n} for n in (3, 1, 2)])
    assert written == list(ledger.events())
    assert numbers(ledger) == [3, 1, 2]
    ledger.settle()
    assert len(synced) == 2


def test_all_is_forced_to_the_disk_when_a_trial_begins_and_in_the_end(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", ours(ledger, lambda file: synced.append(os.fstat(file).st_size)))
    sizes = []
    for event in ("study", "point", "asked", "point", "point", "ended", "resumed"):
        ledger.append(event, trial=0)
        sizes.append(ledger.path.stat().st_size)
        deadline = time.monotonic() + 10
        while event in ("study", "asked") and synced[-1:] != sizes[-1:] and time.monotonic() < deadline:
            time.sleep(0.001)
    assert synced == [sizes[0], sizes[2]]
    ledger.settle()
    assert synced[2:] == sizes[-1:]


def test_what_is_being_forced_to_the_disk_is_waited_for_before_more_is_and_its_error_said(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), threading.Event()

    def refuses(file: int) -> None:
        begun.set()
        go.wait(10)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", ours(ledger, refuses))
    ledger.append("asked", trial=0)
    assert begun.wait(10)
    ledger.append("point", trial=0)  # does not wait
    go.set()
    with pytest.raises(DiskError, match="cannot write"):
        ledger.append("asked", trial=1)
    assert [event["event"] for event in ledger.events()] == ["asked", "point", "asked"]
    with pytest.raises(DiskError, match="Input/output error"):
        ledger.settle()


def test_nothing_is_written_of_events_one_of_which_is_no_json(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.append_all("counted", [{"n": 1}, {"n": math.nan}])
    assert numbers(ledger) == []
