"""Tables of the benchmark of goals: who is better than plain training, beyond chance, and what was not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.goals.cases import Case, angle_case
from benchmarks.goals.curves import PRUNERS, breakpoint_table, study_of, table
from benchmarks.goals.distillers import Row, in_words, method_rows, settings_of, verdict
from benchmarks.goals.distillers import table as distiller_table
from benchmarks.goals.record import Record, Result
from benchmarks.goals.report import Asked, report
from benchmarks.goals.speed import rows
from compress.distill import DISTILLERS
from compress.errors import RecipeError
from compress.quality import Quality
from search.study.breakpoints import breakpoints

DEGREES = Quality("mae", 20.0, 0.0, 0.0, "degrees")


@pytest.fixture(scope="module")
def case() -> Case:
    return angle_case()


def line(case: Case, key: str, label: str, seed: int, error: float) -> str:
    figures = {"score_validation": 0.5, "score_test": 0.5, "params": 1, "macs": 1}
    figures["metrics"] = {"mae_validation": error, "mae_test": error}  # type: ignore[assignment]
    about = {"task": case.task.name, "label": label, "seed": seed, "broken": "", "machine": "a desk"}
    return json.dumps({"key": f"{case.task.fingerprint} {key}", **about, "points": [[0.0, figures]], "seconds": 1.0})


def curve(*errors: float) -> Result:
    """Its test errors are a tenth above those on validation."""
    points = []
    for place, error in enumerate(errors):
        scores = {"score_validation": DEGREES.score(error), "score_test": DEGREES.score(error + 0.1)}
        points.append((place / 10, {**scores, "metrics": {"mae_test": error + 0.1}}))
    return Result("l1-filter", 0, tuple(points))


def test_a_difference_beyond_the_interval_is_told_and_many_comparisons_ask_for_more() -> None:
    clear = Row("kd", "", (4.0,) * 5, (-1.0, -1.01, -0.99, -1.0, -1.02))
    faint = Row("at", "", (4.0,) * 5, (0.5, 0.9, 0.1, 0.6, 0.7))
    equal = Row("sp", "", (4.0,) * 5, (0.5, -0.5, 0.1, -0.2, 0.2))
    assert [verdict(row, 20) for row in (clear, faint, equal)] == ["**better**", "worse", "no difference"]
    assert verdict(faint, 1) == "**worse**"
    said = in_words([clear, faint, equal], "digits")
    assert "Of 3 comparisons on digits 1 are better" in said
    assert said.endswith("No setting helps with: at, sp.")


def test_a_method_that_breaks_with_a_seed_is_not_compared() -> None:
    breaks = Row("srrl", "beta 1", (4.0, 5.0), (-1.0, -1.1), broken=3)
    *_, last = distiller_table([breaks], "degrees")
    assert last == "| srrl (**3 broke**) | beta 1 | 4.5 ± 0.707 | | | **breaks** |"
    assert "Of 0 comparisons" in in_words([breaks], "digits")


def test_the_interval_and_the_probability_agree() -> None:
    from scipy.stats import ttest_1samp

    row = Row("kd", "", (), (-0.4, 0.1, -0.3, -0.5, -0.2))
    assert row.difference is not None
    found = ttest_1samp(row.over, 0)
    assert row.chance == pytest.approx(found.pvalue)
    low, high = found.confidence_interval(0.95)
    assert (row.difference.mean - row.difference.margin, row.difference.mean + row.difference.margin) == pytest.approx(
        (low, high)
    )


def test_every_distiller_has_settings_and_the_published_come_first() -> None:
    for name, kind in DISTILLERS.items():
        offered = list(settings_of(name).values())
        assert offered[0] == kind()
        assert len(set(offered)) == len(offered) > 1


def test_a_method_is_compared_at_published_and_chosen_settings_seed_by_seed(case: Case, tmp_path: Path) -> None:
    offered = settings_of("sp")
    errors = dict(zip(offered, (9.0, 5.0, 7.0), strict=True))
    lines = [line(case, case.taught(offered[words], 100).id, words, 100, error) for words, error in errors.items()]
    for words in list(offered)[:2]:
        for seed in range(2):
            lines.append(line(case, case.taught(offered[words], seed).id, words, seed, errors[words] + seed))
    (tmp_path / "results.jsonl").write_text("\n".join(lines))
    plain = [replace(curve(0.0), seed=seed, points=((0.0, {"metrics": {"mae_test": 6.0}}),)) for seed in range(2)]
    found = list(method_rows(Record(tmp_path / "results.jsonl"), case, "sp", plain))
    assert [row.settings for row in found] == ["beta 3000 (published)", "beta 300 (chosen)"]
    assert [row.over for row in found] == [(3.0, 4.0), (-1.0, 0.0)]


def test_breakpoints_of_results_are_in_the_unit_of_the_quality() -> None:
    study = study_of([curve(4.0, 4.1, 4.2, 7.0), curve(4.0, 4.5, 5.0, 9.0)], DEGREES)
    first, second = breakpoints(study)
    assert (first.tolerance, first.base_quality, first.tolerance_test) == pytest.approx((0.2, 4.0, 4.3))
    assert (second.tolerance, second.base_quality, second.tolerance_test) == pytest.approx((0.0, 4.0, 4.1))
    found = {"l1-filter": [curve(4.0, 4.1, 4.2, 7.0), curve(4.0, 4.5, 5.0, 9.0)]}
    assert "| l1-filter | 4.1 ± 0 | 4.4 ± 0.28 |" in "\n".join(table(found, DEGREES))
    text = "\n".join(breakpoint_table(found, DEGREES))
    assert "within 0.2 degrees" in text
    assert "| l1-filter | 10% ± 14 | 4.2 ± 0.14 |" in text


def test_a_report_of_nothing_says_so_section_by_section(case: Case, tmp_path: Path) -> None:
    text = report(Record(tmp_path / "none.jsonl"), [case], Asked(5, 3))
    assert text.count("Not measured.") == 4
    for title in ("Distillers on digits-angle", "Pruning curves on digits-angle", "Figures inside", "A step of"):
        assert title in text


def test_a_step_is_slow_beyond_three_percent() -> None:
    found = {"one": ([1.0, 2.0, 1.0], [1.02, 2.02, 1.5]), "other": ([1.0, 1.0, 1.0], [1.05, 1.1, 1.0])}
    assert [row.met for row in rows(found)] == [True, False]


def test_pruners_and_levels_of_the_curves_can_be_made(case: Case) -> None:
    for pruner in PRUNERS:
        try:
            recipe = case.curve(pruner, 6, 0.95, 0)
        except RecipeError as error:
            pytest.fail(str(error))
        assert recipe.stages[-1].name == "prune"
