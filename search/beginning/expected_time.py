"""Announce the time of a long search before the first trial: time a training step where trials run, and multiply.

The time is that of the trainings and of the passes that measure or validate, in proportion to their MACs. Models are
counted once, as trials share them. Recipes are drawn at random: a sampler that weighs seconds, and curves ended early,
take less.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from statistics import median

import numpy as np
import torch

from compress.data.tasks import Task
from compress.estimate import UPDATE, Estimator
from compress.models import Model
from compress.plan import Step
from compress.pruning.pruner import weighted_layers
from compress.recipe import Recipe
from compress.stages import Recovery, Train
from search.beginning.step_time import WAIT_S, Timed, on_worker
from search.sampling.candidates import candidates
from search.settings import Settings
from spaces import Space
from spaces.space import PUBLISHED, SMALL, Effort, effort

LONG_S = 300.0
"""Seconds of a search above which its time is announced."""
HOUR_S = 3600.0
"""Seconds within which a trial by default settings should end."""
SHORT_MACS = 3e11
"""MACs of a search below which no step is timed: at 1 GMAC/s, slow for a core, `LONG_S` is not reached."""
COUNTABLE_S = 1.0
"""Seconds of a teacher's training for an image above which a trial's time is not estimated."""
DRAWN = 24
"""Recipes drawn from the space, at most."""


@dataclass(frozen=True)
class Work:
    """MACs of the unpruned teacher's training, of a typical trial without its teacher, and of a whole search.

    `recovery` is the largest number of epochs after a cut.
    """

    teacher: float
    trial: float
    whole: float
    recovery: int

    def further(self, trials: int) -> float:
        """Return the MACs of a trial after the first of `trials`, on average."""
        return (self.whole - self.teacher) / max(1, trials - 1)


@dataclass(frozen=True)
class Search:
    """A search in numbers: trials in all, trials at a time, and the scale of the space."""

    trials: int
    at_once: int = 1
    scale: str | None = None

    @property
    def said(self) -> str:
        """Return the numbers for people."""
        count = f"{self.trials:,} trial{'s' * (self.trials != 1)}"
        return f"{count}, {self.at_once:,} at a time" if self.trials > 1 else count


def announcement(
    settings: Settings, space: Space, task: Task, macs: float, search: Search, work: Work | None = None
) -> str | None:
    """Return a sentence on the time of the teacher, of a typical trial and of the search; None for a short search.

    `macs` are the unpruned teacher's for an image. `work` is as of `work_of`, None to count it. Ray runs where the
    search has GPUs or an address: a worker times the step there.
    """
    first = space.baseline(task.name, settings.seed).stages[0]
    assert isinstance(first, Train)
    try:
        work = work or work_of(space, task, settings.seed, search.trials)
        if work.whole / search.at_once < SHORT_MACS:
            return None
        timed = Timed.of(space.teacher, task, first.training.batch_size)
        elsewhere = settings.address is not None or bool(settings.gpus_per_trial)
        an_image = on_worker(timed, settings) if elsewhere else timed.seconds_an_image(settings.cpus_per_trial)
    except Exception:  # a network that cannot be trained is reported by its trial
        return None
    if an_image is None:
        return f"how long the search takes is not known: no worker timed a training step within {WAIT_S:.0f} s"
    a_mac = an_image / (UPDATE * macs) if an_image < COUNTABLE_S or not work.teacher else 0.0
    teacher = an_image * len(task.train) * first.training.epochs
    trial, whole = a_mac * work.trial, a_mac * work.whole / search.at_once
    if max(teacher, trial, whole) <= LONG_S:
        return None
    sentence = said(str(space.teacher), teacher, trial, whole, search) + shorter(settings, search)
    if settings.time_budget_s is not None and settings.time_budget_s < max(teacher, whole):
        sentence += f"; --time-budget ends the search after {about(settings.time_budget_s)}"
    if settings.epochs is not None:
        return sentence
    epochs = first.training.epochs or effort(task.name).scratch
    return sentence + fewer_epochs(Effort(epochs, work.recovery or effort(task.name).recovery), max(teacher, trial))


def shorter(settings: Settings, search: Search) -> str:
    """Return what makes the search shorter."""
    cpu = ["more --cpus-per-trial", "a GPU (--gpus-per-trial)"] if not settings.gpus_per_trial else ["more GPUs"]
    small = [f"--scale {SMALL}"] if search.scale == PUBLISHED else []
    return f": {', '.join([*small, 'fewer --trials', 'fewer --epochs', *cpu])} or a smaller set make it shorter"


def fewer_epochs(default: Effort, trial_s: float) -> str:
    """Return the end of the sentence where the epochs by default make a trial longer than an hour, else ""."""
    if trial_s <= HOUR_S:
        return ""
    scratch, recovery = (int(epochs * HOUR_S / trial_s) for epochs in (default.scratch, default.recovery))
    if not scratch:
        return "; not even --epochs 1 ends a trial within an hour here"
    return (
        f"; by default, {default.scratch} epochs, no trial ends within an hour here: "
        f"--epochs {scratch} --recovery-epochs {max(1, recovery)} would"
    )


def said(name: str, teacher_s: float, trial_s: float, whole_s: float, search: Search) -> str:
    """Return the beginning of the sentence, about the teacher `name`, a trial and the search; 0 leaves a part out."""
    teacher = f"the teacher {name} trains for {about(teacher_s)} here" if teacher_s else ""
    trial = f"a typical trial takes {about(trial_s)}" if trial_s else ""
    whole = f"the search of {search.said}, {about(whole_s)}" if whole_s else ""
    return ", ".join(filter(None, (teacher, trial, whole)))


def about(seconds: float) -> str:
    """Return a rounded time: minutes below 90, hours below 48, else days."""
    for unit, length, most in (("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"about {max(1, round(seconds / length))} {unit}"
    return f"about {round(seconds / 86400)} days"


def work_of(space: Space, task: Task, seed: int, trials: int) -> Work:
    """Return the MACs of a search of `trials` trials, the first of which is the unpruned teacher.

    At most `DRAWN` recipes are drawn; each further trial costs as much as the recipes drawn do on average.
    """
    estimator, chance, evaluated = Estimator(task), np.random.default_rng(seed), len(task.validation) + len(task.test)
    drawn = candidates(lambda trial: space.build(trial, task.name, seed), [], chance, max(1, min(trials - 1, DRAWN)))
    recipes = [one.recipe for one in drawn if isinstance(one.recipe, Recipe)]

    @cache
    def widths(model: Model) -> tuple[int, ...]:
        with torch.random.fork_rng(devices=[]):
            layers = weighted_layers(model.build(task.outputs, task.channels))
        return tuple(layer.weight.shape[0] for layer in layers.values())

    def macs(steps: list[Step]) -> float:
        found = 0.0
        for one in steps:
            looks = one.stage.validations(partial(widths, one.model)) * len(task.validation)
            found += estimator.training(one) + (evaluated + looks) * estimator.guess(one).costs["macs"]
        return found

    known: set[str] = set()

    def added(recipe: Recipe) -> float:
        steps = estimator.missing(recipe, known)
        known.update(step.key for step in steps)
        return macs(steps)

    teacher = added(space.baseline(task.name, seed))
    whole = teacher + sum(map(added, recipes)) * (trials - 1) / max(1, len(recipes))
    lessons = [stage.lesson for recipe in recipes for stage in recipe.stages]
    recovery = max((one.training.epochs for one in lessons if isinstance(one, Recovery)), default=0)
    return Work(teacher, median([macs(_own(estimator.steps(recipe))) for recipe in recipes] or [0.0]), whole, recovery)


def counted(space: Space, task: Task, seed: int, trials: int) -> Work | None:
    """Return `work_of`; None for networks that cannot be counted, which their trials report."""
    try:
        return work_of(space, task, seed, trials)
    except Exception:
        return None


def _own(steps: list[Step]) -> list[Step]:
    found: dict[str, Step] = {}
    waiting = [*steps]
    while waiting:
        step = waiting.pop()
        if step.key not in found:
            found[step.key] = step
            waiting += [one for one in (step.parent, step.original) if one is not None]
    return list(found.values())
