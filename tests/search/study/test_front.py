import math
import random
from dataclasses import replace
from typing import Any

import pytest

from compress.measurement import Measurement
from search.study.front import GrowingFront, check_objectives, front, hypervolume, mixed, value, values
from search.study.record import Point

OBJECTIVES = ("accuracy", "params", "flops")


def point(accuracy: float, params: int, macs: int = 50, *, test: float = 0.5) -> Point:
    measured = Measurement(accuracy, test, params, params, macs, params, params, 1.0, 1.0, "cpu", 1, 1.0)
    return Point(f"{accuracy}/{params}/{macs}/{test}", 1, {}, 0.0, "float", measured, "")


def dominates(one: Point, other: Point) -> bool:
    ours, theirs = ([value(p, name) for name in OBJECTIVES] for p in (one, other))
    return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_comparing_every_pair_leaves(seed: int) -> None:
    draw = random.Random(seed)
    points = [point(draw.randrange(20) / 20, draw.randrange(1, 20), draw.randrange(1, 20), test=i) for i in range(80)]
    left = {tuple(value(p, name) for name in OBJECTIVES) for p in points if not any(dominates(q, p) for q in points)}
    found = front(points, OBJECTIVES)
    assert {tuple(value(p, name) for name in OBJECTIVES) for p in found} == left
    assert len(found) == len(left)


def test_the_front_comes_by_falling_accuracy() -> None:
    points = [point(0.7, 10), point(0.9, 30), point(0.8, 20)]
    assert [p.measured.score_validation for p in front(points, ("accuracy", "params"))] == [0.9, 0.8, 0.7]


def test_of_equal_points_the_first_stays() -> None:
    first, second = point(0.9, 10, test=0.1), point(0.9, 10, test=0.2)
    assert front([first, second], OBJECTIVES) == [first]


def test_the_front_takes_no_notice_of_test_accuracy() -> None:
    better = point(0.9, 10, test=0.1)
    assert front([point(0.8, 10, test=1.0), better], OBJECTIVES) == [better]


def test_no_points_have_an_empty_front() -> None:
    assert front([], OBJECTIVES) == []


def test_no_points_dominate_nothing() -> None:
    assert hypervolume([], ("accuracy", "params"), {}) == 0.0


def test_values_turn_accuracy_into_error_and_keep_costs() -> None:
    assert values([point(0.75, 10, 40)], OBJECTIVES).tolist() == [[0.25, 10, 80]]


def test_hypervolume_of_two_points_is_the_area_under_both() -> None:
    # log(1 + params) / log(1 + 15) puts 3 params at 1/2 and 7 at 3/4; the points share 1/4 * 1/2 of their areas.
    points = [point(0.5, params=3), point(0.8, params=7)]
    area = 0.5 * 0.5 + 0.25 * 0.8 - 0.25 * 0.5
    assert hypervolume(points, ("accuracy", "params"), {"accuracy": 0.0, "params": 15}) == pytest.approx(area)


def test_a_dominated_point_adds_nothing_to_the_hypervolume() -> None:
    reference = {"accuracy": 0.0, "params": 99.0}
    alone = hypervolume([point(0.9, 9)], ("accuracy", "params"), reference)
    assert hypervolume([point(0.9, 9), point(0.8, 20)], ("accuracy", "params"), reference) == alone


def test_the_reference_itself_dominates_nothing() -> None:
    assert hypervolume([point(0.9, 99)], ("accuracy", "params"), {"accuracy": 0.0, "params": 99.0}) == 0.0


def test_a_perfect_model_of_no_cost_dominates_everything() -> None:
    assert math.isclose(hypervolume([point(1.0, 0)], ("accuracy", "params"), {"accuracy": 0, "params": 99}), 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["accuracy", "beauty"], "objectives: unknown 'beauty', known are accuracy, params"),
        (["accuracy"], "need at least two different names, got accuracy"),
        (["params", "params"], "need at least two different names, got params, params"),
        ([], "need at least two different names, got none"),
        (["accuracy", "macs", "flops"], "flops are twice the macs, so name one of them, got accuracy, macs, flops"),
        (["flops", "macs"], "flops are twice the macs, so name one of them, got flops, macs"),
    ],
)
def test_objectives_that_make_no_front_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_objectives(names)


def test_good_objectives_come_back_as_a_tuple() -> None:
    assert check_objectives(["accuracy", "latency_ms"]) == ("accuracy", "latency_ms")


@pytest.mark.parametrize("objectives", [("accuracy", "params"), OBJECTIVES, ("params", "accuracy", "flops")])
@pytest.mark.parametrize("steps", [6, 40, 10**6], ids=["many ties", "some ties", "none"])
@pytest.mark.parametrize("seed", range(3))
def test_a_growing_front_is_at_every_point_what_all_points_so_far_have(
    seed: int, steps: int, objectives: tuple[str, ...]
) -> None:
    draw = random.Random(seed)
    reference = {"accuracy": 0.0, "params": float(steps), "flops": 2.0 * steps}
    points: list[Point] = []
    for number in range(120):
        if points and draw.random() < 0.2:
            twin = draw.choice(points).measured
            points.append(point(twin.score_validation, twin.params, twin.macs, test=number))
        else:
            points.append(
                point(draw.randrange(steps) / steps, draw.randrange(steps), draw.randrange(steps), test=number)
            )
    growing = GrowingFront(objectives, reference)
    for number, one in enumerate(points, 1):
        moved = growing.add(one)
        assert moved == (one in growing.points)
        assert growing.points == front(points[:number], objectives)
        assert len(growing) == len(growing.points)
        assert growing.hypervolume == hypervolume(points[:number], objectives, reference)


def test_a_growing_front_without_points_dominates_nothing() -> None:
    growing = GrowingFront(OBJECTIVES, {"accuracy": 0.0, "params": 1.0, "flops": 1.0})
    assert (growing.points, len(growing), growing.hypervolume) == ([], 0, 0.0)


def timed(accuracy: float, ms: float, device: str = "cpu", threads: int = 1, machine: str = "") -> Point:
    made = point(accuracy, 10)
    where = replace(made.measured, latency_ms=ms, device=device, threads=threads, machine=machine)
    return replace(made, id=f"{accuracy}/{ms}/{device}/{threads}/{machine}", measured=where)


TIMED = ("accuracy", "latency_ms")
ELSEWHERE = [{"device": "NVIDIA A10G"}, {"threads": 4}, {"machine": "Another Processor, torch 2.13.0"}]


@pytest.mark.parametrize("other", ELSEWHERE, ids=lambda other: next(iter(other)))
def test_points_measured_elsewhere_do_not_dominate_each_other_in_latency(other: dict[str, Any]) -> None:
    slow, quick, best = timed(0.8, 9.0), timed(0.8, 8.0), timed(0.9, 1.0, **other)
    assert front([slow, quick, best], TIMED) == [best, quick]
    assert front([slow, quick, best], ("accuracy", "params")) == [best]
    said = mixed([slow, best], TIMED)
    assert said.startswith("latencies were measured on ")
    assert said.endswith(": points are compared only with those of the same")
    assert mixed([slow, quick], TIMED) == mixed([slow, best], ("accuracy", "params")) == ""


def test_the_hypervolume_of_latencies_is_that_of_one_device() -> None:
    reference = {"accuracy": 0.0, "latency_ms": 15.0}
    here, there = [timed(0.5, 3.0), timed(0.8, 7.0)], [timed(0.9, 14.0, "NVIDIA A10G")]
    alone = hypervolume(here, TIMED, reference)
    assert hypervolume([*there, *here], TIMED, reference) == alone > hypervolume(there, TIMED, reference)


@pytest.mark.parametrize("seed", range(3))
def test_a_front_of_latencies_grows_to_what_all_points_at_once_have(seed: int) -> None:
    draw = random.Random(seed)
    devices = ("cpu", "NVIDIA A10G", "NVIDIA H200")
    points = [timed(draw.randrange(20) / 20, draw.randrange(1, 20), draw.choice(devices)) for _ in range(60)]
    points = list({one.id: one for one in points}.values())
    reference = {"accuracy": 0.0, "latency_ms": 25.0}
    growing = GrowingFront(TIMED, reference)
    for one in points:
        growing.add(one)
    assert {one.id for one in growing.points} == {one.id for one in front(points, TIMED)}
    assert growing.hypervolume == pytest.approx(hypervolume(points, TIMED, reference))
