"""The loss of a student that learns from a teacher, for the one training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from compress.data import Batch
from compress.distill.distiller import Distiller, Outputs
from compress.distill.views import Views
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
        self._views = None if distiller.reads_features or distiller.reads(teacher) else views
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

    def _taught(self, batch: Batch) -> Outputs:
        teacher = self._teacher[0]
        if self._views is None:
            return observe(teacher, self.distiller, batch)

        def compute(positions: Tensor) -> Tensor:
            return observe(teacher, self.distiller, replace(batch, images=batch.images[positions])).logits

        return Outputs(self._views.logits(batch.index, batch.view, compute), batch.index)


def observe(model: nn.Module, distiller: Distiller, batch: Batch) -> Outputs:
    """Run the model on a batch and collect what the method reads of it, in float32 or, of a float64 model, float64."""
    with tapped(model, distiller.reads(model)) as taps, _entering(model, distiller.reads_features) as entered:
        logits = _wide(model(batch.images))
    maps = {name: _wide(tap) for name, tap in taps.items()}
    if not entered:
        return Outputs(logits, batch.index, maps)
    return Outputs(logits, batch.index, maps, _wide(entered[-1]), _frozen(model.get_submodule(head_of(model))))


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _frozen(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """The layer as a function that passes gradients on but takes none itself."""
    weights = layer.state_dict()  # detached
    return lambda features: torch.func.functional_call(layer, weights, (features,))


@contextmanager
def _entering(model: nn.Module, wanted: bool) -> Iterator[list[Tensor]]:
    """Collect what the classifier is given in the forward passes inside the block, if `wanted`."""
    entered: list[Tensor] = []
    if not wanted:
        yield entered
        return

    def collect(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        entered.append(inputs[0])

    hook = model.get_submodule(head_of(model)).register_forward_pre_hook(collect)
    try:
        yield entered
    finally:
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
