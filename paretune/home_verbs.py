"""Functions about the studies of a home: which there are, what they do, and to stop one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from search.settings import home_folder
from search.study import driver_file
from search.study import state as states
from search.study.study import Study

HEARD_S = 10.0
"""Seconds to wait until a driver has heard a request."""


def studies(*, home: Path | str | None = None) -> list[dict[str, Any]]:
    """All studies of a home, ready for JSON: state, trials, models, front; the one changed last comes first."""
    folder = home_folder(home)
    found = [states.summary(folder, name) for name in states.named_studies(folder)]
    return sorted(found, key=lambda one: -(one.get("changed") or 0.0))


def status(name: str, *, home: Path | str | None = None) -> dict[str, Any]:
    """What a study does now, ready for JSON.

    `state` is running, stopping, died, interrupted or ended. `driver` tells who runs the study where, since when, and
    when the driver was heard last; `running` has each trial at work with stage, epoch, seconds left and worker.
    StudyError (a ValueError) for a name without a study.
    """
    study = Study(home_folder(home), name)
    assert study.record  # the sentence for a missing study
    return states.status(study)


def stop(name: str, trial: int | None = None, *, home: Path | str | None = None) -> bool:
    """Stop a study, as Ctrl-C would, or one of its trials; return whether the search has heard within `HEARD_S`.

    Finished points stay. A stopped study goes on with `resume`, a stopped trial does not. ValueError for a study that
    is not running, or a trial that is not.
    """
    study = Study(home_folder(home), name)
    record, driver = study.record, driver_file.read(study.folder)
    if driver is None or not driver.is_alive:
        raise ValueError(f"stop: {name} must be running, it is {states.state_of(study, driver)}")
    if trial is not None:
        if not 0 <= trial < len(record.trials):
            raise ValueError(f"stop: trial must be one of 0 to {len(record.trials) - 1} of {name}, got {trial}")
        if record.trials[trial].status != "running":
            raise ValueError(f"stop: trial {trial} of {name} must be running, it is {record.trials[trial].status}")
    try:
        driver_file.ask_to_stop(study.folder, trial)
    except OSError as error:
        raise ValueError(f"stop: cannot write into {study.folder}: {error.strerror}") from error
    deadline = time.monotonic() + HEARD_S
    while driver_file.is_asked(study.folder, trial) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not driver_file.is_asked(study.folder, trial)
