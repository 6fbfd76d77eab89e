"""A trial's trainings by epoch, as metrics `training/loss`, `training/lr` and so on in the trial's run.

MLflow draws each over the epochs of all trainings that led to the trial's curve, one after another.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from compress.errors import StoreError
from compress.store.bucket import is_remote, open_store
from compress.store.series import StepSeries, chain
from search.study.record import TrialRecord
from search.tracking.fields import Step

MOST = 50
"""Greatest number of epochs of a trial, evenly spread: a server keeps the values of thousands of trials."""


def epochs(trial: TrialRecord, store: str) -> list[Step]:
    """Return the figures of an ended trial's trainings, by epoch from 1; none where the store gives none."""
    if trial.status == "running" or not (is_remote(store) or (store and Path(store).is_dir())):
        return []
    steps: dict[str, StepSeries] = {}
    try:
        read = lru_cache(None)(open_store(store).series)
        for point in sorted(trial.points, key=lambda point: point.sparsity):
            steps |= {step.key: step for step in chain(read, point.id)}
    except (StoreError, OSError):  # the points' own figures are in the record
        return []
    rows = [row for step in steps.values() for row in step.epochs]
    last, most = len(rows) - 1, min(MOST, len(rows))
    shown = [round(place * last / max(1, most - 1)) for place in range(most)]
    return [
        (f"training/{name}", value, place + 1)
        for place in shown
        for name, value in rows[place].items()
        if name != "epoch"
    ]
