"""The scale of a study: of the task by default, kept in the header, and none for a study of an earlier version."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compress.data import published
from compress.data.tasks import Task, load_task
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from compress.training.settings import Training
from search.beginning import launch
from search.beginning.begin_checks import check_study
from search.beginning.begin_space import BegunSpace, check_alike, space_of
from search.settings import Settings
from search.study.names import StudyError
from search.study.study import Study
from search.study_options import arguments_of
from spaces import EARLIER, SPACES, Space
from spaces.space import EFFORT, Effort, Trial, with_scales

NAME = "slimnets2018"


def build(trial: Trial, task: str, seed: int) -> Recipe:
    width = float(trial.suggest_categorical("width", (0.25, 0.5)))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=1)),), seed=seed)


PUBLISHED = Space(NAME, build, Model("resnet20"), "")
SMALL = Space(NAME, build, Model("cnn"), "")


@pytest.fixture(autouse=True)
def _paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registered space of the name has two scales now."""
    monkeypatch.setitem(SPACES, NAME, with_scales({"published": PUBLISHED, "small": SMALL}))
    monkeypatch.setitem(EFFORT, "digits", Effort(1, 1))


@pytest.fixture
def cifar(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Task:
    """CIFAR-10 of 40 and 8 images."""

    def stored(root: Path, train: bool, download: bool = False) -> SimpleNamespace:
        count = 40 if train else 8
        data = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        return SimpleNamespace(classes=("cat", "dog"), data=data, targets=[i % 2 for i in range(count)])

    monkeypatch.setattr(
        published, "import_torchvision", lambda: SimpleNamespace(datasets=SimpleNamespace(CIFAR10=stored))
    )
    return load_task("cifar10", tmp_path / "data")


def begun(home: Path, task: Task, **header: Any) -> Study:
    study = Study(home, "s")
    costs = {"accuracy": 0.0, "params": 1e6, "flops": 1e9, "macs": 5e8}
    study.begin(
        task=task.name,
        fingerprint=task.fingerprint,
        **{"space": NAME, **header},
        seed=0,
        sampler="random",
        objectives=["accuracy", "params", "flops"],
        reference_point=costs,
    )
    return study


def chosen(study: Study, task: Task, **settings: Any) -> BegunSpace:
    asked = Settings("s", **{"space": NAME, "task": task.name, "home": study.home, **settings})
    return space_of(study, asked, {}, task)


def test_a_new_study_has_the_scale_of_its_task_or_the_scale_asked_for(
    tmp_path: Path, digits: Task, cifar: Task
) -> None:
    new = Study(tmp_path, "s")
    small, large = chosen(new, digits), chosen(new, cifar)
    assert (small.space, small.scale, large.space, large.scale) == (SMALL, "small", PUBLISHED, "published")
    assert large.scale_said == "space slimnets2018 at the scale published, one of published, small"
    assert chosen(new, cifar, scale="small").space is SMALL


def test_a_resumed_study_keeps_its_scale(tmp_path: Path, cifar: Task) -> None:
    study = begun(tmp_path, cifar, scale="small")
    assert chosen(study, cifar, resume=True).space is SMALL
    assert arguments_of(study)["scale"] == "small"
    assert study.record.space_said == "slimnets2018 at the scale small"
    other = Settings("s", space=NAME, task="cifar10", home=tmp_path, resume=True, scale="published")
    with pytest.raises(StudyError, match="study s: was begun with the scale 'small', got 'published'; leave scale out"):
        check_study(study, other)


@pytest.mark.parametrize("name", list(EARLIER))
def test_a_study_without_a_scale_has_its_space_of_then(name: str, tmp_path: Path, digits: Task, cifar: Task) -> None:
    for home, task in ((tmp_path / "a", digits), (tmp_path / "b", cifar)):
        study = begun(home, task, space=name)
        found = chosen(study, task, space=name, resume=True)
        assert (found.space, found.scale, found.scale_said) == (EARLIER[name], None, "")
        assert study.record.space_said == name


def test_a_study_without_a_scale_takes_none(tmp_path: Path, digits: Task) -> None:
    asked = Settings("s", space=NAME, home=tmp_path, resume=True, scale="small")
    with pytest.raises(StudyError, match="study s: was begun with a space without scales, got 'small'; leave scale"):
        check_study(begun(tmp_path, digits), asked)


def test_a_study_without_a_scale_is_repeated_with_its_space_of_then(tmp_path: Path, digits: Task) -> None:
    arguments = arguments_of(begun(tmp_path, digits))
    assert arguments["space"] == "spaces.earlier:SLIMNETS2018"
    again = space_of(Study(tmp_path, "new"), Settings("new", space=arguments["space"], home=tmp_path), {}, digits)
    assert again.space.teacher == EARLIER[NAME].teacher


def test_an_earlier_joint_study_is_repeated_at_the_small_scale(tmp_path: Path, cifar: Task) -> None:
    arguments = arguments_of(begun(tmp_path, cifar, space="joint"))
    assert (arguments["space"], arguments["scale"]) == ("joint", "small")


def test_a_study_starts_from_a_study_of_its_scale(tmp_path: Path, digits: Task) -> None:
    record = begun(tmp_path, digits, scale="small").record
    check_alike(record, "small")
    check_alike(None, "small")
    with pytest.raises(StudyError, match="from: s must be of the scale published, got small"):
        check_alike(record, "published")


def test_an_earlier_study_goes_on_with_its_own_space(tmp_path: Path, digits: Task) -> None:
    begun(tmp_path, digits)
    record = launch.search(Settings("s", space=NAME, trials=1, home=tmp_path, resume=True))
    assert [trial.status for trial in record.trials] == ["complete"]
    assert Recipe.from_json(record.trials[0].recipe) == EARLIER[NAME].baseline("digits", 0)


def test_a_search_writes_its_scale_down_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []

    class Ear(launch.Listener):
        def said(self, line: str) -> None:
            said.append(line)

    launch.search(Settings("s", space=NAME, trials=1, home=tmp_path), Ear())
    assert Study(tmp_path, "s").header["scale"] == "small"
    assert "space slimnets2018 at the scale small, one of published, small" in said
