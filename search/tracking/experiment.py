"""The experiment of MLflow that holds all studies of a home: found or made, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking.client import TrackingError
from search.uri import database, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

EXPERIMENT = "paretune"
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""Kind of the experiment; without the kind MLflow's pages expect language models."""


def open_experiment(client: MlflowClient, uri: str, artifact_root: Path | None) -> Experiment:
    """Return the experiment, made if missing; the experiment of an earlier version gets the tag of its kind."""
    from mlflow.exceptions import MlflowException

    root = None
    if uri.startswith("sqlite:"):  # MLflow's own default would be ./mlruns
        root = (artifact_root or database(uri).parent / "mlartifacts").resolve().as_uri()
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return client.get_experiment(client.create_experiment(EXPERIMENT, root, {KIND_TAG: KIND}))
        except MlflowException:
            found = client.get_experiment_by_name(EXPERIMENT)  # another process was faster
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"tracking: experiment {EXPERIMENT!r} at {shown(uri)} must not be deleted: restore it there"
        )
    if root is not None and found.artifact_location != root:
        raise TrackingError(
            f"tracking: {shown(uri)} keeps artifacts in {found.artifact_location}, expected {root}; if the folder was "
            "moved, delete the database and run `paretune sync` for each study"
        )
    if not found.tags.get(KIND_TAG):
        client.set_experiment_tag(found.experiment_id, KIND_TAG, KIND)
    return found
