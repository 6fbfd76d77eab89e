"""Turned digits: the angle told is that by which the digit was turned."""

from __future__ import annotations

import numpy as np

from compress.data.augmentation import Augment
from compress.data.digits import MOST_DEGREES, _read, _turned
from compress.data.splits import TensorSplit
from compress.data.tasks import load_task
from compress.goals import Regression


def test_each_digit_is_turned_by_its_angle() -> None:
    task, plain = load_task("digits-angle"), load_task("digits")
    assert isinstance(task.test, TensorSplit)
    assert isinstance(plain.test, TensorSplit)
    for number in range(5):
        angle = task.test.targets[number].item()
        expected = _turned(plain.test.images[number, 0].numpy(), angle)
        assert np.array_equal(task.test.images[number, 0].numpy(), expected)


def test_a_quarter_turn_is_counter_clockwise_and_keeps_the_values() -> None:
    image = _read()[0][0, 0]
    assert np.array_equal(_turned(image, 90.0), np.rot90(image))


def test_angles_are_spread_over_both_sides_and_always_the_same() -> None:
    task = load_task("digits-angle")
    targets = task.train.targets
    assert targets.shape == (1079, 1)
    assert targets.abs().max() <= MOST_DEGREES
    assert abs(targets.mean().item()) < 2
    assert task.fingerprint == "22082642a3142e5529a5777a56a1a0e60119f55e3c7f8541a3628c2a51b4e570"
    assert (task.augment, task.goal.fitted(targets)) == (Augment(1, False), task.goal)
    assert isinstance(task.goal, Regression)
    assert task.pixels == "grey from 0 to 16"
