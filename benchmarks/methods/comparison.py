"""Recipes side by side: each is carried out once a seed, its last point compared with a baseline's, pair by pair."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import ParamSpec

import torch

from compress.data.assembly import hold_out
from compress.data.splits import TensorSplit
from compress.data.tasks import Task, load_task
from compress.errors import RecipeError
from compress.measurement import Measurement
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.store.folder import Store
from compress.training.loop import TrainingError

P = ParamSpec("P")


@dataclass(frozen=True)
class Entry:
    """One row: a recipe, or why there is none; what was reported of it.

    `fit` makes the recipe of each seed instead, from what the section's first row came to at that seed.
    """

    label: str
    recipe: Recipe | None
    reported: str = ""
    refused: str = ""
    fit: Callable[[Run], Recipe] | None = None


@dataclass(frozen=True)
class Section:
    """One table: every entry is compared with those labelled as `baselines`, the first of which is the one to beat."""

    title: str
    baselines: tuple[str, ...]
    entries: tuple[Entry, ...]
    note: str = ""


@dataclass(frozen=True)
class Run:
    """A recipe's last point at one seed, the seconds its points took and how many follow the first; or why it broke."""

    measured: Measurement | None
    seconds: float = 0.0
    broken: str = ""
    levels: int = 0


@dataclass(frozen=True)
class Place:
    """Which images, and where what is made of them is kept: all that a worker needs to know."""

    task: str
    images: int | None
    home: Path

    def load(self) -> Task:
        """The task, cut down to so many training images."""
        task = load_task(self.task, cache_dir=self.home / "decoded", stream=None if self.images is None else False)
        return task if self.images is None else fewer(task, self.images)


def fewer(task: Task, images: int) -> Task:
    """The task with about so many training images, the same share of every class, always the same ones.

    Validation shrinks by as much, test stays as it is, and so do the mean and deviation that images are normalised by.
    """
    if images >= len(task.train):
        return task
    share = images / len(task.train)
    train, validation = (_part(split, share) for split in (task.train, task.validation))
    fingerprint = hashlib.sha256(f"{task.fingerprint} {images}".encode()).hexdigest()
    return replace(task, train=train, validation=validation, fingerprint=fingerprint)


def _part(split: object, share: float) -> TensorSplit:
    assert isinstance(split, TensorSplit)
    _, chosen = hold_out(split.targets.numpy(), share)
    return replace(split, targets=split.targets[chosen], images=split.images[chosen])


def entry(label: str, figures: str, build: Callable[P, Recipe], *args: P.args, **options: P.kwargs) -> Entry:
    """A row with the recipe that is built, or with why it is refused."""
    try:
        return Entry(label, build(*args, **options), figures)
    except RecipeError as error:
        return Entry(label, None, figures, str(error))


def carry_out(place: Place, recipe: Recipe) -> Run:
    """Everything of one recipe, in the store of its seed."""
    torch.set_num_threads(1)
    pipeline = Pipeline(place.load(), Store(place.home / f"seed{recipe.seed}"))
    try:
        points = [made.measured for made in pipeline.run(recipe)]
    except TrainingError:
        return Run(None, broken="diverged")
    except RecipeError as error:
        return Run(None, broken=str(error))
    return Run(points[-1], sum(point.seconds for point in points[1:] or points), levels=len(points) - 1)


def table(section: Section, runs: Mapping[str, list[Run]]) -> Iterator[str]:
    """Markdown, an entry a row; `runs` has each label's by seed, without refused labels."""
    over = [f"test over {label}" for label in section.baselines]
    header = ["", "validation", "test", *over, "params", "nonzero", "MACs", "seconds", "reported"]
    yield "| " + " | ".join(header) + " |"
    yield "|---" * len(header) + "|"
    for row in section.entries:
        got = runs.get(row.label, [])
        whole = [run.measured for run in got if run.measured]
        broken = [run.broken for run in got if not run.measured] or ([row.refused] if row.refused else [])
        label = row.label + (f" (**{len(broken)} of {max(len(got), 1)}: {broken[0]}**)" if broken else "")
        if not whole:
            yield "| " + " | ".join([label, *[""] * (len(header) - 2), row.reported]) + " |"
            continue
        gains = [
            "" if base == row.label else _gain(got, runs[base], n == 0) for n, base in enumerate(section.baselines)
        ]
        cells = [
            label,
            _spread([m.score_validation for m in whole]),
            _spread([m.score_test for m in whole]),
            *gains,
            f"{mean(m.params for m in whole):,.0f}",
            f"{mean(m.nonzero_params for m in whole):,.0f}",
            f"{mean(m.macs for m in whole) / 1e3:,.0f} k",
            f"{mean(run.seconds for run in got if run.measured):.1f}",
            row.reported,
        ]
        yield "| " + " | ".join(cells) + " |"


def _gain(got: list[Run], base: list[Run], to_beat: bool) -> str:
    """Mean and deviation of the differences by seed; said where it loses by more than two deviations."""
    pairs = [
        run.measured.score_test - other.measured.score_test
        for run, other in zip(got, base, strict=True)
        if run.measured and other.measured
    ]
    if not pairs:
        return ""
    loses = to_beat and len(pairs) > 1 and mean(pairs) < -2 * stdev(pairs)
    return f"**{_spread(pairs, '+')}, loses**" if loses else _spread(pairs, "+")


def _spread(values: list[float], sign: str = "") -> str:
    deviation = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):{sign}.4f}{deviation}"
