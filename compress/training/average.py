"""An exponential moving average of a network's weights while the network trains.

Early on the decay is smaller, `(1 + n) / (10 + n)` after `n` updates, as in TensorFlow's `ExponentialMovingAverage`:
the weights before the training would weigh too much otherwise. Running statistics of batch norm are measured anew for
the averaged weights, on views of training images, as `torch.optim.swa_utils.update_bn` does. An average of statistics
would fit no weights while the weights still move fast: a few epochs of ResNet-20 on digits lose half their accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.data.splits import Batch

if TYPE_CHECKING:
    from compress.training.loop import Loss

MOST_BATCHES = 100
"""Batches for the statistics, at most."""


class Average:
    """The average of `learned` parameters, with `decay` in (0, 1).

    A weight set to zero by a hook, such as a pruned weight, is zero in the average too. `batches()` returns batches of
    training images, equal ones at every call, for the statistics; None leaves the statistics as they are. Forward
    passes on these batches run inside `precision()`.
    """

    def __init__(
        self,
        loss: Loss,
        learned: Sequence[nn.Parameter],
        decay: float,
        batches: Callable[[], Iterator[Batch]] | None,
        precision: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.loss, self.decay, self.batches, self.precision = loss, decay, batches, precision
        self.tensors: list[Tensor] = [parameter.detach() for parameter in learned]
        self.averages = [tensor.clone() for tensor in self.tensors]
        self.updates = 0

    def update(self) -> None:
        """Take the present weights into the average."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.averages, self.tensors, 1 - keep)
        self.updates += 1

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Give the model its average inside the block; leave the model in eval mode."""
        norms = _norms(self.loss.model)
        kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers(recurse=False)]
        self._exchange()
        self._renew(norms, lambda batch: self.loss.model(batch.images))
        try:
            yield
        finally:
            self._exchange()
            for buffer, known in kept:
                buffer.copy_(known)

    def take_over(self) -> None:
        """Put the averages in place of the weights for good, also in the loss's adapters."""
        self._exchange()
        norms = _norms(self.loss)
        alone = len(norms) == len(_norms(self.loss.model))
        self._renew(norms, (lambda batch: self.loss.model(batch.images)) if alone else self.loss)

    def state_dict(self) -> dict[str, Any]:
        """Return averages and number of updates."""
        return {"averages": self.averages, "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore averages, on the present device, and number of updates."""
        for average, known in zip(self.averages, state["averages"], strict=True):
            average.copy_(known)
        self.updates = state["updates"]

    def _exchange(self) -> None:
        """Exchange weights and averages."""
        for tensor, average in zip(self.tensors, self.averages, strict=True):
            average.masked_fill_(tensor == 0, 0.0)
            replaced = tensor.clone()
            tensor.copy_(average)
            average.copy_(replaced)

    def _renew(self, norms: Sequence[_BatchNorm], run: Callable[[Batch], object]) -> None:
        """Set the running statistics of the layers to their means over `batches`."""
        self.loss.eval()  # all else as in the finished network: no dropout
        if self.batches is None or not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a mean of all batches
            norm.train()
        with torch.no_grad(), self.precision():
            for batch in islice(self.batches(), MOST_BATCHES):
                run(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


def _norms(module: nn.Module) -> list[_BatchNorm]:
    """Return the layers of batch norm with running statistics."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None]
