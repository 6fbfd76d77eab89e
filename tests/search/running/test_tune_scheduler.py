"""Early stopping in a real search: what was finished stays, nothing half-trained counts, the others go on."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.schedulers import TrialScheduler

from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from search.beginning import launch
from search.running.job import Job
from search.running.tune_scheduler import Scheduler
from search.sampling.optuna_study import OptunaStudy, open_storage
from search.settings import Settings
from search.study.endings import EARLY
from search.study.front import front
from search.study.record import StudyRecord
from search.study.study import Study
from spaces import SPACES, Space
from spaces.space import Trial

LEVELS = 4


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Of two trials the longer takes twice as long or more: when the shorter ends, the longer has points to make."""
    epochs = int(trial.suggest_categorical("epochs", tuple(5 * 2**n for n in range(6))))
    cut = Prune(L1Filter(), 0.8, OneShot(LEVELS), Recovery(Training(epochs=epochs)))
    return Recipe(task, Model("cnn", 0.5), (Train(Training(epochs=2)), cut), seed=seed)


LONG = Space("long", build, Model("cnn", 0.5), "")


@pytest.mark.parametrize(("new", "deaths"), [(True, 0), (False, 2)])
def test_a_trial_that_has_ended_is_stopped_once_it_was_heard(new: bool, deaths: int) -> None:
    heard: list[tuple[int, dict[str, Any]]] = []

    def hear(number: int, result: dict[str, Any]) -> bool:
        heard.append((number, result))
        return new

    scheduler = Scheduler(hear, lambda number: number == 7)
    for number, decided in ((3, TrialScheduler.CONTINUE), (7, TrialScheduler.STOP)):
        trial = SimpleNamespace(config=Job(number, {}, "").as_json(), run_metadata=SimpleNamespace(num_failures=2))
        assert scheduler.on_trial_result(None, trial, {"points": "[]"}) == decided
        assert trial.run_metadata.num_failures == deaths, "its workers' deaths count from its last new point"
    assert heard == [(3, {"points": "[]"}), (7, {"points": "[]"})]


def searched(home: Path, trials: int, *, whole_curves: bool) -> StudyRecord:
    """With as many trials at once as cores, and once two have points none is worth going on with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, "long", LONG)
        patch.setattr("search.sampling.early_stopping.worth_of_rest", lambda *_: -math.inf)
        patch.setattr("search.sampling.acquisition.STARTUP", 2)
        settings = Settings("s", space="long", trials=trials, home=home, whole_curves=whole_curves)
        return launch.search(settings)


def test_a_search_keeps_what_its_stopped_trials_have_finished(tmp_path: Path) -> None:
    record = searched(tmp_path, 6, whole_curves=False)
    stopped = [trial for trial in record.trials if trial.status == "stopped"]
    assert len(record.trials) == 6
    assert stopped
    assert {trial.status for trial in record.trials} == {"complete", "stopped"}
    for trial in stopped:
        assert trial.reason == EARLY
        assert 1 < len(trial.points) < 1 + LEVELS
        assert trial.spent["train"] > 0
        assert all((Path(point.path) / "model.safetensors").exists() for point in trial.points)
    study = Study(tmp_path, "s")
    assert study.record == record
    assert front(study.record.points) == front(record.points)
    assert study.unfinished == []
    told = OptunaStudy(open_storage(None, study.folder), "s", record.objectives, 0).study.trials
    numbers = [study.trials[trial.id].optuna for trial in stopped]
    assert [told[number].state for number in numbers if number is not None] == [TrialState.FAIL] * len(stopped)
    assert not [trial for trial in told if trial.state == TrialState.RUNNING]


def test_with_whole_curves_every_trial_comes_to_its_end(tmp_path: Path) -> None:
    record = searched(tmp_path, 4, whole_curves=True)
    assert [trial.status for trial in record.trials] == ["complete"] * 4
