"""An exponential moving average of a network's weights while the network trains.

The running statistics of batch norm are averaged with the weights, as in torchvision's `ExponentialMovingAverage`.
Early on the decay is smaller, `(1 + n) / (10 + n)` after `n` updates, as in TensorFlow's: the weights before the
training would weigh too much otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class Average:
    """Averages of `learned` parameters and of a module's running statistics, with `decay` in (0, 1).

    A weight that training has set to zero, such as a pruned weight, is zero in the average too: methods of pruning hold
    their zeros in the weights alone.
    """

    def __init__(self, learned: Sequence[nn.Parameter], model: nn.Module, loss: nn.Module, decay: float) -> None:
        self.learned, self.decay, self.updates = list(learned), decay, 0
        norms = [layer for layer in loss.modules() if isinstance(layer, _NormBase)]
        held = [*model.buffers(), *(buffer for norm in norms for buffer in norm.buffers(recurse=False))]
        self.statistics = [*{id(buffer): buffer for buffer in held if buffer.is_floating_point()}.values()]
        self.tensors: list[Tensor] = [*(parameter.detach() for parameter in self.learned), *self.statistics]
        self.averages = [tensor.clone() for tensor in self.tensors]

    def update(self) -> None:
        """Take the present weights into the average."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.averages, self.tensors, 1 - keep)
        self.updates += 1

    def exchange(self) -> None:
        """Put the averages in place of the network's weights and statistics, and keep the replaced ones."""
        for number, (tensor, average) in enumerate(zip(self.tensors, self.averages, strict=True)):
            if number < len(self.learned):
                average.masked_fill_(tensor == 0, 0.0)
            replaced = tensor.clone()
            tensor.copy_(average)
            average.copy_(replaced)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Give the network its averages inside the block."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def state_dict(self) -> dict[str, Any]:
        """Return averages and number of updates."""
        return {"averages": self.averages, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore averages, on the present device, and number of updates."""
        for average, known in zip(self.averages, state["averages"], strict=True):
            average.copy_(known)
        self.updates = state["updates"]
