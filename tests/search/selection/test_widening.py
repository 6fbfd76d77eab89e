"""What is said to type for a model, typed."""

import random
import re
from dataclasses import replace

import pytest

from search.selection.budget import Amount, Budget
from search.selection.selection import Selection, choose
from search.study.record import Point
from tests.dashboards.records import F1, MAE
from tests.search.points import point, unnamed


def test_a_miss_reads_as_a_sentence() -> None:
    (miss,) = choose([point(0.88, 150)], Budget(max_params=Amount(100), min_accuracy=Amount(0.9))).misses
    assert unnamed(str(miss)) == (
        "trial 1 at 60% misses max-params by 50%, accuracy by 2 points (needs --max-params 150 --min-accuracy 0.88)"
    )


def test_a_miss_of_an_error_is_in_its_unit_and_needs_an_amount_without_the_noise_of_floats() -> None:
    models = [replace(point(score, trial=n), quality=MAE) for n, score in enumerate((0.97, 0.5))]
    assert models[0].quality.value(0.97) != 0.6
    assert [unnamed(str(miss)) for miss in choose(models, Budget(quality=Amount(0))).misses] == [
        "trial 0 at 60% misses mae by 0.601 degrees (needs --quality 0.6)",
        "trial 1 at 60% misses mae by 10 degrees (needs --quality 10)",
    ]


def test_a_miss_of_a_quality_below_0_is_told_with_the_amount_to_type() -> None:
    models = [replace(point(score, trial=n), quality=F1) for n, score in enumerate((-1.5, 0.25))]
    assert [unnamed(str(miss)) for miss in choose(models, Budget(quality=Amount(0.5))).misses] == [
        "trial 1 at 60% misses f1 by 0.25 (needs --quality 0.25)",
        "trial 0 at 60% misses f1 by 2 (needs --quality -1.5)",
    ]


def test_what_a_miss_lacks_is_rounded_up() -> None:
    (miss,) = choose([point(0.7, 10**9)], Budget(max_params=Amount(30_000), min_accuracy=Amount(0.93339))).misses
    assert "max-params by 3,340,000%, accuracy by 23.4 points" in unnamed(str(miss))


def test_no_number_is_said_with_an_exponent() -> None:
    points = [point(0.0, 10, ms=300), point(1.0, 12_345_678, ms=1e-5, trial=2)]
    small = Budget(max_params=Amount(10))
    assert (
        unnamed(choose(points, small).more_buys)
        == "--max-params 12345678 buys trial 2 at 60%, 100 points more on validation"
    )
    assert unnamed(choose(points, small, prefer="latency").more_buys).endswith("buys trial 2 at 60%, 300 ms less")
    (miss, _) = choose(points, Budget(max_latency_ms=Amount(1e-6))).misses
    assert unnamed(str(miss)) == "trial 2 at 60% misses max-latency-ms by 900% (needs --max-latency-ms 0.00001)"


def many(chance: random.Random) -> list[Point]:
    """A teacher and sixty models, a third of them with two or three seeds that differ in their costs too."""
    made = [point(0.97, 2000, 90_000, size=8000, ms=1.7, trial=0)]
    for trial in range(1, 61):
        share = chance.choice((0.1, 0.2, 0.3, 0.5, 0.8))
        count = chance.choice((1, 1, 1, 1, 2, 3))
        again = [
            point(
                round(120 * chance.uniform(0.5, 0.97)) / 120,
                int(2000 * share) + chance.randrange(3),
                int(90_000 * share * chance.uniform(0.5, 1)),
                size=int(8000 * share),
                ms=chance.uniform(0.1, 1.7),
                trial=100 * seed + trial,
            )
            for seed in range(count)
        ]
        made += [replace(p, recipe={"seed": n}, family=again[0].id if n else "") for n, p in enumerate(again)]
    return made


def typed(chance: random.Random) -> dict[str, str]:
    amounts = {
        "max_params": chance.choice((f"{chance.randrange(300, 1800)}", f"{chance.randrange(5, 90)}.5%")),
        "max_macs": f"{chance.uniform(5, 80):.1f}k",
        "max_flops": f"{chance.randrange(10, 90)}%",
        "max_size_bytes": f"{chance.randrange(10, 90)}%",
        "max_latency_ms": chance.choice((f"{chance.uniform(0.2, 1.6):.2f}", f"{chance.randrange(10, 90)}%")),
        "min_accuracy": chance.choice((f"{chance.uniform(0.5, 0.96):.3f}", f"{chance.randrange(50, 100)}%")),
    }
    return {name: amount for name, amount in amounts.items() if chance.random() < 0.35}


def amounts(said: str) -> dict[str, str]:
    return {name.replace("-", "_"): text for name, text in re.findall(r"--(\S+) ([\d.]+)", said)}


@pytest.mark.parametrize("prefer", ["accuracy", "params", "latency"])
@pytest.mark.parametrize("robust", [False, True])
def test_what_is_said_to_buy_a_model_buys_it(prefer: str, robust: bool) -> None:
    chance, bought, missed = random.Random(5), set[str](), 0
    points = many(chance)

    def choice(texts: dict[str, str]) -> Selection:
        return choose(points, Budget.parse(**texts).resolve(points[0]), prefer=prefer, robust=robust)

    for number in range(150):
        points = many(chance) if number % 10 == 0 else points
        asked = typed(chance)
        try:
            found = choice(asked)
        except ValueError:  # all that fits has one seed
            assert robust
            continue
        if found.more is not None:
            wider = amounts(found.more_buys)
            assert found.more_buys.split(" buys ")[1].startswith(f"{choice(asked | wider).fits[0].label}, "), asked
            bought |= wider.keys()
        for said in map(str, found.misses):
            then = choice(asked | amounts(said)).fits
            assert any(said.startswith(f"{rated.label} misses ") for rated in then), (asked, said)
            missed += 1
    assert missed > 3
    costs = {"max_params", "max_macs", "max_flops", "max_size_bytes", "max_latency_ms"}
    assert bought >= (costs if prefer == "accuracy" else {"min_accuracy"})
