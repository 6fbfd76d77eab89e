"""BN scale: remove channels with the smallest scale in the BN behind the layer.

Liu et al. 2017, network slimming, https://arxiv.org/abs/1708.06519. The paper trains with an L1 penalty on the scales;
the penalty is not part of a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.pruning.following import NORMS, Following
from compress.pruning.pruner import Pruner, weighted_layers


@dataclass(frozen=True)
class BNScale(Pruner):
    """Channel importance is `abs(gamma)` of the nearest BN behind the layer.

    A layer without BN is scored as if followed by the BN that changes nothing for white inputs: the scale is the
    deviation of the layer's output, `sqrt(sum w^2)` over the filter.
    """

    name: ClassVar[str] = "bn-scale"
    source: ClassVar[str] = "https://arxiv.org/abs/1708.06519"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    spare_shortcuts: bool = False

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return scores `(out_channels,)` for every convolution and linear layer."""
        scales = _scales(model)
        return {
            name: scales[name].detach().abs() if name in scales else layer.weight.detach().flatten(1).norm(dim=1)
            for name, layer in weighted_layers(model).items()
        }


def _scales(model: nn.Module) -> dict[str, Tensor]:
    """Return gamma of the nearest BN behind each layer, for layers with a BN."""
    following = Following(model)
    scales = {}
    for name, calls in following.calls().items():
        node = following.nearest(calls[0], NORMS) if calls else None
        gamma = model.get_submodule(str(node.target)).weight if node else None
        if isinstance(gamma, Tensor):  # None in a BN that is not affine
            scales[name] = gamma
    return scales
