"""Origin of a run as MLflow shows it: who ran which program, on which data, and the models that came out.

MLflow 3 counts a run without a model among its outputs as an evaluation of a language model. So each model of the front
is a logged model of MLflow, an output of the model's own run and of the study's run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

CONTEXT = "mlflow.data.context"
LONGEST_NAME, DIGEST = 500, 8
"""Greatest length of a data set's name in MLflow, and the usual length of a digest there, in characters."""


@dataclass(frozen=True)
class Data:
    """A data set: `profile` has the number of examples of each split, `shape` that of an example, () if unknown."""

    name: str
    fingerprint: str
    profile: Mapping[str, Any]
    shape: tuple[int, ...] = ()

    @property
    def name_there(self) -> str:
        """Return the name in MLflow."""
        return self.name[:LONGEST_NAME]

    @property
    def digest(self) -> str:
        """Return the digest in MLflow."""
        return self.fingerprint[:DIGEST]

    @property
    def schema(self) -> str | None:
        """Return the tensors of a batch, as MLflow's pages read them."""
        if not self.shape:
            return None
        features = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, *self.shape]}}]
        return json.dumps({"mlflow_tensorspec": {"features": json.dumps(features), "targets": None}})


def origin() -> dict[str, str]:
    """Return MLflow's own tags of this process: user, program, kind of program, and git commit where there is one."""
    from mlflow.tracking.context.registry import resolve_tags

    return {str(key): str(value) for key, value in resolve_tags().items()}


def log_data(client: MlflowClient, run: str, data: Data, tags: Mapping[str, str]) -> None:
    """Log the data as the run's input; the source is the program that loaded the data, or the folder's path."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    folder = data.name.rpartition("folder:")[2] if "folder:" in data.name else ""
    source = {"uri": folder} if folder else {"tags": {key: tags[key] for key in sorted(tags) if "source" in key}}
    known = Dataset(
        data.name_there,
        data.digest,
        "local" if folder else "code",
        json.dumps(source),
        data.schema,
        json.dumps(dict(data.profile)) if data.profile else None,
    )
    client.log_inputs(run, [DatasetInput(known, [InputTag(CONTEXT, "training")])])


def model_of(client: MlflowClient, experiment: str, run: str) -> str | None:
    """Return the id of the run's logged model, made before a failure; None without one."""
    found = client.search_logged_models([experiment], filter_string=f"source_run_id = '{run}'", max_results=1)
    return str(found[0].model_id) if found else None


def make_model(
    client: MlflowClient, experiment: str, run: str, name: str, params: Mapping[str, str], tags: Mapping[str, str]
) -> str:
    """Return the id of a new logged model of the run; `finish_model` must follow the model's metrics."""
    return str(client.create_logged_model(experiment, name, run, dict(tags), dict(params)).model_id)


def metrics_of(client: MlflowClient, model: str) -> set[tuple[str, int]]:
    """Return keys and steps of the metrics of a logged model."""
    return {(one.key, one.step) for one in client.get_logged_model(model).metrics or ()}


def finish_model(client: MlflowClient, model: str) -> None:
    """Declare a logged model ready."""
    client.finalize_logged_model(model, "READY")


def log_outputs(client: MlflowClient, run: str, models: Iterable[str]) -> None:
    """Log models as outputs of the run, each once."""
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(run, [LoggedModelOutput(model, 0) for model in models])


def tag_model(client: MlflowClient, model: str, tags: Mapping[str, str]) -> None:
    """Set tags of a logged model."""
    client.set_logged_model_tags(model, dict(tags))
