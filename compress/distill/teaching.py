"""The loss of a student that learns from a teacher, for the one training loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from compress.data import Batch
from compress.distill.distiller import Distiller, Outputs
from compress.train import Loss


class Teaching(Loss):
    """Runs both networks on a batch and asks the method for the loss; the teacher gets no gradient.

    `first` is a batch from which the method's adapters take their shapes.
    """

    def __init__(self, model: nn.Module, teacher: nn.Module, distiller: Distiller, first: Batch) -> None:
        super().__init__(model)
        self.distiller = distiller
        self._teacher = (teacher.eval(),)  # in a tuple: not a submodule, so never trained or saved
        with torch.no_grad():
            student = self._run(model.eval(), first)
            self.adapters = distiller.adapters(student, self._run(teacher, first)).to(first.images.device)

    def forward(self, batch: Batch) -> Tensor:
        """A scalar."""
        with torch.no_grad():
            teacher = self._run(self._teacher[0], batch)
        student = self._run(self.model, batch)
        return self.distiller.loss(student, teacher, batch.labels, self.adapters)

    def _run(self, model: nn.Module, batch: Batch) -> Outputs:
        with tapped(model, self.distiller.reads(model)) as taps:
            logits = model(batch.images).float()
        return Outputs(logits, batch.index, taps)


@contextmanager
def tapped(model: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Collect the named feature maps of the forward passes inside the block; KeyError for a tap the model lacks."""
    maps: dict[str, Tensor] = {}
    places: dict[str, str] = getattr(model, "taps", {})

    def collect(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, inputs: object, output: Tensor) -> None:
            maps[name] = output

        return model.get_submodule(places[name]).register_forward_hook(hook)

    hooks = [collect(name) for name in names]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
