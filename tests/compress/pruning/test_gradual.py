"""Gradual pruning: the cubic, step by step, and masks that only grow."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.pruning import Gradual, L1Unstructured
from compress.pruning.during_training import Goal
from compress.pruning.masks import mask_weights
from compress.pruning.pruner import weight_count, weighted_layers
from compress.training.loop import Hook, Loss, fit
from compress.training.settings import Training

STRONG = Training(epochs=5, lr=0.1, batch_size=16, momentum=0.9, weight_decay=1e-2)
STEPS = 40


def flat(net: nn.Module) -> torch.Tensor:
    return torch.cat([layer.weight.detach().flatten() for layer in weighted_layers(net).values()])


class Noting(Hook):
    """What is zero after every step."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.zeros, self.weights = net, [flat(net) == 0], [flat(net)]

    def after_update(self, step: int, steps: int) -> None:
        assert steps == STEPS
        self.zeros.append(flat(self.net) == 0)
        self.weights.append(flat(self.net))


def run(net: nn.Module, method: Gradual, level: float, task: Task, calibration: Batch) -> Noting:
    pruning = method.begin(net, Goal(level, weight_count(net), calibration, STRONG.epochs))
    noting = Noting(net)
    fit(Loss(net), task.train, STRONG, seed=0, augment=None, hooks=[pruning, noting])
    pruning.finish()
    return noting


def wanted(done: int, start: float, level: float, every: int, share: float) -> float:
    """SlimNets, equation 2, with t_0 = 0: constant between two masks, and from the last one on."""
    last = every * int(share * STEPS / every)
    time = min(every * (done // every), last)
    return level + (start - level) * (1 - time / last) ** 3


@pytest.mark.parametrize(("every", "share"), [(1, 1), (3, 0.5), (5, 0.75), (7, 1)])
def test_every_step_has_the_zeros_of_the_closed_form(
    every: int, share: float, net: nn.Module, tiny: Task, calibration: Batch
) -> None:
    total = weight_count(net)
    noting = run(net, Gradual(every, share), 0.83, tiny, calibration)
    counts = [int(zeros.sum()) for zeros in noting.zeros]
    assert counts == [int(wanted(t, 0.0, 0.83, every, share) * total + 1e-9) for t in range(STEPS + 1)]


def test_a_second_level_rises_from_the_first(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    total = weight_count(net)
    mask_weights(net, L1Unstructured(), 0.5, calibration)
    start = int(0.5 * total + 1e-9) / total
    counts = [int(zeros.sum()) for zeros in run(net, Gradual(4, 0.6), 0.9, tiny, calibration).zeros]
    assert counts == [int(wanted(t, start, 0.9, 4, 0.6) * total + 1e-9) for t in range(STEPS + 1)]


def test_a_masked_weight_stays_zero_and_the_others_learn(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    noting = run(net, Gradual(2, 0.5), 0.8, tiny, calibration)
    for before, after in zip(noting.zeros, noting.zeros[1:], strict=False):
        assert bool((after | ~before).all())
    assert not torch.equal(noting.weights[-1], noting.weights[-2])
    assert not torch.signbit(flat(net)[flat(net) == 0]).any()


def test_the_smallest_weights_of_the_moment_go(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    pruning = Gradual(10, 1).begin(net, Goal(0.7, weight_count(net), calibration, STRONG.epochs))
    before, after = Noting(net), Noting(net)
    fit(Loss(net), tiny.train, STRONG, seed=0, augment=None, hooks=[before, pruning, after])
    for step in (10, 20, 30, 40):
        new, kept = after.zeros[step] & ~after.zeros[step - 1], ~after.zeros[step]
        assert new.any()
        assert before.weights[step][new].abs().max() <= before.weights[step][kept].abs().min()


def test_a_training_too_short_for_a_mask_still_meets_the_goal(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    noting = run(net, Gradual(100, 0.5), 0.6, tiny, calibration)
    assert int(noting.zeros[-1].sum()) == 0
    assert int((flat(net) == 0).sum()) == int(0.6 * weight_count(net) + 1e-9)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"every": 0}, "gradual: every must be a whole number of at least 1, got 0"),
        ({"share": 0.0}, "gradual: share must be above 0, got 0.0"),
        ({"share": 1.2}, "gradual: share must be at most 1, got 1.2"),
    ],
)
def test_wrong_settings_are_a_sentence(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Gradual(**settings)  # type: ignore[arg-type]
