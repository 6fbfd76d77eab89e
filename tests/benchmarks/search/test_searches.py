"""Replayed searches: what is paid for, what is shared, and that the table has all that a search may ask for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optuna
import pytest

from benchmarks.search.grid import FACTORIZED, GRID, TASK, everything
from benchmarks.search.halving import Halving, ranked
from benchmarks.search.recording import recorded
from benchmarks.search.replay import SHARES, report, until
from benchmarks.search.searches import Ours, Plain
from benchmarks.search.workers import WORKERS, best, needed, rows, task, teacher
from compress.plan import plan
from spaces.joint import DEEPEST


def _random(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def test_every_recipe_of_the_grid_is_recorded_whole() -> None:
    for _, recipe in everything():
        found = rows(recipe)
        assert [step for step, _ in found] == plan(recipe, task().fingerprint)
        assert all((step.sparsity, step.variant) == (row[0], row[1]) for step, row in found)
        assert all(row[2].seconds > 0 for _, row in found)
    assert len(recorded()) == sum(1 for params, _ in everything() if params["int8"]) + 1
    assert teacher().measured.score_validation > 0.9


def test_a_point_is_paid_for_with_all_it_is_made_from_and_nothing_else() -> None:
    for params, recipe in everything():
        steps = rows(recipe)
        last = needed(steps, {**params, "sparsity": 0.9})
        if params["int8"]:
            assert (last[-1][0].variant, last[-1][0].parent) == ("int8", last[-2][0])
            last = last[:-1]
        levels = [step.sparsity for step, _ in last]
        if params.get("schedule") == "exponential":
            assert levels == sorted(step.sparsity or 0.0 for step, _ in steps if step.variant == "float")[: len(last)]
            assert len(last) > 3
        else:
            assert levels == [0.0, pytest.approx(FACTORIZED if params["order"] == "lowrank" else DEEPEST)]
        assert next(step.sparsity for step, _ in needed(steps, {**params, "sparsity": 0.0})) == 0.0


@pytest.mark.parametrize("search", [Ours("random", beginnings=False), Plain(_random)])
def test_a_replayed_search_is_its_seeds(search: Ours | Plain) -> None:
    one, again, other = (search(seed, 300.0) for seed in (1, 1, 2))
    assert one == again != other
    assert [volume for _, volume in one] == sorted(volume for _, volume in one)
    assert one[-1][0] <= 300.0


def test_two_workers_that_try_nearly_everything_need_as_long_as_that_takes() -> None:
    whole = Ours("random")(0, 1e9)
    assert 0.98 * best() < whole[-1][1] <= best()
    seconds = {step.key: row[2].seconds for _, recipe in everything() for step, row in rows(recipe)}
    assert whole[-1][0] < 1.1 * sum(seconds.values()) + 60 * WORKERS


def test_what_is_kept_is_paid_once() -> None:
    kept, again = (Plain(_random, cached=cached)(0, 2000.0) for cached in (True, False))
    assert until(kept, again[-1][1]) < again[-1][0]


def test_halving_keeps_the_better_half_of_those_of_about_its_cost() -> None:
    rule = Halving(near=0.1, kept=2)
    cheap, dear = np.array([0.2]), np.array([0.9])
    assert [rule.goes_on(1, error, cheap) for error in (0.5, 0.4, 0.6, 0.3)] == [True, True, False, True]
    assert rule.goes_on(1, 0.9, dear)
    assert rule.goes_on(0, 0.9, cheap)
    assert ranked(np.array([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1], [0.6, 0.6]])) == [0, 2, 1, 3]


def test_the_report_says_never_and_the_bars() -> None:
    course = [(10.0, 0.5 * best()), (20.0, 0.98 * best())]
    text = report({"ours": [course, course], "plain, TPE": [[(s * 6, v) for s, v in course], course[:1]]})
    assert f"| ours | {' | '.join(['20 (20-20)'] * 4)} | never (never-never) | 0.980 |" in text
    assert "To 97% `plain, TPE` takes more than the replay lasted ours (bar: 5 times)." in text
    assert len(SHARES) == 5


def test_the_grid_is_a_part_of_the_joint_space() -> None:
    baseline = GRID.baseline(TASK, 0)
    assert replace(baseline, seed=0).id in recorded()
