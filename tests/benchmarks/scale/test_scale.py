"""The benchmark of scale: what it replays is a real study, its simulated clock adds up, partial runs keep the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bars import Row, table
from benchmarks.scale.idle import POINTS
from benchmarks.scale.replay import ByChance, begun, replay
from benchmarks.scale.scale import write
from benchmarks.scale.simulation import overlap, record, simulate
from search.study.study import Study


def test_a_replayed_study_reads_back_complete(tmp_path: Path) -> None:
    seconds = replay(begun(tmp_path, "s", ByChance, 3))
    trials = Study(tmp_path, "s").record.trials
    assert [(trial.status, len(trial.points)) for trial in trials] == [("complete", POINTS)] * 3
    assert len(seconds) == 3


def test_simulated_workers_make_every_trial_and_wait_only_for_the_driver(tmp_path: Path) -> None:
    driver = begun(tmp_path, "s", ByChance, 7)
    found = simulate(driver, [[(1e6, 2), (2e6, 1), (2e6, 0)]], workers=2)
    trials = Study(tmp_path, "s").record.trials
    assert [(trial.status, len(trial.points)) for trial in trials] == [("complete", 3)] * 7
    assert 0.99 < found.workers <= 1
    assert 0 < found.driver < 0.01
    assert found.trial_s > 0


def test_what_a_ledger_says_of_its_trials_is_when_their_messages_came(tmp_path: Path) -> None:
    replay(begun(tmp_path, "s", ByChance, 2))
    curves = record(Study(tmp_path, "s").ledger)
    assert [sum(count for _, count in curve) for curve in curves] == [POINTS, POINTS]
    assert all(curve[-1] == (1.0, 0) and all(0 <= at <= 1 for at, _ in curve) for curve in curves)


def test_an_overlap_is_the_part_of_the_spans_in_the_window() -> None:
    assert overlap([(0, 3), (2, 4), (5, 9), (9, 12)], (2, 6)) == pytest.approx((1 + 2 + 1) / 4)


def test_a_partial_run_keeps_the_parts_of_other_runs(tmp_path: Path) -> None:
    out = tmp_path / "scale.md"
    for name, text in (("b", "| old |"), ("a", "| first |"), ("b", "| new |")):
        write(out, name, text, ["a", "b", "c"])
    assert out.read_text().partition("## ")[2] == "a\n\n| first |\n\n## b\n\n| new |\n"


def test_a_row_has_its_verdict_and_one_without_a_bar_none() -> None:
    lines = table([Row("x", "1", "2", True), Row("y", "1", "2", False), Row("z", "", "2")]).splitlines()
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["met", "**missed**", ""]
