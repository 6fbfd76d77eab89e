"""Address of a study's page in MLflow, for people to open."""

from __future__ import annotations

from search.tracking.client import connect
from search.tracking.description import FOR_TRAINING
from search.tracking.experiment import EXPERIMENT
from search.uri import database, shown, unhealthy

SERVED = "http://127.0.0.1:5000"
"""Address of `mlflow server` on this machine, unless another port is asked for."""


def page(uri: str, study: str) -> str:
    """Return the study's page in MLflow's view of model training, "" where MLflow does not have the study or is down.

    Without the last part of the address MLflow 3 opens its view of language models. A database is taken as served on
    this machine.
    """
    is_server = uri.startswith("http")
    try:
        if unhealthy(uri) if is_server else (uri.startswith("sqlite:") and not database(uri).exists()):
            return ""
        client = connect(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return ""
        wanted = f"tags.`paretune.study` = '{study}' and tags.`paretune.kind` = 'study'"
        runs = client.search_runs([experiment.experiment_id], wanted, max_results=1)
    except Exception:  # whatever MLflow does, the search went well
        return ""
    where = shown(uri).rstrip("/") if is_server else SERVED
    found = f"{where}/#/experiments/{experiment.experiment_id}/runs"
    return f"{found}/{runs[0].info.run_id}?{FOR_TRAINING}" if runs else ""
