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
    """The student's features are to mean to the teacher's classifier what the teacher's own do.

    `mean((t(e_s) - e_t)^2) + mean((W_t t(e_s) - z_t)^2)`: `e` `(B, D)` is what the classifier is given, `W_t` the
    teacher's classifier with its bias, frozen, and `t`, trained beside the student, a 1x1 convolution, which on
    `(B, D)` is a linear layer without bias, then batch norm and ReLU. For the batch norm all batches are full.
    """

    name: ClassVar[str] = "srrl"
    source: ClassVar[str] = "https://openreview.net/forum?id=ZzwDy_wiWv"
    reads_features: ClassVar[bool] = True
    full_batches: ClassVar[bool] = True

    def adapters(self, student: Outputs, teacher: Outputs, labels: Tensor) -> nn.Module:
        """The layers `t`, `(B, D_s)` to `(B, D_t)`."""
        assert student.features is not None
        assert teacher.features is not None
        width = teacher.features.shape[1]
        linear = nn.Linear(student.features.shape[1], width, bias=False)
        return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU())

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        """Features, and what the teacher's classifier makes of them."""
        assert student.features is not None
        assert teacher.features is not None
        assert teacher.classify is not None
        moved = adapters(student.features)
        alike = functional.mse_loss(moved, teacher.features)
        return alike + functional.mse_loss(teacher.classify(moved), teacher.logits)
