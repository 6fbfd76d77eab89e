"""The interface of a goal: the meaning of outputs and targets, the loss, the quality, and imitation of a teacher.

A goal is a frozen dataclass with its settings as fields. A goal of a user's own is a subclass with `outputs`, `loss`,
`imitate`, `constants`, and a `quality` or a `metric`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from compress.goals.metrics import Factory, Meter, meter
from compress.quality import Quality


class Goal(ABC):
    """What a network is trained for, and how good it is.

    With `softmax` outputs are logits of classes that exclude each other, along dimension 1. With `dense` outputs are
    maps, one answer a pixel. With `counts_right` the quality is accuracy, the share of images whose largest logit is
    that of the target.
    """

    name: ClassVar[str]
    softmax: ClassVar[bool] = False
    dense: ClassVar[bool] = False
    classes: tuple[str, ...] = ()
    """Names of the outputs' classes or labels, () for values."""
    unit: str = ""
    """Unit of the outputs, "" for none."""
    quality: str | Factory = ""
    """Name of a metric, or a function that returns a metric of torchmetrics."""
    also: tuple[str | Factory, ...] = ()
    """Further metrics."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Return the size of dimension 1 of a network's outputs: classes, labels or values."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss on a batch, a scalar; `outputs` are float32, `(B, outputs)` or `(B, outputs, H, W)`."""

    @abstractmethod
    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the distance of `outputs` from a teacher's outputs `taught`, a scalar.

        `temperature` divides logits; goals without logits ignore it.
        """

    @abstractmethod
    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        """Return constant answers, each the outputs for one image: the best of them is the worst useful quality."""

    def metric(self) -> Meter:
        """Return a new metric for the quality."""
        return self.meter(self.quality)

    def also_metrics(self) -> Sequence[Meter]:
        """Return new metrics to be measured beside the quality."""
        return [self.meter(one) for one in self.also]

    def meter(self, chosen: str | Factory) -> Meter:
        """Return a new metric, by a name of `known` or made by a user's function; MetricError for any other."""
        return meter(chosen, self.known(), self.answers)

    def known(self) -> Mapping[str, Factory]:
        """Return functions that make the goal's metrics, by name."""
        return {}

    def answers(self, outputs: Tensor) -> Tensor:
        """Return a network's outputs in the form for the metric of a user's function."""
        return outputs

    @property
    def counts_right(self) -> bool:
        """Return whether the quality is accuracy."""
        return False

    @property
    def quality_unit(self) -> str:
        """Return the unit of the quality."""
        return self.unit

    @property
    def quality_said(self) -> str:
        """Return the name of the quality, for a line at the start of a search."""
        return self.metric().name

    @property
    def summary(self) -> str:
        """Return the outputs in words, such as `10 classes`."""
        return f"{self.outputs} output{'s' * (self.outputs > 1)}"

    def softening(self, temperature: float) -> float:
        """Return the factor that brings `imitate` back to the size of its gradient at temperature 1."""
        return 1.0

    def fitted(self, targets: Tensor) -> Goal:
        """Return the goal with settings left out filled in from training targets `(N, ...)`."""
        return self

    def check_targets(self, who: str, targets: Tensor) -> None:
        """Raise ValueError for targets `(N, ...)` of a split that do not fit the goal."""
        return

    def as_json(self) -> dict[str, Any]:
        """Return the meaning of the outputs, for a card: the goal's name, names of the outputs, and their unit."""
        names = list(self.classes or getattr(self, "names", ()))
        return {"name": self.name, "outputs": self.outputs, "names": names, "unit": self.unit, "dense": self.dense}

    def settings(self) -> str:
        """Return all settings on which a trained network depends, as text for a fingerprint."""
        of: Any = self
        named = [one.name for one in fields(of)] if is_dataclass(of) else []
        return " ".join([self.name, *(f"{name}={_said(getattr(self, name))}" for name in named)])


def widened(targets: Tensor) -> Tensor:
    """Return whole numbers as int64, as losses and metrics take them; other numbers stay."""
    return targets if targets.is_floating_point() else targets.to(torch.int64)


def quality_of(goal: Goal, targets: Tensor) -> Quality:
    """Return the quality of a goal, with its scale and its best constant answer from validation `targets` `(N, ...)`.

    MetricError if the metric does not work.
    """
    if goal.counts_right:
        return Quality()
    meter = goal.metric()
    higher, (lowest, highest) = meter.higher_is_better, meter.ends
    values = []
    for answer in goal.constants(targets):
        one = goal.metric()
        for some in torch.split(targets, 512):
            one.update(answer.expand(len(some), *answer.shape).float(), widened(some))
        values.append(one.compute())
    constant = max(values) if higher else min(values)
    if higher and highest == 1:
        return Quality(meter.name, 0.0, 1.0, constant, goal.quality_unit)
    best = highest if higher else (0.0 if lowest is None else lowest)
    if best is None or best == constant:  # no best value is known: a scale as long as the constant answer's value
        best = constant + (1 if higher else -1) * max(abs(constant), 1.0)
    return Quality(meter.name, constant, best, 0.0, goal.quality_unit)


def _said(value: object) -> str:
    return getattr(value, "__qualname__", None) or repr(value)
