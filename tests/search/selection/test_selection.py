"""What is chosen within a budget, and what is said of it."""

import math
import random
from dataclasses import replace

import pytest

from search.selection.budget import Amount, Budget
from search.selection.preference import PREFERENCES
from search.selection.selection import choose
from search.study.record import Point
from tests.search.points import CURVE, point, seeds, unnamed


def test_choosing_by_an_open_share_is_refused() -> None:
    with pytest.raises(ValueError, match="max-params: 10% is a share, resolve the budget with the teacher first"):
        choose([point()], Budget.parse(max_params="10%"))


def test_the_most_accurate_point_within_the_bounds_is_best() -> None:
    points = [point(0.9, 100), point(0.95, 200), point(0.99, 300)]
    found = choose(points, Budget(max_params=Amount(200)))
    assert (found.best, found.runner_up) == (points[1], points[0])


def test_a_bound_includes_its_own_value_despite_rounding() -> None:
    budget = Budget.parse(max_params="29%").resolve(point(params=100))
    assert choose([point(params=29)], budget).best is not None


def test_test_accuracy_plays_no_part() -> None:
    points = [point(0.9, test=1.0), point(0.91, test=0.0)]
    assert choose(points, Budget(min_accuracy=Amount(0.5))).best == points[1]


@pytest.mark.parametrize("smaller", [point(params=99, macs=2000, size=900), point(macs=999, size=900), point(size=399)])
def test_ties_go_to_fewer_params_then_macs_then_bytes(smaller: Point) -> None:
    assert choose([point(), smaller], Budget()).best == smaller


def test_the_binding_bound_is_the_one_that_alone_keeps_a_better_point_out() -> None:
    points = [point(0.8, 10, 10), point(0.9, 50, 10), point(0.95, 50, 5000), point(0.7, 10, 9000)]
    budget = Budget(max_params=Amount(20), max_macs=Amount(100))
    assert choose(points, budget).binding == ("max_params",)


def test_bounds_that_only_bind_together_are_both_named() -> None:
    budget = Budget(max_params=Amount(20), max_macs=Amount(100))
    assert choose([point(0.8, 10, 10), point(0.9, 50, 500)], budget).binding == ("max_params", "max_macs")


def test_nothing_binds_where_the_best_of_all_fits() -> None:
    assert choose([point(0.9, 10), point(0.8, 500)], Budget(max_params=Amount(20))).binding == ()


def test_misses_come_nearest_first_with_how_much_they_are_over() -> None:
    points = [point(params=130), point(params=110), point(params=200), point(params=120)]
    found = choose(points, Budget(max_params=Amount(100)))
    assert found.best is None
    assert [miss.over["max_params"] for miss in found.misses] == pytest.approx([0.1, 0.2, 0.3])


def test_a_miss_of_accuracy_is_in_points_and_counts_relatively() -> None:
    (miss,) = choose([point(0.72, 150)], Budget(max_params=Amount(100), min_accuracy=Amount(0.9))).misses
    assert miss.over == pytest.approx({"max_params": 0.5, "min_accuracy": 0.18})
    assert miss.total == pytest.approx(0.5 + 0.2)


def test_a_latency_that_is_not_a_number_fits_no_bound() -> None:
    unmeasured = replace(point(), measured=replace(point().measured, latency_ms=math.nan))
    (miss,) = choose([unmeasured], Budget(max_latency_ms=Amount(5))).misses
    assert miss.over == {"max_latency_ms": math.inf}


def test_json_holds_best_and_why() -> None:
    printed = choose([point(0.9, trial=4), point(0.8)], Budget(max_params=Amount(100))).as_json()
    best = printed["best"]
    assert isinstance(best, dict)
    assert (best["trial"], printed["fits"], printed["bounds"]) == (4, 2, {"max_params": 100.0})


def test_json_of_nothing_that_fits_holds_the_misses() -> None:
    printed = choose([point(params=200)], Budget(max_params=Amount(100))).as_json()
    assert printed["best"] is None
    assert [miss["over"] for miss in printed["misses"]] == [{"max_params": 1.0}]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("prefer", "best"), [("accuracy", "4"), ("params", "1"), ("latency", "4"), ("knee", "2")], ids=PREFERENCES
)
def test_what_is_preferred_comes_first(prefer: str, best: str) -> None:
    found = choose(CURVE, Budget(), prefer=prefer)
    assert found.best is not None
    assert str(found.best.trial) == best
    assert len(found.fits) == 4
    assert found.more is None


def test_of_equal_latency_the_most_accurate_comes_first_and_the_unmeasured_last() -> None:
    points = [
        point(0.9, ms=2.0, trial=1),
        point(0.8, ms=1.0, trial=2),
        point(0.85, trial=3),
        point(ms=math.nan, trial=4),
    ]
    assert [one.point.trial for one in choose(points, Budget(), prefer="latency").fits] == [3, 2, 1, 4]


@pytest.mark.parametrize("points", [CURVE[:1], CURVE[:2], [point(0.9, trial=1), point(0.8, trial=2)]])
def test_without_a_bend_the_knee_is_the_most_accurate(points: list[Point]) -> None:
    found = choose(points, Budget(), prefer="knee")
    assert found.best == max(points, key=lambda one: one.measured.score_validation)


def test_without_a_bend_rounding_makes_none() -> None:
    chance = random.Random(0)
    for _ in range(100):
        ends = [point(chance.uniform(0.3, 0.6), chance.randrange(10, 50)), point(chance.uniform(0.7, 0.9), 100)]
        assert choose(ends, Budget(), prefer="knee").best == ends[1]


def test_what_a_larger_budget_would_buy_is_the_nearest_better_point() -> None:
    found = choose(CURVE, Budget(max_params=Amount(500)))
    assert found.binding == ("max_params",)
    assert unnamed(found.more_buys) == "--max-params 1000 buys trial 3 at 60%, 5 points more on validation"
    assert unnamed(choose(CURVE, Budget(max_params=Amount(20_000))).more_buys) == ""


def test_a_bound_on_a_knee_binds_where_without_it_one_is_picked_that_it_keeps_out() -> None:
    small = choose(CURVE, Budget(max_params=Amount(50)), prefer="knee")
    assert (small.best, small.binding, small.more) == (CURVE[0], ("max_params",), None)
    large = choose(CURVE, Budget(max_params=Amount(1000), max_macs=Amount(5000)), prefer="knee")
    assert (large.best, large.binding) == (CURVE[1], ())


def test_a_bound_on_a_knee_that_only_moves_it_within_does_not_bind() -> None:
    points = [point(0.5, 10), point(0.8, 30), point(0.9, 100), point(0.95, 10_000)]
    assert choose(points, Budget(), prefer="knee").best == points[2]
    found = choose(points, Budget(max_params=Amount(100)), prefer="knee")
    assert (found.best, found.binding) == (points[1], ())


def test_bounds_on_a_knee_that_only_bind_together_are_both_named() -> None:
    points = [point(0.5, 10, 10), *(point(0.9, 100, 100, trial=n) for n in (2, 3)), point(0.95, 1000, 1000)]
    found = choose(points, Budget(max_params=Amount(50), max_macs=Amount(50)), prefer="knee")
    assert (found.best, found.binding) == (points[0], ("max_params", "max_macs"))


def test_of_the_smallest_the_accuracy_binds() -> None:
    found = choose(CURVE, Budget(min_accuracy=Amount(0.93)), prefer="params")
    assert found.best == CURVE[2]
    assert found.binding == ("min_accuracy",)
    assert unnamed(found.more_buys) == "--min-accuracy 0.9 buys trial 2 at 60%, 900 params fewer"


def test_of_the_fastest_the_accuracy_binds() -> None:
    points = [point(0.9, ms=1.5, trial=1), point(0.8, ms=1.0, trial=2)]
    found = choose(points, Budget(min_accuracy=Amount(0.85)), prefer="latency")
    assert unnamed(found.more_buys) == "--min-accuracy 0.8 buys trial 2 at 60%, 0.5 ms less"


def test_an_unknown_preference_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="prefer: unknown 'beauty', known are accuracy, params, latency, knee"):
        choose(CURVE, Budget(), prefer="beauty")


def test_a_lucky_seed_is_not_chosen() -> None:
    lucky, steady = seeds(0.97, 0.91, 0.92), point(0.95, trial=2)
    assert choose([*lucky, steady], Budget()).best == steady
    assert choose([lucky[0], steady], Budget()).best == lucky[0]


@pytest.mark.parametrize(("accuracies", "seed"), [((0.97, 0.9, 0.93), 2), ((0.9, 0.96, 0.94), 2), ((0.9, 0.9), 0)])
def test_the_seed_nearest_to_the_mean_ships_of_equal_ones_the_studys_own(
    accuracies: tuple[float, ...], seed: int
) -> None:
    made = seeds(*accuracies)
    assert choose(made, Budget()).best == made[seed]


@pytest.mark.parametrize(
    ("accuracies", "seed"),
    [((0.9, 0.94), 0), ((0.94, 0.9), 1), ((0.94, 0.92, 0.9, 0.92, 0.94, 0.9), 1), ((0.96, 0.96, 0.9, 0.9), 2)],
)
def test_of_seeds_as_near_to_the_mean_the_less_accurate_ships(accuracies: tuple[float, ...], seed: int) -> None:
    made = seeds(*accuracies)
    assert choose(made, Budget()).best == made[seed]


def test_of_two_seeds_the_lucky_one_never_ships() -> None:
    for images in range(60, 500):  # most means have more digits than are kept
        lucky, other = seeds((images - 7) / images, (images - 20) / images)
        assert choose([lucky, other], Budget()).best == other, images


def test_a_seed_beyond_the_budget_ships_only_where_all_are() -> None:
    made = seeds(0.93, 0.9, 0.96, params=(120, 90, 80))
    assert choose(made, Budget(max_params=Amount(100))).best == made[1]
    (miss,) = choose(made, Budget(max_params=Amount(75))).misses
    assert miss.point == made[2]
    assert miss.over == pytest.approx({"max_params": 5 / 75})


def test_the_least_accuracy_is_asked_of_the_mean_and_of_the_seed_that_ships() -> None:
    made = seeds(0.95, 0.95, 0.89)
    (miss,) = choose(made, Budget(min_accuracy=Amount(0.94))).misses
    assert miss.over == pytest.approx({"min_accuracy": 0.01})
    made = seeds(0.949, 0.949, 0.97)
    assert choose(made, Budget(min_accuracy=Amount(0.95))).best == made[2]


def test_robust_goes_by_the_lower_end_of_the_confidence() -> None:
    erratic, steady = seeds(0.99, 0.93, 0.96), seeds(0.95, 0.951, 0.952, trial=2)
    found = choose([*erratic, *steady], Budget(), robust=True)
    assert [rated.point.trial for rated in found.fits] == [2, 1]
    assert [rated.point.trial for rated in choose([*erratic, *steady], Budget()).fits] == [1, 2]
    assert found.fits[1].weighed.measured.score_validation == pytest.approx(0.96 - 4.3027 * 0.03 / 3**0.5, abs=1e-4)
    assert unnamed(found.why).startswith("trial 1 at 60%: 0.8855 against ")
    assert found.why.endswith(" at the lower end, with the same size and MACs")


def test_seeds_that_happen_to_agree_are_taken_to_be_as_uncertain_as_others() -> None:
    agree, better = seeds(0.95, 0.95, 0.95), seeds(0.954, 0.958, 0.962, trial=2)
    others = [one for trial in (3, 4) for one in seeds(0.9, 0.904, 0.908, trial=trial)]
    found = choose([*agree, *better, *others], Budget(), robust=True)
    assert [rated.point.trial for rated in found.fits[:2]] == [2, 1]


def test_a_lower_end_is_an_accuracy_and_of_those_that_are_0_the_mean_decides() -> None:
    better, worse = seeds(0.9, 0.6, trial=1), seeds(0.2, 0.7, params=(50,), trial=2)
    found = choose([*worse, *better], Budget(min_accuracy=Amount(0)), robust=True)
    assert [rated.weighed.measured.score_validation for rated in found.fits] == [0, 0]
    assert [rated.family.validation for rated in found.fits] == [0.75, 0.45]
    assert unnamed(found.why) == (
        "trial 2 at 60%: 0.0000 as well at the lower end, 0.4500 against 0.7500 on the mean, with 50 params fewer"
    )
    misses = choose(better, Budget(min_accuracy=Amount(0.5)), robust=True).misses
    assert [unnamed(str(miss)) for miss in misses] == [
        "trial 1 at 60% misses accuracy by 50 points (needs --min-accuracy 0)"
    ]


def test_robust_leaves_out_what_has_one_seed_and_counts_it() -> None:
    made = [*seeds(0.9, 0.91), point(0.99, trial=2), point(0.99, 5000, trial=3)]
    found = choose(made, Budget(max_params=Amount(200)), robust=True)
    assert ([rated.point.trial for rated in found.fits], found.left_out, found.more) == ([1], 1, None)


def test_robust_without_a_second_seed_anywhere_says_what_to_do() -> None:
    with pytest.raises(
        ValueError, match="robust: needs models made with several seeds, and none within the budget is; add"
    ):
        choose([point()], Budget(), robust=True)
    with pytest.raises(ValueError, match="and none within the budget is"):
        choose([point(), *seeds(0.9, 0.91, params=(5000,))], Budget(max_params=Amount(200)), robust=True)
    assert len(choose([point()], Budget(max_params=Amount(1)), robust=True).misses) == 1


def test_every_model_in_a_sentence_has_its_id_cut_of_eight_digits() -> None:
    best, second, larger = (point(0.9, 50), point(0.8, 40), replace(point(0.95, 500, trial=2), variant="int8"))
    second, larger = replace(second, id="0123456789ab"), replace(larger, id="ba9876543210")
    found = choose([best, second, larger], Budget(max_params=Amount(60)))
    assert found.why.startswith("point 01234567 (trial 1 at 60%): 0.8000 against 0.9000")
    assert " buys point ba987654 (trial 2 at 60%, int8), 5 points more" in found.more_buys
    (miss, *_) = choose([second], Budget(max_params=Amount(20))).misses
    assert str(miss).startswith("point 01234567 (trial 1 at 60%) misses max-params by 100% ")


def test_models_that_seeds_do_not_tell_apart_are_named() -> None:
    one, other = seeds(0.95, 0.96, 0.94), seeds(0.94, 0.94, 0.96, trial=2)
    assert unnamed(choose([*one, *other], Budget(), robust=True).alike) == (
        "trial 1 at 60% and trial 2 at 60% cannot be told apart: over 3 seeds they differ by 0.33 ± 5.17 points on "
        "validation"
    )
    assert choose([*one, point(0.8)], Budget()).alike == ""


def test_models_that_differ_alike_with_every_seed_are_told_apart() -> None:
    one, other = seeds(0.99, 0.93, 0.96), seeds(0.979, 0.92, 0.951, trial=2)
    assert choose([*one, *other], Budget(), robust=True).alike == ""


def test_json_says_what_all_seeds_came_to() -> None:
    best = choose(seeds(0.97, 0.9, 0.93), Budget()).as_json()["best"]
    assert isinstance(best, dict)
    assert best["accuracy"]["validation"] == 0.93
    assert (best["seeds"]["count"], best["seeds"]["validation"]) == (3, pytest.approx(0.9333333))


def test_going_by_means_or_lower_ends_finds_better_models_than_going_by_one_seed() -> None:
    chance = random.Random(0)
    lost = {"one seed": 0.0, "means": 0.0, "lower ends": 0.0}
    for _ in range(400):
        truth = [chance.gauss(0.95, 0.004) for _ in range(8)]
        made = [
            seeds(*(round(360 * chance.gauss(t, 0.006)) / 360 for _ in range(3)), trial=n) for n, t in enumerate(truth)
        ]
        every = [one for some in made for one in some]
        for how, found in (
            ("one seed", choose([some[0] for some in made], Budget())),
            ("means", choose(every, Budget())),
            ("lower ends", choose(every, Budget(), robust=True)),
        ):
            assert found.best is not None
            lost[how] += max(truth) - truth[found.best.trial]
    assert lost["means"] < 0.75 * lost["one seed"]
    assert lost["lower ends"] < 0.85 * lost["one seed"]
