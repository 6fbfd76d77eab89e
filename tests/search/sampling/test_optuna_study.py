"""Optuna is told every point once, under its own place; what failed never counts as a value."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.sampling.optuna_study import OptunaStudy, open_storage
from search.study.endings import EARLY, INTERRUPTED
from search.study.record import Point
from search.study.study import Study

OBJECTIVES = ("accuracy", "params")
Event = Callable[..., dict[str, Any]]
Form = Callable[[int], dict[str, Any]]


@pytest.fixture
def optuna_study() -> OptunaStudy:
    return OptunaStudy(InMemoryStorage(), "s", OBJECTIVES, seed=0)


@pytest.fixture
def make(study: Study, event: Event, form: Form) -> Callable[..., Point]:
    """A point in the ledger: `make(trial number in Optuna, key, sparsity, variant, **figures)`."""

    def build(number: int | None, *place: Any, **figures: Any) -> Point:
        known = {state.optuna: trial for trial, state in study.trials.items()}
        trial = known[number] if number in known else study.ask(form(len(known)), {}, number)
        added = study.add(trial, event(*place, **figures))
        assert added is not None
        return added

    return build


def ask(optuna_study: OptunaStudy) -> int:
    trial = optuna_study.ask()
    trial.suggest_float("sparsity", 0.0, 0.95)
    trial.suggest_categorical("int8", (False, True))
    return trial.number


def told(optuna_study: OptunaStudy) -> list[FrozenTrial]:
    return [t for t in optuna_study.study.get_trials() if "point" in t.user_attrs]


def catch_up(optuna_study: OptunaStudy, study: Study) -> None:
    optuna_study.catch_up(study.record, {n: t.optuna for n, t in study.trials.items()})


def test_a_point_is_told_with_its_own_sparsity_and_bits(optuna_study: OptunaStudy, make: Callable[..., Point]) -> None:
    number = ask(optuna_study)
    optuna_study.tell_point(number, make(number, "ab1", 0.25, "int8"))
    (trial,) = told(optuna_study)
    assert (trial.state, trial.params) == (TrialState.COMPLETE, {"sparsity": 0.25, "int8": True})
    assert trial.user_attrs == {"point": "ab1", "of": number}


def test_what_is_told_is_the_error_and_the_logarithm_of_costs(
    optuna_study: OptunaStudy, make: Callable[..., Point]
) -> None:
    number = ask(optuna_study)
    optuna_study.tell_point(number, make(number, "ab1", score_validation=0.75, params=1000))
    assert told(optuna_study)[0].values == pytest.approx([0.25, 3.0])


def test_a_cost_of_nothing_is_still_a_finite_value(optuna_study: OptunaStudy, make: Callable[..., Point]) -> None:
    assert all(map(math.isfinite, optuna_study.values(make(0, "ab1", params=0))))


def test_the_asked_trial_is_told_the_nearest_point(optuna_study: OptunaStudy, make: Callable[..., Point]) -> None:
    optuna_study.begin([{"sparsity": 0.6, "int8": False}])
    number = ask(optuna_study)
    points = [make(number, f"ab{n}", n / 10, params=10**n) for n in range(1, 10)]
    optuna_study.tell_end(number, points)
    assert optuna_study.study.trials[number].values == pytest.approx([0.5, 6.0])


def test_the_asked_trial_is_told_a_point_of_its_own_bits_first(
    optuna_study: OptunaStudy, make: Callable[..., Point]
) -> None:
    optuna_study.begin([{"sparsity": 0.6, "int8": True}])
    number = ask(optuna_study)
    near, right = make(number, "ab1", 0.6, "float", params=10), make(number, "ab2", 0.1, "int8", params=100)
    optuna_study.tell_end(number, [near, right])
    assert optuna_study.study.trials[number].values == pytest.approx([0.5, 2.0])


def test_a_trial_without_points_is_failed_and_never_complete(optuna_study: OptunaStudy) -> None:
    number = ask(optuna_study)
    optuna_study.tell_end(number, [])
    trial = optuna_study.study.trials[number]
    assert (trial.state, trial.values) == (TrialState.FAIL, None)


def test_the_end_is_told_once(optuna_study: OptunaStudy, make: Callable[..., Point]) -> None:
    number = ask(optuna_study)
    optuna_study.tell_end(number, [])
    optuna_study.tell_end(number, [make(number, "ab1")])
    assert optuna_study.study.trials[number].state == TrialState.FAIL


@pytest.mark.parametrize("figures", [{"score_validation": math.nan}, {"params": math.inf}])
def test_an_objective_that_is_not_finite_is_refused(
    optuna_study: OptunaStudy, make: Callable[..., Point], figures: dict[str, float]
) -> None:
    point = make(0, "ab1")
    for name, value in figures.items():
        object.__setattr__(point.measured, name, value)
    with pytest.raises(ValueError, match="point ab1: every objective must be finite, got"):
        optuna_study.values(point)


def test_beginnings_are_asked_about_first(optuna_study: OptunaStudy) -> None:
    optuna_study.begin([{"sparsity": 0.1, "int8": True}, {"sparsity": 0.2, "int8": False}])
    for number, choices in enumerate([{"sparsity": 0.1, "int8": True}, {"sparsity": 0.2, "int8": False}]):
        assert ask(optuna_study) == number
        assert optuna_study.study.trials[number].params == choices


def test_catching_up_tells_what_a_crash_left_untold_exactly_once(
    optuna_study: OptunaStudy, study: Study, make: Callable[..., Point]
) -> None:
    number = ask(optuna_study)
    optuna_study.tell_point(number, make(number, "ab1", 0.3))
    make(number, "ab2", 0.6)
    for _ in range(2):
        catch_up(optuna_study, study)
    assert [trial.user_attrs["point"] for trial in told(optuna_study)] == ["ab1", "ab2"]


def test_what_only_optuna_still_knew_after_a_machine_went_is_not_told_again(
    study: Study, make: Callable[..., Point], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    first = OptunaStudy(open_storage(url, tmp_path), "s", OBJECTIVES, 0)
    number = ask(first)
    first.tell_point(number, make(number, "ab1", 0.3))
    lost = make(number, "ab2", 0.6)
    first.tell_point(number, lost)
    lines = study.ledger.path.read_text().splitlines(keepends=True)
    study.ledger.path.write_text("".join(lines[:-1]))
    back = Study(study.home, study.name)
    again = OptunaStudy(open_storage(url, tmp_path), "s", OBJECTIVES, 1)
    catch_up(again, back)
    again.tell_point(number, lost)  # made again, from the store
    assert [trial.user_attrs["point"] for trial in told(again)] == ["ab1", "ab2"]


def test_a_point_that_two_trials_share_is_caught_up_for_both(
    optuna_study: OptunaStudy, study: Study, make: Callable[..., Point]
) -> None:
    first, second = ask(optuna_study), ask(optuna_study)
    optuna_study.tell_point(first, make(first, "ab1"))
    make(second, "ab1")
    catch_up(optuna_study, study)
    assert [trial.user_attrs["of"] for trial in told(optuna_study)] == [first, second]


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        ("complete", "", TrialState.COMPLETE),
        ("failed", "the loss became nan", TrialState.FAIL),
        ("stopped", EARLY, TrialState.FAIL),
        ("stopped", INTERRUPTED, TrialState.RUNNING),
        ("running", "", TrialState.RUNNING),
    ],
)
def test_catching_up_ends_what_has_ended(
    optuna_study: OptunaStudy, study: Study, make: Callable[..., Point], status: Any, reason: str, state: TrialState
) -> None:
    number = ask(optuna_study)
    make(number, "ab1")
    if status != "running":
        study.end(0, status, reason, 1.0, {})
    catch_up(optuna_study, study)
    assert optuna_study.study.trials[number].state == state


def test_an_ask_that_the_ledger_never_heard_of_is_failed(optuna_study: OptunaStudy, study: Study) -> None:
    number = ask(optuna_study)
    catch_up(optuna_study, study)
    assert optuna_study.study.trials[number].state == TrialState.FAIL


def test_numbers_of_a_journal_whose_end_was_lost_are_not_given_out_again(
    study: Study, make: Callable[..., Point], tmp_path: Path
) -> None:
    before = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    ask(before)
    kept = (tmp_path / "optuna.journal").read_bytes()
    lost = ask(before)
    point = make(lost, "ab1", params=100)
    (tmp_path / "optuna.journal").write_bytes(kept)
    after = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    catch_up(after, study)
    assert after.study.trials[lost].state == TrialState.FAIL
    after.tell_point(lost, point)
    after.tell_end(lost, [point])
    assert ask(after) == lost + 1
    assert [trial.values for trial in after.study.trials] == [None, None, None]


@pytest.mark.parametrize("status", ["running", "failed", "complete"])
def test_what_the_ledger_knows_was_asked_waits_no_longer_when_the_journals_end_was_lost(
    study: Study, make: Callable[..., Point], tmp_path: Path, status: Any
) -> None:
    before = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    before.begin([{"sparsity": 0.1, "int8": True}, {"sparsity": 0.2, "int8": True}])
    kept = (tmp_path / "optuna.journal").read_bytes()
    number = ask(before)
    point = make(number, "ab1", params=100)
    if status != "running":
        study.end(0, status, "", 1.0, {})
    (tmp_path / "optuna.journal").write_bytes(kept)
    after = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    catch_up(after, study)
    after.tell_point(number, point)
    after.tell_end(number, [point])
    assert after.study.trials[number].state == TrialState.FAIL
    assert ask(after) == number + 1
    assert after.study.trials[number + 1].params == {"sparsity": 0.2, "int8": True}


def test_a_told_point_shares_what_was_asked(tmp_path: Path, make: Callable[..., Point]) -> None:
    optuna_study = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    number = ask(optuna_study)
    optuna_study.tell_point(number, make(number, "ab1", 0.25, "int8"))
    asked, told = optuna_study.study.get_trials(deepcopy=False)
    assert told.distributions is asked.distributions
    other = ask(optuna_study)
    optuna_study.tell_end(other, [])
    later = optuna_study.study.get_trials(deepcopy=False)[other]
    assert all(later.distributions[name] is kind for name, kind in asked.distributions.items())
    again = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0).study.get_trials()[1]
    assert (again.params, again.values, again.user_attrs) == (told.params, told.values, told.user_attrs)


def test_beginnings_not_asked_about_yet_survive_catching_up(optuna_study: OptunaStudy, study: Study) -> None:
    optuna_study.begin([{"sparsity": 0.1, "int8": True}])
    catch_up(optuna_study, study)
    number = ask(optuna_study)
    assert optuna_study.study.trials[number].params == {"sparsity": 0.1, "int8": True}


def test_a_trial_of_the_ledger_alone_is_none_of_optunas(
    optuna_study: OptunaStudy, study: Study, make: Callable[..., Point]
) -> None:
    make(None, "ab1")
    catch_up(optuna_study, study)
    assert optuna_study.study.trials == []


def test_the_same_seed_and_answers_give_the_same_proposals() -> None:
    pair = [OptunaStudy(InMemoryStorage(), "s", OBJECTIVES, seed=3) for _ in range(2)]
    for optuna_study in pair:
        for _ in range(5):
            ask(optuna_study)
    one, other = ([trial.params for trial in optuna_study.study.trials] for optuna_study in pair)
    assert one == other


def test_the_journal_keeps_a_study_for_the_next_process(
    tmp_path: Path, study: Study, make: Callable[..., Point]
) -> None:
    code = (
        "import sys; from pathlib import Path; from search.sampling.optuna_study import OptunaStudy, open_storage\n"
        "asked = OptunaStudy(open_storage(None, Path(sys.argv[1])), 's', ('accuracy', 'params'), 0).ask()\n"
        "asked.suggest_float('sparsity', 0.0, 0.95)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    here = OptunaStudy(open_storage(None, tmp_path), "s", OBJECTIVES, seed=0)
    here.tell_end(0, [make(0, "ab1", params=100)])
    assert here.study.trials[0].values == pytest.approx([0.5, 2.0])


def test_a_storage_of_other_objectives_is_refused() -> None:
    storage = InMemoryStorage()
    OptunaStudy(storage, "s", OBJECTIVES, seed=0)
    with pytest.raises(ValueError, match="storage: its study s must have 3 objectives, got 2; choose another --name"):
        OptunaStudy(storage, "s", (*OBJECTIVES, "flops"), seed=0).check_ours(has_asked=True)


def test_a_storage_with_somebody_elses_study_of_that_name_is_refused(optuna_study: OptunaStudy) -> None:
    ask(optuna_study)
    optuna_study.check_ours(has_asked=True)
    with pytest.raises(ValueError, match="storage: must not hold a study s yet, got 1 trials"):
        optuna_study.check_ours(has_asked=False)


def test_a_database_is_opened_by_its_url(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'optuna.db'}", tmp_path)
    assert isinstance(storage, optuna.storages.RDBStorage)
    storage.engine.dispose()


@pytest.mark.parametrize("url", ["nonsense", "", "postgres://nobody", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_opened_is_a_sentence(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="storage-url: cannot open ") as caught:
        open_storage(url, tmp_path)
    assert repr(url) in str(caught.value)


def test_optuna_is_told_latencies_of_one_device_alone(make: Callable[..., Point], study: Study) -> None:
    optuna_study = OptunaStudy(InMemoryStorage(), "s", ("accuracy", "latency_ms"), seed=0)
    first, second = ask(optuna_study), ask(optuna_study)
    here = make(first, "ab1", 0.5)
    there = make(second, "ab2", 0.5, device="NVIDIA H200")
    assert [optuna_study.compares(point) for point in (here, there)] == [True, False]
    study.end(1, "complete", "", 1.0, {})
    catch_up(optuna_study, study)
    assert [trial.user_attrs["point"] for trial in told(optuna_study)] == ["ab1"]
    assert optuna_study.study.trials[second].state == TrialState.FAIL
