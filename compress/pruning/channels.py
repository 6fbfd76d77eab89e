"""Channel pruning: group coupled channels, find how many to keep for a wanted sparsity, and cut.

Torch-Pruning's dependency graph (https://arxiv.org/abs/2301.12900) finds the groups of channels to cut alike, such as
all ends of a shortcut, and removes channels. The number of weights after any cut follows from the groups by arithmetic,
so the share of channels for a wanted sparsity is found without a cut. So does the number of MACs: a cut changes how
many weights a layer has, not at how many positions each is used.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import lcm
from typing import Any

import torch
from torch import Tensor, nn

from compress.agreement import IMAGES
from compress.data.splits import Batch
from compress.errors import RecipeError
from compress.models.family import head_of
from compress.opaque import cuttable, opaque_layers, sentence
from compress.pruning.cutting import Cutter, traced
from compress.pruning.macs import count_macs, positions
from compress.pruning.pruner import Pruner, Rounds, weight_count, weighted_layers


@dataclass(frozen=True)
class Group:
    """A group of coupled channels, cut together; the layer `root` makes the channels.

    `outs` and `ins` are the layers with the channels among their outputs or inputs, each with the number of entries a
    channel takes (more than one behind a flatten). `added` is true if a sum joins the channels with others. The
    channels fall into `parts` of equal size, for grouped convolutions and GroupNorm; a cut takes the same positions of
    every part.
    """

    root: str
    channels: int
    outs: tuple[tuple[str, int], ...]
    ins: tuple[tuple[str, int], ...]
    added: bool = False
    parts: int = 1

    def left(self, share: float) -> int:
        """Return the channels left once `share` in [0, 1] are gone: at least one of each part."""
        if self.channels % self.parts:
            return self.channels
        return self.parts * max(1, round(self.channels * (1 - share) / self.parts))


class Channels:
    """The prunable channels of a model, traced with the first of the images `(B, C, H, W)`; cuts are checked on all.

    `spare_shortcuts` leaves out the groups made by several layers and joined by a sum: their width is fixed by a skip
    connection. A gate, which multiplies, does not count. Groups with a layer that must be kept whole are left out too.
    The amount of the network is its number of weights, or with `measure` "flops" its MACs for one image. RecipeError
    for a network that Torch-Pruning cannot trace.
    """

    def __init__(
        self, model: nn.Module, images: Tensor, *, spare_shortcuts: bool = False, measure: str = "weights"
    ) -> None:
        self.model, self.images = model.eval(), images[:IMAGES]
        self.layers = weighted_layers(model)
        self.names: dict[nn.Module, str] = {layer: name for name, layer in self.layers.items()}
        self.opaque = opaque_layers(model)
        self.unit, self.uses, whole = "weights", dict.fromkeys(self.layers, 1), weight_count(model)
        if measure == "flops":
            self.unit, whole = "MACs", count_macs(model, images[:1])
            self.uses = positions(model, self.layers, images[:1])
        self.unseen = whole - sum(layer.weight.numel() * self.uses[name] for name, layer in self.layers.items())
        self.graph = traced(model, images[:1])
        head = weighted_layers(model.get_submodule(head_of(model)))
        classes = list(head.values())[-1:]  # not the head itself: a factorized head is two layers
        found = list(self.graph.get_all_groups(ignored_layers=classes, root_module_types=[nn.Conv2d, nn.Linear]))
        opaque = {model.get_submodule(path) for path in self.opaque}
        groups = [self._group(group) for group in found if self._is_free(group, opaque)]
        self.spared = [group for group in groups if spare_shortcuts and group.added and len(self.makers(group)) > 1]
        self.groups = [group for group in groups if group not in self.spared]

    def _is_free(self, group: Any, whole: set[nn.Module]) -> bool:
        """Return whether all layers of the group can be cut and each maker's channels are all in the group.

        A shortcut padded with zeros joins layers of different widths, so a maker's channels can lie in several groups.
        """
        for dependency, indices in group:
            module = dependency.target.module
            made = self.names.get(module) and self.graph.is_out_channel_pruning_fn(dependency.handler)
            if made and len(set(indices)) != self.graph.get_out_channels(module):
                return False
            if module in whole or isinstance(module, nn.Parameter) or module not in self.graph.module2node:
                return False
            if cuttable(module) is None and any(True for _ in module.parameters()):
                return False
        return group[0].dep.target.module in self.names

    def _group(self, group: Any) -> Group:
        root = group[0].dep.target.module
        channels = self.graph.get_out_channels(root)
        outs: list[tuple[str, int]] = []
        ins: list[tuple[str, int]] = []
        added, parts = False, 1
        for dependency, indices in group:
            module = dependency.target.module
            name = self.names.get(module)
            added = added or "AddBackward" in repr(module)  # the name of its node in autograd
            parts = lcm(parts, _parts(module))
            if name is None:
                continue
            side = outs if self.graph.is_out_channel_pruning_fn(dependency.handler) else ins
            side.append((name, len(indices) // channels))
        return Group(self.names[root], channels, tuple(dict.fromkeys(outs)), tuple(dict.fromkeys(ins)), added, parts)

    def makers(self, group: Group) -> list[str]:
        """Return the layers that make the channels; a depthwise convolution only passes channels on."""
        return [name for name, _ in group.outs if not _is_depthwise(self.layers[name])]

    def amount(self, kept: dict[str, int] | None = None) -> int:
        """Count weights of convolutions and linear layers, or MACs, once each group keeps `kept[root]` channels.

        MACs of other operations, such as attention, count as if no channel went.
        """
        less_out: dict[str, int] = defaultdict(int)
        less_in: dict[str, int] = defaultdict(int)
        for group in self.groups if kept else ():
            gone = group.channels - kept[group.root] if kept else 0
            for name, entries in group.outs:
                less_out[name] += gone * entries
            for name, entries in group.ins:
                less_in[name] += gone * entries
        total = 0
        for name, layer in self.layers.items():
            out, inner = layer.weight.shape[0] - less_out[name], layer.weight.shape[1]
            if not _is_depthwise(layer):
                inner -= less_in[name] // getattr(layer, "groups", 1)
            total += out * inner * layer.weight[0, 0].numel() * self.uses[name]
        return total + self.unseen

    def keep(self, at_most: int) -> dict[str, int]:
        """Return the channels to keep by group root, the same share everywhere, so that at most `at_most` is left.

        At least one channel a group stays; RecipeError when even one channel a group is too much.
        """
        shares = sorted({1 - k / g.channels for g in self.groups for k in range(1, g.channels + 1)})
        low, high = 0, len(shares) - 1
        if not shares or self.amount(self._at(shares[high])) > at_most:
            least = self.amount(self._at(shares[high])) if shares else self.amount()
            raise RecipeError(
                f"channel pruning: one channel everywhere{' but on shortcuts' if self.spared else ''} still leaves "
                f"{least} of {self.amount()} {self.unit}, more than the {at_most} wanted; "
                f"ask for less sparsity or a wider network{sentence(self.opaque)}"
            )
        while low < high:
            middle = (low + high) // 2
            if self.amount(self._at(shares[middle])) <= at_most:
                high = middle
            else:
                low = middle + 1
        return self._at(shares[low])

    def _at(self, share: float) -> dict[str, int]:
        return {g.root: g.left(share) for g in self.groups}

    def cut(self, kept: dict[str, int], scores: dict[str, Tensor]) -> nn.Module:
        """Remove the lowest-scored channels of every group named in `kept`, in place; return the model.

        RecipeError unless the network computes the same as before with zeros in the removed channels.
        """
        gone: dict[nn.Module, list[int]] = {}
        for group in (*self.groups, *self.spared):
            count = group.channels - kept.get(group.root, group.channels)
            if count:
                gone[self.layers[group.root]] = _worst(self.importance(group, scores), count, group.parts)
        if gone:
            Cutter(self.model, self.graph, self.names).cut(gone, self.images)
        return self.model

    def importance(self, group: Group, scores: dict[str, Tensor]) -> Tensor:
        """Return the mean score `(channels,)` over the layers that make the channels, each scaled to mean 1."""
        made = [scores[n].float() for n, entries in group.outs if entries == 1 and n in scores]
        if not made:
            raise RecipeError(f"channel pruning: the method scores none of the layers coupled to {group.root}")
        return torch.stack([s / s.mean().clamp(min=1e-30) for s in made]).mean(0)


def _is_depthwise(layer: nn.Conv2d | nn.Linear) -> bool:
    return isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels


def _parts(module: object) -> int:
    """Return the number of independent parts into which a layer divides its channels."""
    if isinstance(module, nn.GroupNorm):
        return module.num_groups
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.groups != module.out_channels:
        return module.groups
    return 1


def _worst(importance: Tensor, count: int, parts: int) -> list[int]:
    """Return the `count` channels to remove, lowest first; of several parts the same positions, by their mean score."""
    order = importance.reshape(parts, -1).mean(0).argsort(stable=True)[: count // parts].tolist()
    size = len(importance) // parts
    return [part * size + place for part in range(parts) for place in order]


def cut_channels(
    model: nn.Module, pruner: Pruner, at_most: int, calibration: Batch, measure: str = "weights"
) -> nn.Module:
    """Cut the model in place until at most `at_most` weights of convolutions and linear layers stay, or MACs.

    MACs are those of one image, with `measure` "flops".
    """
    channels = Channels(model, calibration.images, spare_shortcuts=pruner.spare_shortcuts, measure=measure)
    return channels.cut(channels.keep(at_most), pruner.scores(model, calibration))


def cut_round(model: nn.Module, pruner: Rounds, calibration: Batch) -> nn.Module:
    """Carry out one round of an adaptive pruner, in place; at least one channel a group stays."""
    channels = Channels(model, calibration.images, spare_shortcuts=pruner.spare_shortcuts)
    scores = pruner.scores(model, calibration)
    removed = {g.root: int(pruner.removed(channels.importance(g, scores)).sum()) for g in channels.groups}
    return channels.cut({g.root: g.left(removed[g.root] / g.channels) for g in channels.groups}, scores)
