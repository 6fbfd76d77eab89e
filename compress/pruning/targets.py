"""Where a method inside training may act on a model's channels, and the cut that ends it.

A target is a group of channels that a cut can take on its own: not the ends of a shortcut, nor what a grouped
convolution makes. Of several makers, such as a layer and its gate, the first counts. Its channels are looked at
behind the layer that makes them, or behind that layer's BN, where a zero stays a zero through ReLU, pooling and the
next layer. Where a depthwise convolution, a BN behind a concatenation or a gate comes before the next layer it does
not: there a channel of zeros still says a constant, which the cut loses.
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
    """One group: `layer`, called `name`, makes its channels; `norm` is the BN behind it if nothing else reads it."""

    name: str
    group: Group
    layer: nn.Conv2d | nn.Linear
    norm: nn.BatchNorm1d | nn.BatchNorm2d | None

    @property
    def place(self) -> nn.Module:
        """The module whose output are the channels, at dimension 1."""
        return self.norm if self.norm is not None else self.layer


class Targets:
    """The targets of a model, and the weights left as they lose channels.

    RecipeError when one channel everywhere is still more than `at_most` weights.
    """

    def __init__(self, model: nn.Module, calibration: Batch, at_most: int | None = None) -> None:
        layers = weighted_layers(model)
        self.channels = Channels(model, calibration.images, spare_shortcuts=True)
        self.channels.groups = [g for g in self.channels.groups if self._whole(g)]
        if at_most is not None:
            self.channels.keep(at_most)
        norms = _norms(model)
        names = [min(self.channels.makers(g), key=list(layers).index) for g in self.channels.groups]
        self.each = [
            Target(name, group, layers[name], norms.get(name))
            for name, group in zip(names, self.channels.groups, strict=True)
        ]

    def weights(self, gone: list[Tensor]) -> int:
        """Weights left without the channels that are True in `gone`: a mask `(channels,)` for each target."""
        return self.channels.weights(self._kept(gone))

    def cut(self, gone: list[Tensor]) -> None:
        """Remove those channels; at least one of each target must be left."""
        self.channels.cut(self._kept(gone), {t.name: (~g).float() for t, g in zip(self.each, gone, strict=True)})

    def _whole(self, group: Group) -> bool:
        """Whether the channels have a maker, and no maker sees only some of its inputs for each of them."""
        made = [self.channels.layers[name] for name in self.channels.makers(group)]
        return bool(made) and all(getattr(layer, "groups", 1) == 1 for layer in made)

    def _kept(self, gone: list[Tensor]) -> dict[str, int]:
        return {t.group.root: int((~mask).sum()) for t, mask in zip(self.each, gone, strict=True)}


def _norms(model: nn.Module) -> dict[str, nn.BatchNorm1d | nn.BatchNorm2d]:
    """The BN that is the only one to read a layer called once, and is called once itself, by the layer's name."""
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
