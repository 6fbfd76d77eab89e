"""Segmentation: each pixel is of one class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from compress.goals.goal import Goal
from compress.goals.metrics import Factory
from compress.machine.vision import import_torchmetrics


@dataclass(frozen=True)
class Segmentation(Goal):
    """Outputs `(B, K, H, W)` are logits, targets `(B, H, W)` int64 in [0, K), or `ignored` where none counts.

    The loss is the cross entropy by pixel, `weights` by class. `quality` is miou (mean intersection over union),
    accuracy (the share of pixels), or a function that returns a torchmetrics metric of classes `(B, H, W)` and targets.
    """

    name: ClassVar[str] = "segmentation"
    softmax: ClassVar[bool] = True
    dense: ClassVar[bool] = True

    classes: tuple[str, ...]
    quality: str | Factory = "miou"
    weights: tuple[float, ...] | None = None
    ignored: int = 255
    also: tuple[str | Factory, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"segmentation: there must be at least 2 classes, got {len(self.classes)}")
        if self.weights is not None and len(self.weights) != len(self.classes):
            raise ValueError(f"segmentation: weights must be one a class, {len(self.classes)}, got {self.weights}")

    @property
    def outputs(self) -> int:
        """Return the number of classes."""
        return len(self.classes)

    @property
    def summary(self) -> str:
        """Return the number of classes in words."""
        return f"{len(self.classes)} classes of pixels"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross entropy, mean over the pixels that count."""
        weight = None if self.weights is None else outputs.new_tensor(self.weights)
        return functional.cross_entropy(outputs, targets, weight, ignore_index=self.ignored)

    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the KL divergence of softened logits by pixel, mean over the pixels that count."""
        apart = functional.kl_div(
            functional.log_softmax(outputs / temperature, dim=1),
            functional.log_softmax(taught / temperature, dim=1),
            reduction="none",
            log_target=True,
        ).sum(1)
        counted = targets != self.ignored
        return (apart * counted).sum() / counted.sum().clamp(min=1)

    def softening(self, temperature: float) -> float:
        """Return the square of the temperature."""
        return temperature**2

    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        """Return the most frequent class for every pixel."""
        counts = targets[targets != self.ignored].bincount(minlength=self.outputs)
        one = functional.one_hot(counts.argmax(), self.outputs).float()
        return (one[:, None, None].expand(-1, *targets.shape[1:]),)

    def check_targets(self, who: str, targets: Tensor) -> None:
        """Raise ValueError unless targets are classes `(N, H, W)` or `ignored`."""
        if targets.dim() != 3 or targets.is_floating_point():
            raise ValueError(
                f"{who}: targets of a segmentation must be whole numbers (N, H, W), got {targets.dtype} "
                f"{tuple(targets.shape)}"
            )
        wrong = targets[((targets < 0) | (targets >= self.outputs)) & (targets != self.ignored)]
        if len(wrong):
            raise ValueError(
                f"{who}: targets must be in [0, {self.outputs}), or {self.ignored} to be ignored, got {int(wrong[0])}"
            )

    def answers(self, outputs: Tensor) -> Tensor:
        """Return the class of each pixel."""
        return outputs.argmax(1)

    def known(self) -> Mapping[str, Factory]:
        """Return the metrics by name."""
        made, count, ignored = import_torchmetrics().classification, self.outputs, self.ignored
        return {
            "miou": lambda: made.MulticlassJaccardIndex(count, ignore_index=ignored),
            "accuracy": lambda: made.MulticlassAccuracy(count, average="micro", ignore_index=ignored),
        }
