import pytest

from dashboards import curves
from dashboards.curves import Curve
from dashboards.models import Models
from search.study.record import Point, TrialRecord
from tests.dashboards.records import point, study, trial

FALL = {0.0: 0.9, 0.5: 0.895, 0.7: 0.88, 0.9: 0.5}


def fall(number: int = 1, variant: str = "float", *, of: int | None = None, lower: float = 0.0) -> list[Point]:
    """The points of a trial; `of` is the trial that it repeats with another seed."""
    return [
        point(
            number,
            accuracy - lower * s,
            10,
            sparsity=s,
            variant=variant,
            family="" if of is None else f"{of}/{variant}/{s}",
        )
        for s, accuracy in FALL.items()
    ]


def read(*trials: TrialRecord, delta: float = 0.01) -> list[Curve]:
    return curves.info(Models.of(study(*trials)), delta)


def test_a_curve_is_rows_by_rising_sparsity() -> None:
    models = Models.of(study(trial(1, *reversed(fall()))))
    (curve,) = curves.info(models)
    assert [models.means[row].sparsity for row in curve.rows] == list(FALL)


def test_every_variant_of_a_trial_is_a_line() -> None:
    found = read(trial(1, *fall(), *fall(variant="int8")))
    assert [(curve.trial, curve.variant) for curve in found] == [(1, "float"), (1, "int8")]


@pytest.mark.parametrize(("delta", "held"), [(0.01, 1), (0.03, 2), (0.0, 0)])
def test_delta_moves_the_tolerance_and_leaves_the_knee(delta: float, held: int) -> None:
    (curve,) = read(trial(1, *fall()), delta=delta)
    assert (curve.tolerance, curve.knee) == (curve.rows[held], curve.rows[2])


def test_trials_that_share_all_their_points_are_one_line() -> None:
    shared = fall()
    assert len(read(trial(1, *shared), trial(2, *shared))) == 1


def test_seeds_are_one_line_of_means_with_the_tolerance_of_each() -> None:
    (curve,) = read(trial(1, *fall()), trial(2, *fall(2, of=1, lower=0.04)))
    assert curve.tolerances == (0.5, 0.0)
    assert curve.tolerance == curve.rows[0]  # on average .015 is lost at a half


def test_a_seed_whose_curve_ended_early_is_no_line() -> None:
    (curve,) = read(trial(1, *fall()), trial(2, *fall(2, of=1)[:2]))
    assert curve.tolerances == (0.5,)


def test_a_study_of_single_points_has_no_curve() -> None:
    assert read(trial(0, point(0, 0.9, 10))) == []
