"""The loss of a student under a teacher, for the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.distill.distiller import Distiller, Outputs
from compress.distill.projector import pooling, ship
from compress.distill.teacher_logits import Views
from compress.goals import LABELS, Goal
from compress.machine.numerics import lay_out
from compress.models.family import head_of, taps_of
from compress.models.own import name_taps
from compress.training.loop import Loss


class Teaching(Loss):
    """Runs both networks on a batch and computes the method's loss in float32; the teacher gets no gradient.

    The method's adapters take their shapes from the batch `first`; `targets` `(N, ...)` are the whole split's. `views`
    keeps the teacher's logits of each image, for methods that read the teacher's logits alone.
    """

    def __init__(
        self,
        model: nn.Module,
        teacher: nn.Module,
        distiller: Distiller,
        first: Batch,
        *,
        targets: Tensor,
        goal: Goal = LABELS,
        views: Views | None = None,
    ) -> None:
        super().__init__(model)
        self.goal = goal
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
            self.adapters = distiller.adapters(student, known, targets).to(first.images.device)

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss, a scalar."""
        with torch.no_grad():
            teacher = self._teacher_outputs(batch)
        student = observe(self.model, self.distiller, batch)
        if self.keeps_answers and not self.distiller.ships_adapter:
            self.answers = student.logits.detach()
        with torch.autocast(batch.images.device.type, enabled=False):
            return self.distiller.loss(student, teacher, batch.targets, self.adapters, self.goal)

    def ship(self) -> None:
        """Make the trained adapters part of the model, in place, if the method ships adapters."""
        if self.distiller.ships_adapter:
            ship(self.model, self._teacher[0], self.adapters.eval())

    def _teacher_outputs(self, batch: Batch) -> Outputs:
        teacher = self._teacher[0]
        if self._views is None:
            return observe(teacher, self.distiller, batch)

        def compute(positions: Tensor) -> Tensor:
            return observe(teacher, self.distiller, replace(batch, images=batch.images[positions])).logits

        return Outputs(self._views.logits(batch.index, batch.view, compute), batch.index)


def observe(model: nn.Module, distiller: Distiller, batch: Batch) -> Outputs:
    """Run the model on a batch and collect the method's inputs, in float32, or float64 for a float64 model."""
    head = head_of(model) if distiller.reads_features else None
    last = pooling(model) if distiller.reads_last else None
    with tapped(model, distiller.reads(model)) as taps, _layer_inputs(model, head, last) as inputs:
        logits = _at_least_float32(model(batch.images))
    maps = {name: _at_least_float32(tap) for name, tap in taps.items()}
    features, pooled = (_at_least_float32(inputs[path]) if path else None for path in (head, last))
    classify = _frozen(model.get_submodule(head)) if head else None
    return Outputs(logits, batch.index, maps, features, classify, pooled)


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _frozen(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the layer as a function with gradients for its input, none for its weights."""
    weights = layer.state_dict()  # detached
    return lambda features: torch.func.functional_call(layer, weights, (features,))


@contextmanager
def _layer_inputs(model: nn.Module, *paths: str | None) -> Iterator[dict[str, Tensor]]:
    """Collect the inputs of the layers at the paths in forward passes inside the context; None is no layer."""
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
    """Collect the named feature maps of forward passes inside the context; KeyError for a tap missing in the model."""
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
