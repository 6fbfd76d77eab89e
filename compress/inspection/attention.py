"""Attention maps: where a layer of a network is active. Zagoruyko & Komodakis 2017, https://arxiv.org/abs/1612.03928.

Chen et al. 2021 (https://doi.org/10.1007/s40747-020-00248-y) show maps of a middle layer, before and after recovery.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.distill.at import attention
from compress.distill.stages import stages
from compress.errors import RecipeError
from compress.models.family import taps_of
from compress.models.own import maps_of


def middle(model: nn.Module, images: Tensor) -> str:
    """Return the path of the middle stage, or without stages of the middle convolution in the order of running.

    Of an even number of stages the later of the two counts. A single image in `images` `(B, C, H, W)` suffices.
    RecipeError for a network without convolutions.
    """
    known = [taps_of(model)[name] for name in stages(model)]
    if not known:
        paths = [path for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
        known = [path for path, _ in maps_of(model, paths, images)]
    if not known:
        raise RecipeError("attention: the network must have a convolution that runs once, it has none")
    return known[len(known) // 2]


def path_of(model: nn.Module, tap: str | None, images: Tensor) -> str:
    """Return the path of a tap by name, of a module by path, or of the `middle` for None.

    RecipeError unless maps `(B, C, H, W)` come out there, once.
    """
    if tap is None:
        return middle(model, images)
    path, paths = taps_of(model).get(tap, tap), {name for name, _ in model.named_modules()}
    if not tap or path not in paths or not maps_of(model, [path], images):
        known = ", ".join(taps_of(model)) or "its modules by path"
        raise RecipeError(f"attention: tap must give maps (B, C, H, W), once, got {tap!r}; known are {known}")
    return path


def attention_maps(model: nn.Module, images: Tensor, path: str) -> Tensor:
    """Return the attention maps of images `(B, C, H, W)` at the module `path`, `(B, H, W)` on the CPU.

    A map is the mean of the squared activations over channels, as in attention transfer, scaled up to the images by
    bilinear interpolation and divided by its largest value: from 0 to 1, or all 0 for an image without activation.
    """
    caught: list[Tensor] = []
    hook = model.get_submodule(path).register_forward_hook(lambda *io: caught.append(io[-1]))
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        hook.remove()
    (maps,) = caught
    flat = attention(maps.float()).reshape(len(maps), 1, *maps.shape[2:])
    size: Sequence[int] = images.shape[2:]
    whole = functional.interpolate(flat, size=list(size), mode="bilinear", align_corners=False)[:, 0]
    return (whole / whole.amax((1, 2), keepdim=True).clamp(min=1e-12)).cpu()
