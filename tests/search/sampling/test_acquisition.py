"""What is tried next: nothing twice, first far apart, then what adds most to the front for its seconds."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.estimate import Guess
from search.sampling.acquisition import STARTUP, Acquisition
from search.sampling.candidates import Candidate, Draw, candidates
from spaces.space import Trial

WIDTHS = tuple(range(1, 41))
END = {"params": 1000.0}


@dataclass(frozen=True)
class Net:
    """`width` says what it costs, `good` whether it is any good, `slow` how long it takes."""

    width: int
    good: bool
    slow: bool

    @property
    def id(self) -> str:
        return f"{self.width} {self.good} {self.slow}"

    @property
    def params(self) -> float:
        return 25.0 * self.width

    @property
    def error(self) -> float:
        return (0.1 if self.good else 0.5) + 0.4 / self.width


def build(trial: Trial) -> Net:
    chosen = [trial.suggest_categorical(name, (False, True)) for name in ("good", "slow")]
    return Net(trial.suggest_categorical("width", WIDTHS), *chosen)


@dataclass
class Outlook:
    seconds_of: Callable[[Net], float] = lambda net: 1.0
    asked: list[Net] = field(default_factory=list)
    chance_of: Callable[[Net], float] = lambda net: 1.0
    made: Container[Net] = ()

    def points(self, net: Net) -> list[Guess]:
        return [Guess(0.0, "float", {"params": net.params, "size_bytes": 4000.0 if net.slow else 4.0})]

    def seconds(self, net: Net) -> float:
        self.asked.append(net)
        return self.seconds_of(net)

    def rest(self, net: Net) -> float:
        return self.seconds_of(net)

    def likely(self, net: Net) -> float:
        return self.chance_of(net)

    def is_made(self, net: Net) -> bool:
        return net in self.made


def acquisition(outlook: Outlook | None = None, seed: int = 0) -> Acquisition:
    return Acquisition(build, outlook or Outlook(), ("params",), END, seed)


def told(auto: Acquisition, chosen: Candidate, trial: int) -> Net:
    net = chosen.recipe
    assert isinstance(net, Net)
    auto.add(chosen.params, trial, auto.outlook.points(net)[0], net.error, {"params": net.params})
    return net


def search(auto: Acquisition, trials: int) -> list[Net]:
    tried: dict[str, Net] = {}
    for trial in range(trials):
        (chosen,) = auto.choose(tried, [], 1).candidates
        assert chosen.recipe.id not in tried
        tried[chosen.recipe.id] = told(auto, chosen, trial)
    return list(tried.values())


def test_it_finds_out_what_is_good_and_then_leaves_the_rest() -> None:
    after = [net.good for net in search(acquisition(), STARTUP + 12)][STARTUP + 2 :]
    assert sum(after) >= 9


def test_the_first_ones_are_not_the_slow_ones() -> None:
    found = search(acquisition(Outlook(lambda net: 20.0 if net.slow else 1.0)), STARTUP)
    assert not any(net.slow for net in found)


def test_what_is_likely_to_bring_nothing_is_left_for_later() -> None:
    found = search(acquisition(Outlook(chance_of=lambda net: 0.05 if net.slow else 1.0)), STARTUP + 8)
    assert not any(net.slow for net in found)


def test_what_others_are_making_is_not_chosen() -> None:
    made = {Net(width, good, True) for width in WIDTHS for good in (False, True)}
    assert not any(net.slow for net in search(acquisition(Outlook(made=made)), STARTUP + 8))


def test_what_is_over_a_limit_of_what_is_no_objective_is_not_chosen() -> None:
    auto = acquisition()
    auto.limits = {"size_bytes": 1000.0}
    assert not any(net.slow for net in search(auto, STARTUP + 8))
    auto.limits = {"size_bytes": 1.0}
    assert len(search(auto, STARTUP + 2)) == STARTUP + 2, "nothing fits, so it is as if there were no limit"


def test_choices_that_make_no_recipe_are_left_out() -> None:
    def picky(trial: Trial) -> Net:
        net = build(trial)
        if net.slow:
            raise RecipeError("too slow")
        return net

    found = list(candidates(picky, [], np.random.default_rng(0), 60))
    assert found
    assert not any(one.params["slow"] for one in found)


def test_those_chosen_together_at_first_lie_as_far_apart_as_when_chosen_one_after_the_other() -> None:
    alone, together = acquisition(), acquisition()
    for auto in (alone, together):
        auto.add({}, 0, Guess(0.0, "float", {"params": 900.0}), 0.5, {"params": 900.0})
    found = {one: together._ahead(one.params, one.recipe) for one in _drawn()}
    chosen = together._apart(found, [], 4)
    for count, wanted in enumerate(chosen):
        left = {one: ahead for one, ahead in found.items() if one not in chosen[:count]}
        running = [found[one] for one in chosen[:count]]
        assert alone._apart(left, running, 1) == [wanted]


def _drawn() -> list[Candidate]:
    return list(candidates(build, [], np.random.default_rng(0), 40))


def test_the_first_ones_are_far_apart_in_cost() -> None:
    costs = sorted(net.params for net in search(acquisition(), STARTUP))
    assert max(np.diff(np.log(costs))) < 1.5
    assert costs[-1] / costs[0] > 10


def test_of_two_that_promise_as_much_the_quick_one_is_chosen() -> None:
    found = search(acquisition(Outlook(lambda net: 20.0 if net.slow else 1.0)), STARTUP + 10)[STARTUP:]
    assert not any(net.slow for net in found)


def test_nothing_is_chosen_once_everything_was_tried() -> None:
    every = {Net(width, good, slow).id for width in WIDTHS for good in (False, True) for slow in (False, True)}
    auto = acquisition()
    assert auto.choose(every, [], 3).candidates == []
    search(auto, STARTUP)
    assert auto.choose(every, [], 3).candidates == []


def test_several_at_once_are_different_and_so_is_what_runs() -> None:
    auto = acquisition()
    tried = {net.id for net in search(auto, STARTUP + 3)}
    three = auto.choose(tried, [], 3).candidates
    assert len({one.recipe.id for one in three}) == 3
    running = [(one.params, one.recipe) for one in three]
    widths = {one.recipe.width for one in three if isinstance(one.recipe, Net)}
    (other,) = auto.choose(tried | {one.recipe.id for one in three}, running, 1).candidates
    assert isinstance(other.recipe, Net)
    assert other.recipe.width not in widths


def test_a_running_trial_is_given_up_when_its_rest_promises_far_less_than_what_else_there_is() -> None:
    auto = acquisition()
    tried = {net.id for net in search(auto, STARTUP + 6)}
    (best,) = auto.choose(tried, [], 1).candidates
    bad = next(one for one in candidates(build, [], np.random.default_rng(0), 200) if not one.params["good"])
    running = [(one.params, one.recipe) for one in (best, bad)]
    assert auto.choose(tried | {best.recipe.id, bad.recipe.id}, running, 1).given_up == [False, True]


def test_what_is_worse_than_asked_for_is_not_aimed_at() -> None:
    auto = acquisition()
    auto.worst = 0.13
    found = search(auto, STARTUP + 14)[STARTUP + 4 :]
    assert np.median([net.width for net in found]) > 10


def test_a_point_without_choices_is_on_the_front_but_says_nothing() -> None:
    auto = acquisition()
    auto.add({}, 0, Guess(0.0, "float", {"params": 1.0}), 0.0, {"params": 1.0})
    assert len(search(auto, STARTUP + 2)) == STARTUP + 2


def test_the_same_seed_gives_the_same_search() -> None:
    assert (
        search(acquisition(), STARTUP + 4)
        == search(acquisition(), STARTUP + 4)
        != search(acquisition(seed=1), STARTUP + 4)
    )


def test_many_points_are_thinned_but_the_front_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.sampling.acquisition.MOST", 12)
    auto = acquisition()
    search(auto, 20)
    used = auto._used(np.random.default_rng(0))
    assert len(used) == 12
    assert {id(auto.seen[number]) for number in auto._front()} <= set(map(id, used))


def test_half_of_the_candidates_are_one_choice_away_from_the_best() -> None:
    best = {"good": True, "slow": False, "width": 40}
    found = list(candidates(build, [best], np.random.default_rng(0), 60))
    near = [one for one in found if sum(one.params[name] != best[name] for name in best) <= 1]
    assert len(near) > 15
    assert len({one.recipe.id for one in found}) == len(found)


def test_a_draw_keeps_what_was_given_where_it_is_a_value_asked_for() -> None:
    draw = Draw(np.random.default_rng(0), {"a": 3, "b": 0.5, "c": "gone", "d": 7.0})
    assert draw.suggest_categorical("a", (1, 2, 3)) == 3
    assert draw.suggest_float("b", 0.0, 1.0) == 0.5
    assert draw.suggest_categorical("c", ("here", "there")) in ("here", "there")
    assert 0 <= draw.suggest_float("d", 0.0, 1.0) <= 1
    assert draw.suggest_float("b", 0.0, 1.0) == draw.params["b"]


def test_another_end_of_the_box_scales_what_was_seen_as_if_it_had_been_there_from_the_start() -> None:
    first, second = acquisition(), Acquisition(build, Outlook(), ("params",), {"params": 500.0}, 0)
    for one in (first, second):
        one.add({}, 0, Guess(0.0, "float", {"params": 40.0}), 0.1, {"params": 50.0})
    first.measure_against("params", 500.0)
    np.testing.assert_allclose(first.seen[0].costs, second.seen[0].costs)
    np.testing.assert_allclose(first.seen[0].guessed, second.seen[0].guessed)
    assert first.reference == second.reference
