"""Why the runner-up lost."""

from dataclasses import replace

from search.selection.budget import Budget
from search.selection.preference import PREFERENCES
from search.selection.selection import choose
from tests.dashboards.records import MAE
from tests.search.points import CURVE, point, seeds, unnamed


def test_why_says_what_the_runner_up_has_less_of() -> None:
    points = [point(0.961, 1812, trial=2), point(0.953, 1000, trial=7)]
    assert (
        unnamed(choose(points, Budget()).why)
        == "trial 7 at 60%: 0.9530 against 0.9610 on validation, with 812 params fewer"
    )


def test_why_shows_digits_enough_to_tell_the_two_apart() -> None:
    assert "0.90001 against 0.90002 on" in unnamed(choose([point(0.90001), point(0.90002)], Budget()).why)


def test_why_of_a_tie_names_the_cost_that_decided() -> None:
    assert unnamed(choose([point(), point(macs=999)], Budget()).why).endswith(
        "0.9000 as well on validation, with 1 MACs more"
    )


def test_why_is_empty_without_a_runner_up() -> None:
    assert unnamed(choose([point()], Budget()).why) == ""


def test_why_begins_with_what_was_preferred() -> None:
    points = [
        point(0.9, 300, ms=0.1, trial=1),
        point(0.95, 200, ms=0.18, trial=2),
        point(0.5, 100, ms=0.1841, trial=3),
    ]
    words = {prefer: unnamed(choose(points, Budget(), prefer=prefer).why) for prefer in PREFERENCES}
    assert words == {
        "accuracy": "trial 1 at 60%: 0.9000 against 0.9500 on validation, with 100 params more",
        "params": "trial 2 at 60%: 200 against 100 params, 0.9500 against 0.5000 on validation",
        "latency": "trial 2 at 60%: 0.18 against 0.10 ms, 0.9500 against 0.9000 on validation, with 100 params fewer",
        "knee": "trial 3 at 60%: as far above the line from the smallest to the most accurate, 0.5000 against 0.9500 "
        "on validation, with 100 params fewer",
    }
    assert unnamed(choose(points[1:], Budget(), prefer="latency").why).startswith(
        "trial 3 at 60%: 0.184 against 0.180 ms, "
    )


def test_why_of_a_knee_says_how_far_above_its_line_both_are() -> None:
    line = "points above the line from the smallest to the most accurate, 0.9500 against 0.9000 on validation, with 900"
    assert (
        unnamed(choose(CURVE, Budget(), prefer="knee").why) == f"trial 3 at 60%: 14.54 against 25.03 {line} params more"
    )


def test_why_of_a_tie_in_what_was_preferred_says_what_decided() -> None:
    points = [point(0.9), point(0.8, macs=900, trial=2)]
    assert unnamed(choose(points, Budget(), prefer="latency").why) == (
        "trial 2 at 60%: as fast, 0.8000 against 0.9000 on validation, with 100 MACs fewer"
    )
    assert unnamed(choose(points, Budget(), prefer="params").why) == (
        "trial 2 at 60%: as many params, 0.8000 against 0.9000 on validation, with 100 MACs fewer"
    )


def test_why_of_an_error_is_in_its_unit() -> None:
    models = [replace(point, quality=MAE) for point in CURVE]
    assert unnamed(choose(models, Budget(), prefer="knee").why) == (
        "trial 3 at 60%: 2.91 against 5.01 degrees above the line from the smallest to the best, "
        "1 degrees against 2 degrees on validation, with 900 params more"
    )


def test_the_worse_end_of_an_error_is_the_upper() -> None:
    models = [*seeds(0.9, 0.91, 0.92), *seeds(0.8, 0.81, 0.82, trial=2)]
    assert unnamed(choose(models, Budget(), robust=True).why).endswith(" at the lower end, with the same size and MACs")
    errors = choose([replace(point, quality=MAE) for point in models], Budget(), robust=True)
    assert errors.why.endswith("degrees at the upper end, with the same size and MACs")
