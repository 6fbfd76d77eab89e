"""Metrics of torchmetrics: made by name or by a user's function, fed with batches, read as a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compress.errors import RecipeError, said
from compress.machine.vision import import_torchmetrics

if TYPE_CHECKING:
    from torchmetrics import Metric

Factory = Callable[[], Any]
"""A function without arguments that returns a new torchmetrics metric."""
Prepare = Callable[[Tensor], Tensor]
"""A function from a network's outputs to the form that a metric takes."""


class MetricError(RecipeError):
    """Complaint about a metric: unknown, not made, or without a finite number as its value."""


def _as_it_is(values: Tensor) -> Tensor:
    return values


@dataclass(frozen=True)
class Meter:
    """A metric by its `name`, `prepare` for the outputs and `read` for the targets; a user's metric may raise anything.

    `is_share` says of a metric without a direction of its own that it is a share, and higher is better.
    """

    name: str
    metric: Metric
    prepare: Prepare
    is_share: bool = False
    read: Prepare = _as_it_is

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Add a batch of outputs and targets; MetricError if the metric refuses."""
        try:
            self.metric.update(self.prepare(outputs).contiguous(), self.read(targets).contiguous())
        except Exception as error:
            shapes = f"outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)}"
            raise MetricError(f"quality {self.name}: must take {shapes}, got {said(error)}") from error

    def compute(self) -> float:
        """Return the value over all batches; MetricError unless the value is a finite number."""
        try:
            value: Any = self.metric.compute()
        except Exception as error:
            raise MetricError(f"quality {self.name}: must be computed, got {said(error)}") from error
        if isinstance(value, tuple):  # a figure and its threshold, as of recall at a fixed precision
            value = value[0]
        found = torch.as_tensor(value)
        if found.numel() != 1:
            raise MetricError(
                f"quality {self.name}: must be a single number, got shape {tuple(found.shape)}; choose an average"
            )
        if not torch.isfinite(found).all():
            raise MetricError(f"quality {self.name}: must be finite, got {float(found)}")
        return float(found)

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """Return the least and the greatest value, None where there is no limit."""
        if self.is_share:
            return 0.0, 1.0
        lowest, highest = self.metric.plot_lower_bound, self.metric.plot_upper_bound
        return (None if lowest is None else float(lowest), None if highest is None else float(highest))

    @property
    def higher_is_better(self) -> bool:
        """Return the metric's direction; MetricError for a metric without one."""
        higher = True if self.is_share else self.metric.higher_is_better
        if higher is None:
            raise MetricError(
                f"quality {self.name}: must say whether higher is better, {type(self.metric).__name__} does not; "
                "set higher_is_better on its class"
            )
        return bool(higher)


def meter(chosen: str | Factory, known: Mapping[str, Factory], prepare: Prepare) -> Meter:
    """Return a new metric: `known` by name, or made by a user's function; MetricError if neither works."""
    torchmetrics, name = import_torchmetrics(), named(chosen)
    if isinstance(chosen, str) and chosen not in known:
        names = ", ".join(known)
        raise MetricError(
            f"quality: unknown {chosen!r}, known are {names}, and a function that returns a metric of torchmetrics"
        )
    if isinstance(chosen, torchmetrics.Metric):
        raise MetricError(
            f"quality: must be a function that returns a metric, got a metric, {type(chosen).__name__}; give "
            f"lambda: {type(chosen).__name__}(...), for each model is measured with a new one"
        )
    try:
        made = known[chosen]() if isinstance(chosen, str) else chosen()
    except Exception as error:
        raise MetricError(f"quality {name}: its function must return a metric, got {said(error)}") from error
    if isinstance(made, Meter):
        return made
    if not isinstance(made, torchmetrics.Metric):
        raise MetricError(f"quality {name}: must be a metric of torchmetrics, got a {type(made).__name__}")
    return Meter(name, made, prepare)


def named(chosen: str | Factory) -> str:
    """Return the name of a metric: as given, or of the function that makes the metric."""
    return chosen if isinstance(chosen, str) else str(getattr(chosen, "__name__", "quality")).replace("_", "-")
