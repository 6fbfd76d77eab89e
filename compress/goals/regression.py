"""Regression: each image has values, such as angles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from compress.goals.goal import Goal
from compress.goals.metrics import Factory, Meter
from compress.machine.vision import import_torchmetrics

_CRITERIA = {"mse": functional.mse_loss, "smooth-l1": functional.smooth_l1_loss, "l1": functional.l1_loss}


@dataclass(frozen=True)
class Regression(Goal):
    """Outputs `(B, D)` and targets `(B, D)` float32 are values by the `names`, in `unit`, such as degrees.

    `criterion` is the loss: mse, smooth-l1 or l1. `quality` is mae, rmse, r2 (the mean over outputs), or a function
    that returns a torchmetrics metric of outputs and targets. `also` names or makes further metrics; `mae-NAME` and
    `r2-NAME` are of one value alone.

    `scale`, above 0 and one a value, is the size of a usual deviation; None is filled in from the training targets. The
    loss is `scale * criterion(outputs / scale, targets / scale)`: its gradient is as large in degrees as in radians, so
    the usual learning rates fit. A scale of 1 leaves the criterion as it is.
    """

    name: ClassVar[str] = "regression"

    names: tuple[str, ...]
    unit: str = ""
    criterion: str = "mse"
    quality: str | Factory = "mae"
    also: tuple[str | Factory, ...] = ()
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("regression: there must be at least 1 value, got none")
        if self.criterion not in _CRITERIA:
            raise ValueError(f"regression: unknown criterion {self.criterion!r}, known are {', '.join(_CRITERIA)}")
        if self.scale is not None and (len(self.scale) != len(self.names) or not all(s > 0 for s in self.scale)):
            raise ValueError(f"regression: scale must be {len(self.names)} numbers above 0, got {self.scale}")

    @property
    def outputs(self) -> int:
        """Return the number of values."""
        return len(self.names)

    @property
    def quality_unit(self) -> str:
        """Return the unit of an error in it; r2, and a metric of a function, have none."""
        return self.unit if isinstance(self.quality, str) and not self.quality.startswith("r2") else ""

    @property
    def summary(self) -> str:
        """Return the values in words."""
        return f"{', '.join(self.names)}{f' in {self.unit}' if self.unit else ''}"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, mean over batch and values."""
        scale = self._scale(outputs)
        apart = _CRITERIA[self.criterion](outputs / scale, targets / scale, reduction="none")
        return (scale * apart).mean()

    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the squared distance from the teacher, each image weighed by how right the teacher is.

        The weight is `1 - e / max(e)` with `e` the teacher's squared error on the image, the maximum over the batch:
        attentive imitation, Saputra et al. 2019, https://arxiv.org/abs/1908.00858.
        """
        scale = self._scale(outputs)
        error = ((taught - targets) / scale).square().mean(1)
        weight = 1 - error / error.max().clamp(min=1e-12)
        return (weight * (((outputs - taught) / scale).square() * scale).mean(1)).mean()

    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        """Return the mean and the median."""
        return targets.float().mean(0), targets.float().median(0).values

    def check_targets(self, who: str, targets: Tensor) -> None:
        """Raise ValueError unless targets are finite numbers `(N, D)`."""
        if targets.dim() != 2 or targets.shape[1] != self.outputs or not targets.is_floating_point():
            raise ValueError(
                f"{who}: targets of a regression must be floats (N, {self.outputs}), got {targets.dtype} "
                f"{tuple(targets.shape)}"
            )
        rows = (~targets.isfinite()).any(1).nonzero()
        if len(rows):
            raise ValueError(f"{who}: targets must be finite, got {targets[rows[0, 0]].tolist()} at {int(rows[0, 0])}")

    def fitted(self, targets: Tensor) -> Regression:
        """Return the goal with the deviation of each value as the scale, if none is given; 1 for a constant value."""
        if self.scale is not None:
            return self
        spread = targets.double().std(0, correction=0).tolist()
        return replace(self, scale=tuple(one if one > 0 else 1.0 for one in spread))

    def _scale(self, values: Tensor) -> Tensor:
        return values.new_tensor(self.scale or (1.0,) * len(self.names))

    def known(self) -> Mapping[str, Factory]:
        """Return the metrics by name."""
        made = import_torchmetrics().regression
        known: dict[str, Factory] = {
            "mae": lambda: made.MeanAbsoluteError(),
            "rmse": lambda: made.MeanSquaredError(squared=False),
            "r2": lambda: made.R2Score(),
        }
        for place, name in enumerate(self.names):
            known[f"mae-{name}"] = partial(_of_one, f"mae-{name}", made.MeanAbsoluteError, place)
            known[f"r2-{name}"] = partial(_of_one, f"r2-{name}", made.R2Score, place)
        return known


def _of_one(name: str, metric: Factory, place: int) -> Meter:
    def column(values: Tensor) -> Tensor:
        return values[:, place]

    return Meter(name, metric(), column, read=column)
