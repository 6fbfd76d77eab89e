"""The state of a study (running, died, interrupted, ended) and the work of its driver; ready for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from search.study.driver_file import FILE as DRIVER
from search.study.driver_file import Doing, DriverFile, is_asked, read
from search.study.endings import endings
from search.study.front import hypervolume
from search.study.ledger import FILE
from search.study.names import StudyError
from search.study.seeds import front_of
from search.study.study import Study

State = Literal["starting", "running", "stopping", "died", "interrupted", "ended"]


def state_of(study: Study, driver: DriverFile | None) -> State:
    """Return the state of a study, given the file of its driver.

    While a driver starts, settings are checked and Ray comes up. A study has died if its driver ended
    without a word, such as by `kill -9`. An interrupted study has trials left for `--resume`.
    """
    if driver is not None and driver.is_alive:
        return "stopping" if driver.stopping or is_asked(study.folder) else "starting" if driver.starting else "running"
    if driver is not None:
        return "died"
    return "interrupted" if study.unfinished else "ended"


def starting(home: Path) -> list[str]:
    """Return the names of studies that are being started, and have no ledger yet."""
    folders = [path.parent for path in (home / "studies").glob(f"*/{DRIVER}") if not (path.parent / FILE).exists()]
    return sorted(folder.name for folder in folders if (driver := read(folder)) is not None and driver.is_alive)


def summary(home: Path, name: str) -> dict[str, Any]:
    """Return a study in a row: state, trials, models, front, its dates in seconds since 1970.

    A study that cannot be read has the reason in `problem`, and no figures.
    """
    ledger = home / "studies" / name / FILE
    try:
        study = Study(home, name)
        record = study.record
    except StudyError as error:
        return {"study": name, "state": None, "problem": str(error)}
    driver = read(study.folder)
    counts = Counter(trial.status for trial in record.trials)
    best = front_of(record.points, record.objectives)
    return {
        "study": name,
        "state": state_of(study, driver),
        "of_recipes": "recipes" in study.header,
        "task": record.task,
        "space": record.space_said,
        "trials": len(record.trials),
        "ended": len(record.trials) - len(study.unfinished),
        "failed": counts["failed"],
        "wanted": _wanted(study, driver),
        "points": len(record.points),
        "front": len(best),
        "best": record.quality.value(best[0].validation) if best else None,
        "quality": record.quality.name,
        "begun": study.header.get("time"),
        "changed": ledger.stat().st_mtime,
    }


def status(study: Study) -> dict[str, Any]:
    """Return the state of a study now, with its driver, its trials by status, at work and waiting."""
    record, driver = study.record, read(study.folder)
    state = state_of(study, driver)
    counts = Counter(trial.status for trial in record.trials)
    lives = driver is not None and driver.is_alive
    at_work = driver.at_work if driver is not None and lives else ()
    best = front_of(record.points, record.objectives)
    return {
        "study": study.name,
        "state": state,
        "of_recipes": "recipes" in study.header,
        "trials": len(record.trials),
        "ended": len(record.trials) - len(study.unfinished),
        "wanted": _wanted(study, driver),
        **{each: counts[each] for each in ("complete", "stopped", "failed")},
        "endings": endings(record.trials),
        "points": len(record.points),
        "front": len(best),
        "hypervolume": hypervolume([one.mean for one in best], record.objectives, record.reference_point),
        "left_s": driver.left_s if driver is not None and lives and state != "stopping" else None,
        "driver": None if driver is None else _driver(driver),
        "running": [*_at_work(study, at_work)],
        "waiting": list(driver.waiting) if driver is not None and lives else [],
        "unfinished": study.unfinished,
    }


def _wanted(study: Study, driver: DriverFile | None) -> int:
    """Return the trials there are to be: the number asked for, and further trials with other seeds once begun."""
    return max(len(study.trials), study.wanted or 0, driver.trials if driver else 0)


def _driver(driver: DriverFile) -> dict[str, Any]:
    names = ("pid", "host", "user", "started", "heard")
    return {"alive": driver.is_alive, **{name: getattr(driver, name) for name in names}}


def _at_work(study: Study, at_work: Iterable[Doing]) -> Iterable[dict[str, Any]]:
    for one in at_work:
        points = len(study.trials[one.trial].points) if one.trial in study.trials else 0
        yield {
            "trial": one.trial,
            "doing": one.what,
            "epoch": one.done,
            "epochs": one.of,
            "left_s": one.left_s,
            "node": one.node,
            "pid": one.pid,
            "points": points,
            "words": one.words,
        }
