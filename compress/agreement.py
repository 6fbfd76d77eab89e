"""Compare what two networks compute: every change of a structure and every stored model must pass the comparison.

Networks are compared by their logits on a few images. Where the logits differ, the outputs of the layers say where the
difference begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.machine.numerics import exact

IMAGES = 4
"""Number of images in a comparison."""
RELOADED = 1e-5
"""Greatest difference of a reloaded network's logits, as a share of the largest logit."""
_IN_BATCH = 0.05
"""Greatest difference of an image's logits alone and in a large batch, as a share of the largest logit."""
_OF_SPREAD = 1e-3
_OF_SIZE = 1e-4
"""Allowed effect of rounding on a cut's logits: a share of their spread over the images plus a share of their size."""


@dataclass(frozen=True)
class Activations:
    """Outputs of a network on some images: its logits `(B, classes)`, and a summary `(2, C)` of each watched layer.

    Summaries are by layer path, in the order of the calls: the mean and the deviation of each output channel. The full
    outputs may take gigabytes.
    """

    logits: Tensor
    outputs: Mapping[str, Tensor]


def activations(model: nn.Module, images: Tensor, watched: Iterable[str] = ()) -> Activations:
    """Run the model in eval mode on a copy of `images` `(B, C, H, W)` and watch the layers at the `watched` paths."""
    outputs: dict[str, Tensor] = {}

    def note(path: str, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() > 1 and path not in outputs:
            channels = output.detach().transpose(1 if output.dim() == 4 else -1, 0).flatten(1)
            outputs[path] = torch.stack([channels.mean(1), channels.std(1, correction=0)])

    hooks = [
        model.get_submodule(path).register_forward_hook(lambda *io, path=path: note(path, io[-1])) for path in watched
    ]
    try:
        with torch.no_grad(), exact():
            logits: Tensor = model.eval()(images.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return Activations(logits, outputs)


def changed_at(wanted: Activations, got: Activations) -> str | None:
    """Return None if the logits agree but for rounding; else the path of the first differing layer, or ""."""
    if _agree(wanted.logits, got.logits):
        return None
    return next((p for p, one in wanted.outputs.items() if not _share(one, got.outputs.get(p, one)) <= _OF_SPREAD), "")


def reloaded_differs(model: nn.Module, stored: nn.Module, images: Tensor) -> str | None:
    """Return None if `stored` gives the logits of `model`, to `RELOADED`; else the path of a differing layer, or ""."""
    wanted, got = activations(model, images), activations(stored, images)
    if _share(wanted.logits, got.logits) <= RELOADED:
        return None
    leaves = [path for path, module in model.named_modules() if path and next(module.children(), None) is None]
    shared = [path for path in leaves if path in dict(stored.named_modules())]
    wanted, got = activations(model, images, shared), activations(stored, images, shared)
    differ = (path for path, one in wanted.outputs.items() if _share(one, got.outputs.get(path)) > RELOADED)
    return next(differ, "")


def check_same(who: str, model: nn.Module, stored: nn.Module, images: Tensor) -> None:
    """Raise RecipeError unless a stored and reloaded network gives the logits of `model`: see `reloaded_differs`."""
    at = reloaded_differs(model, stored, images)
    if at is not None:
        raise RecipeError(
            f"{who}: a network must compute the same once it is stored and loaded, {at or 'this one'} does not; only "
            "parameters and persistent buffers are stored, the constructor makes all else anew: a hook or layer added "
            "later, a number drawn at random and a plain tensor are lost; make them in the constructor, or register a "
            "buffer"
        )


def check_steady(who: str, model: nn.Module, before: Tensor, images: Tensor, batch: Tensor) -> None:
    """Raise RecipeError unless a measured network still gives `images` the logits `before`.

    The logits must be the same for the images alone, and close in `batch` `(N, C, H, W)`, which begins with
    the images, in both orders of the batch. Rounding may change more in a larger batch, and most in int8.
    """
    if not _share(before, activations(model, images).logits) <= RELOADED:
        raise RecipeError(
            f"{who}: must give the same images the same logits each time, they changed while it was measured; keep "
            "nothing in forward for the next call"
        )
    forwards, backwards = activations(model, batch).logits, activations(model, batch.flip(0)).logits.flip(0)
    if not _share(before, forwards[: len(images)]) <= _IN_BATCH:
        raise RecipeError(
            f"{who}: an image's logits must not depend on the rest of its batch, in a batch of {len(batch)} they do; "
            "take means over each image, not over the batch"
        )
    if not _share(forwards, backwards) <= _IN_BATCH:
        raise RecipeError(
            f"{who}: an image's logits must not depend on its place in the batch, in a batch of {len(batch)} they do; "
            "size no tensor in forward for a batch of your own"
        )


def _agree(wanted: Tensor, got: Tensor) -> bool:
    if wanted.shape != got.shape:
        return False
    if not torch.isfinite(wanted).all():  # the logits of a diverged network cannot be compared
        return True
    spread = (wanted - wanted.mean(0)).abs().max()
    return bool((wanted - got).abs().max() <= _OF_SPREAD * spread + _OF_SIZE * wanted.abs().max())


def _share(wanted: Tensor, got: Tensor | None) -> float:
    """Greatest difference as a share of the largest value; NaN agrees with NaN."""
    if got is None or wanted.shape != got.shape:
        return float("inf")
    if torch.equal(wanted, got) or torch.allclose(wanted, got, rtol=0.0, atol=0.0, equal_nan=True):
        return 0.0
    return float((wanted - got).abs().max() / wanted.abs().max().clamp(min=1e-30))
