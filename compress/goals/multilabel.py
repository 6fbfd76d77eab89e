"""Multi-label classification: each image has any number of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from compress.goals.goal import Goal
from compress.goals.metrics import Factory, Meter
from compress.machine.vision import import_torchmetrics


@dataclass(frozen=True)
class MultiLabel(Goal):
    """Outputs `(B, K)` are logits, one a label; targets `(B, K)` are float32, 0 or 1.

    The loss is the binary cross entropy, `positive_weights` by label. `quality` is map (mean average precision), f1
    or auroc (means over labels), or a function that returns a torchmetrics metric of probabilities and int64 targets.
    """

    name: ClassVar[str] = "multilabel"

    classes: tuple[str, ...]
    quality: str | Factory = "map"
    positive_weights: tuple[float, ...] | None = None
    also: tuple[str | Factory, ...] = ()

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError("multilabel: there must be at least 1 label, got none")
        if self.positive_weights is not None and len(self.positive_weights) != len(self.classes):
            raise ValueError(
                f"multilabel: positive_weights must be {len(self.classes)} numbers, got {self.positive_weights}"
            )

    @property
    def outputs(self) -> int:
        """Return the number of labels."""
        return len(self.classes)

    @property
    def summary(self) -> str:
        """Return the number of labels in words."""
        return f"{len(self.classes)} labels, any number of them an image"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the binary cross entropy, mean over batch and labels."""
        weight = None if self.positive_weights is None else outputs.new_tensor(self.positive_weights)
        return functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)

    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the binary KL divergence of softened logits, summed over labels, mean over the batch."""
        soft, wanted = outputs / temperature, taught / temperature
        share = wanted.sigmoid()
        apart = share * (functional.logsigmoid(wanted) - functional.logsigmoid(soft))
        apart = apart + (1 - share) * (functional.logsigmoid(-wanted) - functional.logsigmoid(-soft))
        return apart.sum(1).mean()

    def softening(self, temperature: float) -> float:
        """Return the square of the temperature."""
        return temperature**2

    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        """Return all labels, none, and those of more than half of the images."""
        share = targets.float().mean(0)
        return torch.ones(self.outputs), -torch.ones(self.outputs), (share > 0.5).float() * 2 - 1

    def check_targets(self, who: str, targets: Tensor) -> None:
        """Raise ValueError unless targets are 0 or 1, `(N, K)`."""
        if targets.dim() != 2 or targets.shape[1] != self.outputs or not targets.is_floating_point():
            raise ValueError(
                f"{who}: targets of several labels must be floats (N, {self.outputs}), got {targets.dtype} "
                f"{tuple(targets.shape)}"
            )
        wrong = targets[(targets != 0) & (targets != 1)]
        if len(wrong):
            raise ValueError(f"{who}: targets must be 0 or 1, got {float(wrong[0])}")

    def answers(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label."""
        return outputs.sigmoid()

    def meter(self, chosen: str | Factory) -> Meter:
        """Return a new metric that reads whole numbers as targets."""
        return replace(super().meter(chosen), read=torch.Tensor.long)

    def known(self) -> Mapping[str, Factory]:
        """Return the metrics by name."""
        made, count = import_torchmetrics().classification, self.outputs
        return {
            "map": lambda: made.MultilabelAveragePrecision(count),
            "f1": lambda: made.MultilabelF1Score(count),
            "auroc": lambda: made.MultilabelAUROC(count),
        }
