"""Study files: every option by its name, both ways, and a sentence for anything else."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import paretune
from search.option_fields import options_of
from search.settings import Settings
from search.study_file import NAME, filled, keep, names, read, written

WHOLE = """
name = "mine"
space = "chen2021"
task = "digits"
trials = 7
objectives = ["accuracy", "params"]
time-budget = 3600
cpus-per-trial = 2
sampler = "tpe"
whole-curves = true
max-params = 20000
min-accuracy = 0.9
max-flops = "10%"
home = "somewhere"

[training]
epochs = 30
optimizer = "adamw"
decay = "step"
drops = ["150/240", 0.75]

[recovery]
lr = 0.01
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "s.toml"
    path.write_text(text)
    return path


def test_a_file_says_what_options_say(tmp_path: Path) -> None:
    settings = Settings(**read(file(tmp_path, WHOLE), Settings))
    assert settings == Settings(
        "mine",
        space="chen2021",
        trials=7,
        objectives=("accuracy", "params"),
        time_budget_s=3600,
        cpus_per_trial=2,
        sampler="tpe",
        whole_curves=True,
        max_params="20000",
        min_accuracy="0.9",
        max_flops="10%",
        home=Path("somewhere"),
        epochs=30,
        optimizer="adamw",
        decay="step",
        drops=(0.625, 0.75),
        recovery_lr=0.01,
    )


def test_what_is_given_wins_over_the_file_even_where_it_is_the_default(tmp_path: Path) -> None:
    path = file(tmp_path, WHOLE)
    given = {"file": path, "trials": Settings.trials, "max_params": None}
    assert filled(Settings, given) == {**read(path, Settings), **given}


def test_every_option_can_stand_in_a_file() -> None:
    known = [field for section in ("", "training", "recovery") for field, _ in names(Settings, section).values()]
    assert sorted(known) == sorted(set(options_of(Settings)) - {"file"})
    assert {each.name for each in fields(Settings)} - {*known} == {"file"}


def test_a_file_is_written_as_it_is_read(tmp_path: Path) -> None:
    strange = 'a "quoted" \\ name\x7f\n é 🦆'
    arguments = {**read(file(tmp_path, WHOLE), Settings), "start_from": strange, "students": ("cnn", "a:b"), "lr": 1e-7}
    again = read(file(tmp_path, written(Settings, arguments)), Settings)
    assert replace(Settings(**{**again, "start_from": None, "students": ()}), space="joint").lr == 1e-7
    assert again == {**arguments, "drops": ("150/240", 0.75)}
    assert tomllib.loads(written(Settings, arguments))["from"] == strange


def test_a_copy_is_kept(tmp_path: Path) -> None:
    keep(None, tmp_path)
    assert list(tmp_path.iterdir()) == []
    keep(file(tmp_path, WHOLE), tmp_path)
    assert (tmp_path / NAME).read_text() == WHOLE
    with pytest.raises(ValueError, match=r"study file: .*gone.toml must be readable, got No such file"):
        keep(tmp_path / "gone.toml", tmp_path)


REFUSED: list[tuple[str, str]] = [
    ("trails = 3", "s.toml: unknown 'trails', known are name, task, trials, objectives, seed, resume, space, scale"),
    ("trials = 3\n[cluster]\nx = 1", "s.toml: unknown 'cluster', known are name"),
    ("file = 's.toml'", "s.toml: unknown 'file', known are"),
    ("time_budget_s = 3", "s.toml: unknown 'time_budget_s', known are"),
    ("epochs = 3", "s.toml: unknown 'epochs', write it in the section [training]"),
    ("recovery-lr = 3", "s.toml: unknown 'recovery-lr', write it in the section [recovery]"),
    ("[training]\nrecovery-lr = 3", "s.toml: [training] unknown 'recovery-lr', write it in the section [recovery]"),
    ("[training]\nrate = 3", "s.toml: [training] unknown 'rate', known are epochs, lr, batch-size, optimizer"),
    ("[recovery]\ntrials = 3", "s.toml: [recovery] unknown 'trials', known are epochs, lr"),
    ("training = 3", "s.toml: [training] must be a section, got 3"),
    ("[[training]]\nepochs = 3", "s.toml: [training] must be a section, got [{'epochs': 3}]"),
    ("trials = 'many'", "s.toml: trials must be a whole number, got 'many'"),
    ("trials = 3.5", "s.toml: trials must be a whole number, got 3.5"),
    ("trials = true", "s.toml: trials must be a whole number, got True"),
    ("resume = 1", "s.toml: resume must be true or false, got 1"),
    ("task = 3", "s.toml: task must be a text, got 3"),
    ("home = ''", "s.toml: home must name a folder, got ''"),
    ("time-budget = '1 h'", "s.toml: time-budget must be a number, got '1 h'"),
    ("student = 3", "s.toml: student must be a list of texts, got 3"),
    ("objectives = [['accuracy']]", "s.toml: objectives must be a list of texts, got [['accuracy']]"),
    ("max-params = [1]", "s.toml: max-params must be a text, got [1]"),
    ("[training]\nlr = '0.1'", "s.toml: [training] lr must be a number, got '0.1'"),
    ("[training]\ndrops = 0.5", "s.toml: [training] drops must be a list of texts, got 0.5"),
    ("trials = ", "s.toml must be TOML, got Invalid value (at "),
    ("trials = 1\ntrials = 2", "s.toml must be TOML, got Cannot overwrite a value"),
    ("x = " + "[" * 100_000, "s.toml must be TOML, got maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED, ids=lambda case: case[:30])
def test_anything_else_is_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as told:  # noqa: PT011  the sentence is compared below
        paretune.search(file=file(tmp_path, text), home=tmp_path / "home")
    assert sentence in str(told.value)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda path: None, "s.toml must be readable, got No such file or directory"),
        (lambda path: path.mkdir(), "s.toml must be readable, got Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "s.toml must be TOML, got 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(made: Any, sentence: str, tmp_path: Path) -> None:
    made(tmp_path / "s.toml")
    with pytest.raises(ValueError) as told:  # noqa: PT011
        read(tmp_path / "s.toml", Settings)
    assert sentence in str(told.value)
