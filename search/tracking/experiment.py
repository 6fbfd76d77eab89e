"""The experiment of MLflow that holds all studies of a home: found or made, and checked."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from search.study.driver_file import read
from search.tracking.client import TrackingError, reason
from search.tracking.moved_home import follow_move
from search.uri import database, shown

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

EXPERIMENT = "paretune"
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""Kind of the experiment; without the kind MLflow's pages expect language models."""
ARTIFACTS = "mlartifacts"
"""Folder of artifacts in a home, beside the home's database."""


def move_with_home(file: Path) -> None:
    """Have a home's database name the artifacts beside it, wherever the home was; TrackingError if it cannot.

    While a search is at work in the home nothing changes: in a container the home may have another path.
    """
    drivers = [read(folder) for folder in (file.parent / "studies").glob("*") if folder.is_dir()]
    if any(one is not None and one.is_alive and not one.is_mine for one in drivers):
        return
    try:
        follow_move(file.resolve(), (file.parent / ARTIFACTS).resolve().as_uri(), EXPERIMENT)
    except sqlite3.Error as error:
        raise TrackingError(
            f"tracking: {file} must be MLflow's database, and be writable, got {reason(error)}"
        ) from error


def open_experiment(client: MlflowClient, uri: str, artifact_root: Path | None) -> Experiment:
    """Return the experiment, made if missing; the experiment of an earlier version gets the tag of its kind.

    The database of a home that was moved is told where its artifacts are. TrackingError for a deleted experiment, or
    for a database that serves several homes and keeps artifacts elsewhere.
    """
    from mlflow.exceptions import MlflowException

    root = None
    if uri.startswith("sqlite:"):  # MLflow's own default would be ./mlruns
        folder = (artifact_root or database(uri).parent / ARTIFACTS).resolve()
        root = folder.as_uri()
        if folder == database(uri).resolve().parent / ARTIFACTS:
            move_with_home(database(uri))
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
            f"tracking: {shown(uri)} keeps artifacts in {found.artifact_location}, expected {root}: a database is for "
            "one home, several homes need an MLflow server, and a home does not move while a search is at work"
        )
    if not found.tags.get(KIND_TAG):
        client.set_experiment_tag(found.experiment_id, KIND_TAG, KIND)
    return found
