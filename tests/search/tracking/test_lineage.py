"""What MLflow is told of a run's origin: user and program, data, and models; homes of earlier versions are told too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, LoggedModel, Run

from search.study.record import StudyRecord
from search.tracking import fields, lineage
from search.tracking.client import connect
from search.tracking.experiment import EXPERIMENT, KIND, KIND_TAG
from search.tracking.lineage import Data
from search.tracking.runs import Runs
from search.tracking.sync import Sync
from tests.search.mirrored import everything, found, history, reseeded, study, trial

HEADER = {
    "task": "digits",
    "space": "joint",
    "seed": 0,
    "objectives": ["accuracy", "params"],
    "fingerprint": "ab12" * 16,
    "data": {"train": 1078, "validation": 359, "test": 360, "shape": [1, 8, 8]},
}
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # MLflow's own


def begun() -> StudyRecord:
    return replace(study(trial(0), trial(1)), header=HEADER)


def all_runs(uri: str) -> list[Run]:
    return [*everything(uri).values(), *found(uri, "tags.paretune.kind = 'front'")]


def models(uri: str) -> dict[str, LoggedModel]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return {model.model_id: model for model in client.search_logged_models([experiment.experiment_id])}


def outputs(run: Run) -> list[str]:
    return [model.model_id for model in run.outputs.model_outputs] if run.outputs else []


def inputs(run: Run) -> list[Dataset]:
    return [one.dataset for one in run.inputs.dataset_inputs] if run.inputs else []


def test_every_run_has_its_user_its_program_and_its_data(uri: str) -> None:
    Sync(uri, "demo").sync(begun())
    for run in all_runs(uri):
        assert run.data.tags["mlflow.user"]
        assert run.data.tags["mlflow.source.name"]
        assert run.data.tags["mlflow.source.type"] == "LOCAL"
        (data,) = inputs(run)
        assert (data.name, data.digest, json.loads(str(data.profile))["train"]) == ("digits", "ab12ab12", 1078)
        assert json.loads(json.loads(str(data.schema))["mlflow_tensorspec"]["features"])[0]["tensor-spec"]["shape"] == [
            *(-1, 1, 8, 8)
        ]


def test_the_models_of_the_front_are_outputs_so_that_no_run_counts_as_an_evaluation(uri: str) -> None:
    Sync(uri, "demo").sync(begun())
    known, runs = models(uri), everything(uri)
    front = found(uri, "tags.front = 'yes'")
    assert len(front) == len(known) > 1
    assert {str(model.status) for model in known.values()} == {"READY"}
    assert {one for run in front for one in outputs(run)} == set(outputs(runs["demo"])) == set(known)
    assert set(outputs(runs["trial 0"])) | set(outputs(runs["trial 1"])) == set(known)
    for run in front:
        (model,) = (known[one] for one in outputs(run))
        assert {one.key: one.value for one in model.metrics or ()} == run.data.metrics
        assert {(one.dataset_name, one.dataset_digest) for one in model.metrics or ()} == {("digits", "ab12ab12")}
        assert model.params == run.data.params


def test_a_model_has_no_metrics_of_its_trial_or_study(uri: str) -> None:
    mirror = Sync(uri, "demo")
    for points in (1, 2, 3):
        mirror.sync(replace(study(replace(trial(0, points), status="running")), header=HEADER))
    mirror.sync(begun())
    keys = {one.key for model in models(uri).values() for one in model.metrics or ()}
    assert "test_accuracy" in keys
    assert not {key for key in keys if "/" in key or key in ("hypervolume", "points", "front_size", "seconds")}


def test_a_model_that_leaves_the_front_says_so(uri: str) -> None:
    better = trial(1)
    better = replace(better, points=tuple(replace(p, measured=replace(p.measured, params=1)) for p in better.points))
    mirror = Sync(uri, "demo")
    mirror.sync(study(trial(0)))
    mirror.sync(study(trial(0), better))
    left = {model.tags["front"] for model in models(uri).values() if model.tags["trial"] == "0"}
    assert left == {"no"}


def test_no_tag_for_people_is_empty_or_a_hash(uri: str) -> None:
    Sync(uri, "demo").sync(begun())
    for run in all_runs(uri):
        shown = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
        assert all(shown.values())
        assert not shown.keys() & {f"paretune.{name}" for name in fields.HIDDEN}


def made_before(uri: str, whole: StudyRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirror the study as an earlier version did."""
    with monkeypatch.context() as patch:
        patch.setattr(fields, "hidden_tag", lambda name: f"paretune.{name}")
        patch.setattr(lineage, "origin", dict)
        patch.setattr(Runs, "add_data", lambda self, run, data: run)
        patch.setattr(Runs, "add_model", lambda self, run, *_: run)
        patch.setattr(Runs, "finish_model", lambda self, run: None)
        Sync(uri, "demo").sync(replace(whole, header={}))
    client = connect(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    client.delete_experiment_tag(experiment.experiment_id, KIND_TAG)


def test_a_study_of_an_earlier_version_is_brought_up_and_nothing_is_there_twice(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_before(uri, begun(), monkeypatch)
    before = {run.info.run_id: run for run in all_runs(uri)}
    assert "paretune.state" in everything(uri)["trial 0"].data.tags
    assert not models(uri)
    for _ in range(2):
        Sync(uri, "demo").sync(begun())
    after = {run.info.run_id: run for run in all_runs(uri)}
    assert after.keys() == before.keys()
    assert all(inputs(run) and outputs(run) for run in after.values())
    assert len(models(uri)) == len(found(uri, "tags.front = 'yes'"))
    for key, run in after.items():
        assert not run.data.tags.keys() & {f"paretune.{name}" for name in fields.HIDDEN}
        assert before[key].data.params.items() <= run.data.params.items()
        for name in before[key].data.metrics:
            assert history(uri, run, name) == history(uri, before[key], name)
            assert len(set(history(uri, run, name))) == len(history(uri, run, name))
    assert [step for step, _ in history(uri, everything(uri)["demo"], "points")] == [1, 2]
    experiment = MlflowClient(uri).get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    assert experiment.tags[KIND_TAG] == KIND


def test_a_model_made_before_a_failure_is_not_made_again(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise OSError("cable cut")

    with monkeypatch.context() as patch:
        patch.setattr(lineage, "log_outputs", dies)
        with pytest.raises(ValueError, match="cable cut"):
            Sync(uri, "demo").sync(begun())
    assert len(models(uri)) == 1
    Sync(uri, "demo").sync(begun())
    assert len(models(uri)) == len(found(uri, "tags.front = 'yes'"))


@pytest.mark.parametrize("step", ["finish_model", "turn"])
def test_a_front_model_cut_off_after_its_metrics_is_finished(
    step: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise OSError("cable cut")

    mirror = Sync(uri, "demo")
    with monkeypatch.context() as patch:
        mirror.sync(study(replace(trial(0), points=())))
        patch.setattr(Runs, step, dies)
        with pytest.raises(ValueError, match="cable cut"):
            mirror.sync(begun())
    for _ in range(2):
        mirror.sync(begun())
    front = found(uri, "tags.front = 'yes'")
    assert len(models(uri)) == len(front)
    assert {run.info.status for run in front} == {"FINISHED"}
    for run in front:
        (model,) = (models(uri)[one] for one in outputs(run))
        assert {one.key: one.value for one in model.metrics or ()} == run.data.metrics


def test_a_front_model_of_more_seeds_has_their_means(uri: str) -> None:
    for again in ([], [reseeded(trial(1), 2, -0.01)]):
        Sync(uri, "demo").sync(study(trial(0), trial(1), *again))
    known = models(uri)
    for run in found(uri, "tags.front = 'yes' and tags.paretune.trial = '1'"):
        (model,) = (known[one] for one in outputs(run))
        latest = {one.key: one.value for one in sorted(model.metrics or (), key=lambda one: one.step)}
        assert latest["seeds"] == run.data.metrics["seeds"] == 2
        assert latest["mean_test_accuracy"] == run.data.metrics["mean_test_accuracy"]


def test_a_param_that_the_run_has_stays(uri: str) -> None:
    Sync(uri, "demo").sync(begun())
    Sync(uri, "demo").sync(replace(begun(), header={**HEADER, "seed": 7, "sampler": "tpe"}))
    params = everything(uri)["demo"].data.params
    assert (params["seed"], params["sampler"]) == ("0", "tpe")


@pytest.mark.parametrize(
    ("name", "kind", "source"),
    [
        ("digits", "code", {"tags": {"mlflow.source.name": "x"}}),
        ("folder:/d/parts", "local", {"uri": "/d/parts"}),
        ("first:9:folder:/d/parts", "local", {"uri": "/d/parts"}),
    ],
)
def test_the_source_of_data_is_the_program_or_the_folder(
    name: str, kind: str, source: Mapping[str, object], uri: str
) -> None:
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("e"))
    lineage.log_data(
        client, run.info.run_id, Data(name, "ab" * 32, {}), {"mlflow.source.name": "x", "mlflow.user": "u"}
    )
    (data,) = inputs(client.get_run(run.info.run_id))
    assert (data.source_type, json.loads(data.source), data.schema, data.profile) == (kind, source, None, None)


def test_a_name_of_a_model_has_no_sign_that_mlflow_refuses() -> None:
    one = replace(trial(3).points[1], variant="int8", sparsity=0.123)
    assert fields.model_name(one, "v1.2") == "v1-2 trial 3 at 12 percent int8"


def test_where_nothing_is_known_of_the_data_none_are_named(uri: str, tmp_path: Path) -> None:
    Sync(uri, "demo", tmp_path).sync(study(trial(0)))
    assert not any(inputs(run) for run in all_runs(uri))
