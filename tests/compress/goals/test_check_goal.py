"""A goal of a user's own is looked at before anything trains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from compress.errors import RecipeError
from compress.goals import Classification, Goal, Regression, Segmentation, check_goal
from compress.goals.metrics import Meter
from compress.machine.vision import import_torchmetrics

TARGETS = torch.randn(8, 1)


@dataclass(frozen=True)
class Depth(Goal):
    """A user's goal: the logarithm of a distance, by the scale-invariant error."""

    name: ClassVar[str] = "depth"

    @property
    def outputs(self) -> int:
        return 1

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).var()

    def imitate(self, outputs: Tensor, taught: Tensor, targets: Tensor, temperature: float) -> Tensor:
        return (outputs - taught).abs().mean()

    def metric(self) -> Meter:
        return Meter("mae", import_torchmetrics().MeanAbsoluteError(), lambda outputs: outputs)

    def constants(self, targets: Tensor) -> Iterable[Tensor]:
        return (targets.mean(0),)


def test_a_goal_of_ones_own_needs_five_methods() -> None:
    check_goal("roads", Depth(), TARGETS)


@pytest.mark.parametrize(
    ("goal", "targets"),
    [
        (Classification(("a", "b"), "f1", also=("auroc",)), torch.tensor([0, 1, 0, 1])),
        (Regression(("x",), also=("r2",)), TARGETS),
        (Segmentation(("a", "b")), torch.randint(2, (4, 3, 5))),
    ],
)
def test_goals_of_the_house_pass(goal: Goal, targets: Tensor) -> None:
    check_goal("task", goal, targets)


def raises(*_: Any) -> Tensor:
    raise KeyError("no such weight")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": raises}, "roads: loss must take outputs and targets, got KeyError: 'no such weight'"),
        (
            {"loss": lambda self, o, t: (o - t).square()},
            r"loss must be a scalar, the mean over the batch, got shape \(4",
        ),
        ({"loss": lambda self, o, t: 0.5}, "loss must be a scalar, the mean over the batch, got a float"),
        (
            {"loss": lambda self, o, t: (o.mean() - o.mean()).log()},
            "loss must be finite, got -inf for outputs of noise",
        ),
        (
            {"loss": lambda self, o, t: (o - t).detach().mean()},
            "loss must have a gradient for the outputs, it has none",
        ),
        ({"loss": lambda self, o, t: (o - o).abs().sqrt().sum()}, "loss must have a finite gradient, got nan"),
        ({"imitate": raises}, "roads: imitate must take outputs and targets, got KeyError"),
        ({"metric": raises}, "roads: quality must take outputs and targets, got KeyError"),
        ({"constants": lambda self, t: ()}, "roads: quality must take outputs and targets, got "),
    ],
)
def test_a_goal_that_does_not_work_is_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    odd = type("Odd", (Depth,), changes)
    with pytest.raises(RecipeError, match=sentence):
        check_goal("roads", odd(), TARGETS)
