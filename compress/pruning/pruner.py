"""The interface of a pruning method: a frozen dataclass that scores channels or weights. The stage cuts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

from torch import Tensor, nn

from compress.data.splits import Batch
from compress.opaque import sharing


class Pruner(ABC):
    """Scores channels or weights; larger is kept.

    With `granularity` "channel" scores have shape `(out_channels,)` for every convolution and linear layer, coupled
    layers are averaged, and channels are physically cut. With "weight" scores have the weight's shape, and the lowest
    become zeros that stay zero; a layer without scores is not pruned. `adaptive` methods derive from `Adaptive`.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    granularity: ClassVar[Literal["channel", "weight"]]
    adaptive: ClassVar[bool] = False
    predictable: ClassVar[bool] = True
    """Whether shapes alone decide the number of channels kept in each layer, so that costs are predicted exactly."""
    needs_sgd: ClassVar[bool] = False
    """Whether the method works by the size of gradients in a training, which Adam and its like divide out."""

    @property
    def spare_shortcuts(self) -> bool:
        """Return whether to leave alone the channels that several layers make together, such as all ends of a shortcut.

        Aghli & Ribeiro 2021 call such channels un-prunable. A method for channels offers the choice as a field named
        `spare_shortcuts`.
        """
        return False

    def validations(self, widths: Callable[[], Sequence[int]], epochs: int) -> int:
        """Return how often the method looks at all validation images in a training of so many epochs.

        `widths` tells the filters of each layer. Most methods never look.
        """
        return 0

    @abstractmethod
    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return finite scores by layer name, on the model's device; the model is left unchanged.

        `calibration` is a batch of training images with labels.
        """


class Adaptive(Pruner):
    """Finds the sparsity itself, from the accuracy that may be lost.

    An adaptive pruner prunes and recovers in at most `rounds` rounds, each from the round before. A round that ends
    with a validation accuracy (in [0, 1]) more than `tolerance` below the unpruned network's is discarded and ends the
    stage. So does a round that removes nothing.
    """

    adaptive: ClassVar[bool] = True
    predictable: ClassVar[bool] = False

    tolerance: float
    rounds: int


class Rounds(Adaptive):
    """An adaptive pruner that prunes by scores at the start of each round."""

    @abstractmethod
    def removed(self, scores: Tensor) -> Tensor:
        """Return True for each channel of a layer to remove in this round, by scores `(out_channels,)`."""


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode inside the context; afterwards restore each module's mode."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def weighted_layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolutions and linear layers that methods score, by name, from input to output.

    Layers are matched by exact type, for a subclass may compute something else of its weight. Layers that share their
    weight with another are left out.
    """
    shared = sharing(model)
    found: dict[str, nn.Conv2d | nn.Linear] = {}
    for name, module in model.named_modules():
        if type(module) in (nn.Conv2d, nn.Linear) and "weight" in module._parameters and name not in shared:
            assert isinstance(module, nn.Conv2d | nn.Linear)
            found[name] = module
    return found


def weight_count(model: nn.Module) -> int:
    """Count the weights, zeros included, of all convolutions and linear layers and their subclasses.

    Sparsity is a share of this count.
    """
    return sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear))
