"""The only training loop: plain, distilling, recovering, with masks. Read it top to bottom.

Methods that act during training are hooks on this loop, not loops of their own. The data set stays on the training
device as one tensor. On a GPU the network runs channels-last and in bf16, where possible
(`compress/machine/numerics.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.data.augmentation import Augmentation
from compress.data.splits import Batch, Split
from compress.goals import LABELS
from compress.machine.numerics import deterministic, has_bf16, lay_out, prefers_channels_last
from compress.training.average import Average
from compress.training.checkpoint import Checkpoint
from compress.training.optimizers import make_optimizer
from compress.training.series import EpochSums, Row, share
from compress.training.settings import Training

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA's variable for the GPUs visible to a process, "" for no GPU."""


class TrainingError(RuntimeError):
    """Failure of a training, such as a loss that is not finite."""


class Loss(nn.Module):
    """Loss of the training loop: `forward(batch)` runs the model on a batch and returns a scalar.

    The loss's own parameters (adapters) are trained with the model's. With `full_batches` a smaller last batch is left
    out. The base class is the loss of a goal against targets, `against(outputs, targets)`.

    With `keeps_answers`, set by the loop, `answers` are the model's outputs for the last batch, without gradient; None
    where the trained network will answer through other layers.
    """

    full_batches = False
    keeps_answers = False
    answers: Tensor | None = None

    def __init__(self, model: nn.Module, against: Callable[[Tensor, Tensor], Tensor] = LABELS.loss) -> None:
        super().__init__()
        self.model = model
        self.against = against

    def forward(self, batch: Batch) -> Tensor:
        """Return the mean over the batch, a scalar."""
        outputs = self.model(batch.images).float()
        if self.keeps_answers:
            self.answers = outputs.detach()
        return self.against(outputs, batch.targets)


class Hook:
    """Actions of a method inside the loop; every method does nothing until overridden."""

    def groups(self) -> list[dict[str, Any]]:
        """Return the hook's own trainable parameters: groups for torch's optimizers, with their own settings.

        The loop sets the learning rate of every group. Settings of SGD alone, such as `momentum`, need a training by
        SGD: see `Pruner.needs_sgd`.
        """
        return []

    def before_update(self, step: int, steps: int) -> None:
        """Act between the backward pass and the optimizer's update."""

    def after_update(self, step: int, steps: int) -> None:
        """Act after the optimizer's update."""

    def after_epoch(self, done: int, epochs: int) -> None:
        """Act after `done` of `epochs` passes, before the state is saved; may leave the model in eval mode.

        The model has its averaged weights if the training averages them. Weights must stay as they are.
        """

    def figures(self) -> dict[str, Tensor | float]:
        """Return what the hook knows after an epoch, by name, for the training's series.

        `masked` is the share in [0, 1] of the weights, rows or filters that are pruned so far. A scalar stays on the
        training device: the loop waits once for the figures of all hooks.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return the hook's state, beside the model's, as tensors and plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned; the model is restored already."""


class KeepZeros(Hook):
    """Keeps the present zeros of the weights at zero, in spite of momentum and weight decay."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.masked = [(p, p.detach() == 0) for p in parameters]

    def after_update(self, step: int, steps: int) -> None:
        """Set the masked weights to zero again."""
        with torch.no_grad():
            for parameter, mask in self.masked:
                parameter.masked_fill_(mask, 0.0)  # a product would leave -0.0, which does not deflate

    def figures(self) -> dict[str, Tensor | float]:
        """Return the share of masked weights."""
        return {"masked": share([mask for _, mask in self.masked])}


@deterministic()
def fit(
    loss: Loss,
    split: Split,
    training: Training,
    *,
    seed: int,
    augment: Augmentation | None,
    only: nn.Module | None = None,
    hooks: Sequence[Hook] = (),
    checkpoint: Path | None = None,
    counts_right: bool = False,
    on_progress: Callable[[int, int], None] = lambda epoch, epochs: None,
    on_batch: Callable[[float], None] = lambda done: None,
) -> list[Row]:
    """Train `loss.model` in place; the weights of the last epoch stay, or with `training.ema` their moving average.

    `only` restricts training to one submodule of the model and to the loss's own adapters; the rest of the model stays
    frozen, BN statistics included. `seed` decides the order and the views of the images. With a `checkpoint` file an
    interrupted call goes on at its last epoch; the file is removed at the end. `on_progress` is called after each
    epoch, `on_batch` after each batch with the epochs done, fractions included. Return the figures of all epochs
    (`compress/training/series.py`), with the share of right answers where `counts_right`. TrainingError when the loss
    is not finite.
    """
    device = next(loss.parameters()).device
    halves = has_bf16(device)
    if prefers_channels_last(device):
        lay_out(loss.model, next(iter(split.read([torch.arange(min(2, len(split)))]))) / 255)
    learned = [p for p in loss.parameters() if p.requires_grad]
    if only is not None:
        frozen = set(loss.model.parameters()) - set(only.parameters())
        learned = [p for p in learned if p not in frozen]
    groups = [{"params": learned}, *(group for hook in hooks for group in hook.groups())]
    learned = [parameter for group in groups for parameter in group["params"]]
    optimizer = make_optimizer(training, groups)
    factors = [group.get("lr", training.lr) / training.lr for group in optimizer.param_groups]  # a user's may differ
    generator = torch.Generator().manual_seed(seed)
    drop_last = len(split) >= training.batch_size and (
        loss.full_batches or (only is None and not _takes_last(loss, split, training.batch_size))
    )
    per_epoch = len(split) // training.batch_size if drop_last else -(-len(split) // training.batch_size)
    steps = per_epoch * training.epochs
    precision = partial(torch.autocast, "cuda", torch.bfloat16) if halves else nullcontext
    epoch_of = partial(split.batches, training.batch_size, augment=augment, drop_last=drop_last)
    average = None
    if training.ema:
        shown = None if only is not None else lambda: epoch_of(generator=torch.Generator().manual_seed(seed))
        average = Average(loss, learned, training.ema, shown, precision)
    acts = any(type(hook).after_epoch is not Hook.after_epoch for hook in hooks)
    series: list[Row] = []
    saved = Checkpoint(checkpoint, loss, optimizer, generator, [*hooks, *([average] if average else [])], series)
    loss.keeps_answers = counts_right
    for epoch in range(saved.restore(), training.epochs):
        loss.train()
        if only is not None:
            loss.model.eval()
        sums = EpochSums(device)
        for index, batch in enumerate(epoch_of(generator=generator)):
            step = epoch * per_epoch + index
            rate = training.lr_at(step / steps)
            for group, factor in zip(optimizer.param_groups, factors, strict=True):
                group["lr"] = factor * rate
            with precision():
                value: Tensor = loss(batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward(inputs=learned)  # type: ignore[no-untyped-call]
            if training.clip_norm is not None:
                nn.utils.clip_grad_norm_(learned, training.clip_norm)
            for hook in hooks:
                hook.before_update(step, steps)
            optimizer.step()
            for hook in hooks:
                hook.after_update(step, steps)
            if average is not None:
                average.update()
            sums.add(value, loss.answers, batch.targets)
            on_batch((step + 1) / per_epoch)
        if not torch.isfinite(sums.loss):
            raise TrainingError(
                f"training: the loss became {float(sums.loss)} in epoch {epoch + 1} of {training.epochs} "
                f"at lr {training.lr:g}, which is too high for this network"
            )
        with average.shown() if average and acts else nullcontext():
            for hook in hooks:
                hook.after_epoch(epoch + 1, training.epochs)
        series.append(sums.row(epoch + 1, rate, hooks))
        on_progress(epoch + 1, training.epochs)
        saved.keep(epoch + 1)
    saved.remove()
    loss.keeps_answers, loss.answers = False, None
    if average is not None:
        average.take_over()
    loss.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    loss.model.eval()
    return series


def hide_gpus() -> None:
    """Hide all GPUs from this process; call before CUDA is used."""
    os.environ[VISIBLE] = ""


def _takes_last(loss: Loss, split: Split, batch_size: int) -> bool:
    """Return whether the last batch of an epoch can be trained on: batch norm refuses a single value a channel."""
    if len(split) % batch_size != 1:
        return True
    single: list[bool] = []
    norms = [layer for layer in loss.model.modules() if isinstance(layer, _BatchNorm)]
    hooks = [n.register_forward_pre_hook(lambda _, given: single.append(given[0][:, 0].numel() == 1)) for n in norms]
    try:
        with torch.no_grad():
            loss.model.eval()(next(split.batches(1)).images)
    finally:
        for hook in hooks:
            hook.remove()
    return not any(single)


def training_device() -> torch.device:
    """Return the first visible GPU, else the CPU; the CPU as well where the variable `VISIBLE` is set and empty."""
    hidden = os.environ.get(VISIBLE) == ""  # CUDA reads the variable once, and perhaps before it was set
    return torch.device("cuda" if torch.cuda.is_available() and not hidden else "cpu")
