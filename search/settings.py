"""What a search is asked to do, and the checks that nothing is started unless all of it makes sense."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from compress.data.tasks import FOLDER
from compress.models import Model
from compress.store.bucket import absolute, is_remote
from search.sampling.bounds import check_foreseen
from search.sampling.optuna_study import AUTO, SAMPLERS
from search.selection.budget import Budget
from search.study.front import DEFAULT_OBJECTIVES, check_objectives
from search.study.study import check_name
from search.uri import sqlite_uri
from spaces import SPACES

MOST_TRIALS = 1_000_000
MOST_SEEDS = 100
MOST_SEED = 2**32 - 1
"""What numpy takes."""
MOST_SECONDS = 1e9
"""Thirty years; a system's timers take little more."""


@dataclass(frozen=True)
class Settings:
    """One call of `paretune search`; every field as its option, the path of a `folder:` task made absolute.

    `trials` counts all trials of the study, those before a resume included. `time_budget_s` and, for a trial,
    `trial_limit_s` in seconds, None for no limit. `tracking_uri`, `storage_url` and `store` (a folder, or a URL of
    fsspec) None mean files below `home`. `students` and `teachers`, as `NAME` or `NAME@WEIGHTS`, replace the space's
    own. `gpus_per_trial` None is one GPU where there are any (`search/devices.py`). Within the `budget` alone is looked
    for points. `start_from` is another study of this home, whose front is tried first. With `whole_curves` no trial is
    ended early. What is on the front is made with as many `seeds` in all, by further trials.
    """

    name: str
    space: str = "joint"
    task: str = "digits"
    trials: int = 24
    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    time_budget_s: float | None = None
    seed: int = 0
    resume: bool = False
    home: Path = Path("paretune-runs")
    data: Path | None = None
    address: str | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float | None = None
    tracking_uri: str | None = None
    storage_url: str | None = None
    store: str | None = None
    students: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    sampler: str = AUTO
    budget: Budget = field(default_factory=Budget)
    start_from: str | None = None
    whole_curves: bool = False
    trial_limit_s: float | None = None
    seeds: int = 1

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.task.startswith(FOLDER):  # workers have a current folder of their own
            object.__setattr__(
                self, "task", FOLDER + os.path.abspath(os.path.expanduser(self.task.removeprefix(FOLDER)))
            )
        if self.space not in SPACES:
            raise ValueError(f"space: unknown {self.space!r}, known are {', '.join(sorted(SPACES))}")
        for option, names in (("student", self.students), ("teacher", self.teachers)):
            check_models(option, names)
            if names and SPACES[self.space].given is None:
                raise ValueError(
                    f"{option}: {self.space} is about models of its own, got {names[0]!r}; use another --space"
                )
        check_objectives(self.objectives)
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: unknown {self.sampler!r}, known are {', '.join(SAMPLERS)}")
        check_foreseen(self.budget)
        if self.start_from is not None:
            check_name(self.start_from)
        check_whole("trials", self.trials, 1, MOST_TRIALS)
        check_whole("seed", self.seed, 0, MOST_SEED)
        check_whole("seeds", self.seeds, 1, MOST_SEEDS)
        check_whole("cpus-per-trial", self.cpus_per_trial, 1, 10_000)
        if self.gpus_per_trial is not None:
            _check("gpus-per-trial", self.gpus_per_trial, 0, math.inf)
            if self.gpus_per_trial > 1:
                raise ValueError(
                    "gpus-per-trial must be at most 1, for a trial trains on one GPU and more would stay idle, "
                    f"got {self.gpus_per_trial:g}"
                )
        if self.time_budget_s is not None:
            _check("time-budget", self.time_budget_s, 1, MOST_SECONDS)
        if self.trial_limit_s is not None:
            _check("trial-limit", self.trial_limit_s, 1, MOST_SECONDS)
        if self.address is not None and not self.address.strip():
            raise ValueError(f"address must name a Ray cluster, such as auto or HOST:PORT, got {self.address!r}")
        _check_folder("home", self.home)
        if self.store is not None:
            object.__setattr__(self, "store", absolute(os.path.expanduser(self.store)))
            if not is_remote(self.store):
                _check_folder("store", Path(self.store))

    @property
    def mlflow_uri(self) -> str:
        """Where MLflow writes: the given server or the home's own database."""
        own = sqlite_uri((self.home / "mlflow.db").resolve())
        return own if self.tracking_uri is None else self.tracking_uri


def check_models(option: str, names: tuple[str, ...]) -> tuple[Model, ...]:
    """The models of that option, their files by absolute paths; ValueError for unknown ones, or two of one name."""
    models = tuple(Model.parse(name) for name in names)
    shown = [str(model) for model in models]
    twice = [name for name in shown if shown.count(name) > 1]
    if twice:
        raise ValueError(f"{option}: each must have a name and a file name of its own, got {twice[0]!r} twice")
    return models


def _check_folder(option: str, folder: Path) -> None:
    try:
        str(folder).encode()  # MLflow's database, its URIs and JSON take no other name
        folder.stat()
    except UnicodeEncodeError as error:
        raise ValueError(f"{option} must have a name in UTF-8, got {str(folder)!a}") from error
    except (FileNotFoundError, NotADirectoryError):  # it will be made
        pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{option} must be writable, got {folder}: {why}") from error
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        raise ValueError(f"{option} must be a folder, got {folder}: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{option} must be writable, got {folder}: no permission in {there}")


def _check(option: str, value: float, least: float, most: float = sys.float_info.max) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{option} must be a number, got {value!r}")
    if not least <= value <= most:  # neither does NaN
        rule = f"at most {most:g}" if value > most else f"at least {least:g}"
        raise ValueError(f"{option} must be {rule}, got {value:g}")


def check_whole(option: str, value: int, least: int, most: int) -> None:
    """ValueError unless it is a whole number of that range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{option} must be a whole number, got {value!r}")
    if not least <= value <= most:
        rule = f"at least {least}" if value < least else f"at most {most}"
        raise ValueError(f"{option} must be {rule}, got {value}")
