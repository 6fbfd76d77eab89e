"""A trial's epochs as metrics: all steps of its curve, in order, thinned, and none without a store."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from compress.store.folder import Store
from search.study.record import TrialRecord
from search.tracking.epochs import MOST, epochs
from search.tracking.sync import Sync
from tests.search.mirrored import everything, history, study, trial


def keep(store: Store, key: str, parent: str | None, losses: list[float]) -> None:
    rows = ", ".join(f'{{"epoch": {number}, "loss": {loss}}}' for number, loss in enumerate(losses, 1))
    named = "null" if parent is None else f'"{parent}"'
    store.keep_series(
        key, f'{{"version": 1, "stage": "prune", "level": 0.1, "parent": {named}, "epochs": [{rows}]}}'.encode()
    )


@pytest.fixture
def taught(store: Store) -> TrialRecord:
    """A trial of three points: the second was made from the first, the third too."""
    one = trial(1)
    first, second, third = (point.id.replace("/", "-") for point in one.points)
    keep(store, first, None, [3.0, 2.0])
    keep(store, second, first, [1.0])
    keep(store, third, first, [4.0])
    points = tuple(replace(point, id=point.id.replace("/", "-")) for point in one.points)
    return replace(one, points=points)


def test_every_step_of_the_curve_counts_once(store: Store, taught: TrialRecord) -> None:
    wanted = [
        ("training/loss", 3.0, 1),
        ("training/loss", 2.0, 2),
        ("training/loss", 1.0, 3),
        ("training/loss", 4.0, 4),
    ]
    assert epochs(taught, str(store.root)) == wanted


def test_mlflow_has_the_epochs_of_an_ended_trial(store: Store, taught: TrialRecord, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    Sync(uri, "demo").sync(replace(study(trial(0), taught), store=str(store.root)))
    run = everything(uri)["trial 1"]
    assert history(uri, run, "training/loss") == [(1, 3.0), (2, 2.0), (3, 1.0), (4, 4.0)]
    assert epochs(replace(taught, status="running"), str(store.root)) == []


def test_of_a_long_training_the_first_and_the_last_epoch_are_there(store: Store, taught: TrialRecord) -> None:
    keep(store, taught.points[0].id, None, [float(number) for number in range(1000)])
    told = epochs(replace(taught, points=taught.points[:1]), str(store.root))
    places = [place for _, _, place in told]
    assert (len(places), places[0], places[-1]) == (MOST, 1, 1000)
    assert max(later - place for place, later in pairwise(places)) <= 1000 // MOST + 2


def test_a_store_that_is_gone_or_damaged_leaves_the_figures_out(
    store: Store, taught: TrialRecord, tmp_path: Path
) -> None:
    assert epochs(taught, "") == epochs(taught, str(tmp_path / "elsewhere")) == []
    assert not (tmp_path / "elsewhere").exists()
    store.keep_series(taught.points[0].id, b"{")
    assert epochs(taught, str(store.root)) == []
