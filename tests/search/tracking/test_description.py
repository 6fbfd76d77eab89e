import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from mlflow.utils.search_utils import SearchUtils

from compress.measurement import Measurement
from search.study.front import hypervolume
from search.study.record import Point, StudyRecord, TrialRecord
from search.study.seeds import front_of
from search.tracking.description import front_note, note, plain, trial_note, words
from tests.dashboards.records import MAE, by


def point(trial: int, sparsity: float, accuracy: float, params: int) -> Point:
    measured = Measurement(accuracy, accuracy - 0.02, params, params, 10, 40, 30, 0.5, 0.6, "cpu", 1, 2.0)
    return Point(f"{trial}/{sparsity}", trial, {}, sparsity, "float", measured, "/store/x")


def study(*points: Point) -> StudyRecord:
    trials = tuple(
        TrialRecord(number, "complete", "", {}, {}, tuple(p for p in points if p.trial == number), 1.0, {})
        for number in sorted({p.trial for p in points})
    )
    return StudyRecord("demo", "digits", "joint", ("accuracy", "params"), {"accuracy": 0.0, "params": 1000.0}, trials)


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_has_the_best_models_at_falling_budgets_each_at_the_least() -> None:
    text = words(study(point(0, 0.0, 0.9, 1000), point(1, 0.1, 0.95, 240), point(1, 0.5, 0.8, 15)), "1")
    assert rows(text) == [
        ["25% of the teacher", "95.00%", "93.00%", "240", "20", "40", "trial 1 at 10%"],
        ["2% of the teacher", "80.00%", "78.00%", "15", "20", "40", "trial 1 at 50%"],
    ]
    assert "trials: 2 complete; 3 models measured, 2 on the front of accuracy, params; hypervolume 0." in text


def test_the_best_model_is_chosen_on_validation() -> None:
    lucky = point(1, 0.1, 0.94, 240)
    lucky = replace(lucky, measured=replace(lucky.measured, score_test=1.0))
    assert rows(words(study(point(0, 0.0, 0.95, 1000), lucky), "1"))[0][:2] == ["100% of the teacher", "95.00%"]


def seeds() -> StudyRecord:
    """A lucky model of 240 params that two more seeds put behind another of as many."""
    lucky, steady = point(1, 0.1, 0.95, 240), point(2, 0.1, 0.9, 240)
    again = [replace(point(trial, 0.1, accuracy, 240), family=lucky.id) for trial, accuracy in ((3, 0.8), (4, 0.86))]
    last = replace(point(5, 0.1, 0.92, 240), family=steady.id)
    return study(point(0, 0.0, 0.93, 1000), lucky, steady, *again, last)


def test_a_model_of_several_seeds_counts_with_their_mean() -> None:
    text, whole = words(seeds(), "1"), seeds()
    assert [row[:4] for row in rows(text)] == [
        ["100% of the teacher", "93.00%", "91.00%", "1,000"],
        ["25% of the teacher", "91.00% ± 12.71 (2 seeds)", "89.00%", "240"],
    ]
    means = [family.mean for family in front_of(whole.points, whole.objectives)]
    volume = hypervolume(means, whole.objectives, whole.reference_point)
    assert f"6 models measured, 2 on the front of accuracy, params; hypervolume {volume:.3f}." in text
    assert f"{hypervolume(whole.points, whole.objectives, whole.reference_point):.3f}" not in text
    assert "counts here with its means" in text


def test_without_other_seeds_nothing_is_said_of_them() -> None:
    assert "seeds" not in words(study(point(0, 0.0, 0.9, 1000)), "1")


def test_its_examples_are_figures_of_the_model_in_the_middle_of_the_front() -> None:
    text = words(study(*(point(n, 0.5, 0.8 - n / 10, 1000 - 100 * n) for n in range(3))), "1")
    assert "`paretune select demo --max-params 900 --export out/`" in text
    (shown, linked) = re.findall(r"metrics.params <= 900 and metrics.test_accuracy >= (\S+?)[`&]", unquote(text))
    assert shown == linked
    assert 0.67 < float(shown) <= 0.8 - 1 / 10 - 0.02


def test_its_links_lead_to_the_report_and_to_this_studys_runs() -> None:
    text = unquote(note(study(point(0, 0.0, 0.9, 1000)), "7", "abc"))
    assert "#/experiments/7/runs/abc/artifacts/report.html?workflowType=machine_learning" in text
    told = unquote(words(study(point(0, 0.0, 0.9, 1000)), "7"))
    assert (text + told).count("(#/experiments/7/runs?searchFilter=tags.paretune.study = 'demo' and ") == 3
    assert "#/experiments/7/runs?viewStateShareKey=paretune-demo&compareRunsMode=CHART&workflowType=" in text
    assert "(get-artifact?path=front.svg&run_uuid=abc)" in text
    assert "#/experiments/7/runs/abc/artifacts/about.md?workflowType=machine_learning" in text


def test_markup_in_a_name_comes_out_as_text() -> None:
    assert plain("<b>a|b</b> [x](y) `c`\n\n# d") == ("&lt;b&gt;a\\|b&lt;/b&gt; \\[x\\]\\(y\\) \\`c\\` \\# d")
    text = words(replace(study(point(0, 0.0, 0.9, 1000)), task="folder:<img src=x onerror=alert(1)>"), "1")
    assert "<img" not in text
    assert "<img" not in note(by(replace(MAE, name="<img src=x>"), study(point(0, 0.0, 0.9, 1000))), "1", "r")
    failed = TrialRecord(0, "failed", "<img src=x>", {}, {}, (), 1.0, {})
    assert trial_note(failed) == "failed (&lt;img src=x&gt;), no point"


def test_a_study_that_has_just_begun_has_a_note_and_a_long_ones_fits_a_tag() -> None:
    begun = words(study(), "1")
    assert "trials: none yet; 0 models measured" in begun
    assert "--max-params" not in begun
    many = study(*(point(n, 0.5, 0.9 - n / 10000, 1000 - n) for n in range(900)))
    assert len(words(replace(many, name="n" * 80), "1" * 18)) < 5000
    assert len(note(replace(many, name="n" * 80), "1" * 18, "r" * 32)) < 5000


def test_a_trials_note_has_the_ends_of_its_curve_and_a_front_models_its_recipe() -> None:
    (one,) = study(point(3, 0.0, 0.9, 1000), point(3, 0.5, 0.8, 500)).trials
    assert trial_note(one) == (
        "complete, 2 points: 1,000 params with 90.00% to 500 params with 80.00% accuracy on validation"
    )
    assert trial_note(replace(one, points=one.points[:1])).startswith("complete, 1 point: 1,000 params with 90.00% acc")
    assert front_note(one.points[0], "demo") == (
        "1,000 params; accuracy 90.00% on validation, 88.00% on test. Its recipe: `paretune recipe demo 3/0.0`"
    )


def test_an_error_is_told_by_its_name_in_its_unit_and_direction() -> None:
    text = words(by(MAE, seeds()), "1")
    assert "| params at most | mae validation, degrees | mae test, degrees | params |" in text
    assert [row[:3] for row in rows(text)] == [
        ["100% of the teacher", "1.4", "1.8"],
        ["25% of the teacher", "1.8 ± 2.541 (2 seeds)", "2.2"],
    ]
    assert "loses at most 0.2 degrees of mae" in text
    assert "`mean_validation_mae`" in text


@pytest.mark.parametrize(
    ("name", "said"), [("mae", "metrics.test_mae <= 4.4"), ("mae-yaw", 'metrics."test_mae-yaw" <= 4.4')]
)
def test_the_example_of_an_error_admits_its_model_and_is_a_filter_of_mlflow(name: str, said: str) -> None:
    record = study(*(point(n, 0.5, 0.9 - n / 10, 1000 - 100 * n) for n in range(3)))
    (shown,) = re.findall(r"To filter runs: \[`(.*?)`\]", words(by(replace(MAE, name=name), record), "1"))
    assert shown == f"metrics.params <= 900 and {said}"
    parts = SearchUtils.parse_search_filter(shown)  # type: ignore[no-untyped-call]
    assert [part["key"] for part in parts] == ["params", f"test_{name}"]
