"""Settings a study was begun with, and checks of a new or resumed study against them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

import torch

from compress.data.tasks import Task, load_task
from compress.export.graph import unexported
from compress.latency.target import Target
from compress.models import Model
from compress.store.bucket import absolute
from search.selection.amount import Amount
from search.selection.budget import Budget
from search.settings import Settings, check_models
from search.study.front import DEFAULT_OBJECTIVES
from search.study.images import check_images
from search.study.names import StudyError, known_studies
from search.study.record import StudyRecord
from search.study.study import Study

NETWORKS = "networks"
"""The header's entry on networks named by the recipes of a space of the user's, not by options."""


def hold(settings: Settings, held: ExitStack) -> Study:
    """Return the study, locked and read again under the lock; a study that is never begun leaves nothing behind."""
    first = Study(settings.home, settings.name)
    held.enter_context(first.lock())
    study = Study(settings.home, settings.name)
    study.made = first.made
    held.callback(study.forsake)
    check_study(study, settings)
    return study


def check_there(study: Study, *, resume: bool) -> None:
    """Raise StudyError for a study that exists without `resume`, or is missing with `resume`."""
    if study.exists and not resume:
        raise StudyError(f"study {study.name}: exists already in {study.home}; add --resume or choose another --name")
    if resume and not study.exists:
        raise StudyError(
            f"study {study.name}: there is none in {study.home} to resume; {known_studies(study.home, study.name)}"
        )


def check_study(study: Study, settings: Settings) -> None:
    """Raise StudyError unless the study may be begun, or resumed with the settings."""
    check_there(study, resume=settings.resume)
    asked = {"space": settings.space_name, "task": settings.task_name}
    if settings.objectives != DEFAULT_OBJECTIVES:  # left out, the study's own objectives hold
        asked["objectives"] = ",".join(settings.objectives)
    for what, got in asked.items() if study.exists else ():
        begun = study.header[what] if isinstance(study.header[what], str) else ",".join(study.header[what])
        if begun != got:
            raise StudyError(f"study {study.name}: was begun with {what} {begun!r}, got {got!r}")
    if study.exists and settings.scale not in (None, begun := study.header.get("scale")):
        was = f"the scale {begun!r}" if begun else "a space without scales"
        raise StudyError(f"study {study.name}: was begun with {was}, got {settings.scale!r}; leave scale out")
    if study.exists and settings.store not in (None, absolute(study.store)):
        raise StudyError(f"study {study.name}: was begun with the store {study.store}, got {settings.store}")
    target = study.record.target if study.exists else ""
    if study.exists and settings.target is not None and str(Target.parse(settings.target)) != target:
        was = f"the target {target}" if target else "latencies as measured in its trials"
        raise StudyError(f"study {study.name}: was begun with {was}, got target {settings.target!r}")
    if study.exists and settings.budget.bounds and settings.budget != budget_of(study):
        raise StudyError(
            f"study {study.name}: was begun with the bounds {budget_of(study)}, got {settings.budget}; "
            f"begin a new one with --from {study.name}"
        )


def budget_of(study: Study) -> Budget:
    """Return the bounds the study was begun with."""
    return Budget(**{name: Amount(**amount) for name, amount in study.header.get("budget", {}).items()})


def earlier_of(study: Study, settings: Settings) -> StudyRecord | None:
    """Return the study this study starts from, or was started from; None without any.

    None, with a warning logged, if a resumed study's earlier study is gone. StudyError if a new study's is missing, if
    the earlier study has another task or space, or if the header names another.
    """
    name = settings.start_from
    if study.exists:
        begun = study.header.get("from")
        if name not in (None, begun):
            raise StudyError(f"study {study.name}: was begun with from {begun!r}, got {name!r}")
        name = begun
    if name is None:
        return None
    try:
        record = Study(settings.home, name).record
    except StudyError as error:
        if not study.exists:
            raise
        logging.getLogger(__name__).warning("%s; this study was started from it, and goes on without", error)
        return None
    named = (("task", record.task, settings.task_name), ("space", record.space, settings.space_name))
    for what, begun, asked in named:
        if begun != asked:
            raise StudyError(f"from: {record.name} must be about the {what} {asked!r}, got {begun!r}")
    return record


def task_of(study: Study, settings: Settings) -> Task:
    """Load the task, its files listed anew; StudyError unless the data are those the study was begun with."""
    task = load_task(
        settings.task_name,
        settings.data,
        cache_dir=settings.home / "store" / "data",
        again=True,
        begun=study.header.get("fingerprint"),
    )
    check_images(study, task)
    return task


def given_models(study: Study, settings: Settings) -> dict[str, dict[str, dict[str, str]]]:
    """Return the header's entry on models given by the user, {} without given models.

    The entry has for each name the fingerprints of the files and code behind the name. StudyError when an existing
    study was begun with other models, or a fingerprint has changed since.
    """
    header = study.header
    found = {}
    named = {"students": settings.students, "teachers": settings.teachers, NETWORKS: ()}
    for what, names in named.items():
        begun: dict[str, dict[str, str]] = header.get(what, {})
        asked = {f"{m.family}@{m.weights}" if m.weights else m.family: m for m in check_models(what, names)}
        if study.exists and asked and list(asked) != list(begun):
            was, got = (", ".join(map(repr, some)) or "those of its space" for some in (begun, asked))
            raise StudyError(f"study {study.name}: was begun with {what} {was}, got {got}")
        now = {name: Model.parse(name).fingerprints for name in (begun or asked)}
        for name, prints in begun.items():
            changed = [part for part, value in prints.items() if now[name].get(part) != value]
            if changed:
                raise StudyError(
                    f"study {study.name}: {name} must be as it was when the study was begun, got another "
                    f"{' and '.join(changed)}; begin a new study"
                )
        if now:
            found[what] = now
    return found


def check_given(models: Mapping[str, Mapping[str, object]], task: Task, *, new: bool) -> None:
    """Raise RecipeError for a model given by the user that does not suit the task."""
    check_suit((Model.parse(name) for what in models.values() for name in what), task, new=new)


def check_suit(models: Iterable[Model], task: Task, *, new: bool) -> None:
    """Raise RecipeError for a model that does not suit the task.

    Notes are logged on weights that fit nothing, and in a `new` study on a user's network that cannot be exported.
    """
    for model in dict.fromkeys(models):
        left = model.check(task.outputs, task.shape, softmax=task.goal.softmax, dense=task.goal.dense)
        if left:
            logging.getLogger(__name__).warning(
                "%s: %s fit other images or classes, so they begin untrained", model, " and ".join(left)
            )
        if model.own and new:
            _warn_of_exports(model, task)


def _warn_of_exports(model: Model, task: Task) -> None:
    """Log the reason why `select --export` will not write every format: hours of training may lie before the export."""
    with torch.random.fork_rng(devices=[]):
        built = model.build(task.outputs, task.channels)
    why = unexported(built, task.shape)
    if why:
        logging.getLogger(__name__).warning(
            "%s: its models will be searched and stored, but not exported in every format: %s", model, why
        )
