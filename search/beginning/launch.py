"""Run a search from beginning to end: check the settings, start Ray, run the trials, write the results down."""

from __future__ import annotations

import errno
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

from compress.costs import predict
from compress.data.tasks import Task
from compress.errors import DiskError
from compress.figures import foreseen
from compress.goals import check_goal
from compress.quality import ACCURACY
from compress.store.bucket import check_readable, check_store, open_store
from search import study_file
from search.beginning.begin_checks import budget_of, check_study, earlier_of, given_models, hold, task_of
from search.beginning.begin_latency import latency_of, teachers_latency, time_the_front
from search.beginning.begin_or_resume import take_up
from search.beginning.begin_space import check_alike, planned, space_of
from search.beginning.begin_training import Checked, announced, check_trainings, trainings_of
from search.beginning.circumstances import data_of, versions
from search.beginning.expected_time import Search, Work, announcement, counted
from search.environment import spare_loopback
from search.hints import command
from search.running.cluster import check_address, check_fits, places, scratch_folder, started
from search.running.devices import Room, settled
from search.running.driver import Driver
from search.running.failures import NodeError
from search.running.presence import Presence
from search.running.time_left import TimeLeft
from search.running.tune_loop import run_trials
from search.sampling.bounds import Bounds
from search.sampling.optuna_study import AUTO, GRID, OptunaStudy, answering, check_sampler, open_storage
from search.sampling.reach import check_within_reach
from search.settings import MOST_SEED, Settings
from search.study.driver_file import shown_starting
from search.study.front import objectives_of
from search.study.record import LATENCY_MODEL, StudyRecord
from search.study.study import TEACHER, Study
from search.study.table_figures import directions
from search.study_options import header_entry
from spaces import Space
from spaces.listing import listing


class Listener:
    """Follows a search in the driver's process; override the methods of interest."""

    def said(self, line: str) -> None:
        """Take a sentence for people on the next action."""

    def ready(self) -> None:
        """Take note that all settings are checked; next, the study is begun or resumed."""

    def heard(self, study: StudyRecord, driver: Driver) -> None:
        """Take note of a change of the study."""

    def over(self, study: StudyRecord) -> None:
        """Take note of the end of the study; Ray's shutdown follows, and takes a second."""


class SearchFailed(RuntimeError):
    """Raised when a search cannot go on; finished points are kept."""


def search(settings: Settings, listener: Listener | None = None) -> StudyRecord:
    """Run or resume a study; return the study's record at the end.

    ValueError (StudyError, DataError ...) before anything is started; SearchFailed when the driver could not go on.
    Ctrl-C and SIGTERM end the search early, and finished points are kept.
    """
    listener = listener or Listener()
    spare_loopback()
    before = Study(settings.home, settings.name)
    check_study(before, settings)
    earlier = earlier_of(before, settings)
    models = given_models(before, settings)
    trainings = trainings_of(before, settings)
    check_fits(settings)
    check_address(settings.address)
    check_store(before.store if before.exists else settings.store or before.store)
    task = task_of(before, settings)
    check_goal(task.name, task.goal, task.validation.targets)
    sampler, objectives = _sought(before, settings, task)
    check_sampler(sampler, objectives)
    space, only, begun_with, note, scale, scale_said = space_of(before, settings, models, task)
    check_alike(earlier, scale)
    seed = before.header.get("seed", settings.seed)
    grid = listing(space, task.name, seed, only) if sampler == GRID else None
    trials, ahead_said = planned(settings, space, grid)
    space = trainings.around(space)
    refusable = {} if before.exists else only  # an earlier version began what this one refuses
    checked = check_trainings(space, task, seed, refusable) if trainings or begun_with else Checked()
    latency = latency_of(before, settings, objectives, listener.said)
    of_teacher = {} if before.exists else teachers_latency(space.teacher, task, latency)
    if settings.budget.bounds and not before.exists:
        costs_of_teacher = _costs(space, task) | of_teacher
        check_within_reach(
            Bounds.of(settings.budget.named(task.quality), costs_of_teacher, task.quality), space, task, latency
        )
    with ExitStack() as held:
        held.enter_context(answering())
        study = hold(settings, held)
        held.enter_context(shown_starting(study.folder))
        new = not study.exists
        sampler, objectives = _sought(study, settings, task)
        storage = open_storage(settings.storage_url, study.folder)
        check_readable(study.store if study.exists else settings.store or study.store)
        # a resumed sampler must not repeat the random numbers of its first asks
        drawn = (settings.seed + len(study.trials)) % (MOST_SEED + 1)
        optuna_study = OptunaStudy(storage, settings.name, objectives, drawn, sampler)
        optuna_study.check_ours(has_asked=bool(study.trials))
        quality = task.quality
        reference = {quality.name: quality.constant, **of_teacher} if new else {}
        for line in filter(None, (task.opening, scale_said, note, ahead_said, announced(trainings, checked.refused))):
            listener.said(line)
        own = settings.address is None  # a Ray of our own does not refuse, but takes seconds to come up
        aside = ThreadPoolExecutor(1)
        held.callback(aside.shutdown, wait=False)  # not waited for after Ctrl-C
        costs = aside.submit(_costs, space, task) if new else None
        if own:
            listener.ready()
        scratch = None
        if study.unfinished or study.originals < trials or settings.seeds > 1:
            scratch = held.enter_context(scratch_folder())
            held.enter_context(started(settings, scratch))
        else:
            listener.said(_nothing_left(study, trials))
        reference |= costs.result() if costs else {}
        begun = None if new else study.header.get("gpus_per_trial", 0.0)
        settings, chosen = settled(settings, begun, Room.of(None if scratch is None else settings.address))
        if not own:
            listener.ready()
        count = _repeated(trials, settings)
        work = aside.submit(counted, space, task, seed, count)
        if new:
            study_file.keep(settings.file, study.folder)
            study.begin(
                task=settings.task_name,
                fingerprint=task.fingerprint,
                space=settings.space_name,
                **({"scale": scale} if scale else {}),
                seed=settings.seed,
                sampler=sampler,
                budget={name: vars(amount) for name, amount in settings.budget.bounds.items()},
                cpus_per_trial=settings.cpus_per_trial,
                gpus_per_trial=settings.gpus_per_trial,
                **models,
                **({} if quality == ACCURACY else {"quality": quality.as_json()}),
                **begun_with,
                **({"metrics": found} if (found := directions(task.goal)) else {}),
                **({"store": settings.store} if settings.store else {}),
                **({"from": settings.start_from} if settings.start_from else {}),
                **{who: values for who, values in trainings.as_json().items() if values},
                **({"optimizers": checked.sources} if checked.sources else {}),
                **header_entry(settings),
                objectives=list(objectives),
                reference_point=reference,
                latency_of=TEACHER,
                **({} if latency is None else {LATENCY_MODEL: latency.as_json()}),
                data=data_of(task),
                versions=versions(),
            )
            if scratch is not None:
                planned_search = Search(count, max(1, min(count, places(settings))), scale)
                ahead = announcement(settings, space, task, reference["macs"], planned_search, work.result())
                if ahead is not None:
                    listener.said(ahead)
        if scratch is not None:  # else everything wanted is done
            study.want(trials, of_all=grid is not None and settings.trials is None)
        optuna_study.catch_up(study.record, {n: t.optuna for n, t in study.trials.items()})
        early_stopping = not settings.whole_curves
        bounds = Bounds.of(budget_of(study).named(quality), study.header["reference_point"], quality)
        driver = take_up(
            study,
            optuna_study,
            space,
            task,
            trials,
            bounds,
            earlier,
            early_stopping=early_stopping,
            seeds=settings.seeds,
            listed=None if grid is None else grid.choices,
        )
        driver.trials = trials
        if scratch is not None and chosen:
            driver.notes.append(chosen)
        driver.left = TimeLeft(driver, lambda: _planned(work, count))
        carry_out(settings, driver, scratch, listener)
    check_went_well(driver, f"search {settings.name}", "--resume")
    return study.record


def _sought(study: Study, settings: Settings, task: Task) -> tuple[str, tuple[str, ...]]:
    """Return the sampler and the objectives: as asked for, otherwise as the study was begun."""
    asked = objectives_of(settings.objectives, task.quality)
    objectives = tuple(study.header["objectives"]) if study.exists else asked
    return settings.sampler if settings.sampler != AUTO else study.header.get("sampler", AUTO), objectives


def _nothing_left(study: Study, trials: int) -> str:
    """Return the sentence on a study resumed with no trial left to run, of which `trials` were asked for."""
    ended = f"study {study.name}: {study.originals} trials have ended already"
    if "recipes" in study.header:
        return f"{ended}, of all its recipes"
    return f"{ended}, so --trials {trials} has none left; --trials above {study.originals} goes on"


def _repeated(trials: int, settings: Settings) -> int:
    """Return the trials of a new study: every recipe of a grid is made with all its seeds."""
    return 1 + (trials - 1) * settings.seeds if settings.sampler == GRID else trials


def _planned(work: Future[Work | None], trials: int) -> tuple[float, float] | None:
    """Return the MACs of the teacher's training and of a further trial, None until they are counted."""
    found = work.result() if work.done() else None
    return None if found is None else (found.teacher, found.further(trials))


def carry_out(settings: Settings, driver: Driver, scratch: Path | None, listener: Listener) -> None:
    """Run the driver's trials and close the study; without `scratch`, Ray's folder, no trial runs."""
    driver.heard = lambda: listener.heard(driver.study.record, driver)
    try:
        if scratch is not None:
            with Presence(driver):
                run_trials(settings, driver, scratch)
                if driver.failure is None:
                    time_the_front(driver.study, driver.task, listener.said)
        else:
            time_the_front(driver.study, driver.task, listener.said)
    finally:
        driver.guard(driver.close)
        listener.over(driver.study.record)
        if scratch is not None:
            with suppress(DiskError):
                open_store(driver.study.store).tidy()


def check_went_well(driver: Driver, who: str, again: str) -> None:
    """Raise SearchFailed if the driver gave up."""
    if driver.failure is not None:
        is_told = isinstance(driver.failure, DiskError | NodeError | TimeoutError)
        kind = "" if is_told else f"{type(driver.failure).__name__}: "
        room = any(os.strerror(code) in str(driver.failure) for code in (errno.ENOSPC, errno.EDQUOT))
        study = driver.study
        clean = f" (`{command('clean', study.name, study.home)}` may make some)" if "store" not in study.header else ""
        first = f"once there is room{clean}, " if room else ""
        raise SearchFailed(
            f"{who}: {kind}{driver.failure}; what is finished is kept, {first}{again} goes on"
        ) from driver.failure


def _costs(space: Space, task: Task) -> dict[str, float]:
    """Return the costs of the unpruned teacher: a part of the reference point of the hypervolume."""
    teacher = predict(space.baseline(task.name, 0), task)[0]
    return foreseen(teacher.figures)
