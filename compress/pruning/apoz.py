"""APoZ: remove channels with the largest share of zeros after their ReLU.

Hu et al. 2016, https://arxiv.org/abs/1607.03250; in residual networks Aghli & Ribeiro 2021, Combining Weight Pruning
and Knowledge Distillation For CNN Compression.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, fx, nn

from compress.data.splits import Batch
from compress.errors import check_at_least, check_share, check_whole
from compress.pruning.following import NORMS, RELUS, Following
from compress.pruning.pruner import Pruner, Rounds, in_eval_mode, weighted_layers


@dataclass(frozen=True)
class APoZ(Pruner):
    """Channel importance is `1 - sum(f == 0) / (M H W)`, `f` the channel's maps `(M, H, W)` after the ReLU.

    M is the number of calibration images. A layer's ReLU is the nearest ReLU behind the layer; at the end of a residual
    branch, the ReLU behind the addition. A layer without one is scored as if a ReLU stood behind its BN, or behind the
    layer itself.
    """

    name: ClassVar[str] = "apoz"
    source: ClassVar[str] = "https://arxiv.org/abs/1607.03250"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer; in [0, 1]."""
        following = Following(model)
        read = {
            name: [following.nearest(call, RELUS) or following.nearest(call, NORMS) or call for call in calls]
            for name, calls in following.calls().items()
        }
        counting = _Counting(following, {node for nodes in read.values() for node in nodes})
        with in_eval_mode(model), torch.no_grad():
            counting.run(calibration.images)
        layers = weighted_layers(model)
        return {
            name: torch.stack([counting.alive[node] for node in nodes]).mean(0).to(layers[name].weight)
            for name, nodes in read.items()
            if nodes
        }


@dataclass(frozen=True)
class APoZRounds(Rounds, APoZ):
    """APoZ as published: in rounds, until the accuracy falls.

    A round removes the channels whose share of zeros is more than `deviations` standard deviations above their layer's
    mean. The published settings are 6 rounds for ResNet-110 and ResNet-164, 16 for ResNet-50, with the shortcuts
    spared.
    """

    name: ClassVar[str] = "apoz-rounds"

    spare_shortcuts: bool = True
    deviations: float = 1.0
    tolerance: float = 0.01
    rounds: int = 6

    def __post_init__(self) -> None:
        check_at_least("apoz-rounds: deviations", self.deviations, 0)
        check_share("apoz-rounds: tolerance", self.tolerance)
        check_whole("apoz-rounds: rounds", self.rounds, 1)

    def removed(self, scores: Tensor) -> Tensor:
        """Return True where the score, one minus the share of zeros, is `deviations` deviations below the mean."""
        return scores < scores.mean() - self.deviations * scores.std(correction=0)


class _Counting(fx.Interpreter):
    """Runs the traced model and records each watched node's share of positive values by channel, in float64."""

    def __init__(self, following: Following, watched: Collection[fx.Node]) -> None:
        super().__init__(following.model, graph=following.graph)
        self.watched = watched
        self.alive: dict[fx.Node, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n in self.watched:  # at once: the next node may write into the same memory
            self.alive[n] = (value > 0).transpose(0, 1).flatten(1).double().mean(1)
        return value
