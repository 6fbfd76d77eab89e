"""Softmax regression representation learning. Yang et al. 2021, https://openreview.net/forum?id=ZzwDy_wiWv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Outputs
from compress.distill.weighted import Weighted


@dataclass(frozen=True)
class SRRL(Weighted):
    """Matches the student's features to the teacher's, directly and through the teacher's classifier.

    `mean((t(e_s) - e_t)^2) + mean((W_t t(e_s) - z_t)^2)`: `e` `(B, D)` is the classifier's input, `W_t` the teacher's
    frozen classifier with its bias. `t`, trained beside the student, is a 1x1 convolution, on `(B, D)` a linear layer
    without bias, then batch norm and ReLU. Batch norm needs full batches.
    """

    name: ClassVar[str] = "srrl"
    source: ClassVar[str] = "https://openreview.net/forum?id=ZzwDy_wiWv"
    reads_features: ClassVar[bool] = True
    full_batches: ClassVar[bool] = True

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return the layers `t`, `(B, D_s)` to `(B, D_t)`."""
        assert student.features is not None
        assert teacher.features is not None
        width = teacher.features.shape[1]
        linear = nn.Linear(student.features.shape[1], width, bias=False)
        return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU())

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Return the error of the features plus that of the teacher's classifier's logits."""
        assert student.features is not None
        assert teacher.features is not None
        assert teacher.classify is not None
        moved = adapters(student.features)
        alike = functional.mse_loss(moved, teacher.features)
        return alike + functional.mse_loss(teacher.classify(moved), teacher.logits)
