"""Made-up studies of a grid: two distillers by a curve of three sparsities, with three seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compress.distill import DISTILLERS
from compress.measurement import Measurement
from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.settings import Training
from search.study.record import Choice, Point, StudyRecord, TrialRecord

TEACHER = Recipe("digits", Model("resnet20"), (Train(Training(epochs=60)),))
REFERENCE = {"accuracy": 0.0, "params": 10_000, "flops": 100_000}


def point(key: str, trial: int, recipe: Recipe, validation: float, sparsity: float = 0.0, **more: object) -> Point:
    """A model; its test accuracy is a hundredth below `validation`, its params fall with the sparsity."""
    params = round(1000 * (1 - sparsity))
    measured = Measurement(
        validation, validation - 0.01, params, params, 10 * params, params, params, 1.0, 1.0, "cpu", 1, 1.0
    )
    found = Point(key, trial, recipe.as_json(), sparsity, "float", measured, "")
    return replace(found, **more)  # type: ignore[arg-type]


def recipe(name: str = "kd", lr: float = 0.05, seed: int = 0) -> Recipe:
    """A narrow CNN distilled by the method `name`, then cut to 90 % in two levels."""
    cut = Prune(L1Filter(), 0.9, OneShot(2), Recovery(Training(epochs=10, lr=lr)))
    stages = (Distill(DISTILLERS[name](), Training(epochs=60)), cut)
    return Recipe("digits", Model("cnn", 0.25), stages, Model("resnet20"), Training(epochs=60), seed)


def trial(number: int, made: Recipe, points: list[Point], choices: Mapping[str, Choice]) -> TrialRecord:
    """A complete trial."""
    return TrialRecord(number, "complete", "", made.as_json(), choices, tuple(points), 1.0, {})


def curve(number: int, made: Recipe, accuracies: Mapping[float, float], seed: int = 0, of: int = 0) -> TrialRecord:
    """A trial with a point at each sparsity; with `seed` the points repeat those of trial `of`."""
    again = replace(made, seed=seed)
    points = [
        point(f"{number}/{s}", number, again, accuracy, s, family=f"{of}/{s}" if seed else "")
        for s, accuracy in accuracies.items()
    ]
    method = made.stages[0].distiller
    choices: dict[str, Choice] = {"distiller": method.name if method else None, "lr": 0.05, "sparsity": 0.9}
    return trial(number, again, points, {**choices, "seed": seed} if seed else choices)


def plain_teacher() -> TrialRecord:
    """Trial 0."""
    return trial(0, TEACHER, [point("teacher", 0, TEACHER, 0.98)], {})


def study(
    *trials: TrialRecord, name: str = "grid", objectives: tuple[str, ...] = ("accuracy", "params")
) -> StudyRecord:
    """A study of digits."""
    return StudyRecord(name, "digits", "joint", objectives, REFERENCE, trials)


def grid() -> StudyRecord:
    """`kd` and `at` at 0, 45 and 90 %, three seeds; `at` was never cut to 90 %."""
    kd = [{0.0: 0.95 + s, 0.45: 0.93 + s, 0.9: 0.85 + s} for s in (0.0, 0.01, -0.01)]
    at = [{0.0: 0.96 + s, 0.45: 0.90 + s} for s in (0.0, 0.02, -0.02)]
    trials = [curve(1 + n, recipe("kd"), kd[n], n, 1) for n in range(3)]
    return study(plain_teacher(), *trials, *(curve(4 + n, recipe("at"), at[n], n, 4) for n in range(3)))
