"""Find the channels open to a method during training, and make the final cut.

A target is a group of channels that a cut can take without others: not the ends of a shortcut, nor the output of a
grouped convolution. Of several makers, such as a layer and its gate, the first counts. The method acts on the channels
behind the layer, or behind its BN, where a zero stays a zero through ReLU, pooling and the next layer. A depthwise
convolution, a BN behind a concatenation or a gate before the next layer breaks the rule: a channel of zeros then
becomes a constant, which the cut loses.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.pruning.channels import Channels, Group
from compress.pruning.following import NORMS, Following
from compress.pruning.pruner import weighted_layers


@dataclass(frozen=True, eq=False)
class Target:
    """A group of channels: `layer`, called `name`, makes the channels; `norm` is the BN behind the layer, if any.

    A BN counts only if no other module reads the layer.
    """

    name: str
    group: Group
    layer: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None

    @property
    def place(self) -> nn.Module:
        """Return the module whose output dimension 1 are the channels."""
        return self.norm if self.norm is not None else self.layer


class Targets:
    """The targets of a model, and the number of weights left as they lose channels, or of MACs (`measure` "flops").

    RecipeError when even one channel everywhere leaves more than `at_most`.
    """

    def __init__(
        self, model: nn.Module, calibration: Batch, at_most: int | None = None, measure: str = "weights"
    ) -> None:
        layers = weighted_layers(model)
        self.channels = Channels(model, calibration.images, spare_shortcuts=True, measure=measure)
        self.channels.groups = [g for g in self.channels.groups if self._is_prunable(g)]
        if at_most is not None:
            self.channels.keep(at_most)
        norms = _norms(model)
        names = [min(self.channels.makers(g), key=list(layers).index) for g in self.channels.groups]
        self.each = [
            Target(name, group, layers[name], norms.get(name))
            for name, group in zip(names, self.channels.groups, strict=True)
        ]

    def amount(self, gone: list[Tensor]) -> int:
        """Count weights, or MACs, left without the channels marked True in `gone`: `(channels,)` for each target."""
        return self.channels.amount(self._kept(gone))

    def cut(self, gone: list[Tensor]) -> None:
        """Remove the channels marked True in `gone`; at least one of each target must be left."""
        self.channels.cut(self._kept(gone), {t.name: (~g).float() for t, g in zip(self.each, gone, strict=True)})

    def _is_prunable(self, group: Group) -> bool:
        """Return whether the channels have makers and no maker is a grouped convolution."""
        made = [self.channels.layers[name] for name in self.channels.makers(group)]
        return bool(made) and all(getattr(layer, "groups", 1) == 1 for layer in made)

    def _kept(self, gone: list[Tensor]) -> dict[str, int]:
        return {t.group.root: int((~mask).sum()) for t, mask in zip(self.each, gone, strict=True)}


def _norms(model: nn.Module) -> dict[str, nn.BatchNorm1d | nn.BatchNorm2d]:
    """Return by layer name the BN that alone reads the layer, where layer and BN are each called once."""
    following = Following(model)
    found: dict[str, nn.BatchNorm1d | nn.BatchNorm2d] = {}
    called = [node.target for node in following.graph.nodes if node.op == "call_module"]
    for name, calls in following.calls().items():
        users = list(calls[0].users) if len(calls) == 1 else []
        if len(users) != 1 or users[0].op != "call_module" or called.count(users[0].target) != 1:
            continue
        norm = model.get_submodule(str(users[0].target))
        if type(norm) in NORMS and norm.affine and norm.track_running_stats:  # a subclass may do more than scale
            assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
            found[name] = norm
    return found
