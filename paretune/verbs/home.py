"""Functions about the studies of a home: list, watch, stop, rename and delete studies."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretune.verbs.report import report
from paretune.verbs.study import sync
from search.hints import program
from search.settings import Settings, home_folder
from search.study import driver_file
from search.study import state as states
from search.study.endings import ending
from search.study.names import StudyError, named_studies
from search.study.study import Study

if TYPE_CHECKING:
    from search.study.removal import Removal
    from search.tracking.study_runs import StudyRuns

HEARD_S = 10.0
"""Seconds to wait until a driver has heard a request."""


def studies(*, home: Path | str | None = None) -> list[dict[str, Any]]:
    """All studies of a home, ready for JSON: state, trials, models, front; the one changed last comes first.

    `go_on` is the command that goes on with a study that was interrupted or died, "" for others.
    """
    folder = home_folder(home)
    found = [_with_command(states.summary(folder, name), folder) for name in named_studies(folder)]
    found += [{"study": name, "state": "starting", "changed": time.time()} for name in states.starting(folder)]
    return sorted(found, key=lambda one: -(one.get("changed") or 0.0))


def status(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """The state of a study now, ready for JSON.

    `state` is starting, running, stopping, died, interrupted or ended. `driver` tells who runs the study where, since
    when, and when the driver was heard last. `running` has each trial at work with stage, epoch, seconds left and
    worker. `go_on` is as of `studies`. StudyError (a ValueError) for a name without a study.
    """
    study = _begun(name, home)
    return _with_command(states.status(study), study.home)


def _begun(name: str, home: Path | str | None) -> Study:
    """Return a study; StudyError for a missing study, and for one that is being started."""
    study = Study(home_folder(home), name)
    if not study.exists and name in states.starting(study.home):
        raise StudyError(f"study {name}: is being started, and has nothing to show yet; ask again in a moment")
    assert study.record  # the sentence for a missing study
    return study


def _with_command(found: dict[str, Any], home: Path) -> dict[str, Any]:
    """Return a study's state with the command that goes on, where there is something left."""
    of_recipes, over = found.pop("of_recipes", False), found["state"] in ("interrupted", "died")
    return {**found, "go_on": go_on(found["study"], home, of_recipes=of_recipes) if over else ""}


def go_on(study: str, home: Path, *, of_recipes: bool) -> str:
    """Return the command that goes on with a study of a space, or of given recipes."""
    elsewhere = [] if home == home_folder() else ["--home", str(home)]
    return shlex.join([program("paretune"), "run" if of_recipes else "search", "--name", study, "--resume", *elsewhere])


def stop(name: str, trial: int | None = None, *, home: Path | str | None = None) -> bool:
    """Stop a study, as Ctrl-C would, or one of its trials; return whether the search has heard within `HEARD_S`.

    Finished points stay. A stopped study goes on with `resume`. A stopped trial does not, but the teacher's. ValueError
    for a study that is not running, or a trial that is not.
    """
    study = _begun(name, home)
    record, driver = study.record, driver_file.read(study.folder)
    if driver is None or not driver.is_alive:
        raise ValueError(f"stop: {name} must be running, its state is {states.state_of(study, driver)}")
    if trial is not None:
        at_work = ", ".join(str(one.id) for one in record.trials if one.status == "running") or "none"
        if not 0 <= trial < len(record.trials):
            raise ValueError(f"stop: trial must be one that runs, got {trial}; running now: {at_work}")
        if record.trials[trial].status != "running":
            how = ending(record.trials[trial])
            raise ValueError(f"stop: trial {trial} of {name} has ended already, {how}; running now: {at_work}")
    try:
        driver_file.ask_to_stop(study.folder, trial)
    except OSError as error:
        raise ValueError(f"stop: cannot write into {study.folder}: {error.strerror}") from error
    deadline = time.monotonic() + HEARD_S
    while driver_file.is_asked(study.folder, trial) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not driver_file.is_asked(study.folder, trial)


def rename(name: str, new: str, *, home: Path | str | None = None, tracking_uri: str | None = None) -> list[str]:
    """Rename a study that is not running: its folder, and its runs in MLflow; return notes for people.

    Models registered in MLflow keep their names, for others may load them. ValueError for an unknown study, a name in
    use, a study that is running, or a server that does not answer: then nothing was renamed.
    """
    from search.study.removal import begun_from, check_free
    from search.study.removal import rename as move

    settings = Settings(name, home=home_folder(home), tracking_uri=tracking_uri)
    study = Study(settings.home, name)
    assert study.record  # the sentence for a missing study
    check_free(study, new)
    notes = [f"{other} was begun --from {name}, and goes on without it" for other in begun_from(name, _others(study))]
    with study.lock():
        _tell(settings, lambda mlflow: mlflow.rename_runs(name, new))
        try:
            move(study, new)
        except StudyError:
            _tell(settings, lambda mlflow: mlflow.rename_runs(new, name))
            raise
    report(new, home=study.home)
    try:
        _tell(replace(settings, name=new), lambda _: sync(new, home=study.home, tracking_uri=tracking_uri))
    except ValueError as error:
        notes.append(f"{error}; MLflow's page of {new} shows the name {name} until then")
    return notes


def deletion(name: str, *, home: Path | str | None = None) -> Removal:
    """The files that `delete` would delete: the study's folder, and models of no other study of the home."""
    from search.study.removal import Removal

    study = Study(home_folder(home), name)
    assert study.record  # the sentence for a missing study
    driver = driver_file.read(study.folder)
    if driver is not None and driver.is_alive:
        raise StudyError(f"delete: {name} must not be running, it is, by process {driver.pid}: stop it first")
    return Removal.of(study, _others(study))


def delete(name: str, *, home: Path | str | None = None, tracking_uri: str | None = None) -> Removal:
    """Delete a study that is not running: ledger, report, and models of no other study of the home.

    Its runs in MLflow are deleted, which MLflow can undo. Models registered there stay, and so do models in a store
    outside the home. Return what went. ValueError as of `rename`; then nothing was deleted.
    """
    from search.study.removal import delete as remove

    settings = Settings(name, home=home_folder(home), tracking_uri=tracking_uri)
    deletion(name, home=home)  # the sentences for a study that cannot be deleted
    study = Study(settings.home, name)
    with study.lock():
        gone = deletion(name, home=home)  # as of now: another search may have taken up a model
        _tell(settings, lambda mlflow: mlflow.delete_runs(name))
        remove(study, gone)
    return gone


def _others(study: Study) -> list[Study]:
    """Return the other studies of the home; StudyError if one cannot be read, for its models must stay."""
    return [Study(study.home, name) for name in named_studies(study.home) if name != study.name]


def _tell(settings: Settings, what: Callable[[StudyRuns], object]) -> None:
    """Tell MLflow, where it has anything of this home."""
    from search.tracking.experiment import ARTIFACTS
    from search.tracking.study_runs import StudyRuns

    mlflow = StudyRuns(settings.mlflow_uri, settings.home / ARTIFACTS)
    if mlflow.are_there:
        what(mlflow)
