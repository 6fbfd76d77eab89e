"""Announce long trainings before they begin: time a training step on this machine, and multiply."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
import torch
from torch import nn

from compress.data.tasks import Task
from compress.estimate import UPDATE, Estimator
from compress.measure import using_threads
from compress.plan import Step
from compress.recipe import Recipe
from compress.stages import Train
from search.sampling.candidates import candidates
from search.settings import Settings
from spaces import Space
from spaces.space import Effort, effort

LONG_S = 600.0
"""Seconds of a teacher's training or a trial above which the time is announced."""
HOUR_S = 3600.0
"""Seconds within which a trial by default settings should end."""
SHORT_MACS = 1e12
"""MACs of a teacher's training below which no step is timed: at 2 GMAC/s, slow for a core, `LONG_S` is not reached."""
STEP_S = 0.4
"""Seconds of a timed step, at most."""
STEPS = 3
COUNTABLE_S = 1.0
"""Seconds of a teacher's training for an image above which a trial's time is not estimated."""
TYPICAL = 12
"""Recipes drawn from the space; the median stands for a trial."""


def announcement(settings: Settings, space: Space, task: Task, macs: float) -> str | None:
    """Return a sentence on the time of the teacher and of a typical trial here; None if short, or not known.

    `macs` are the unpruned teacher's for an image. The time is not known on GPUs and on a cluster's workers.
    """
    if settings.address is not None or settings.gpus_per_trial:
        return None
    first = space.baseline(task.name, settings.seed).stages[0]
    assert isinstance(first, Train)
    epochs = first.training.epochs or settings.epochs or effort(task.name).scratch
    if UPDATE * macs * len(task.train) * epochs < SHORT_MACS:
        return None
    try:
        an_image = seconds_an_image(space, task, first.training.batch_size, settings.cpus_per_trial)
    except Exception:  # a network that cannot be trained is reported by its trial
        return None
    teacher = an_image * len(task.train) * first.training.epochs
    countable = an_image < COUNTABLE_S or not teacher
    trial = an_image / (UPDATE * macs) * typical_macs(space, task, settings.seed) if countable else 0.0
    sentence = said(str(space.teacher), teacher, trial)
    if sentence is None or settings.epochs is not None:
        return sentence
    return sentence + fewer_epochs(Effort(epochs, effort(task.name).recovery), max(teacher, trial))


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


def said(name: str, teacher_s: float, trial_s: float) -> str | None:
    """Return the sentence about the teacher `name`; None unless teacher or trial is long. 0 leaves either out."""
    if max(teacher_s, trial_s) <= LONG_S:
        return None
    teacher = f"the teacher {name} trains for {about(teacher_s)} here" if teacher_s else ""
    trial = f"a typical trial takes {about(trial_s)}" if trial_s else ""
    return (
        f"{', '.join(filter(None, (teacher, trial)))}: fewer --trials, more --cpus-per-trial, a GPU "
        "(--gpus-per-trial) or a smaller set make it shorter"
    )


def about(seconds: float) -> str:
    """Return a rounded time: minutes below 90, hours below 48, else days."""
    for unit, length, most in (("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"about {max(1, round(seconds / length))} {unit}"
    return f"about {round(seconds / 86400)} days"


def seconds_an_image(space: Space, task: Task, batch_size: int, threads: int) -> float:
    """Return the seconds of the teacher's training for an image, forward and backward: the least of `STEPS` steps.

    The batch is smaller than `batch_size` where a step would take longer than `STEP_S`. A network too slow for two
    images is not trained at all: the time of the forward pass is multiplied.
    """
    with using_threads(threads), torch.random.fork_rng(devices=[]):
        model = space.teacher.build(task.outputs, task.channels)
        forward = _forward(model.eval(), task)
        if forward < STEP_S:
            forward = _forward(model, task)  # the first pass includes set-up
        if 2 * UPDATE * forward > STEPS * STEP_S:
            return UPDATE * forward
        batch = min(2, batch_size)  # batch norm over one value is refused
        _step(model.train(), task, batch)
        batch = max(batch, min(batch_size, int(batch * STEP_S / _step(model, task, batch))))
        return min(_step(model, task, batch) for _ in range(STEPS)) / batch


def _forward(model: nn.Module, task: Task) -> float:
    start = time.perf_counter()
    with torch.no_grad():
        model(torch.randn(1, *task.shape))
    return time.perf_counter() - start


def _step(model: nn.Module, task: Task, batch: int) -> float:
    images = torch.randn(batch, *task.shape)
    targets = task.train.targets[torch.arange(batch) % len(task.train)].cpu()
    start = time.perf_counter()
    task.goal.loss(model(images).float(), targets).backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def typical_macs(space: Space, task: Task, seed: int) -> float:
    """Return the MACs of a trial's trainings, the median of `TYPICAL` recipes.

    The teacher's training is left out, as trials share the teacher.
    """
    estimator, chance = Estimator(task), np.random.default_rng(seed)
    drawn = candidates(lambda trial: space.build(trial, task.name, seed), [], chance, TYPICAL)
    recipes = [one.recipe for one in drawn if isinstance(one.recipe, Recipe)]
    return median([sum(estimator.training(step) for step in _own(estimator.steps(recipe))) for recipe in recipes])


def _own(steps: list[Step]) -> list[Step]:
    found: dict[str, Step] = {}
    waiting = [*steps]
    while waiting:
        step = waiting.pop()
        if step.key not in found:
            found[step.key] = step
            waiting += [one for one in (step.parent, step.original) if one is not None]
    return list(found.values())
