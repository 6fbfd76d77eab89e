"""Optuna's journal: read back in order, from any place, by the next process, whatever a crash has left at its end."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from search.sampling.journal import WAITING, Journal, OneWriters


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optuna.journal"


def test_logs_are_read_from_any_number_on_and_again(path: Path) -> None:
    journal = Journal(path)
    for n in range(4):
        journal.append_logs([{"n": n}])
    assert list(journal.read_logs(1)) == [{"n": 1}, {"n": 2}, {"n": 3}]
    journal.append_logs([{"n": 4}, {"n": 5}])
    assert list(journal.read_logs(4)) == [{"n": 4}, {"n": 5}]
    assert list(journal.read_logs(6)) == []
    assert list(journal.read_logs(5)) == [{"n": 5}]
    assert list(Journal(path).read_logs(0)) == [{"n": n} for n in range(6)]


def test_a_line_cut_short_is_taken_away_and_the_next_one_stands_by_itself(path: Path) -> None:
    Journal(path).append_logs([{"n": 0}, {"n": 1}])
    path.write_bytes(path.read_bytes()[:-4])
    journal = Journal(path)
    journal.append_logs([{"n": 2}])
    assert list(journal.read_logs(0)) == [{"n": 0}, {"n": 2}]


def test_a_line_that_a_full_disk_cut_short_is_taken_away_at_once(path: Path) -> None:
    Journal(path).append_logs([{"n": 0}])
    here = path.stat().st_size
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from search.sampling.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "assert list(journal.read_logs(0)) == [{'n': 0}]\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({here + 3}, resource.RLIM_INFINITY))\n"
        "try: journal.append_logs([{'n': 1}])\n"
        "except OSError as error: print(error.strerror)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "journal.append_logs([{'n': 2}])\n"
        "assert list(journal.read_logs(1)) == [{'n': 2}]\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("No space left on device\n", "")
    assert list(Journal(path).read_logs(0)) == [{"n": 0}, {"n": 2}]


def test_optuna_finds_in_it_what_another_process_wrote(path: Path) -> None:
    study = optuna.create_study(storage=JournalStorage(Journal(path)), study_name="s", directions=["minimize"] * 2)
    asked = study.ask()
    asked.suggest_categorical("order", ("prune", "lowrank"))
    study.tell(asked.number, [0.5, 2.0])
    study.ask()
    found = optuna.load_study(storage=JournalStorage(Journal(path)), study_name="s")
    assert [trial.state for trial in found.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    assert (found.trials[0].params, found.trials[0].values) == (asked.params, [0.5, 2.0])


def test_journals_that_optuna_wrote_are_read(path: Path) -> None:
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    optuna.create_study(storage=JournalStorage(backend), study_name="s").ask()
    assert len(optuna.load_study(storage=JournalStorage(Journal(path)), study_name="s").trials) == 1


def test_those_that_wait_are_known_whatever_happens_to_them_and_after_a_restart(path: Path) -> None:
    draw, queued, storage = random.Random(0), 0, OneWriters(path)
    study = optuna.create_study(storage=storage, study_name="s")
    most = 0
    for _ in range(60):
        if draw.random() < 0.5:
            study.enqueue_trial({"x": queued})
            queued += 1
        elif draw.random() < 0.5:
            asked = study.ask()
            asked.suggest_int("x", 0, 100)
            study.tell(asked, 1.0)
        else:
            storage = OneWriters(path)
            study = optuna.load_study(storage=storage, study_name="s")
        every = [trial.number for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.WAITING]
        assert [trial.number for trial in study.get_trials(states=WAITING)] == every
        most = max(most, len(every))
    begun = [trial.params["x"] for trial in study.trials if "fixed_params" in trial.system_attrs and trial.params]
    assert begun == list(range(len(begun)))
    assert most > 2
