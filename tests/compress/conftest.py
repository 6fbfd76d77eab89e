"""What the tests of this room share: a comparison of a loss with a slow reading of its formula, a model as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.models import Model
from compress.store.files import Files

Array = NDArray[np.float64]
Agree = Callable[[Callable[[], Tensor], Callable[..., Any], Sequence[Tensor]], None]


def agree(loss: Callable[[], Tensor], by_hand: Callable[..., Any], inputs: Sequence[Tensor]) -> None:
    """`loss()` of the inputs, float64 leaves, is `by_hand(*arrays)`, and its gradient the latter's slope: to 1e-6."""
    value = loss()
    gradients = torch.autograd.grad(value, list(inputs))
    arrays: list[Array] = [x.detach().numpy().copy() for x in inputs]
    assert float(value.detach()) == pytest.approx(float(by_hand(*arrays)), rel=1e-6, abs=1e-6)
    random = np.random.default_rng(0)
    for place, gradient in enumerate(gradients):
        for _ in range(3):
            way = random.standard_normal(arrays[place].shape)
            far = [[*arrays[:place], arrays[place] + step * way, *arrays[place + 1 :]] for step in (1e-5, -1e-5)]
            slope = (float(by_hand(*far[0])) - float(by_hand(*far[1]))) / 2e-5
            assert float((gradient.numpy() * way).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.fixture(name="agree")
def _agree() -> Agree:
    return agree


@pytest.fixture
def files(net: nn.Module) -> Files:
    """What a store keeps of that network."""
    return Files.of(net, Model("cnn", 0.5), classes=10, channels=1)
