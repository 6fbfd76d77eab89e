"""Classification: each image is of one class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from compress.goals.goal import Goal
from compress.goals.metrics import Factory, Meter, MetricError
from compress.machine.vision import import_torchmetrics

ACCURACY = "accuracy"
POSITIVE = "f1-positive"


@dataclass(frozen=True)
class Classification(Goal):
    """Outputs `(B, K)` are logits, targets `(B,)` int64 in [0, K).

    The loss is the cross entropy; `weights` are by class, `smoothing` is in [0, 1). `quality` is accuracy,
    balanced-accuracy (the mean recall), f1 (the mean over classes), auroc (one class against the rest, mean), of two
    classes f1-positive and `recall@precision=P` of the `positive` class, the second if none is named, or a function
    that returns a torchmetrics metric. The function's metric takes probabilities `(B, K)` and targets. `also` names or
    makes further metrics.
    """

    name: ClassVar[str] = "classification"
    softmax: ClassVar[bool] = True

    classes: tuple[str, ...]
    quality: str | Factory = ACCURACY
    weights: tuple[float, ...] | None = None
    smoothing: float = 0.0
    also: tuple[str | Factory, ...] = ()
    positive: str | None = None

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ValueError(f"classification: there must be at least 2 classes, got {len(self.classes)}")
        if self.weights is not None and (
            len(self.weights) != len(self.classes) or not all(weight >= 0 for weight in self.weights)
        ):
            raise ValueError(
                f"classification: weights must be one a class, {len(self.classes)} of at least 0, got {self.weights}"
            )
        if self.positive is not None and self.positive not in self.classes:
            raise ValueError(
                f"classification: positive must be one of {', '.join(self.classes)}, got {self.positive!r}"
            )
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"classification: smoothing must be in [0, 1), got {self.smoothing}")

    @property
    def outputs(self) -> int:
        """Return the number of classes."""
        return len(self.classes)

    @property
    def counts_right(self) -> bool:
        """Return whether the quality is accuracy."""
        return self.quality == ACCURACY

    @property
    def summary(self) -> str:
        """Return the number of classes in words."""
        return f"{len(self.classes)} classes"

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross entropy."""
        weight = None if self.weights is None else outputs.new_tensor(self.weights)
        return functional.cross_entropy(outputs, targets, weight, label_smoothing=self.smoothing)

    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Return the KL divergence of softened logits, summed over classes, mean over the batch."""
        return functional.kl_div(
            functional.log_softmax(outputs / temperature, dim=1),
            functional.log_softmax(taught / temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )

    def softening(self, temperature: float) -> float:
        """Return the square of the temperature."""
        return temperature**2

    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        """Return an answer for each of the two most frequent classes."""
        counts = targets.bincount(minlength=self.outputs)
        for label in counts.argsort(descending=True, stable=True)[:2].tolist():
            yield functional.one_hot(torch.tensor(label), self.outputs).float()

    def check_targets(self, who: str, targets: Tensor) -> None:
        """Raise ValueError unless targets are whole numbers `(N,)` in [0, K)."""
        if targets.dim() != 1 or targets.is_floating_point():
            raise ValueError(
                f"{who}: targets of a classification must be whole numbers (N,), got {targets.dtype} "
                f"{tuple(targets.shape)}"
            )
        wrong = ((targets < 0) | (targets >= self.outputs)).nonzero()
        if len(wrong):
            at = int(wrong[0])
            rule = f"{who}: targets must be in [0, {self.outputs}), numbers of classes from 0"
            raise ValueError(f"{rule}, got {int(targets[at])} at {at}")

    def answers(self, outputs: Tensor) -> Tensor:
        """Return the probabilities."""
        return outputs.softmax(1)

    def meter(self, chosen: str | Factory) -> Meter:
        """Return a new metric: of the goal's names, the recall at a precision, or of a function."""
        if isinstance(chosen, str) and chosen.startswith(_RECALL):
            return self._recall_at(chosen)
        return super().meter(chosen)

    def known(self) -> Mapping[str, Factory]:
        """Return the metrics by name; those of the largest logit get the class itself."""
        made = import_torchmetrics().classification
        count = self.outputs

        def of_class(name: str, make: Factory) -> Factory:
            return lambda: Meter(name, make(), lambda outputs: outputs.argmax(1))

        known = {
            ACCURACY: of_class(ACCURACY, lambda: made.MulticlassAccuracy(count, average="micro")),
            "balanced-accuracy": of_class("balanced-accuracy", lambda: made.MulticlassAccuracy(count, average="macro")),
            "f1": of_class("f1", lambda: made.MulticlassF1Score(count, average="macro")),
            "auroc": lambda: made.MulticlassAUROC(count),
        }
        if count == 2:
            at = self._positive_at

            def is_positive(labels: Tensor) -> Tensor:
                return (labels == at).long()

            known[POSITIVE] = lambda: Meter(
                POSITIVE, made.BinaryF1Score(), lambda outputs: is_positive(outputs.argmax(1)), read=is_positive
            )
        return known

    @property
    def _positive_at(self) -> int:
        return 1 if self.positive is None else self.classes.index(self.positive)

    @property
    def quality_said(self) -> str:
        """Return the quality's name, with the class a quality of one class is about."""
        about = isinstance(self.quality, str) and self.quality.startswith((POSITIVE, _RECALL))
        return f"{super().quality_said}{f' of {self.classes[self._positive_at]}' if about else ''}"

    def _recall_at(self, chosen: str) -> Meter:
        try:
            precision = float(chosen.removeprefix(_RECALL))
        except ValueError:
            precision = -1.0
        if not 0 < precision <= 1 or self.outputs != 2:
            raise MetricError(f"quality: {_RECALL}P must have P in (0, 1] and two classes, got {chosen!r}")
        metric = import_torchmetrics().classification.BinaryRecallAtFixedPrecision(precision)
        at = self._positive_at
        return Meter(
            chosen,
            metric,
            lambda outputs: outputs.softmax(1)[:, at],
            is_share=True,
            read=lambda labels: (labels == at).long(),
        )


def smoothed(goal: Goal, smoothing: float) -> Goal:
    """Return the goal with label smoothing in [0, 1); ValueError for a goal without classes to smooth."""
    if smoothing == 0:
        return goal
    if not isinstance(goal, Classification):
        raise ValueError(f"training: label_smoothing must be 0 for {goal.name}, got {smoothing:g}")
    return replace(goal, smoothing=smoothing)


LABELS = Classification(("0", "1"))
"""Classification by accuracy, for code that does not depend on the number of classes."""
_RECALL = "recall@precision="
