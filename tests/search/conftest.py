"""What the tests of a search share: made-up points, recipes of a narrow CNN, a study that has begun."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.measurement import Measurement
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.study.record import point_event
from search.study.study import Study
from search.tracking.client import check_reachable

REFERENCE = {"accuracy": 0.0, "params": 1000, "flops": 9000}


@pytest.fixture
def event(measurement: Measurement) -> Callable[..., dict[str, Any]]:
    """A point on its way to the ledger: `event("ab1", sparsity, variant, **figures)`."""

    def build(key: str, sparsity: float = 0.0, variant: str = "float", **figures: Any) -> dict[str, Any]:
        return point_event(key, sparsity, variant, replace(measurement, **figures))

    return build


@pytest.fixture
def form() -> Callable[[int], dict[str, Any]]:
    """The JSON of a small recipe, another one for every number."""

    def build(number: int) -> dict[str, Any]:
        recipe = Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=1)),), seed=number)
        return dict(recipe.as_json())

    return build


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study `s` without trials, below `tmp_path`."""
    begun = Study(tmp_path, "s")
    begun.begin(task="digits", space="joint", objectives=["accuracy", "params"], seed=0, reference_point=REFERENCE)
    return begun


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its schema, which takes seconds to make."""
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        check_reachable(f"sqlite:///{database}")
    return database


@pytest.fixture
def uri(template: Path, tmp_path: Path) -> str:
    shutil.copy(template, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"
