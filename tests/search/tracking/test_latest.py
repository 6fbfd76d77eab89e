import threading
import time

from search.tracking.latest import Latest, Outcome


class Slow:
    """Work that waits for `go` and remembers what it was given."""

    def __init__(self, *, done: bool = True, pause_s: float = 0.0) -> None:
        self.go, self.seen = threading.Event(), list[tuple[int, bool]]()
        self.outcome = Outcome(done, pause_s)

    def __call__(self, item: int, last: bool) -> Outcome:
        self.seen.append((item, last))
        self.go.wait(5)
        return self.outcome

    def wait_for(self, count: int) -> None:
        until = time.monotonic() + 5
        while len(self.seen) < count and time.monotonic() < until:
            time.sleep(0.005)


def test_only_the_newest_of_what_waits_is_worked_on_and_once_more_at_the_end() -> None:
    work = Slow()
    latest = Latest(work)
    latest.start()
    latest.post(1)
    work.wait_for(1)
    latest.post(2)
    latest.post(3)
    work.go.set()
    work.wait_for(2)
    assert latest.close(5)
    assert work.seen == [(1, False), (3, False), (3, True)]


def test_the_thread_prepares_before_anything_is_posted_but_not_for_nothing() -> None:
    work, prepared = Slow(), threading.Event()
    latest = Latest(work, prepared.set)
    assert latest.close(5)
    assert not prepared.is_set()
    latest = Latest(work, prepared.set)
    latest.start()
    assert prepared.wait(5)
    assert latest.close(5)
    assert work.seen == []


def test_posting_returns_while_work_is_stuck() -> None:
    work = Slow()
    latest = Latest(work)
    latest.start()
    latest.post(1)
    work.wait_for(1)
    start = time.monotonic()
    latest.post(2)
    assert time.monotonic() - start < 0.1
    assert not latest.close(0.05)
    work.go.set()


def test_what_is_not_done_is_worked_on_again_after_the_pause() -> None:
    work = Slow(done=False, pause_s=0.05)
    work.go.set()
    latest = Latest(work)
    latest.start()
    start = time.monotonic()
    latest.post(1)
    work.wait_for(3)
    assert time.monotonic() - start >= 0.1
    latest.close(5)


def test_closing_does_not_wait_for_the_pause() -> None:
    work = Slow(done=False, pause_s=60)
    work.go.set()
    latest = Latest(work)
    latest.start()
    latest.post(1)
    work.wait_for(1)
    assert latest.close(5)
    assert work.seen == [(1, False), (1, True)]


def test_closing_what_never_started_works_on_what_was_posted() -> None:
    work = Slow()
    work.go.set()
    latest = Latest(work)
    latest.post(1)
    assert latest.close(5)
    assert work.seen == [(1, True)]
