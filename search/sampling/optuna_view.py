"""A study for people who look with Optuna's own tools: named objectives in natural units, in a file of its own.

The sampler's storage has an observation for every point of a curve, the error and logarithms of costs, all minimised:
the samplers learn from these. The view is made from the ledger instead, and no sampler reads the view. So a look costs
a search nothing, and storages of earlier versions stay as they are.

The file holds two Optuna studies. The study named as ours has a trial for each trial, with the values of the sparsest
model within the tolerance, the whole curve among the user attributes, and the bounds of the search as constraints. The
other has a trial for each model, with means over seeds: its best trials are the front. Where latency is an objective
and points come from several devices, the front has more: points of different devices do not compare.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from compress.figures import COSTS, graded
from compress.quality import Quality
from search.selection.amount import Amount
from search.selection.budget import Budget
from search.selection.rated import rated_models
from search.study.breakpoints import curves, tolerance
from search.study.front import is_quality, value
from search.study.record import Choice, Point, StudyRecord, TrialRecord
from search.study.seeds import Family, families

optuna.logging.set_verbosity(optuna.logging.WARNING)

FILE = "optuna-view.journal"
STATES = {"failed": TrialState.FAIL, "stopped": TrialState.FAIL, "running": TrialState.RUNNING}
"""Optuna's state for a trial without a point; a trial with points is complete, for the points are measured."""


def models_study(name: str) -> str:
    """Return the name of the Optuna study with a trial for each model; none of our studies can have such a name."""
    return f"{name}: models"


def write_view(study: StudyRecord, path: Path) -> None:
    """Write a study's view into a file for `optuna-dashboard`, in place of an earlier view. OSError of the disk."""
    logs = _Logs()
    storage = JournalStorage(logs)
    kinds = _kinds(study.trials)
    own = {trial.id: trial for trial in study.trials}
    _write(storage, study, study.name, (_of_trial(study, trial, kinds) for trial in study.trials))
    _write(
        storage,
        study,
        models_study(study.name),
        (_of_family(study, family, own, kinds) for family in _distinct(study)),
    )
    beside = path.with_name(f"{path.name}.new")
    beside.write_text("".join(f"{json.dumps(log)}\n" for log in logs.kept), encoding="utf-8")
    os.replace(beside, path)


def _distinct(study: StudyRecord) -> list[Family]:
    """Return the models; of models with equal values the first, as in the front."""
    found: dict[tuple[float, ...], Family] = {}
    for family in families(study.points):
        found.setdefault(tuple(_values(study, family.mean)), family)
    return list(found.values())


def natural(point: Point, objective: str) -> float:
    """Return an objective in its natural unit: the quality as users know it, not the error."""
    if not is_quality(objective):
        return float(value(point, objective))
    return point.quality.value(point.measured.score_validation)


class _Logs(BaseJournalBackend):
    """Logs kept in memory: writing all at once takes a hundredth of the time of Optuna's file."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        yield from self.kept[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.kept += json.loads(json.dumps(logs))


def _write(storage: JournalStorage, study: StudyRecord, name: str, trials: Iterable[FrozenTrial]) -> None:
    """Write an Optuna study: each objective with its name and its own direction."""
    directions = [_direction(objective, study.quality) for objective in study.objectives]
    key = storage.create_new_study(directions, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.load_study(study_name=name, storage=storage).set_metric_names(list(study.objectives))
    for trial in trials:
        storage.create_new_trial(key, template_trial=trial)


def _direction(objective: str, quality: Quality) -> StudyDirection:
    better_up = is_quality(objective) and quality.higher_is_better
    return StudyDirection.MAXIMIZE if better_up else StudyDirection.MINIMIZE


def _of_trial(study: StudyRecord, trial: TrialRecord, kinds: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a trial with the values of its model that is the sparsest within the tolerance, and its curve."""
    found = {variant: curve for (_, variant), curve in curves(StudyRecord("", "", "", (), {}, (trial,))).items()}
    about: dict[str, Any] = {"trial": trial.id, "status": trial.status, "seconds": round(trial.seconds, 3)}
    if trial.reason:
        about["reason"] = trial.reason
    point = tolerance(found.get("float") or next(iter(found.values()))) if found else None
    if point is not None:
        about["model"] = point.id
        about["curve"] = [
            {
                "sparsity": one.sparsity,
                "variant": one.variant,
                **dict(zip(study.objectives, _values(study, one), strict=True)),
            }
            for curve in found.values()
            for one in curve
        ]
    over = {} if point is None else _over(study, point)
    if over:
        about["bounds"] = {name: str(amount) for name, amount in _bounds(study).items()}
    return _frozen(trial, kinds, study, point, about, over)


def _of_family(
    study: StudyRecord, family: Family, trials: Mapping[int, TrialRecord], kinds: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """Return a trial with the means of a model over its seeds."""
    first = family.points[0]
    about = {"trial": first.trial, "seeds": len(family.points), **_row(family.mean), "model": first.id}
    return _frozen(trials[first.trial], kinds, study, family.mean, about)


def _frozen(
    trial: TrialRecord,
    kinds: Mapping[str, BaseDistribution],
    study: StudyRecord,
    point: Point | None,
    about: Mapping[str, Any],
    over: Mapping[str, float] | None = None,
) -> FrozenTrial:
    """Return Optuna's form; the ledger has durations, so a trial ends now and began its seconds ago."""
    state = TrialState.COMPLETE if point is not None else STATES.get(trial.status, TrialState.FAIL)
    now = datetime.now()
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        values=None if point is None else _values(study, point),
        datetime_start=now - timedelta(seconds=trial.seconds),
        datetime_complete=now if state.is_finished() else None,
        params=dict(trial.choices),
        distributions={name: kinds[name] for name in trial.choices},
        user_attrs=dict(about),
        system_attrs={"constraints": list(over.values())} if over else {},  # the form that the dashboard reads
        intermediate_values={},
    )


def _values(study: StudyRecord, point: Point) -> list[float]:
    return [natural(point, name) for name in study.objectives]


def _bounds(study: StudyRecord) -> dict[str, Amount]:
    return {name: Amount(**amount) for name, amount in study.header.get("budget", {}).items()}


def _over(study: StudyRecord, point: Point) -> dict[str, float]:
    """Return by which share the point is over each bound of the search, 0 for a bound kept."""
    bounds = _bounds(study)
    if not bounds or study.teacher is None:
        return {}
    (rated,) = rated_models([Family((point,))], Budget(**bounds).named(study.quality).resolve(study.teacher))
    return {name: max(0.0, float(rated.over.get(name, 0.0))) for name in bounds}


def _row(point: Point) -> dict[str, Any]:
    """Return a point's sparsity and figures, qualities in their own units."""
    figures = (*graded(point.quality), *COSTS)
    measured = {figure.metric: figure.value(point.measured) for figure in figures}
    return {"sparsity": point.sparsity, "variant": point.variant, **measured}


def _kinds(trials: Sequence[TrialRecord]) -> dict[str, BaseDistribution]:
    """Return a distribution for each choice, over the values met: the ledger has no others."""
    met: dict[str, dict[str, Choice]] = {}
    for trial in trials:
        for name, chosen in trial.choices.items():
            met.setdefault(name, {})[repr(chosen)] = chosen
    return {name: _kind(list(values.values())) for name, values in met.items()}


def _kind(values: Sequence[Choice]) -> BaseDistribution:
    numbers = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < len(values):
        return CategoricalDistribution(list(values))
    if all(isinstance(one, int) for one in numbers):
        return IntDistribution(int(min(numbers)), int(max(numbers)))
    return FloatDistribution(float(min(numbers)), float(max(numbers)))
