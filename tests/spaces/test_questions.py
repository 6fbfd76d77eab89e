"""Questions of a space: which answers they admit, how answers are drawn, and which questions are refused."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest

from compress.errors import RecipeError
from spaces.questions import Question, Recorded, given

LR = Question(low=0.01, high=1.0, log=True, numeric=True)
EPOCHS = Question(low=2, high=8, step=3, whole=True, numeric=True)


def at_first(_: str, question: Question) -> Any:
    return question.at(0.0)


def test_places_that_are_evenly_spread_give_every_answer_the_same_chance() -> None:
    shares = [number / 100 for number in range(100)]
    assert [sum(EPOCHS.at(share) == value for share in shares) for value in (2, 5, 8)] == [34, 33, 33]
    assert sum(float(LR.at(share) or 0) < 0.1 for share in shares) == 50


@pytest.mark.parametrize(
    ("question", "yes", "no"),
    [
        (Question(("kd", None, 1)), ["kd", None, 1], ["at", True, 0]),
        (Question((False, True)), [False, True], [0, 1]),
        (EPOCHS, [2, 5, 8], [3, 11, True, "5"]),
        (LR, [0.01, 0.5, 1], [0.0, 1.1, math.nan]),
    ],
)
def test_a_question_admits_its_answers_alone(question: Question, yes: list[object], no: list[object]) -> None:
    assert all(question.admits(value) for value in yes)
    assert not any(question.admits(value) for value in no)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda trial: trial.suggest_categorical("x", ()), "x: choices must have a value, got none"),
        (lambda trial: trial.suggest_categorical("x", (("a", "b"),)), "x: choices must be text, numbers, True, False"),
        (lambda trial: trial.suggest_float("x", 2, 1), "x: low must be at most high, got 2 and 1"),
        (lambda trial: trial.suggest_float("x", 0, math.inf), "x: low and high must be finite numbers, got inf"),
        (lambda trial: trial.suggest_float("x", 0, 1, log=True), "x: low must be above 0, and step left out, with log"),
        (lambda trial: trial.suggest_int("x", 0, 9, step=0), "x: step must be above 0, got 0"),
        (
            lambda trial: (trial.suggest_int("x", 0, 9), trial.suggest_int("x", 0, 8)),
            "x must be the same question",
        ),
    ],
)
def test_a_question_without_an_answer_is_refused(ask: Any, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        ask(Recorded(at_first))


def test_a_name_asked_again_has_its_first_answer() -> None:
    shares = iter((0.0, 0.9))
    trial = Recorded(lambda _, question: question.at(next(shares)))
    assert [trial.suggest_categorical("x", ("a", "b")) for _ in range(2)] == ["a", "a"]


def test_given_choices_answer_their_own_questions_alone() -> None:
    trial = given({"x": "b", "lr": 0.5})
    assert trial.suggest_categorical("x", ("a", "b")) == "b"
    assert trial.suggest_float("lr", 0.1, 1.0) == 0.5
    with pytest.raises(RecipeError, match="epochs must be a whole number in \\[2, 8\\], got 'nothing'"):
        trial.suggest_int("epochs", 2, 8)


@pytest.mark.parametrize("question", [LR, EPOCHS, Question(("a", "b")), Question(low=0.0, high=0.5, numeric=True)])
def test_a_question_put_to_optuna_is_answered_within_the_question(question: Question) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert all(question.admits(question.put_to(study.ask(), "x")) for _ in range(20))
