"""The teacher's classifier, reused. Chen et al. 2022, https://arxiv.org/abs/2203.14001."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from compress.distill.distiller import Distiller, Outputs
from compress.distill.projector import Projector
from compress.distill.stages import same_size
from compress.errors import check_above_zero, check_whole


@dataclass(frozen=True)
class SimKD(Distiller):
    """The student learns nothing but the teacher's last map, and answers through the teacher's classifier.

    `beta mean((P(f_s) - f_t)^2)` over batch, channels and places; `f` `(B, C, H, W)` is what the global pooling gets,
    and the larger one is averaged down first. `P` are 1x1, 3x3 and 1x1 convolutions, each with batch norm and ReLU,
    `C_t // factor` channels inside. For the batch norm all batches are full. Labels play no part.

    What is kept is the student up to its last map, `P`, the pooling, and a copy of the layer at the teacher's `head`,
    which no training of this method touches; a dropout before it is the student's own. The student's classifier goes.
    So the network is larger than the student: where it recovers a pruned one, sparsity is that of the cut, before `P`
    is added, and a point of low sparsity can have more parameters than the unpruned network.
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

    def adapters(self, student: Outputs, teacher: Outputs, labels: Tensor) -> nn.Module:
        """The projector `P`, which also averages a student's map that is the larger one."""
        mine, theirs = _last(student), _last(teacher)
        height, width = same_size(mine, theirs)[0].shape[2:]
        wanted = theirs.shape[1]
        size = None if mine.shape[2:] == (height, width) else (height, width)
        return Projector((mine.shape[1], max(1, wanted // self.factor), wanted), size)

    def loss(self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module) -> Tensor:
        """At least 0."""
        assert isinstance(adapters, Projector)
        return self.beta * functional.mse_loss(*same_size(adapters.project(_last(student)), _last(teacher)))


def _last(said: Outputs) -> Tensor:
    assert said.last is not None
    return said.last
