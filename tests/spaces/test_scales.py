"""Spaces at several scales: what is asked for, what a task has by default, and what changing a space leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Train
from spaces import EARLIER, SPACES, Space
from spaces.own import watched
from spaces.space import Trial, with_scales


def build(trial: Trial, task: str, seed: int) -> Recipe:
    return Recipe(task, Model("cnn", float(trial.suggest_categorical("width", (0.25, 0.5)))), (Train(),), seed=seed)


SMALL = Space("paper", build, Model("cnn"), "")
LARGE = Space("paper", build, Model("resnet20"), "")
PAPER = with_scales({"published": LARGE, "small": SMALL})


def test_a_space_at_a_scale_is_the_space_of_the_scale() -> None:
    assert (PAPER.at("published"), PAPER.at("small")) == (LARGE, SMALL)
    assert SMALL.at(None) is SMALL


@pytest.mark.parametrize(
    ("task", "scale"),
    [("cifar10", "published"), ("cifar100", "published"), ("digits", "small"), ("folder:cifar10", "small")],
)
def test_the_papers_tasks_have_the_published_scale_by_default(task: str, scale: str) -> None:
    assert PAPER.scale_for(task) == scale
    assert PAPER.scale_for(task, "small") == "small"
    assert SMALL.scale_for(task) is None
    assert with_scales({"tiny": SMALL}).scale_for(task) == "tiny"


def test_an_unknown_scale_is_refused_with_the_known_scales() -> None:
    with pytest.raises(RecipeError, match="scale: unknown 'medium', those of the space paper are published, small"):
        PAPER.scale_for("digits", "medium")
    with pytest.raises(RecipeError, match="scale: must be left out, as the space paper has only one, got 'small'"):
        SMALL.scale_for("digits", "small")


def test_a_changed_space_is_of_one_scale() -> None:
    assert replace(PAPER, beginnings=({"width": 0.25},)).scales == {}


def test_a_users_space_is_watched_at_every_scale() -> None:
    strange = Space("paper", lambda *_: 3, Model("cnn"), "")  # type: ignore[arg-type]
    mine = watched(with_scales({"published": strange, "small": SMALL}), "mine")
    assert [one.name for one in (mine, *mine.scales.values())] == ["mine"] * 3
    with pytest.raises(RecipeError, match="space mine: must return a Recipe, got a int"):
        mine.at("published").build(_no_trial(), "digits", 0)


def _no_trial() -> Trial:
    return None  # type: ignore[return-value]


def test_every_scale_of_a_registered_space_has_its_name() -> None:
    for name, space in SPACES.items():
        assert {one.name for one in (space, *space.scales.values())} == {name}


def test_the_spaces_of_earlier_versions_are_kept_with_one_scale() -> None:
    assert list(EARLIER) == ["joint", "slimnets2018", "chen2021", "aghli2021", "malihi2023"]
    assert not any(space.scales for space in EARLIER.values())
