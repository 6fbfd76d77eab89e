"""What every pruning method is: a frozen dataclass that scores channels or weights. The stage does the cutting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.opaque import sharing


class Pruner(ABC):
    """Scores what may go; larger is kept.

    `granularity` "channel": scores have shape `(out_channels,)` for every convolution and linear layer and channels are
    physically cut; "weight": scores have the weight's shape and the lowest become zeros that stay zero. A layer without
    scores is not pruned by weight; for channels, coupled layers are averaged. One that is `adaptive` is an `Adaptive`.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    granularity: ClassVar[Literal["channel", "weight"]]
    adaptive: ClassVar[bool] = False
    foreseeable: ClassVar[bool] = True
    """Whether how many channels each layer keeps follows from shapes alone, so that costs are foreseen exactly."""

    @property
    def spare_shortcuts(self) -> bool:
        """Whether channels that several layers make together, such as all ends of a shortcut, are left alone.

        Aghli & Ribeiro 2021 call them un-prunable. A method for channels lets its user choose with a field of this
        name.
        """
        return False

    @abstractmethod
    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Scores by layer name, finite, on the model's device; the model is left as it was.

        `calibration` is a batch of training images with their labels, for methods that look at data.
        """


class Adaptive(Pruner):
    """Finds out by itself how much may go: it is given the accuracy that may be lost, not a sparsity.

    It prunes and recovers in at most `rounds` rounds, each from the one before. A round that ends with a validation
    accuracy (in [0, 1]) more than `tolerance` below the unpruned network's is taken back and was the last; so is one
    that finds nothing to remove.
    """

    adaptive: ClassVar[bool] = True
    foreseeable: ClassVar[bool] = False

    tolerance: float
    rounds: int


class Rounds(Adaptive):
    """An adaptive pruner that prunes by its scores when a round begins."""

    @abstractmethod
    def doomed(self, scores: Tensor) -> Tensor:
        """Which channels of a layer go in this round, by their scores: both of shape `(out_channels,)`."""


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Dropout off and BN on its running statistics; each module's mode is as it was afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def weighted_layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Convolutions and linear layers by name, from input to output: what methods score.

    Known by exact type, for a subclass may compute something else of its weight, and with a weight that is theirs
    alone.
    """
    shared = sharing(model)
    found: dict[str, nn.Conv2d | nn.Linear] = {}
    for name, module in model.named_modules():
        if type(module) in (nn.Conv2d, nn.Linear) and "weight" in module._parameters and name not in shared:
            assert isinstance(module, nn.Conv2d | nn.Linear)
            found[name] = module
    return found


def weight_count(model: nn.Module) -> int:
    """Weights of all convolutions and linear layers, subclasses too, zero or not: what sparsity is a share of."""
    return sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear))
