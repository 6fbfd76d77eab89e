"""Signals to a search and its workers at bad moments: whole programs on a real Ray, their exit codes and last lines."""

from __future__ import annotations

import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

from benchmarks.scale.processes import processes, workers
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.study import Study
from tests.search.processes.searches import said, start, wait

pytestmark = pytest.mark.slow
INTERRUPTED = 130


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Of searches that end with the test."""
    folder = tmp_path / "home"
    yield folder
    for pid, words in processes():
        if b"searches.py" in words and str(folder).encode() in words:
            os.kill(pid, signal.SIGKILL)


def study(home: Path) -> Study:
    return Study(home, "s")


def assert_whole(home: Path, trials: int = 4, url: str | None = None) -> None:
    """Every trial complete, no point lost or twice, in the ledger or told; nobody holds the study."""
    ended = study(home)
    assert [trial.status for trial in ended.record.trials] == ["complete"] * trials
    assert [len(trial.points) for trial in ended.record.trials] == [1] + [3] * (trials - 1)
    events = list(ended.ledger.events())
    assert set(Counter((e["trial"], e["id"]) for e in events if e["event"] == "point").values()) == {1}
    assert [e["trial"] for e in events if e["event"] == "asked"] == list(range(trials))
    asked = OptunaStudy(open_storage(url, ended.folder), "s", ended.record.objectives, 0).study.get_trials()
    told = Counter(t.user_attrs["point"] for t in asked if "point" in t.user_attrs)
    assert told == Counter(point.id for trial in ended.record.trials[1:] for point in trial.points)
    assert not [t for t in asked if t.state == TrialState.RUNNING]
    ended.lock().release()


def checkpointed(home: Path) -> int:
    """Epochs in the only checkpoint of a training, 0 without one."""
    for path in (home / "store" / "partial").glob("*.pt"):
        try:
            return int(torch.load(path, weights_only=True)["epochs"])
        except FileNotFoundError:  # the training is over
            continue
    return 0


def test_a_worker_killed_in_mid_epoch_goes_on_from_its_last_epoch(home: Path) -> None:
    search = start(home, "--trials", "1", epochs=2000)
    wait(lambda: checkpointed(home) > 0)
    first = checkpointed(home)
    wait(lambda: checkpointed(home) > first)
    (worker,) = workers(search.pid)
    os.kill(worker, signal.SIGKILL)
    kept, killed = checkpointed(home), time.monotonic()
    wait(lambda: checkpointed(home) != kept)
    print(f"\na worker killed: {time.monotonic() - killed:.1f} s until the next checkpoint")
    assert checkpointed(home) > kept, "one that begins anew has fewer epochs after its first two seconds"
    search.send_signal(signal.SIGINT)
    assert search.wait(300) == INTERRUPTED
    (advice,) = [line for line in said(home) if line.startswith("go on: paretune search --name s")]
    assert advice.endswith("--resume")
    assert "note: trial 0: its worker died; another goes on from what is stored" in said(home)
    assert "Traceback" not in "\n".join(said(home))


def test_a_worker_that_is_killed_again_and_again_is_a_failed_trial(home: Path) -> None:
    search = start(home, "--trials", "1", epochs=2000)
    killed: set[int] = set()
    while search.poll() is None:
        for pid in set(workers(search.pid)) - killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
    assert search.returncode == 1
    assert said(home)[-1].startswith("paretune: search s: every trial failed, the first with its worker died 3 times: ")


def test_a_driver_killed_at_any_moment_twenty_times_loses_nothing(home: Path) -> None:
    moments, points, killed = random.Random(0), set[str](), list[int]()
    while len(killed) < 20:
        search = start(home, *(["--resume"] if study(home).exists else []), epochs=30)
        try:
            code = search.wait(moments.uniform(0.5, 25))
        except subprocess.TimeoutExpired:
            search.kill()
            search.wait()
            killed.append(search.pid)
        else:
            assert code == 0, said(home)[-1]
            assert_whole(home)
            shutil.rmtree(home)  # a search too quick for its killer: another one
            points = set()
            continue
        now = {point.id for point in study(home).record.points} if study(home).exists else set()
        assert points <= now, "a point is lost"
        points = now
    wait(lambda: not [words for _, words in processes() if f"paretune-{search.pid}-".encode() in words])
    assert start(home, *(["--resume"] if study(home).exists else []), epochs=30).wait(300) == 0
    assert points <= {point.id for point in study(home).record.points}
    assert_whole(home)
    assert not [pid for pid in killed if list(Path(tempfile.gettempdir()).glob(f"paretune-{pid}-*"))]


MOMENTS: dict[str, Callable[[Path, int], object]] = {
    "before the study is begun": lambda home, pid: (home / "studies" / "s" / "driver.lock").exists(),
    "while Ray comes up": lambda home, pid: [w for _, w in processes() if f"paretune-{pid}-".encode() in w],
    "before the first trial": lambda home, pid: study(home).exists,
    "in the first trial": lambda home, pid: workers(pid),
    "while Ray is shut down": lambda home, pid: "complete" in [t.status for t in study(home).trials.values()],
}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda sent: sent.name)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_search_ends_when_told_to_and_says_how_to_go_on(home: Path, moment: str, sent: signal.Signals) -> None:
    """A signal comes twice and to the whole process group, as from `timeout` or by two Ctrl-C."""
    search = start(home, "--trials", "1")
    wait(lambda: MOMENTS[moment](home, search.pid))
    for _ in range(2):
        with suppress(ProcessLookupError):  # it was at its end
            os.killpg(search.pid, sent)
    code, last = search.wait(300), said(home)
    assert code in (0, INTERRUPTED), last
    assert "Traceback" not in "\n".join(last)
    assert "raylet" not in "\n".join(last)
    assert not [words for _, words in processes() if f"paretune-{search.pid}-".encode() in words]
    if code == INTERRUPTED:
        assert last[-1] == "paretune: interrupted; everything finished is kept"
    unfinished = study(home).unfinished
    begun = study(home).exists
    advice = [line for line in last if line.startswith("go on: paretune search --name s --space small")]
    assert bool(advice) == (begun and (bool(unfinished) or code == INTERRUPTED))
    again = start(home, *(["--resume"] if begun else []), "--trials", "1")
    assert again.wait(300) == 0, said(home)
    assert_whole(home, trials=1)


def test_a_closed_terminal_ends_a_search_with_every_trial_written_down(home: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        words = ["search", "--name", "s", "--space", "small", "--trials", "2", "--home", str(home)]
        os.environ |= {"EPOCHS": "2000", "PYTHONPATH": str(Path(__file__).parents[3])}
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup` a search ignores the signal
        os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("searches.py")), *words])
    wait(lambda: checkpointed(home) > 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert {(trial.status, trial.reason) for trial in study(home).record.trials} == {("stopped", "interrupted")}


def test_a_search_that_was_put_to_sleep_goes_on(home: Path) -> None:
    search = start(home, "--trials", "1", epochs=300)
    wait(lambda: checkpointed(home) > 0)
    search.send_signal(signal.SIGSTOP)
    time.sleep(20)
    search.send_signal(signal.SIGCONT)
    assert search.wait(300) == 0, said(home)[-1]
    assert_whole(home, trials=1)


def test_a_search_goes_on_after_its_optuna_database_was_locked(home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}?timeout=1"
    search = start(home, "--storage-url", url)
    wait(lambda: study(home).exists and study(home).record.points)
    with closing(sqlite3.connect(tmp_path / "optuna.db", isolation_level=None)) as other:
        wait(lambda: _lock(other))
        time.sleep(30)
        other.execute("ROLLBACK")
    assert search.wait(300) == 0
    assert [line for line in said(home) if "Optuna's database does not answer" in line]
    assert [line for line in said(home) if "Optuna's database is back" in line]
    assert_whole(home, url=url)


def _lock(database: sqlite3.Connection) -> bool:
    try:
        database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True
