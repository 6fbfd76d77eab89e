"""Trainings as a study sets them: a pure change of the recipes that a space builds.

`training` holds settings of trainings from scratch: of students, teachers and narrower networks. `recovery` holds
settings of the training after a cut. Names and values are as in `Training`; a setting left out stays as the space has
the setting. A learning rate scales every rate of the space: `lr` stands for the space's `rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

from compress.errors import RecipeError, check_known, check_whole
from compress.recipe import Recipe
from compress.stages import Lesson, Recovery
from compress.training.optimizers import is_own_optimizer, whole_name
from compress.training.settings import Training
from spaces.space import Space, Trial

SETTINGS = tuple(each.name for each in fields(Training) if each.name != "label_smoothing")
"""Fields of `Training` that a study may set, in the order of messages."""
SGD = Training().optimizer
ADAMW = {"lr": 0.001, "weight_decay": 0.01}
"""Torch's own defaults of AdamW, for a study that names the optimizer alone."""
WITH_OPTIMIZER = ("optimizer", "momentum", "weight_decay")
"""Settings of a training shared by a recovery with the same optimizer."""
SHARED = ("batch_size", "clip_norm", "ema")
"""Settings of a training shared by a recovery without a value of its own."""
LONG = 10**9
"""Epochs for checking settings whose number of epochs the space decides."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class StudyTraining:
    """Settings of a study's trainings, by field of `Training`; RecipeError for senseless values.

    The constructor completes both: a recovery shares `SHARED` settings with the training, and under the same optimizer
    the settings in `WITH_OPTIMIZER`. AdamW brings `ADAMW`.
    """

    training: Values = field(default_factory=dict)
    recovery: Values = field(default_factory=dict)

    def __post_init__(self) -> None:
        training, recovery = _plain(self.training), _plain(self.recovery)
        same = "optimizer" not in recovery or recovery["optimizer"] == training.get("optimizer", SGD)
        shared = (*SHARED, *WITH_OPTIMIZER) if same else SHARED
        training = _completed("training", training)
        recovery = {**{name: training[name] for name in shared if name in training}, **recovery}
        recovery = recovery if same else _completed("recovery", recovery, slower=Recovery().training.lr / Training().lr)
        for who, values in (("training", training), ("recovery", recovery)):
            _check(who, values)
            object.__setattr__(self, who, {name: values[name] for name in SETTINGS if name in values})

    def __bool__(self) -> bool:
        return bool(self.training or self.recovery)

    def __str__(self) -> str:
        said = (f"{who}: {in_words(values)}" for who, values in self.as_json().items() if values)
        return "; ".join(said) or "the trainings of its space"

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return `training` and `recovery` as plain values; the constructor takes them back."""
        return {
            who: {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
            for who, values in (("training", self.training), ("recovery", self.recovery))
        }

    @property
    def own_optimizers(self) -> tuple[str, ...]:
        """Return the paths of the user's own optimizers."""
        named = dict.fromkeys(values.get("optimizer", SGD) for values in (self.training, self.recovery))
        return tuple(name for name in named if is_own_optimizer(name))

    def around(self, space: Space) -> Space:
        """Return a space of the changed recipes of `space`."""
        if not self:
            return space
        change = partial(self.change, rate=space.rate, recovery_rate=space.recovery_rate)
        same: dict[str, Any] = {each.name: getattr(space, each.name) for each in fields(Space) if each.init}

        def build(trial: Trial, task: str, seed: int) -> Recipe:
            return change(space.build(trial, task, seed))

        return _Retrained(**{**same, "build": build}, own=space, change=change)

    def change(self, recipe: Recipe, *, rate: float, recovery_rate: float) -> Recipe:
        """Return the recipe with these settings in all its trainings but those of 0 epochs.

        `rate` and `recovery_rate` are the rates `lr` stands for. RecipeError for a recipe unfit for the settings.
        """
        scale = self.training["lr"] / rate if "lr" in self.training else 1.0
        alike = self.recovery.get("optimizer", SGD) == self.training.get("optimizer", SGD)
        recovery_scale = scale if alike else 1.0
        if "lr" in self.recovery:
            recovery_scale = self.recovery["lr"] / recovery_rate

        def changed(lesson: Lesson) -> Training:
            training = lesson.training
            if training.epochs == 0:
                return training
            if isinstance(lesson, Recovery):
                return _retrained("recovery", training, self.recovery, _scaled(training.lr, recovery_scale))
            return _retrained("training", training, self.training, _scaled(training.lr, scale))

        schooling = None if recipe.schooling is None else changed(Lesson(recipe.schooling))
        stages = tuple(stage.retrained(changed) for stage in recipe.stages)
        return replace(recipe, stages=stages, schooling=schooling)


@dataclass(frozen=True, kw_only=True)
class _Retrained(Space):
    """A space of the changed recipes of another space."""

    own: Space
    change: partial[Recipe]

    def baseline(self, task: str, seed: int) -> Recipe:
        """Return the recipe of the other space's baseline, changed."""
        return self.change(self.own.baseline(task, seed))


def _plain(values: Values) -> dict[str, Any]:
    """Return the values, lists as tuples, an optimizer's file by its absolute path; RecipeError for unknown names."""
    for name in values:
        check_known("training", name, SETTINGS)
    if isinstance(named := values.get("optimizer"), str):
        values = {**values, "optimizer": whole_name(named)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _completed(who: str, values: dict[str, Any], slower: float = 1.0) -> dict[str, Any]:
    """Return the values with the settings an optimizer brings; `slower` multiplies the rate AdamW brings."""
    optimizer = values.get("optimizer")
    if optimizer == "adamw":
        return {"lr": ADAMW["lr"] * slower, "weight_decay": ADAMW["weight_decay"], **values}
    if isinstance(optimizer, str) and is_own_optimizer(optimizer) and ":" in optimizer and "lr" not in values:
        raise RecipeError(f"{who}: lr must be given with an optimizer of your own, got {optimizer} alone")
    return values


def _check(who: str, values: Values) -> None:
    if "epochs" in values:
        check_whole(f"{who}: epochs", values["epochs"], 1)
    _retrained(who, Training(epochs=LONG), values, values.get("lr", Training().lr))


def _retrained(who: str, training: Training, values: Values, lr: float) -> Training:
    """Return the training with the rate `lr` and the other values; `who` names the training in a RecipeError."""
    given = {**values, "lr": lr}
    if given.get("decay", "step") != "step":  # drops of the space's own decay mean nothing under another
        given = {"drops": Training.drops, "factor": Training.factor, **given}
    try:
        return replace(training, **given)
    except RecipeError as error:
        raise RecipeError(str(error).replace("training:", f"{who}:", 1)) from error


def _scaled(lr: float, scale: float) -> float:
    """Return the product, rounded to 12 digits unless `scale` is 1: 0.003, not 0.0030000000000000001."""
    return lr if scale == 1 else float(f"{lr * scale:.12g}")


def in_words(values: Values) -> str:
    """Return settings of trainings in words, as a study's header has them."""
    return ", ".join(
        f"{name.replace('_', '-')} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in values.items()
    )
