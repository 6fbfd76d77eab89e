"""Take a study up: write its first trials, and make the driver with its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from optuna.storages import InMemoryStorage

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.recipe import Recipe
from search.beginning.begin_latency import latency_model
from search.running.driver import Driver
from search.running.replicates import Replicates, Wanted, every_model, on_front
from search.running.sources import NewRecipes, OtherSeeds, Resumed, Suggests
from search.sampling.auto import Auto
from search.sampling.bounds import UNBOUNDED, Bounds
from search.sampling.candidates import Draw
from search.sampling.feasibility import Feasibility
from search.sampling.grid import Grid
from search.sampling.in_progress import InProgress
from search.sampling.optuna_study import OptunaStudy
from search.sampling.suggest import Suggester, takes
from search.study.record import Choice, StudyRecord, TrialRecord
from search.study.seeds import front_of
from search.study.study import Study
from spaces import Space


def take_up(
    study: Study,
    optuna_study: OptunaStudy,
    space: Space,
    task: Task,
    trials: float,
    bounds: Bounds = UNBOUNDED,
    earlier: StudyRecord | None = None,
    *,
    early_stopping: bool = True,
    seeds: int = 1,
    listed: Sequence[Mapping[str, Choice]] | None = None,
) -> Driver:
    """Make the driver of a search for `trials` trials in all, of a new study or a resumed study.

    A new study begins with the plain teacher and with the front of the `earlier` study. The unfinished trials of a
    resumed study go back to running. With `early_stopping` a trial ends early when the sampler `auto` expects little of
    its remaining points. With several `seeds`, further trials repeat the recipes of the front with other seeds, once no
    other trial is left. With `listed` choices, those of a grid, the choices are tried in order, and every recipe has
    the seeds. Repeated trials of a grid, or without early stopping, come to their end too.
    """
    seed, new = study.header["seed"], not study.trials
    if new:
        study.ask(space.baseline(task.name, seed).as_json(), {}, None)
    else:
        study.requeue()
    in_progress = InProgress(task.fingerprint, (point.id for point in study.record.points))
    latency = latency_model(study.header)
    auto = Auto(study, space, task, seed, in_progress, bounds, latency) if optuna_study.aimed else None
    wanted, whole = (on_front, not early_stopping) if listed is None else (every_model, True)
    replicates = Replicates(seeds, seed, task.fingerprint, wanted, whole=whole)
    driver = Driver(study, optuna_study, task, replicates, in_progress, auto)
    feasibility = Feasibility(task, bounds, driver.say, study.header, latency)
    suggester: Suggests
    if listed is None:
        suggester = Suggester(study, optuna_study, space, task.name, seed, feasibility, auto, driver.say)
    else:
        suggester = Grid(listed, optuna_study, space, task.name, seed, feasibility, driver.say)
    left = trials - study.originals
    driver.sources = (
        Resumed(study),
        NewRecipes(
            suggester, driver.connection, left, early_stopping=early_stopping, running=lambda: len(driver.at_work)
        ),
        OtherSeeds(study, driver.replicates),
    )
    if new and earlier is not None:
        driver.notes += _begin_with(earlier, optuna_study, space, task.name, seed)
    if new and auto is None and listed is None:
        optuna_study.begin(space.beginnings)
    if earlier is not None and auto is not None:
        alike = tuple(one for one in earlier.trials if _is_trained_alike(one, space, task.name, seed))
        auto.learn_from(replace(earlier, trials=alike), lambda choices: takes(space, task.name, seed, choices))
        count = len(earlier.trials)
        if len(alike) < count:
            other = f"{count - len(alike)} were trained otherwise, and say nothing here"
            driver.notes.append(f"of {count} trials of {earlier.name} {other}")
    return driver


def _is_trained_alike(trial: TrialRecord, space: Space, task: str, seed: int) -> bool:
    """Return False where the space trains the same models otherwise, for the trial's choices."""
    choices = {name: value for name, value in trial.choices.items() if name != "seed"}
    draw = Draw(np.random.default_rng(0), choices)
    try:
        recipe = Recipe.from_json(trial.recipe)
        here = space.build(draw, task, seed) if choices else space.baseline(task, seed)
    except RecipeError:  # of other models, or of an earlier version
        return True
    models = (recipe.student, recipe.teacher) == (here.student, here.teacher)
    return draw.params != choices or not models or recipe.trainings == here.trainings


def _begin_with(earlier: StudyRecord, optuna_study: OptunaStudy, space: Space, task: str, seed: int) -> list[str]:
    """Enqueue the earlier front's choices in Optuna; return a note on choices the space does not take."""
    best = {family.points[0].trial for family in front_of(earlier.points, optuna_study.objectives)}
    asked = [trial for trial in earlier.trials if trial.choices and "seed" not in trial.choices]
    found = [trial.choices for trial in asked if trial.id in best]
    fits = [choices for choices in found if takes(space, task, seed, choices)]
    optuna_study.begin(fits)
    if len(fits) == len(found):
        return []
    return [
        f"of {len(found)} recipes on the front of {earlier.name} {len(found) - len(fits)} are of models that "
        "this study is not about, and are not tried"
    ]


def reseeding(study: Study, task: Task, seeds: int, wanted: Wanted) -> Driver:
    """Make the driver that gives the models `wanted` their `seeds`, without any new recipe."""
    replicates = Replicates(seeds, study.header["seed"], task.fingerprint, wanted)
    optuna_study = OptunaStudy(InMemoryStorage(), study.name, study.header["objectives"], 0, "random")
    in_progress = InProgress(task.fingerprint, (point.id for point in study.record.points))
    driver = Driver(study, optuna_study, task, replicates, in_progress)
    driver.sources = (OtherSeeds(study, replicates),)
    return driver
