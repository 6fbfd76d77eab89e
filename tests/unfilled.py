"""Networks without values, for tests that read shapes alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compress.models import Model


class _Unfilled(TorchFunctionMode):
    """What fills a tensor leaves it: without values torch does so in Python, half the time that a network takes."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init" or func in (Tensor.normal_, Tensor.uniform_):
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@cache
def unfilled(model: Model, classes: int = 10, channels: int = 1) -> nn.Module:
    """The network on the meta device, the same one for every test that asks: to be read and not changed."""
    with torch.device("meta"), _Unfilled():
        return model.build(classes, channels)
