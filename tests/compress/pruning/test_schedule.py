"""Schedules: the published closed forms at every step."""

from __future__ import annotations

from itertools import pairwise

import pytest

from compress.pruning import SCHEDULES, Cubic, Exponential, OneShot

TARGETS = [0.3, 0.5, 0.9, 0.987654321]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("steps", [1, 2, 9, 30])
@pytest.mark.parametrize("name", SCHEDULES)
def test_levels_rise_and_end_exactly_at_the_target(name: str, steps: int, target: float) -> None:
    levels = SCHEDULES[name](steps).levels(target)
    assert len(levels) == steps
    assert levels[-1] == target
    assert all(low < high for low, high in pairwise((0.0, *levels)))


@pytest.mark.parametrize("target", TARGETS)
def test_one_shot_levels_are_evenly_spaced(target: float) -> None:
    assert OneShot(9).levels(target) == pytest.approx([target * k / 9 for k in range(1, 10)], abs=1e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_exponential_density_falls_by_a_constant_factor(target: float) -> None:
    density = [1 - level for level in (0.0, *Exponential(5).levels(target))]
    factors = [after / before for before, after in pairwise(density)]
    assert factors == pytest.approx([(1 - target) ** 0.2] * 5, rel=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_cubic_follows_zhu_and_gupta(target: float) -> None:
    wanted = [target + (0 - target) * (1 - k / 6) ** 3 for k in range(1, 7)]
    assert Cubic(6).levels(target) == pytest.approx(wanted, abs=1e-6)


def test_only_one_shot_starts_every_level_from_the_unpruned_model() -> None:
    assert {name: kind.sequential for name, kind in SCHEDULES.items() if not kind.sequential} == {"one-shot": False}
    assert Exponential.sequential
    assert Cubic.sequential
