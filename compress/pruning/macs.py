"""Count the MACs of a network, and how often each layer uses a weight for one image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

MEASURES = ("weights", "flops")
"""Amounts of which a cut may remove a share: weights, or the MACs of an image; the share of FLOPs is the same."""


def _of_steps(sequence: Tensor, *arguments: Any, **_: Any) -> int:
    weights = arguments[0] if isinstance(arguments[0], list | tuple) else arguments[:2]
    return 2 * prod(sequence.shape[:2]) * sum(int(one.numel()) for one in weights if one.dim() == 2)


UNKNOWN = {
    torch.ops.aten.mkldnn_rnn_layer: _of_steps,
    torch.ops.aten._cudnn_rnn: _of_steps,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        torch.ops.aten._scaled_dot_product_flash_attention
    ],
}
"""The FLOPs of kernels for which torch has no formula: recurrent layers, and attention on the CPU."""


def count_macs(model: nn.Module, image: Tensor) -> int:
    """Count the MACs of a module, left in eval mode, for one image `(1, C, H, W)`."""
    with without_shortcuts(), torch.no_grad():
        try:
            with _Flops() as counter:
                model.eval()(image)
        except NotImplementedError:  # of operators that take functions, such as torch.cond
            with FlopCounterMode(display=False) as torchs:
                model.eval()(image)
            return int(torchs.get_total_flops()) // 2
    return int(counter.total) // 2


@contextmanager
def without_shortcuts() -> Iterator[None]:
    """Carry out the operations of a transformer's layer one by one: the layer as a single operation has no count."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Meets every operation while it is entered; the base of the counts here and in `compress.latency`.

    Torch wraps other modes for `torch.compile`, and imports the compiler at their first operation: 1.5 s of a process.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _Flops(Operations):
    """Adds up the FLOPs of operations, by torch's formulas and those of `UNKNOWN`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = flop_registry.get(func.overloadpacket) or UNKNOWN.get(func.overloadpacket)
        if func.namespace == "prim":  # a question of a tensor's device or layout
            return func(*args, **kwargs)
        if formula is None:
            with self:  # an operation made of others is counted as the others
                made = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if made is NotImplemented else made
        output = func(*args, **kwargs)
        self.total += int(formula(*args, **kwargs, out_val=output))
        return output


def positions(model: nn.Module, layers: Mapping[str, nn.Conv2d | nn.Linear], image: Tensor) -> dict[str, int]:
    """Return by layer name how many MACs each weight takes for one image `(1, C, H, W)`: a MAC a position, all calls.

    The model is left in eval mode.
    """
    found: dict[str, int] = defaultdict(int)

    def note(name: str, output: Tensor) -> None:
        found[name] += prod(output.shape[2:]) if output.dim() == 4 else prod(output.shape[:-1])

    hooks = [layer.register_forward_hook(lambda *io, name=name: note(name, io[-1])) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            model.eval()(image)
    finally:
        for hook in hooks:
            hook.remove()
    return found
