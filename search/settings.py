"""Settings of a search, checked before anything is started.

torch and Optuna are imported by the checks, not by this module: `paretune --help` shows the fields of `Settings` and
must not wait for them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from compress.errors import near
from search.checks import check_folder, check_number, check_whole
from search.option_fields import MACHINE, SHARED, TRIED, argument, data_setting, home_setting, setting, tracking_setting
from search.selection.budget import Budget, SearchBudget
from search.study.front import DEFAULT_OBJECTIVES, OBJECTIVES, check_objectives
from search.study.names import check_name
from search.training_options import TrainingOptions
from search.uri import sqlite_uri

if TYPE_CHECKING:
    from compress.data.tasks import Task
    from compress.models import Model
    from spaces import Space
else:  # hints of fields are resolved for `--help`, which waits for no torch
    Task = Space = object

TRIALS = 24
MOST_TRIALS = 1_000_000
MOST_SEEDS = 100
MOST_SEED = 2**32 - 1
"""The largest seed that numpy takes."""
MOST_SECONDS = 1e9
"""Thirty years; a system's timers take little more."""
KEPT = ("trials", "seeds", "time_budget_s", "trial_limit_s", "whole_curves", "keep_outputs")
"""Settings that have no other entry in a study's header than `options`."""
MODEL = (
    "NAME or NAME@WEIGHTS, NAME of the zoo, torchvision:NAME, timm:NAME, FILE.py:function or package.module:function; "
    "more than once for several."
)


def home_folder(home: Path | str | None = None) -> Path:
    """Where everything a study leaves lies: the argument, else PARETUNE_HOME, else ./paretune-runs."""
    return Path(home or os.environ.get("PARETUNE_HOME") or "paretune-runs")


def is_home_named(home: Path | str | None) -> bool:
    """Return whether somebody named the home, by the argument or PARETUNE_HOME."""
    return bool(home or os.environ.get("PARETUNE_HOME"))


@dataclass(frozen=True)
class Settings(TrainingOptions, SearchBudget):
    """One call of `paretune search`: every field is an option, also those of `TrainingOptions` and `SearchBudget`.

    `trials` counts all trials of the study, those before a resume included; None means `TRIALS`, and every recipe under
    the sampler `grid`. `space` is a name, the path of a user's own, or a `Space`. `scale` is a scale of the space; None
    means the default of the task. `only` restricts the space's choices, by texts `NAME=VALUE,VALUE` or by values under
    names. `time_budget_s` and, for a trial, `trial_limit_s` are in seconds, None for no limit. None for
    `tracking_uri`, `storage_url` and `store` (a folder, or a URL of fsspec) means files below `home`. `students` and
    `teachers`, as `NAME` or `NAME@WEIGHTS`, replace the space's own.
    `target` is where latencies are foreseen and measured (`compress/latency/target.py`): None for the default, and for
    latencies as measured in the trials where neither an objective nor a bound is a latency.
    `gpus_per_trial` is in [0, 1]; None is a whole GPU where there are any (`search/running/devices.py`). `start_from`
    is another study of this home, whose front is tried first. With `whole_curves` no trial is ended early. With
    `keep_outputs` the outputs of all points are stored. Further trials make the models on the front with as many
    `seeds` in all. A copy of the study file `file` is kept with the study; `search/study_file.py` reads the file.
    `task` is a name, or a `Task`, known to this process and its search's workers alone. The constructor fills in `home`
    and makes the paths of `store` and of a task absolute. ValueError for a value that makes no sense.
    """

    name: str = setting("demo", "Name of the study.")
    _: KW_ONLY
    file: Path | None = field(default=None, metadata=argument("TOML file with options; options typed here win."))
    space: str | Space = setting(
        "joint",
        "What may be tried: joint, malihi2023, slimnets2018, chen2021, aghli2021, resrep2021, singh2019; FILE.py:NAME "
        "or module:NAME of a space of your own.",
        metavar="TEXT",
        group=TRIED,
    )
    scale: str | None = setting(
        None,
        "Of the space: published, small, a paper's medium; published on cifar10 and cifar100, small elsewhere, if left "
        "out.",
        group=TRIED,
    )
    task: str | Task = setting(
        "digits",
        "digits, digits-angle, cifar10, cifar100, fashion-mnist, folder:PATH; FILE.py:NAME or module:NAME of a "
        "function that returns a task of your own.",
        metavar="TEXT",
    )
    only: tuple[str, ...] | Mapping[str, object] = setting(
        (),
        "Restrict a choice of the space, as NAME=VALUE,VALUE; more than once for several.",
        metavar="NAME=VALUES",
        group=TRIED,
    )
    trials: int | None = setting(None, f"Trials of the study in all; {TRIALS}, or all of a grid, if left out.")
    objectives: tuple[str, ...] = setting(
        DEFAULT_OBJECTIVES, f"Out of {', '.join(OBJECTIVES)}; quality is the task's own quality.", commas=True
    )
    time_budget_s: float | None = setting(None, "Stop after this many seconds.", name="time-budget", group=MACHINE)
    seed: int = setting(0, "Seed of sampling and of all training.")
    resume: bool = setting(False, "Go on with a study that exists.")
    address: str | None = setting(None, "A running Ray cluster, such as auto.", group=MACHINE)
    cpus_per_trial: int = setting(1, "Cores and torch threads of a trial.", group=MACHINE)
    target: str | None = setting(
        None,
        "Where latencies are of: FORM:DEVICE:THREADS, such as onnx:cpu:1 or torch:cuda; onnx:cpu:1 if left out.",
        metavar="TARGET",
        group=MACHINE,
    )
    gpus_per_trial: float | None = setting(
        None,
        "GPUs of a trial: a fraction shares a GPU, 0 is the CPU; 1 where there are any if left out.",
        group=MACHINE,
    )
    storage_url: str | None = setting(None, "Database of Optuna; a file in the home if left out.", group=SHARED)
    store: str | None = setting(
        None,
        "Folder of all models, or BUCKET/PREFIX at s3://, gs:// or abfs://; in the home if left out.",
        group=SHARED,
    )
    students: tuple[str, ...] = setting((), f"A network to compress. {MODEL}", name="student", group=TRIED)
    teachers: tuple[str, ...] = setting((), f"A network to learn from. {MODEL}", name="teacher", group=TRIED)
    sampler: str = setting("auto", "Who proposes: auto, tpe, gp, nsga2, random, or grid for every recipe.", group=TRIED)
    start_from: str | None = setting(
        None, "A study of this home, task and space: its front is tried first.", name="from", group=TRIED
    )
    trial_limit_s: float | None = setting(
        None, "Give a trial up after this many seconds.", name="trial-limit", group=MACHINE
    )
    seeds: int = setting(1, "Make the models on the front with so many seeds in all.", group=TRIED)
    whole_curves: bool = setting(False, "End no trial early.", group=TRIED)
    keep_outputs: bool = setting(
        False, "Keep every model's outputs on validation and test, for metrics to come.", group=SHARED
    )
    home: Path = home_setting()
    data: Path | None = data_setting()
    tracking_uri: str | None = tracking_setting()

    def __post_init__(self) -> None:
        from compress.data.tasks import TASKS
        from compress.latency.target import Target
        from compress.store.bucket import absolute, is_remote
        from search.sampling.optuna_study import GRID, SAMPLERS
        from spaces import SPACES, Space
        from spaces.own import is_path, path_of

        check_name(self.name)
        object.__setattr__(self, "task", whole_task(self.task))
        if isinstance(self.space, Space) and SPACES.get(self.space.name) is self.space:
            object.__setattr__(self, "space", self.space.name)
        if isinstance(self.space, str) and is_path(self.space):
            object.__setattr__(self, "space", path_of(self.space))
        elif not isinstance(self.space, Space) and self.space not in [*SPACES]:
            known = f"{near(self.space, SPACES)}known are {', '.join(sorted(SPACES))}"
            raise ValueError(f"space: unknown {self.space!r}, {known} and FILE.py:NAME of your own")
        space = SPACES.get(self.space) if isinstance(self.space, str) else self.space
        if space is not None:  # a user's file is not read yet
            space.scale_for(str(self.task), self.scale)
        object.__setattr__(self, "only", read_words("only", self.only))
        for option, names in (("student", self.students), ("teacher", self.teachers)):
            check_models(option, names)
            if names and space is not None and space.given is None:
                raise ValueError(
                    f"{option}: {space.name} is about models of its own, got {names[0]!r}; use another --space"
                )
        own = self.task not in [name for name in TASKS if name != "digits-angle"]
        check_objectives(self.objectives, any_quality=own)
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: unknown {self.sampler!r}, known are {', '.join(SAMPLERS)}")
        TrainingOptions.__post_init__(self)
        SearchBudget.__post_init__(self)
        if self.target is not None:
            Target.parse(self.target)
        if self.start_from is not None:
            check_name(self.start_from)
            if self.sampler == GRID:
                raise ValueError(
                    f"from must be left out with --sampler {GRID}, which tries all, got {self.start_from!r}"
                )
        if self.trials is not None:
            check_whole("trials", self.trials, 1, MOST_TRIALS)
        check_whole("seed", self.seed, 0, MOST_SEED)
        check_whole("seeds", self.seeds, 1, MOST_SEEDS)
        check_whole("cpus-per-trial", self.cpus_per_trial, 1, 10_000)
        if self.gpus_per_trial is not None:
            check_number("gpus-per-trial", self.gpus_per_trial, 0, math.inf)
            if self.gpus_per_trial > 1:
                raise ValueError(
                    "gpus-per-trial must be at most 1, for a trial trains on one GPU and more would stay idle, "
                    f"got {self.gpus_per_trial:g}"
                )
        if self.time_budget_s is not None:
            check_number("time-budget", self.time_budget_s, 1, MOST_SECONDS)
        if self.trial_limit_s is not None:
            check_number("trial-limit", self.trial_limit_s, 1, MOST_SECONDS)
        if self.address is not None and not self.address.strip():
            raise ValueError(f"address must name a Ray cluster, such as auto or HOST:PORT, got {self.address!r}")
        object.__setattr__(self, "home", home_folder(self.home))
        check_folder("home", self.home)
        if self.store is not None:
            object.__setattr__(self, "store", absolute(os.path.expanduser(self.store)))
            if not is_remote(self.store):
                check_folder("store", Path(self.store))

    @property
    def space_name(self) -> str:
        """The space's name in the records of a study: without the folder of a user's file."""
        from spaces.own import is_path, title

        if not isinstance(self.space, str):
            return self.space.name
        return title(self.space) if is_path(self.space) else self.space

    @property
    def task_name(self) -> str:
        """The task's name: `object:NAME` of a task given as an object."""
        return str(self.task)

    @property
    def budget(self) -> Budget:
        """The bounds within which alone points are looked for."""
        return Budget(**self.bounds)

    @property
    def mlflow_uri(self) -> str:
        """Where MLflow writes: the given server or the home's own database."""
        own = sqlite_uri((self.home / "mlflow.db").resolve())
        return own if self.tracking_uri is None else self.tracking_uri


def whole_task(task: object) -> str:
    """Return a task's name, the paths of folders and files absolute, as workers have a current folder of their own.

    A `Task` becomes known to this process by its name. ValueError for anything else.
    """
    from compress.data.few_images import named, split_name
    from compress.data.own_task import is_function, offer, whole_path
    from compress.data.tasks import FOLDER

    if not isinstance(task, str):
        return offer(task)
    count, task = split_name(task)
    if count is not None:
        return named(whole_task(task), count)
    if task.startswith(FOLDER):
        return FOLDER + os.path.abspath(os.path.expanduser(task.removeprefix(FOLDER)))
    return whole_path(task) if is_function(task) else task


def read_words(option: str, given: object) -> dict[str, object]:
    """Read texts `NAME=VALUES`, or return values by name; ValueError for anything else and for a name twice."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str):
        given = (given,)
    if not isinstance(given, tuple | list):
        raise ValueError(f"{option} must be NAME=VALUE,VALUE, or values by name, got {given!r}")
    found: dict[str, object] = {}
    for text in given:
        name, equals, values = str(text).partition("=")
        if not (name.strip() and equals and values.strip()):
            raise ValueError(f"{option} must be NAME=VALUE,VALUE, got {text!r}")
        if name.strip() in found:
            raise ValueError(f"{option}: all values of a choice must be in one {option}, got {name.strip()!r} twice")
        found[name.strip()] = values
    return found


def check_models(option: str, names: tuple[str, ...]) -> tuple[Model, ...]:
    """The models of an option, their files by absolute paths; ValueError for an unknown model or two of a name."""
    from compress.models import Model

    models = tuple(Model.parse(name) for name in names)
    shown = [str(model) for model in models]
    twice = [name for name in shown if shown.count(name) > 1]
    if twice:
        raise ValueError(f"{option}: each must have a name and a file name of its own, got {twice[0]!r} twice")
    return models
