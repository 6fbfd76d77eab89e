"""A study as a table: means over seeds, the best, what is missing and what is left out, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compress.goals import Regression
from compress.machine.vision import import_torchmetrics
from compress.quality import Quality
from search.study.record import StudyRecord
from search.study.table_figures import directions
from search.study.tabulate import tabulate
from tests.search.grids import curve, grid, plain_teacher, point, recipe, study, trial

BY_SPARSITY: dict[str, Any] = {"rows": ("distiller",), "columns": ("sparsity",)}


@pytest.fixture
def record() -> StudyRecord:
    return grid()


def test_a_cell_is_mean_and_deviation_over_seeds(record: StudyRecord) -> None:
    cell = tabulate(record, **BY_SPARSITY).cells[("kd",), (0.45,)]
    assert (cell.seeds, cell.recipes) == (3, 1)
    assert cell.mean == pytest.approx(0.92)
    assert cell.deviation == pytest.approx(0.01)


def test_rows_and_columns_are_in_order_and_a_place_without_a_model_is_missing(record: StudyRecord) -> None:
    found = tabulate(record, **BY_SPARSITY)
    assert found.rows == (("at",), ("kd",))
    assert found.columns == ((0.0,), (0.45,), (0.9,))
    assert found.missing == [(("at",), (0.9,))]


def test_the_best_of_a_column_is_marked_where_there_is_a_choice(record: StudyRecord) -> None:
    best = {place for place, cell in tabulate(record, **BY_SPARSITY).cells.items() if cell.is_best}
    assert best == {(("at",), (0.0,)), (("kd",), (0.45,))}


def test_of_a_cost_the_lowest_is_best_and_equal_ones_are_all(record: StudyRecord) -> None:
    found = tabulate(record, ("sparsity",), value="params", only=["distiller=kd"])
    assert [row for row, _ in (place for place, cell in found.cells.items() if cell.is_best)] == [(0.9,)]
    alike = tabulate(record, ("distiller",), ("sparsity",), value="params", only=["sparsity=0"])
    assert all(cell.is_best for cell in alike.cells.values())


def test_the_plain_teacher_is_told_apart(record: StudyRecord) -> None:
    found = tabulate(record, ("student",), ("sparsity",), value="validation")
    assert found.rows == (("cnn x0.25",),)
    assert found.teacher is not None
    assert found.teacher.mean == 0.98


def test_of_several_recipes_the_best_on_validation_is_shown_and_what_differs_is_said() -> None:
    slow = trial(2, recipe(lr=0.02), [point("slow", 2, recipe(lr=0.02), 0.94, 0.9)], {"distiller": "kd", "lr": 0.02})
    lucky = replace(slow.points[0].measured, score_test=0.2)
    slow = replace(slow, points=(replace(slow.points[0], measured=lucky),))
    found = tabulate(study(plain_teacher(), curve(1, recipe(), {0.9: 0.9}), slow), **BY_SPARSITY)
    cell = found.cells[("kd",), (0.9,)]
    assert (cell.mean, cell.recipes, found.differ) == (0.2, 2, ("lr",))


def test_points_of_one_curve_in_a_cell_differ_in_sparsity(record: StudyRecord) -> None:
    found = tabulate(record, ("distiller",), value="validation")
    assert found.differ == ("sparsity",)
    assert found.cells[("kd",), ()].recipes == 3
    assert found.cells[("kd",), ()].mean == pytest.approx(0.95)


def test_a_model_that_recipes_share_before_their_cut_is_one_recipe_with_all_its_seeds() -> None:
    first, again = curve(1, recipe(), {0.0: 0.9}), curve(2, recipe(), {0.0: 0.8}, 1, 1)
    shared = trial(3, recipe(lr=0.02), [replace(first.points[0], trial=3)], {"distiller": "kd", "lr": 0.02})
    found = tabulate(study(plain_teacher(), first, again, shared), **BY_SPARSITY, value="validation")
    cell = found.cells[("kd",), (0.0,)]
    assert (cell.recipes, cell.seeds) == (1, 2)
    assert cell.mean == pytest.approx(0.85)
    alone = tabulate(study(plain_teacher(), first, again, shared), ("lr",), value="validation")
    assert [cell.seeds for cell in alone.cells.values()] == [2, 2]


def test_recipes_given_with_seeds_of_their_own_are_one_recipe() -> None:
    trials = [trial(n, recipe(seed=n), [point(f"{n}", n, recipe(seed=n), 0.9 + n / 100, 0.9)], {}) for n in range(1, 4)]
    found = tabulate(study(*trials), **BY_SPARSITY, value="validation")
    assert [(cell.seeds, cell.recipes) for cell in found.cells.values()] == [(3, 1)]


def test_a_further_seed_is_where_its_model_of_the_first_seed_is() -> None:
    first = curve(1, recipe(), {0.7: 0.9})
    again = curve(2, recipe(), {0.72: 0.8}, 1, 1)
    again = replace(again, points=(replace(again.points[0], family="1/0.7"),))
    found = tabulate(study(plain_teacher(), first, again), **BY_SPARSITY)
    assert {place: cell.seeds for place, cell in found.cells.items()} == {(("kd",), (0.7,)): 2}


def test_only_keeps_some_and_a_model_without_a_name_is_left_out(record: StudyRecord) -> None:
    found = tabulate(record, **BY_SPARSITY, only=["distiller=kd", "sparsity=45%,.9"])
    assert (found.rows, found.columns) == ((("kd",),), ((0.45,), (0.9,)))
    odd = trial(7, recipe(), [point("odd", 7, recipe("at", 0.1), 0.9)], {"own": 1})
    assert tabulate(study(*record.trials, odd), ("own",)).left_out == {"own": 5}


def test_a_table_is_ready_for_json(record: StudyRecord) -> None:
    found: Any = tabulate(record, **BY_SPARSITY).as_json()
    assert found["missing"] == [{"distiller": "at", "sparsity": 0.9}]
    first = found["cells"][0]
    assert (first["at"], first["seeds"], first["points"]) == (
        {"distiller": "at", "sparsity": 0.0},
        3,
        ["4/0.0", "5/0.0", "6/0.0"],
    )


def test_latencies_of_several_devices_are_said(record: StudyRecord) -> None:
    other = replace(record.trials[1].points[0].measured, device="cuda")
    odd = replace(record.trials[1], points=(replace(record.trials[1].points[0], measured=other),))
    found = tabulate(study(plain_teacher(), odd, record.trials[4]), ("distiller",), value="latency_ms")
    assert "points are compared only with those of the same" in found.mixed


def test_a_metric_measured_beside_the_quality_is_a_figure_without_a_best() -> None:
    made = recipe()
    points = [point("a", 1, made, 0.9, 0.45), point("b", 1, made, 0.8, 0.9)]
    graded = replace(points[0], measured=replace(points[0].measured, metrics={"f1_test": 0.75}))
    found = tabulate(study(trial(1, made, [graded, points[1]], {})), **BY_SPARSITY, value="f1_test")
    assert {place: (cell.mean, cell.is_best) for place, cell in found.cells.items()} == {
        (("kd",), (0.45,)): (0.75, False)
    }
    assert (found.as_json()["title"], found.as_json()["better"]) == ("f1 on test", None)
    with pytest.raises(ValueError, match=r"table: value: unknown 'f2_test', known are .*, latency_ms, f1_test"):
        tabulate(study(trial(1, made, [graded], {})), **BY_SPARSITY, value="f2_test")


@pytest.mark.parametrize(("better", "best"), [("higher", 0.75), ("lower", 0.5)])
def test_of_a_metric_with_a_recorded_direction_the_best_is_marked(better: Any, best: float) -> None:
    found = replace(
        study(
            *(
                trial(n, made, [replace(one, measured=replace(one.measured, metrics={"f1_test": value}))], {})
                for n, (name, value) in enumerate({"kd": 0.75, "at": 0.5}.items(), 1)
                for made in [recipe(name)]
                for one in [point(name, n, made, 0.9)]
            )
        ),
        metrics={"f1": better},
    )
    table = tabulate(found, ("distiller",), value="f1_test")
    assert [cell.mean for cell in table.cells.values() if cell.is_best] == [best]
    assert table.as_json()["better"] == better


def test_the_directions_of_the_metrics_of_a_goal_are_those_of_torchmetrics() -> None:
    without = import_torchmetrics().MeanMetric
    assert without().higher_is_better is None
    goal = Regression(("yaw", "pitch"), also=("rmse", "r2-yaw", without))
    assert directions(goal) == {"rmse": "lower", "r2-yaw": "higher"}


def test_of_an_error_the_lowest_is_best_and_the_cells_are_in_its_unit() -> None:
    mae = Quality("mae", zero=20.0, one=0.0, unit="degrees")
    table = tabulate(replace(grid(), quality=mae), **BY_SPARSITY, value="validation")
    cell = table.cells[("at",), (0.0,)]
    assert cell.mean == pytest.approx(0.8)
    assert cell.deviation == pytest.approx(0.4)
    assert cell.is_best
    assert (table.as_json()["better"], table.figure.axis) == ("lower", "mae in degrees on validation")
    assert tabulate(replace(grid(), quality=mae), **BY_SPARSITY, value="mae_test").figure.key == "test"
