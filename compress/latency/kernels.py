"""The work of a network in the kernels of its shipped form, counted from one pass of images, without any timing.

onnxruntime folds batch normalisation, activation and addition into the convolution before. Its fast kernels on the CPU
take channels in blocks. A convolution takes part if its input channels are a multiple of `ALIGNED` or fewer than a
block, a depthwise convolution if its channels are a multiple of `ALIGNED`. All others take a slower kernel, and maps
are reordered on the way from one kind to the other
(https://github.com/microsoft/onnxruntime, `core/optimizer/nchwc_transformer.cc`).

torch's program runs every operation by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from compress.latency.target import ONNX, Target
from compress.pruning.macs import Operations, without_shortcuts
from compress.quantize.int8 import Int8Conv2d, Int8Linear

BLOCK = 16
"""Channels that are computed together, as on a processor with AVX-512; half on others, which the fit makes up for."""
ALIGNED = 4
_WORDS = {
    "free": "view _unsafe_view t detach reshape permute transpose expand alias squeeze unsqueeze slice select split "
    "split_with_sizes lift_fresh empty zeros scalar_tensor unbind as_strided clone _to_copy flatten",
    "fused": "native_batch_norm relu hardtanh leaky_relu clamp clamp_min add",
    "keeps": "native_batch_norm relu hardtanh max_pool2d_with_indices avg_pool2d mean sigmoid tanh",
    "named": "silu sigmoid hardswish gelu max_pool2d_with_indices avg_pool2d _adaptive_avg_pool2d native_batch_norm "
    "cat add mul mean",
}
FREE, FUSED, KEEPS, NAMED = (frozenset(words.split()) for words in _WORDS.values())
"""Operations that move no data, are folded into the layer before, keep blocks of channels, have a time of their own."""
SAME = {"_native_batch_norm_legit_no_training": "native_batch_norm", "cudnn_batch_norm": "native_batch_norm"}
LAYER = "layer"


def work(model: nn.Module, shape: tuple[int, int, int], target: Target) -> dict[str, float]:
    """Return amounts of work by kind of kernel, such as `conv multiplications`, for a pass of the target's batch.

    The model computes once, in eval mode, on the CPU. `net` is 1; `cold weights` are the elements of all weights.
    """
    tracer = _Tracer(fuses=target.form == ONNX, batch=target.batch)
    with torch.no_grad(), ExitStack() as hooks:
        for layer in model.modules():
            if isinstance(layer, Int8Conv2d | Int8Linear):
                hooks.callback(layer.register_forward_pre_hook(tracer.enter_int8).remove)
                hooks.callback(layer.register_forward_hook(tracer.leave_int8).remove)
        hooks.enter_context(without_shortcuts())
        with tracer:
            model.eval()(torch.zeros(target.batch, *shape))
    return {**tracer.amounts, "net one": 1.0, "cold weights": float(tracer.weights)}


class _Tracer(Operations):
    """Adds up the amounts of all operations while it is entered.

    `blocked` has the tensors that onnxruntime keeps in blocks of channels, `made_by` the kind of the operation that
    made a tensor. Tensors are known by weak references, so that none is kept.
    """

    def __init__(self, *, fuses: bool, batch: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fuses, self.batch = fuses, batch
        self.amounts: dict[str, float] = defaultdict(float)
        self.weights = 0
        self.int8 = False
        self.blocked: MutableMapping[Tensor, bool] = WeakIdKeyDictionary()
        self.made_by: MutableMapping[Tensor, str] = WeakIdKeyDictionary()

    def enter_int8(self, *_: object) -> None:
        """Count the next layer as a layer of integers."""
        self.int8 = True

    def leave_int8(self, *_: object) -> None:
        """Count layers as layers of floats again."""
        self.int8 = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = list(_tensors((result,)))
        if outputs:
            name = func._schema.name.partition("::")[2].rstrip("_")
            kind, blocked = self._count(SAME.get(name, name), list(_tensors(args)), args, outputs[0])
            for output in outputs:
                self.made_by[output], self.blocked[output] = kind, blocked
        return result

    def _count(self, name: str, inputs: Sequence[Tensor], args: Any, output: Tensor) -> tuple[str, bool]:
        """Add an operation's amounts; return its kind, and whether its output is in blocks of channels."""
        before = self.made_by.get(inputs[0], "") if inputs else ""
        if name in FREE or not inputs:
            return before, bool(inputs) and self._is_blocked(inputs[0])
        if name in ("convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution"):
            return LAYER, self._convolution(args[0], args[1], args[8], output)
        if name in ("addmm", "mm", "bmm", "baddbmm", "linear"):
            self._reorder(inputs)
            self._product(inputs[-1], output)
            return LAYER, False
        if "scaled_dot_product" in name:
            queries, keys = inputs[:2]
            self._reorder(inputs)
            macs = 2 * queries.numel() * keys.shape[-2]
            self._add(self._plain, multiplications=macs, input=3 * queries.numel(), output=output.numel())
            return name, False
        if self.int8:  # rounding, which the kernel does itself
            return before, False
        return self._elementwise(name, inputs, output, before)

    def _product(self, weight: Tensor, output: Tensor) -> None:
        """Add a product of matrices: a linear layer for each image, or as much work as a pointwise convolution."""
        self.weights += weight.numel()
        rows = output.numel() // weight.shape[-1]
        if rows <= self.batch:
            return self._add("linear", output=output.numel(), weights=weight.numel())
        macs = output.numel() * weight.shape[-2]
        sizes = {"input": rows * weight.shape[-2], "output": output.numel(), "weights": weight.numel()}
        return self._add(self._plain, multiplications=macs, **sizes)

    def _convolution(self, image: Tensor, weight: Tensor, groups: int, output: Tensor) -> bool:
        (outer, _, *kernel), inner = weight.shape, image.shape[1]
        positions, taps = output.numel() // outer, prod(kernel)
        depthwise = groups == inner and groups > 1
        fast = inner % ALIGNED == 0 or (groups == 1 and inner < BLOCK) if groups == 1 or depthwise else False
        fast &= self.fuses and not self.int8
        kind = "depthwise" if depthwise else "conv" if taps > 1 or groups > 1 else "pointwise"
        if fast and inner >= BLOCK and not self._is_blocked(image):
            self._add("reorder", output=image.numel())
        if not fast:
            self._reorder([image])
        if fast:
            ins = 1 if depthwise else _up(inner) if inner >= BLOCK else inner
            macs = ins * _up(outer) * taps * positions
            kind += "" if inner >= BLOCK else " of few"
        else:
            macs, ins = weight.numel() * positions, weight.shape[1]
            kind += " unaligned" if self.fuses and not self.int8 else ""
        rows = ins * outer * taps * positions / max(1, output.shape[-1])
        sizes = {"input": image.numel(), "output": output.numel(), "weights": weight.numel()}
        self._add(kind, multiplications=macs, rows=rows, **sizes)
        self.weights += weight.numel()
        return fast

    def _elementwise(self, name: str, inputs: Sequence[Tensor], output: Tensor, before: str) -> tuple[str, bool]:
        if self.fuses and name in FUSED and before.startswith(LAYER):
            if name == "add":
                self._add("added", output=output.numel())
            return f"{LAYER} {name}", self._is_blocked(inputs[0])
        maps = [one for one in inputs if one.dim() == 4]
        kept = bool(maps) and all(map(self._is_blocked, maps))
        kept &= name in KEEPS or (name == "cat" and all(one.shape[1] % BLOCK == 0 for one in maps))
        if not kept:
            self._reorder(inputs)
        self.amounts["operations one"] += 1
        what = name if name in NAMED else "other"
        size = max(output.numel(), sum(one.numel() for one in maps) or inputs[0].numel())
        self.amounts[f"{what}{' in blocks' if kept else ''} values"] += size
        return name, kept

    @property
    def _plain(self) -> str:
        """The kind of a product of matrices outside the blocks of channels."""
        return "pointwise unaligned" if self.fuses and not self.int8 else "pointwise"

    def _is_blocked(self, one: Tensor) -> bool:
        return self.blocked.get(one, False)

    def _reorder(self, inputs: Sequence[Tensor]) -> None:
        """Count the maps that leave the blocks of channels, each once."""
        for one in inputs:
            if self._is_blocked(one):
                self.blocked[one] = False
                self._add("reorder", output=one.numel())

    def _add(self, kind: str, **amounts: float) -> None:
        kind = f"int8 {kind}" if self.int8 else kind
        self.amounts[f"{kind} one"] += 1
        for name, amount in amounts.items():
            self.amounts[f"{kind} {name}"] += amount


def _up(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors of arguments or results, lists included."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
