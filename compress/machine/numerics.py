"""Numerics of a GPU: deterministic algorithms, full float32 for measurements, channels-last memory where possible.

On a CPU the functions here change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

CLOSE = 1e-3
"""Largest difference of logits between the two memory formats, relative for logits beyond 1."""


@contextmanager
def deterministic() -> Iterator[None]:
    """Make cuDNN use deterministic algorithms inside the block, whatever settings a user's module has chosen.

    Atomic additions outside cuDNN stay non-deterministic, as in the gradient of adaptive pooling to several pixels.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def exact() -> Iterator[None]:
    """Compute in float32 with all its 24 bits inside the block; by default cuDNN rounds factors to 11 bits (TF32).

    Measurements on a GPU must agree with measurements elsewhere: TF32 moves 2 images of 10,000 to another class, and 85
    with an int8 network.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32, matmul.allow_tf32 = False, False
    try:
        with deterministic():
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def has_bf16(device: torch.device) -> bool:
    """Whether the GPU has bf16 in hardware: with torch's emulation convolutions take some 20 times as long."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def prefers_channels_last(device: torch.device) -> bool:
    """Whether convolutions on `device` are faster with the channels last in memory."""
    return device.type == "cuda"


def lay_out(model: nn.Module, images: Tensor) -> None:
    """Put the channels last in memory, in place, if the device of `images` `(B, C, H, W)` prefers the layout.

    A network unable to run channels-last stays unchanged. `x.view(x.size(0), -1)` after a convolution raises; a network
    reading its memory directly would give other logits.
    """
    if not prefers_channels_last(images.device):
        return
    modes = [(module, module.training) for module in model.modules()]
    devices = [images.device] if images.device.type == "cuda" else []
    try:
        with torch.no_grad(), exact(), torch.random.fork_rng(devices):
            wanted: Tensor = model.eval()(images)
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            if not _agrees(model, images, wanted):
                model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    finally:
        for module, training in modes:
            module.training = training


def _agrees(model: nn.Module, images: Tensor, wanted: Tensor) -> bool:
    try:
        found: Tensor = model(images.to(memory_format=torch.channels_last))
    except RuntimeError:  # the layout is the cause: the network ran before
        return False
    return torch.allclose(found, wanted, rtol=CLOSE, atol=CLOSE)
