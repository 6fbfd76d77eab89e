"""Speed by batch size: medians of networks timed in turns, and speed-ups from them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.inspection.speed import check_batches, rows, times

CPU = torch.device("cpu")


class Noted(nn.Module):
    """Writes its name and the size of its batch at every pass."""

    def __init__(self, name: str, passes: list[tuple[str, int]]) -> None:
        super().__init__()
        self.title, self.passes = name, passes

    def forward(self, images: Tensor) -> Tensor:
        self.passes.append((self.title, len(images)))
        return images


def test_networks_are_timed_in_turns_at_every_batch_size() -> None:
    passes: list[tuple[str, int]] = []
    found = times({name: Noted(name, passes) for name in "ab"}, (1, 2, 2), (1, 8), CPU)
    turns = [one for at, one in enumerate(passes) if at == 0 or passes[at - 1] != one]
    assert turns == [("a", 1), ("b", 1)] * 3 + [("a", 8), ("b", 8)] * 3
    assert all(ms > 0 for of_one in found.values() for ms in of_one.values())


def test_more_work_takes_longer() -> None:
    thin, wide = (nn.Conv2d(width, width, 3, padding=1) for width in (1, 64))
    models = {"thin": nn.Sequential(nn.Conv2d(1, 1, 1), thin), "wide": nn.Sequential(nn.Conv2d(1, 64, 1), wide)}
    found = times(models, (1, 32, 32), (1, 16), CPU)
    assert found["wide"][1] > found["thin"][1]
    assert found["wide"][16] > 3 * found["wide"][1]


def test_speed_ups_are_against_the_named_network_at_the_same_batch_and_device() -> None:
    found = rows({"cpu": {"a": {1: 2.0, 8: 8.0}, "b": {1: 1.0, 8: 2.0}}}, {"a": 100, "b": 20}, "a")
    assert found["b"]["theoretical"] == 5
    assert [(row["batch"], row["median_ms"], row["speedup"]) for row in found["b"]["times"]] == [(1, 1, 2), (8, 2, 4)]
    assert {row["speedup"] for row in found["a"]["times"]} == {1}
    assert math.isnan(rows({"cpu": {"a": {1: 2.0}}}, {"a": 0}, "a")["a"]["theoretical"])


def test_a_batch_that_does_not_fit_into_memory_is_said() -> None:
    class Full(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="speed: a batch of 8 must fit into the memory of cpu, it does not"):
        times({"a": Full()}, (1, 2, 2), (8,), CPU)


@pytest.mark.parametrize(
    ("batches", "sentence"),
    [((), "got none"), ((0,), "of at least 1, got 0"), ((1, 2.5), "got 2.5"), ((10**6,), "at most 65536, got 1000000")],
)
def test_impossible_batches_are_refused(batches: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(RecipeError) as told:
        check_batches(batches)
    assert sentence in str(told.value)
