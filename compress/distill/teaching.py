"""The loss of a student that learns from a teacher, for the one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.distill.distiller import Distiller, Outputs
from compress.distill.projector import pooling, ship
from compress.distill.views import Views
from compress.machine.numerics import lay_out
from compress.models.family import head_of, taps_of
from compress.models.own import name_taps
from compress.train import Loss


class Teaching(Loss):
    """Runs both networks on a batch and asks the method for the loss, in float32; the teacher gets no gradient.

    `first` is a batch from which the method's adapters take their shapes, `labels` `(N,)` are the whole split's.
    `views` keeps what the teacher says of each image, for methods that read no more than its logits.
    """

    def __init__(
        self,
        model: nn.Module,
        teacher: nn.Module,
        distiller: Distiller,
        first: Batch,
        *,
        labels: Tensor,
        views: Views | None = None,
    ) -> None:
        super().__init__(model)
        self.distiller = distiller
        self.full_batches = distiller.full_batches
        for network in (model, teacher):
            name_taps(network, first.images[:1])
        lay_out(teacher, first.images[:2])
        reads_more = distiller.reads_features or distiller.reads_last or distiller.reads(teacher)
        self._views = None if reads_more else views
        self._teacher = (teacher.eval(),)  # in a tuple: not a submodule, so never trained or saved
        with torch.no_grad():
            student, known = observe(model.eval(), distiller, first), observe(teacher, distiller, first)
            self.adapters = distiller.adapters(student, known, labels).to(first.images.device)

    def forward(self, batch: Batch) -> Tensor:
        """A scalar."""
        with torch.no_grad():
            teacher = self._taught(batch)
        student = observe(self.model, self.distiller, batch)
        with torch.autocast(batch.images.device.type, enabled=False):
            return self.distiller.loss(student, teacher, batch.labels, self.adapters)

    def ship(self) -> None:
        """After training: the adapters become part of the model, in place, if the method ships them."""
        if self.distiller.ships_adapter:
            ship(self.model, self._teacher[0], self.adapters.eval())

    def _taught(self, batch: Batch) -> Outputs:
        teacher = self._teacher[0]
        if self._views is None:
            return observe(teacher, self.distiller, batch)

        def compute(positions: Tensor) -> Tensor:
            return observe(teacher, self.distiller, replace(batch, images=batch.images[positions])).logits

        return Outputs(self._views.logits(batch.index, batch.view, compute), batch.index)


def observe(model: nn.Module, distiller: Distiller, batch: Batch) -> Outputs:
    """Run the model on a batch and collect what the method reads of it, in float32 or, of a float64 model, float64."""
    head = head_of(model) if distiller.reads_features else None
    last = pooling(model) if distiller.reads_last else None
    with tapped(model, distiller.reads(model)) as taps, _entering(model, head, last) as entered:
        logits = _wide(model(batch.images))
    maps = {name: _wide(tap) for name, tap in taps.items()}
    features, pooled = (_wide(entered[path]) if path else None for path in (head, last))
    classify = _frozen(model.get_submodule(head)) if head else None
    return Outputs(logits, batch.index, maps, features, classify, pooled)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _frozen(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """The layer as a function that passes gradients on but takes none itself."""
    weights = layer.state_dict()  # detached
    return lambda features: torch.func.functional_call(layer, weights, (features,))


@contextmanager
def _entering(model: nn.Module, *paths: str | None) -> Iterator[dict[str, Tensor]]:
    """Collect what the layers at the paths are given in the forward passes inside the block; None is no layer."""
    entered: dict[str, Tensor] = {}

    def collect(path: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            entered[path] = inputs[0]

        return model.get_submodule(path).register_forward_pre_hook(hook)

    hooks = [collect(path) for path in paths if path]
    try:
        yield entered
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def tapped(model: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, Tensor]]:
    """Collect the named feature maps of the forward passes inside the block; KeyError for a tap the model lacks."""
    maps: dict[str, Tensor] = {}
    places = taps_of(model)

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
