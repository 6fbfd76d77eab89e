"""A long search over the joint space with a fault every minute, and the account at its end.

    python -m benchmarks.scale.faults [--trials 200] [--every 60] [--seed 0] [--keep DIR]

A real `paretune search` on digits, with Optuna's database in SQLite and a real MLflow server. The faults, each in turn,
in an order by chance: a worker killed, the driver killed, the driver interrupted, Optuna's database locked for 20 s,
the MLflow server killed and back 20 s later, a bit flipped in a stored model that others are made from. A driver that
is gone is started again with `--resume`, as its last lines say; if the server was away at the very end, `paretune sync`
is typed, as they say then. The account is read from what lies on the disk. Writes `benchmarks/results/faults.md`.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import mlflow
from optuna.trial import TrialState

from benchmarks.bars import Row, table
from benchmarks.machine import machine
from benchmarks.scale.processes import workers
from compress.store.files import WEIGHTS
from compress.store.folder import Store
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.front import front
from search.study.study import Study

RESULTS = Path(__file__).parents[1] / "results" / "faults.md"
NAME = "faults"
AWAY_S = 20.0
PORT = 5791


class Search:
    """The search's program, its MLflow server, and the ways to hurt them."""

    def __init__(self, home: Path, trials: int, seed: int) -> None:
        self.home, self.trials, self.chance = home, trials, random.Random(seed)
        self.database = home / "optuna.db"
        self.flipped: list[str] = []
        self.codes: list[int] = []
        home.mkdir(parents=True, exist_ok=True)
        self.server = self._serve()
        self.driver = self._start()

    @property
    def study(self) -> Study:
        """What the ledger says now."""
        return Study(self.home, NAME)

    def _serve(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.home}/mlflow.db"]
        command += ["--artifacts-destination", str(self.home / "files"), "--port", str(PORT), "--workers", "1"]
        with (self.home / "server.log").open("a") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "paretune", "search", "--name", NAME, "--home", str(self.home)]
        command += ["--trials", str(self.trials), "--storage-url", f"sqlite:///{self.database}?timeout=1"]
        command += ["--tracking-uri", f"http://127.0.0.1:{PORT}"] + ["--resume"] * self.study.exists
        with (self.home / "said.log").open("a") as said:
            return subprocess.Popen(command, stdout=said, stderr=said)

    def go_on(self) -> bool:
        """Whether it is still at work; one that died is started again."""
        code = self.driver.poll()
        if code is None:
            return True
        self.codes.append(code)
        if code == 0 and len(self.study.trials) >= self.trials and not self.study.unfinished:
            return False
        self.driver = self._start()
        return True

    def kill_worker(self) -> bool:
        """One of them, in the middle of whatever it does."""
        found = workers(self.driver.pid)
        for pid in found[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def kill_driver(self) -> bool:
        """Without a word."""
        self.driver.kill()
        return bool(self.driver.wait())

    def interrupt_driver(self) -> bool:
        """As Ctrl-C does."""
        self.driver.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.driver.wait(60)
        return True

    def lock_database(self) -> bool:
        """As another program may that reads it."""
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=20)) as other:
            try:
                other.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                return False
            time.sleep(AWAY_S)
            other.execute("ROLLBACK")
        return True

    def kill_server(self) -> bool:
        """And bring it back."""
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()
        time.sleep(AWAY_S)
        self.server = self._serve()
        return True

    def flip_bit(self) -> bool:
        """In a network before any cut."""
        store = Store(self.home / "store")
        whole = {point.id for point in self.study.record.points if point.sparsity == 0 and point.variant == "float"}
        there = [path for path in (store.path(key) / WEIGHTS for key in sorted(whole)) if path.exists()]
        if not there:
            return False
        path = self.chance.choice(there)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        self.flipped.append(path.parent.name)
        return True

    def close(self) -> None:
        """Stop what still runs."""
        if self.driver.poll() is None:
            self.driver.kill()
        os.killpg(self.server.pid, signal.SIGKILL)


def follow(search: Search) -> bool:
    """Whether the search's last words said what to type once MLflow's server is back; if so, that is typed."""
    said = (search.home / "said.log").read_text().splitlines()[-10:]
    found = re.search(r"run `\S+ (sync [^`]+)` when it is back", "\n".join(said))
    if found is None:
        return False
    command = [sys.executable, "-m", "paretune", *shlex.split(found[1])]
    end = time.monotonic() + 60  # for the server to come up
    while subprocess.run(command, capture_output=True).returncode and time.monotonic() < end:
        time.sleep(2)
    return True


def hurt(search: Search, every: float) -> Counter[str]:
    """Faults until the search is over; how many of each there were."""
    ways: dict[str, Callable[[], bool]] = {
        "worker killed": search.kill_worker,
        "driver killed": search.kill_driver,
        "driver interrupted": search.interrupt_driver,
        f"Optuna's database locked for {AWAY_S:.0f} s": search.lock_database,
        f"MLflow's server gone for {AWAY_S:.0f} s": search.kill_server,
        "bit flipped in the store": search.flip_bit,
    }
    found: Counter[str] = Counter()
    due, waiting = time.monotonic() + every, list[str]()
    while search.go_on():
        time.sleep(1)
        if time.monotonic() < due or not search.study.exists:
            continue
        if not waiting:
            waiting = search.chance.sample(list(ways), len(ways))
        name = waiting.pop()
        found[name] += ways[name]()
        print(f"{len(search.study.trials)} trials: {name}", file=sys.stderr, flush=True)
        due = max(due + every, time.monotonic() + 10)
    return found


def account(search: Search) -> Iterator[Row]:
    """Everything that must hold when it is over."""
    record, events = search.study.record, list(search.study.ledger.events())
    states = Counter(trial.status for trial in record.trials)
    reasons = {trial.reason for trial in record.trials if trial.status == "failed"}
    over = len(record.trials) == search.trials and not states["running"] and not states["failed"]
    yield Row("trials", f"{search.trials}, none failed or running", f"{dict(states)} {reasons or ''}", over)
    written = Counter((event["trial"], event["id"]) for event in events if event["event"] == "point")
    twice = sum(count > 1 for count in written.values())
    yield Row("points written down", "each once", f"{len(written)}, {twice} twice", not twice)
    storage = open_storage(f"sqlite:///{search.database}", search.study.folder)
    asked = OptunaStudy(storage, NAME, record.objectives, 0).study.get_trials()
    told = Counter((t.user_attrs["point"], t.user_attrs["of"]) for t in asked if "point" in t.user_attrs)
    running = sum(trial.state == TrialState.RUNNING for trial in asked)
    again = sum(count > 1 for count in told.values())
    yield Row(
        "points Optuna was told", "each once, none running", f"{len(told)}, {again} twice, {running} running",
        not running and not again,
    )  # fmt: skip
    store = Store(search.home / "store")
    leases = len(list((search.home / "store" / "locks").glob("*.lease")))
    yield Row("leases left on models", "0", str(leases), leases == 0)
    entries = {point.id: store.get(point.id) for point in record.points}
    damaged = {key for key, entry in entries.items() if entry is None}
    lost = f"{len(search.flipped)} flipped, {len(damaged)} not made again"
    yield Row(
        "points whose model is sound",
        "all but those whose bits were flipped and that nobody needed since",
        f"{len(entries) - len(damaged)} of {len(entries)}; {lost}",
        damaged <= set(search.flipped),
    )
    figures = ("score_validation", "score_test", "params", "nonzero_params", "macs", "size_bytes")
    apart = [
        point.id
        for point in record.points
        if (entry := entries[point.id]) is not None
        and any(getattr(entry.measured, name) != getattr(point.measured, name) for name in figures)
    ]
    yield Row("points that differ from their stored models", "0", str(len(apart)), not apart)
    stored = [replace(p, measured=entry.measured) if (entry := entries[p.id]) else p for p in record.points]
    same = [p.id for p in front(stored, record.objectives)] == [p.id for p in front(record.points, record.objectives)]
    yield Row("front, and the one recomputed from the store", "equal", "equal" if same else "not equal", same)
    mlflow.set_tracking_uri(f"http://127.0.0.1:{PORT}")
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list", max_results=5000)
    of_trials = Counter(run.data.tags["paretune.trial"] for run in runs if run.data.tags["paretune.kind"] == "trial")
    open_runs = sum(run.info.status == "RUNNING" for run in runs)
    once = of_trials == Counter(map(str, range(search.trials)))
    yield Row(
        "MLflow's runs of trials", f"{search.trials}, one each, none open",
        f"{of_trials.total()} of {len(of_trials)}, {open_runs} open", once and not open_runs,
    )  # fmt: skip
    shown = sorted(run.data.tags["paretune.point"] for run in runs if run.data.tags.get("front") == "yes")
    best = sorted(point.id for point in front(record.points, record.objectives))
    yield Row("MLflow's runs of the front", f"its {len(best)} models", f"{len(shown)} models", shown == best)
    said = (search.home / "said.log").read_text()
    yield Row("tracebacks said", "0", str(said.count("Traceback")), "Traceback" not in said)


def main() -> None:
    """Search, hurt, account."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trials", type=int, default=200)
    options.add_argument("--every", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        search = Search((chosen.keep or Path(folder) / "home").resolve(), chosen.trials, chosen.seed)
        started = time.perf_counter()
        try:
            found = hurt(search, chosen.every)
            minutes = (time.perf_counter() - started) / 60
            followed = follow(search)
            rows = list(account(search))
        finally:
            search.close()
    faults = ", ".join(f"{name} {count} times" for name, count in found.items())
    codes = ", ".join(f"{code} ({count})" for code, count in Counter(search.codes).items())
    asked = f"--trials {chosen.trials} --every {chosen.every:g}"
    text = (
        f"# A search among faults\n\n`python -m benchmarks.scale.faults {asked}` on {machine()}; {minutes:.0f} min.\n\n"
    )
    text += f"Faults: {faults}. The driver's exit codes, negative ones are signals: {codes}."
    text += " At its end MLflow's server was away, and `paretune sync` was typed, as it said." if followed else ""
    text += f"\n\n{table(rows)}\n"
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
