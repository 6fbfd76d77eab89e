"""The table of a model's figures: it is whole, its costs follow from each other, and no other file has such a list."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from compress.costs import PredictedPoint
from compress.figures import (
    ACCURACIES,
    COSTS,
    FIGURES,
    MAIN,
    RECORDED,
    by_split,
    computed,
    costs,
    foreseen,
    graded,
    metric_key,
    named,
)
from compress.measure import Costs
from compress.measurement import Measurement
from compress.quality import ACCURACY, Quality

MEASURED = Measurement(0.91234, 0.8, 12_345, 300, 50, 4400, 3100, 0.52349, 1.0, "cpu", 1, 1.0)
ROOT = Path(__file__).parents[2]


def test_every_field_of_a_measurement_is_a_figure_or_says_how_it_was_measured() -> None:
    how = {"latency_p95_ms", "device", "threads", "seconds", "machine", "metrics"}
    assert {one.name for one in RECORDED} == {field.name for field in fields(Measurement)} - how


@pytest.mark.parametrize("spelling", ["name", "key", "metric", "axis", "label"])
def test_no_two_figures_are_called_the_same(spelling: str) -> None:
    assert len({getattr(one, spelling) for one in FIGURES}) == len(FIGURES)


def test_an_accuracy_is_spelt_by_its_split() -> None:
    assert [one.name for one in ACCURACIES] == ["score_validation", "score_test"]
    assert [one.metric for one in ACCURACIES] == ["validation_accuracy", "test_accuracy"]
    assert by_split(MEASURED, ACCURACY) == {"validation": 0.91234, "test": 0.8}


def test_a_cost_that_follows_from_another_is_what_a_measurement_says() -> None:
    assert computed({"macs": 50}) == {"flops": MEASURED.flops}
    assert costs(MEASURED)["flops"] == MEASURED.flops


def test_a_dense_models_costs_follow_from_the_main_ones_and_stay_whole_numbers() -> None:
    found = foreseen({"params": 300, "macs": 50, "size_bytes": 1200})
    assert found == {
        "params": 300, "nonzero_params": 300, "macs": 50, "flops": 100, "size_bytes": 1200, "compressed_bytes": 1200
    }  # fmt: skip
    assert all(isinstance(value, int) for value in found.values())


def test_zeros_count_for_sparse_costs_alone() -> None:
    main = {"params": 8.0, "macs": 8.0, "size_bytes": 8.0}
    dense, masked = foreseen(main), foreseen(main, kept=0.25)
    changed = {name for name in dense if dense[name] != masked[name]}
    assert changed == {cost.name for cost in COSTS if cost.is_sparse} == {"nonzero_params", "compressed_bytes"}


def test_a_predicted_point_has_every_cost_that_can_bound_a_search() -> None:
    point = PredictedPoint(0.5, "float", Costs(10, 5, 50), 40)
    assert point.figures == {"params": 10, "nonzero_params": 5, "macs": 50, "flops": 100, "size_bytes": 40}
    assert set(point.figures) == {cost.name for cost in COSTS if cost.bound and cost.is_foreseen}


def test_values_are_written_for_pages_and_for_the_narrow_table_of_a_terminal() -> None:
    assert [cost.written(MEASURED) for cost in MAIN] == ["12,345", "50", "4,400", "0.523"]
    assert [cost.column.text(cost.value(MEASURED)) for cost in MAIN] == ["12,345", "50", "4.4", "0.523"]
    assert [one.written(MEASURED) for one in ACCURACIES] == ["91.23%", "80.00%"]


def test_figures_are_found_by_name() -> None:
    assert [one.label for one in named("flops", "latency_ms")] == ["FLOPs", "latency, ms"]


def test_no_other_file_lists_the_figures_of_a_model() -> None:
    rooms = [ROOT / room for room in ("compress", "search", "spaces", "dashboards", "paretune")]
    sources = [path for room in rooms for kind in ("*.py", "*.js") for path in room.rglob(kind)]
    naming = {path.relative_to(ROOT).as_posix() for path in sources if "compressed_bytes" in path.read_text("utf-8")}
    assert naming == {f"compress/{name}.py" for name in ("figures", "measurement", "measure", "store/files")}


def test_figures_of_a_quality_have_its_name_unit_bound_and_direction() -> None:
    validation, test = graded(Quality("mae", 20.0, 0.0, 0.0, "degrees"))
    assert (validation.label, validation.axis) == ("mae validation, degrees", "mae in degrees on validation")
    assert (validation.bound, validation.is_least, test.bound) == ("quality", False, "")
    assert (validation.metric, test.written(replace(MEASURED, score_test=0.75))) == ("validation_mae", "5")
    assert graded(Quality("f1", constant=0.2))[0].is_least
    assert [one.bound for one in ACCURACIES] == ["min_accuracy", ""]
    assert ACCURACIES[0].is_least


@pytest.mark.parametrize("name", ["recall@precision=0.9", "<lambda>", "mae-yaw", "a b"])
def test_mlflow_takes_the_key_of_every_metric(name: str) -> None:
    assert re.fullmatch(r"[/\w.\- ]+", graded(Quality(name, 1.0, 0.0))[1].metric)
    assert metric_key(name, "test").startswith("test_")
