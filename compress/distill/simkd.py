"""Reuse of the teacher's classifier. Chen et al. 2022, https://arxiv.org/abs/2203.14001."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Distiller, Outputs
from compress.distill.projector import Projector
from compress.distill.stages import same_size
from compress.errors import check_above_zero, check_whole
from compress.goals import LABELS, Goal


@dataclass(frozen=True)
class SimKD(Distiller):
    """Teaches the student the teacher's last map alone, and classifies with the teacher's classifier.

    `beta mean((P(f_s) - f_t)^2)` over batch, channels and positions; `f` `(B, C, H, W)` is the input of the global
    pooling, the larger map averaged down first. `P` are 1x1, 3x3 and 1x1 convolutions, each with batch norm and ReLU,
    `C_t // factor` channels inside. Batch norm needs full batches. Labels play no part.

    The stored network is the student up to its last map, `P`, the pooling, and a copy of the layer at the teacher's
    `head`, which is never trained; a dropout before the head is the student's own. The student's classifier is dropped.
    The network is therefore larger than the student: in the recovery of a pruned network, sparsity is that of the cut,
    without `P`, and a point of low sparsity can have more parameters than the unpruned network.
    """

    name: ClassVar[str] = "simkd"
    source: ClassVar[str] = "https://arxiv.org/abs/2203.14001"
    ships_adapter: ClassVar[bool] = True
    reads_last: ClassVar[bool] = True
    full_batches: ClassVar[bool] = True

    factor: int = 2
    beta: float = 1.0

    def __post_init__(self) -> None:
        check_whole(f"{self.name}: factor", self.factor, 1)
        check_above_zero(f"{self.name}: beta", self.beta)

    def adapters(self, student: Outputs, teacher: Outputs, targets: Tensor) -> nn.Module:
        """Return the projector `P`, which also averages down a larger student's map."""
        student_maps, teacher_maps = _last(student), _last(teacher)
        height, width = same_size(student_maps, teacher_maps)[0].shape[2:]
        wanted = teacher_maps.shape[1]
        size = None if student_maps.shape[2:] == (height, width) else (height, width)
        return Projector((student_maps.shape[1], max(1, wanted // self.factor), wanted), size)

    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        """Return the loss, at least 0."""
        assert isinstance(adapters, Projector)
        return self.beta * functional.mse_loss(*same_size(adapters.project(_last(student)), _last(teacher)))


def _last(outputs: Outputs) -> Tensor:
    assert outputs.last is not None
    return outputs.last
