"""How a GPU computes: the same bits every time, in whole float32 where a figure is taken, channels-last where it can.

On a CPU nothing of this changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

CLOSE = 1e-3
"""How far logits may lie apart between the two memory formats, relative where they are beyond 1."""


@contextmanager
def deterministic() -> Iterator[None]:
    """Inside, cuDNN takes the algorithms that give the same bits each time; a user's module may have set others.

    What adds atomically outside cuDNN still may not: the gradients of adaptive pooling to more than one pixel, say.
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
    """Inside, float32 has all its 24 bits: by default cuDNN rounds what a convolution multiplies to 11 (TF32).

    What is measured so on a GPU is measured again elsewhere: TF32 moves two images of 10,000 to another class, of an
    int8 network 85.
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
    """Whether the GPU computes in bf16 itself: where torch emulates it, convolutions take some 20 times as long."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def prefers_channels_last(device: torch.device) -> bool:
    """Whether convolutions are faster there with the channels last in memory."""
    return device.type == "cuda"


def lay_out(model: nn.Module, images: Tensor) -> None:
    """Put the channels last in memory, in place, where the device of `images` `(B, C, H, W)` prefers that.

    A network that cannot run so stays as it is: `x.view(x.size(0), -1)` behind a convolution raises then, and one that
    looks at its memory directly would give other logits.
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
    except RuntimeError:  # whatever it says: the network ran before
        return False
    return torch.allclose(found, wanted, rtol=CLOSE, atol=CLOSE)
