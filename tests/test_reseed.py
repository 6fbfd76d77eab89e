"""`paretune select --reseed` on a real Ray: models made again, and a study that stays finished."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pandas
import pytest
import ray

import paretune
import paretune.cli
from compress.data.tasks import Task
from compress.measurement import Measurement
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Stage, Train
from compress.store.bucket import open_store
from compress.training.settings import Training
from search.beginning import launch
from search.selection.selection import Selection
from search.study.endings import INTERRUPTED
from search.study.record import StudyRecord, point_event
from search.study.seeds import families
from search.study.study import Study
from search.tracking.client import connect
from search.tracking.fields import hidden
from tests.search.processes.searches import wait

CUT = Prune(L1Filter(), 0.6, OneShot(3), Recovery(Training(epochs=1)))
REFERENCE = {"accuracy": 0.0, "params": 10_000, "macs": 200_000, "flops": 400_000, "latency_ms": 1.0}


def recipe(width: float, *stages: Stage, epochs: int = 2) -> Recipe:
    return Recipe("digits", Model("cnn", width), (Train(Training(epochs=epochs)), *stages))


def begun(home: Path) -> Study:
    study = Study(home, "s")
    objectives = ["accuracy", "params", "flops"]
    study.begin(task="digits", space="joint", objectives=objectives, seed=0, reference_point=REFERENCE)
    return study


@dataclass(frozen=True)
class Reseeded:
    """A study of three trials, the best of which was made with two more seeds."""

    home: Path
    before: StudyRecord
    after: StudyRecord
    chosen: Selection


@pytest.fixture(scope="module")
def reseeded(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Reseeded:
    study = begun(tmp_path_factory.mktemp("home") / "runs")
    pipeline = Pipeline(digits, open_store(study.store))
    for one in (recipe(0.5), recipe(0.25, CUT), recipe(0.125, CUT)):
        trial = study.ask(dict(one.as_json()), {"width": one.student.width}, None)
        for point in pipeline.run(one):
            study.add(trial, point_event(point.key, point.sparsity, point.variant, point.measured))
        study.end(trial, "complete", "", 1.0, {})
    limit = study.record.trials[1].points[1].measured.params
    found = paretune.select("s", home=study.home, max_params=str(limit), reseed=3, top=2, show=False)
    return Reseeded(study.home, study.record, Study(study.home, "s").record, found)


def test_the_finalists_have_all_seeds_and_the_best_of_their_means_is_chosen(reseeded: Reseeded) -> None:
    assert [len(rated.family.points) for rated in reseeded.chosen.fits[:2]] == [3, 3]
    limit = reseeded.chosen.budget.bounds["max_params"].value
    within = [family for family in families(reseeded.after.points) if family.points[0].measured.params <= limit]
    best = max(within, key=lambda family: family.validation)
    assert reseeded.chosen.fits[0].family == best


def test_what_was_there_is_as_it_was_and_no_recipe_is_carried_out_twice(reseeded: Reseeded) -> None:
    assert reseeded.after.trials[:3] == reseeded.before.trials
    seeds = [trial.recipe["seed"] for trial in reseeded.after.trials]
    assert seeds[:3] == [0, 0, 0]
    assert set(seeds[3:]) == {1, 2}
    assert len({json.dumps(trial.recipe) for trial in reseeded.after.trials}) == len(seeds)


def test_every_new_point_is_a_model_in_the_store_with_a_family(reseeded: Reseeded) -> None:
    known = {point.id for point in reseeded.before.points}
    store = open_store(reseeded.after.store)
    new = [point for point in reseeded.after.points if point.id not in known]
    assert new
    assert all(point.family in known for point in new)
    assert all((entry := store.get(point.id)) and entry.measured == point.measured for point in new)


def test_the_same_again_starts_nothing_and_chooses_the_same(
    reseeded: Reseeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: object) -> NoReturn:
        raise AssertionError("a search was started")

    monkeypatch.setattr("search.beginning.reseed.started", start)
    limit = str(reseeded.chosen.budget.bounds["max_params"])
    assert paretune.select("s", home=reseeded.home, max_params=limit, reseed=3, top=2) == reseeded.chosen
    assert paretune.select("s", home=reseeded.home, max_params=limit) == reseeded.chosen


def test_words_say_what_all_seeds_came_to_and_which_one_ships(
    reseeded: Reseeded, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(*more: str) -> str:
        limit = str(reseeded.chosen.budget.bounds["max_params"])
        words = ["paretune", "select", "s", "--home", str(reseeded.home), "--max-params", limit, *more]
        monkeypatch.setattr(sys, "argv", words)
        assert paretune.cli.run() == 0
        out, err = capfd.readouterr()
        assert err == ""
        return out

    best = reseeded.chosen.fits[0]
    assert f"  over 3 seeds: {best.family.validation:.4f} ± {best.family.margin:.4f} on validation, " in said()
    assert f"  seed {best.point.recipe['seed']} ships: " in said()
    robust = paretune.select(
        "s", home=reseeded.home, max_params=str(reseeded.chosen.budget.bounds["max_params"]), robust=True
    )
    assert f" on validation (lower end {robust.fits[0].weighed.measured.score_validation:.4f}), " in said("--robust")
    assert f"left out: {robust.left_out} within the budget that have one seed only" in said("--robust")


def test_it_is_still_a_finished_study(reseeded: Reseeded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def start(*_: object) -> NoReturn:
        raise AssertionError("a search was started")

    monkeypatch.setattr(launch, "started", start)
    before = Study(reseeded.home, "s").ledger.path.read_bytes()
    paretune.search("s", home=reseeded.home, trials=3, resume=True, show=False)
    assert Study(reseeded.home, "s").ledger.path.read_bytes() == before
    assert {point["seeds"]["count"] for point in paretune.front("s", home=reseeded.home)["points"]} >= {3}
    assert "trial" in paretune.report("s", tmp_path / "report.html", home=reseeded.home).read_text()
    paretune.sync("s", home=reseeded.home)
    client = connect(f"sqlite:///{(reseeded.home / 'mlflow.db').resolve()}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    assert len(client.search_runs(experiments, "tags.`paretune.kind` = 'trial'")) == len(reseeded.after.trials)


def test_mlflow_has_the_front_that_the_verb_prints(reseeded: Reseeded) -> None:
    paretune.sync("s", home=reseeded.home)
    wanted = paretune.front("s", home=reseeded.home)
    client = connect(f"sqlite:///{(reseeded.home / 'mlflow.db').resolve()}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.`paretune.kind` = 'study'")
    table = pandas.read_parquet(client.download_artifacts(run.info.run_id, "front.parquet"))
    shown = {
        hidden(run.data.tags, "point"): run.data.metrics
        for run in client.search_runs(experiments, "tags.front = 'yes'")
    }
    assert list(table["id"]) == [point["id"] for point in wanted["points"]]
    assert set(shown) == set(table["id"])
    for point, row in zip(wanted["points"], table.to_dict("records"), strict=True):
        seeds, metrics = point["seeds"], shown[point["id"]]
        assert (row["validation_accuracy"], row["test_accuracy"]) == (seeds["validation"], seeds["test"])
        assert (row["seeds"], row["params"]) == (seeds["count"], point["params"])
        assert (None if math.isnan(row["margin"]) else row["margin"]) == seeds["margin"] == metrics.get("margin")
        assert (metrics["seeds"], metrics["mean_validation_accuracy"]) == (seeds["count"], seeds["validation"])
        assert metrics["test_accuracy"] == point["accuracy"]["test"]
    assert "about.md" in run.data.tags["mlflow.note.content"]
    note = Path(client.download_artifacts(run.info.run_id, "about.md")).read_text()
    assert f"{len(wanted['points'])} on the front of accuracy, params, flops; " in note
    assert f"hypervolume {wanted['hypervolume']:.3f}." in note
    best = reseeded.chosen.fits[0].family
    assert f"± {100 * (best.margin or 0):.2f} (3 seeds)" in note


def made_up(home: Path, digits: Task, measurement: Measurement, epochs: int) -> Study:
    """A study whose ledger says that a long training was done."""
    study, long = begun(home), recipe(0.25, epochs=epochs)
    trial = study.ask(dict(long.as_json()), {}, None)
    study.add(trial, point_event(plan(long, digits.fingerprint)[0].key, 0.0, "float", measurement))
    study.end(trial, "complete", "", 1.0, {})
    return study


def test_what_another_version_made_is_refused_before_anything_starts(
    tmp_path: Path, digits: Task, measurement: Measurement
) -> None:
    study = made_up(tmp_path, replace(digits, fingerprint="other"), measurement, 2)
    with pytest.raises(ValueError, match="reseed: trial 0 was made by another version or of other data, so its like"):
        paretune.select("s", home=tmp_path, reseed=2, show=False)
    assert len(Study(tmp_path, "s").record.trials) == len(study.trials) == 1
    assert not ray.is_initialized()


def test_a_study_that_is_being_searched_is_refused(tmp_path: Path, digits: Task, measurement: Measurement) -> None:
    with (
        made_up(tmp_path, digits, measurement, 2).lock(),
        pytest.raises(ValueError, match="study s: another search is running it; wait for it or stop it first"),
    ):
        paretune.select("s", home=tmp_path, reseed=2, show=False)


def ended_by(ending: signal.Signals, study: Study, words: list[str]) -> tuple[int, str, str]:
    """The command's exit code, output and errors when it gets this signal in the middle of the second trial."""
    before = study.ledger.path.stat().st_size
    command = subprocess.Popen(
        [sys.executable, "-m", "paretune", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    wait(lambda: study.ledger.path.stat().st_size > before)
    wait(lambda: [trial.status for trial in Study(study.home, "s").record.trials[1:]] == ["running"])
    wait(lambda: list((study.home / "store" / "partial").glob("*.pt")))
    command.send_signal(ending)
    out, err = command.communicate(timeout=120)
    return command.returncode, out, err


@pytest.mark.slow
def test_after_ctrl_c_or_a_kill_nothing_is_chosen_and_the_same_command_goes_on_to_the_end(
    tmp_path: Path, digits: Task, measurement: Measurement
) -> None:
    study = made_up(tmp_path, digits, measurement, 1000)
    words = ["select", "s", "--home", str(tmp_path), "--reseed", "2", "--json"]
    for ending in (signal.SIGINT, signal.SIGKILL, signal.SIGINT):
        code, out, err = ended_by(ending, study, words)
        assert out == ""
        if ending == signal.SIGINT:
            assert code == 130, err
            assert f"go on: paretune {' '.join(words)}" in err
            found = Study(tmp_path, "s").record.trials
            assert [(trial.status, trial.reason) for trial in found[1:]] == [("stopped", INTERRUPTED)]
    whole = subprocess.run([sys.executable, "-m", "paretune", *words], capture_output=True, text=True, check=True)
    found = Study(tmp_path, "s").record.trials
    assert found[0] == study.record.trials[0]
    assert [(trial.status, trial.recipe["seed"], len(trial.points)) for trial in found[1:]] == [("complete", 1, 1)]
    (best,) = json.loads(whole.stdout)["top"]
    assert best["seeds"]["count"] == 2
