"""The runs of a study in MLflow: found by their tags, created, written, and linked with data and models."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from search.tracking import lineage
from search.tracking.client import connect
from search.tracking.experiment import open_experiment
from search.tracking.fields import HIDDEN, Step, hidden, hidden_tag
from search.tracking.registry import add_version

if TYPE_CHECKING:
    from mlflow.entities import Run

K = TypeVar("K")
VIEW = "mlflow.sharedViewState."
"""Prefix of an experiment's tags with views of its pages."""


@dataclass(frozen=True)
class Logged:
    """A run in MLflow: `started` in ms since 1970, `status` in MLflow's words.

    `models` are the ids of the logged models among the outputs, `data` name and digest of the data set among the
    inputs, () without one.
    """

    id: str
    started: int
    status: str
    artifacts: str
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


class Runs:
    """The runs of a study in MLflow, found by tags, page by page.

    `known` holds runs by trial, with the study's own run under None; `front` holds runs by point. Make a new object
    after any error, for the state of the failed write is unknown.
    """

    def __init__(self, uri: str, study: str, artifact_root: Path | None) -> None:
        self._client = connect(uri)
        found = open_experiment(self._client, uri, artifact_root)
        self.experiment, self._views = str(found.experiment_id), dict(found.tags)
        self.origin = lineage.origin()
        self._created: set[str] = set()
        self._model_metrics: dict[str, set[tuple[str, int]]] = {}
        self.known: dict[int | None, Logged] = {}
        self.front: dict[str, Logged] = {}
        for run in self._search(f"tags.`paretune.study` = '{study}'"):
            tags = run.data.tags
            kind = tags.get("paretune.kind") if tags["paretune.study"] == study else None
            if kind in ("study", "trial"):
                self._keep(self.known, int(tags["paretune.trial"]) if kind == "trial" else None, run)
            elif kind == "front":
                self._keep(self.front, str(hidden(tags, "point")), run)

    def create(self, name: str, tags: Mapping[str, str], *, started: float | None = None) -> Logged:
        """Create a run of this user and program; `started` in seconds since 1970, None for now."""
        start = int(1000 * (time.time() if started is None else started))
        run = _logged(self._client.create_run(self.experiment, start, {**self.origin, **tags}, name))
        self._created.add(run.id)
        return run

    def write(
        self,
        run: Logged,
        metrics: Iterable[Step],
        params: Mapping[str, str],
        tags: Mapping[str, str],
        *,
        at: float | None = None,
        of_its_model: bool = False,
    ) -> Logged:
        """Write metrics, params and tags in a single call; `at`, in seconds since 1970, is the time of the metrics.

        None stands for the run's start: MLflow then keeps a repeated metric once. A param that the run has stays as it
        is: MLflow lets no param change. With `of_its_model` the metrics are also those of the run's first logged model.
        Tags that earlier versions showed to people, such as hashes, are removed.
        """
        from mlflow.entities import Metric, Param, RunTag

        time_ms = run.started if at is None else int(1000 * at)
        metrics = list(metrics)
        of_model = (run.models[0], *run.data) if of_its_model and run.models else ()
        there = self._metrics_of(run.models[0]) if of_model and metrics else set()
        new = {key: value for key, value in params.items() if key not in run.params}
        tags = {**{key: value for key, value in self.origin.items() if key not in run.tags}, **tags}
        self._client.log_batch(
            run.id,
            [
                Metric(key, value, time_ms, step, *(() if (key, step) in there else of_model))
                for key, value, step in metrics
            ],
            [Param(key, value) for key, value in new.items()],
            [RunTag(key, value) for key, value in tags.items()],
            synchronous=True,
        )
        there |= {(key, step) for key, _, step in metrics}
        written = replace(run, tags={**run.tags, **tags}, params={**run.params, **new})
        for name in HIDDEN:
            if hidden_tag(name) in written.tags:
                written = self.untag(written, f"paretune.{name}")
        return written

    def untag(self, run: Logged, key: str) -> Logged:
        """Delete a tag of the run, if there."""
        if key in run.tags:
            self._client.delete_tag(run.id, key)
        return replace(run, tags={name: value for name, value in run.tags.items() if name != key})

    def add_data(self, run: Logged, data: lineage.Data | None) -> Logged:
        """Log the data as the run's input, unless the run has data or the data are unknown."""
        if data is None or run.data:
            return run
        lineage.log_data(self._client, run.id, data, self.origin)
        return replace(run, data=(data.name_there, data.digest))

    def add_model(self, run: Logged, name: str, params: Mapping[str, str], tags: Mapping[str, str]) -> Logged:
        """Give the run its logged model, unless the run has one."""
        if run.models:
            return run
        given = {**self.origin, **tags}
        found = None if run.id in self._created else lineage.model_of(self._client, self.experiment, run.id)
        model = found or lineage.make_model(self._client, self.experiment, run.id, name, params, given)
        lineage.log_outputs(self._client, run.id, [model])
        if found is None:
            self._model_metrics[model] = set()
        return replace(run, models=(model,))

    def finish_model(self, run: Logged) -> None:
        """Declare the run's logged model ready."""
        lineage.finish_model(self._client, run.models[0])

    def tag_models(self, run: Logged, tags: Mapping[str, str]) -> None:
        """Set tags of the run's logged models."""
        for model in run.models:
            lineage.tag_model(self._client, model, tags)

    def link(self, run: Logged, models: Iterable[str]) -> Logged:
        """Log models as outputs of the run; those there stay."""
        new = [model for model in models if model not in run.models]
        if new:
            lineage.log_outputs(self._client, run.id, new)
        return replace(run, models=(*run.models, *new))

    def set_view(self, key: str, content: str) -> None:
        """Keep a view of the experiment's pages, for links with `viewStateShareKey=KEY`."""
        name = f"{VIEW}{key}"
        if self._views.get(name) != content:
            self._client.set_experiment_tag(self.experiment, name, content)
            self._views[name] = content

    def drop_view(self, key: str) -> None:
        """Delete a view of the experiment's pages, if there."""
        if self._views.pop(f"{VIEW}{key}", None) is not None:
            self._client.delete_experiment_tag(self.experiment, f"{VIEW}{key}")

    def store(self, run: Logged, folder: Path, below: str | None = None) -> None:
        """Store the folder's files as artifacts, replacing artifacts of the same names."""
        self._client.log_artifacts(run.id, str(folder), below)

    def turn(self, run: Logged, status: str, *, ended: float | None = None) -> Logged:
        """Change the run's status; `ended` in seconds since 1970, None for now."""
        if status == "RUNNING":
            self._client.update_run(run.id, status)
        else:
            self._client.set_terminated(run.id, status, int(1000 * (time.time() if ended is None else ended)))
        return replace(run, status=status)

    def drop(self, run: Logged) -> None:
        """Delete the run; in MLflow a deletion can be undone."""
        self._client.delete_run(run.id)

    def register(self, name: str, run: Logged, tags: Mapping[str, str], description: str, alias: str) -> str:
        """Register the run's artifacts below `model/` as a version of a model; return the version's number."""
        return add_version(self._client, name, f"{run.artifacts}/model", run.id, tags, description, alias)

    def _metrics_of(self, model: str) -> set[tuple[str, int]]:
        """Return keys and steps of the metrics of a logged model: MLflow refuses to take one twice."""
        if model not in self._model_metrics:
            self._model_metrics[model] = lineage.metrics_of(self._client, model)
        return self._model_metrics[model]

    def _keep(self, known: dict[K, Logged], key: K, run: Run) -> None:
        if key in known:  # two processes made the run at once: the elder stays
            self._client.delete_run(run.info.run_id)
        else:
            known[key] = _logged(run)

    def _search(self, wanted: str) -> Iterable[Run]:
        token = None
        order = ["attributes.start_time ASC", "attributes.run_id ASC"]
        while True:
            page = self._client.search_runs(
                [self.experiment], wanted, max_results=1000, order_by=order, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _logged(run: Run) -> Logged:
    info = run.info
    models = run.outputs.model_outputs if run.outputs else ()
    data = [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs] if run.inputs else []
    return Logged(
        info.run_id,
        info.start_time or 0,
        info.status,
        info.artifact_uri or "",
        dict(run.data.tags),
        dict(run.data.params),
        tuple(model.model_id for model in models),
        data[0] if data else (),
    )
