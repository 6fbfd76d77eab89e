"""Run the finalists of a choice again with other seeds, as further trials of their study, to rule out luck.

Finalists are the best models within the budget, by the means over the seeds each has so far. A lucky model falls back
when another seed disagrees, and the next model becomes a finalist: the reseed ends when the best have all their seeds.
Only the wanted part of a curve is made.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from compress.errors import RecipeError
from compress.machine.resources import usable_cpus
from compress.models import Model
from compress.recipe import Recipe
from compress.store.bucket import check_readable, check_store
from search.beginning.begin_checks import check_given, given_models, hold, task_of
from search.beginning.begin_or_resume import reseeding
from search.beginning.launch import Listener, carry_out, check_went_well
from search.checks import check_whole
from search.running.cluster import check_address, check_fits, scratch_folder, started
from search.running.devices import Room, settled
from search.running.replicates import Replicates, Wanted
from search.selection.budget import Budget
from search.selection.rated import rated_models
from search.selection.selection import choose
from search.settings import MOST_SEEDS, Settings
from search.study.endings import INTERRUPTED
from search.study.names import StudyError
from search.study.record import StudyRecord
from search.study.seeds import Family, families
from search.study.study import Study
from spaces import Space
from spaces.space import Trial

FINALISTS = 3
"""Number of finalists, unless more models are to be compared."""


def check_seeds(seeds: int) -> None:
    """Raise ValueError unless so many seeds can be asked for."""
    check_whole("reseed", seeds, 2, MOST_SEEDS)


def finalists(budget: Budget, prefer: str, count: int, *, robust: int = 0) -> Wanted:
    """Return a function for the best `count` models within a resolved budget.

    With `robust` seeds a model's lower end must be within the budget too.
    """

    def wanted(record: StudyRecord) -> list[Family]:
        found = [rated.family for rated in choose(record.points, budget, prefer=prefer).fits]
        if robust:
            every = families(record.points)
            sure = {rated.point.id for rated in rated_models(every, budget, robust=True) if not rated.over}
            found = [
                family
                for family in found
                if len(family.points) < robust or sure.intersection(point.id for point in family.points)
            ]
        return found[:count]

    return wanted


def lacks_seeds(record: StudyRecord, wanted: Wanted, seeds: int) -> bool:
    """Return whether a `wanted` model lacks seeds."""
    return any(len(family.points) < seeds and not family.points[0].family for family in wanted(record))


def settings_of(
    study: Study, seeds: int, *, data: Path | None = None, address: str | None = None, tracking_uri: str | None = None
) -> Settings:
    """Return the settings the study was begun with.

    A trial gets as many cores as then, at most all cores of this machine. For GPUs see `search/running/devices.py`.
    """
    header = study.header
    settings = Settings(
        study.name,
        space=Space(header["space"], _build_nothing, Model("cnn"), ""),  # a user's own may be gone
        task=header["task"],
        trials=max(1, study.originals),
        resume=True,
        home=study.home,
        data=data,
        address=address,
        cpus_per_trial=header.get("cpus_per_trial", 1),
        tracking_uri=tracking_uri,
        seeds=seeds,
    )
    if address is not None:
        return settings
    return replace(settings, cpus_per_trial=min(settings.cpus_per_trial, usable_cpus()))


def _build_nothing(trial: Trial, task: str, seed: int) -> Recipe:
    raise RecipeError("reseed: its recipes are those of the study, none can be asked for")


def reseed(settings: Settings, wanted: Wanted, listener: Listener | None = None) -> StudyRecord:
    """Make the `wanted` points with the settings' `seeds` in all; return the study's record at the end.

    Trials of an interrupted search stay unfinished. ValueError and SearchFailed as in a search. KeyboardInterrupt after
    Ctrl-C: finished points are kept, and the same call goes on.
    """
    listener = listener or Listener()
    before = Study(settings.home, settings.name)
    task = task_of(before, settings)
    check_given(given_models(before, settings), task, new=False)
    check_fits(settings)
    check_address(settings.address)
    check_store(before.store)
    replicates = Replicates(settings.seeds, before.header["seed"], task.fingerprint, wanted)
    for family in wanted(before.record):
        if len(family.points) < settings.seeds and not replicates.is_ours(family):
            raise StudyError(
                f"reseed: trial {family.points[0].trial} was made by another version or of other data, so its like "
                "cannot be made; begin a new study"
            )
    check_readable(before.store)
    with ExitStack() as held:
        study = hold(settings, held)
        listener.said(task.opening)
        scratch = held.enter_context(scratch_folder())
        held.enter_context(started(settings, scratch))
        begun = study.header.get("gpus_per_trial", 0.0)
        settings, chosen = settled(settings, begun, Room.of(settings.address))
        listener.ready()
        for trial, state in study.trials.items():  # trials of a killed driver
            if state.status == "running":
                study.end(trial, "stopped", INTERRUPTED, 0.0, {})
        driver = reseeding(study, task, settings.seeds, wanted)
        driver.notes += [chosen] if chosen else []
        carry_out(settings, driver, scratch, listener)
    check_went_well(driver, f"select {settings.name}", "the same command")
    record = study.record
    cut_off = any(record.trials[trial].reason == INTERRUPTED for trial in driver.started)
    if cut_off or driver.replicates.due(record, driver.recipes) is not None:
        raise KeyboardInterrupt
    return record
