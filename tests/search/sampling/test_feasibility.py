"""What may be carried out: each recipe is judged, but no network is built for what is known already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compress.costs import check
from compress.data.tasks import Task
from compress.distill import CRD, KD, Distiller, SimKD
from compress.models import Model
from compress.pruning import APoZRounds, L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.settings import Training
from search.sampling.bounds import UNBOUNDED
from search.sampling.feasibility import Feasibility

ONCE = Training(epochs=1)


class Counted:
    """Verdicts, what they said, and the recipes that networks were built for."""

    def __init__(self, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[str] = []
        self.built: list[Recipe] = []
        self.feasibility = Feasibility(task, UNBOUNDED, self.said.append)

        def counted(recipe: Recipe, task: Task) -> None:
            self.built.append(recipe)
            check(recipe, task)

        monkeypatch.setattr("search.sampling.feasibility.check", counted)

    def __call__(self, recipe: Recipe) -> dict[str, float] | None:
        return self.feasibility.over(recipe)


@pytest.fixture
def judge(tiny: Task, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(tiny, monkeypatch)


def cut(depth: float, width: float = 0.25, distiller: Distiller | None = None) -> Recipe:
    stage = Prune(L1Filter(), depth, OneShot(1), Recovery(ONCE, distiller=distiller))
    return Recipe("digits", Model("cnn", width), (Train(ONCE), stage))


def taught(distiller: Distiller) -> Recipe:
    return Recipe("digits", Model("cnn", 0.25), (Distill(distiller, ONCE),), Model("cnn"), ONCE)


def test_who_teaches_changes_no_network_but_where_a_layer_is_kept(judge: Counted) -> None:
    crd = CRD(negatives=2)
    for recipe in (cut(0.5), cut(0.5, distiller=KD()), cut(0.5, distiller=crd), taught(KD()), taught(crd)):
        assert judge(recipe) is None
    assert len(judge.built) == 2
    assert judge(taught(SimKD())) is None
    assert judge(cut(0.5, distiller=SimKD())) is None
    assert len(judge.built) == 4


def test_labels_that_do_not_do_are_seen_though_the_networks_are_known(judge: Counted) -> None:
    assert judge(taught(KD())) is None
    assert judge(taught(CRD(negatives=999))) == {}
    assert "crd: negatives must be at most" in judge.said[0]


def test_where_the_deepest_cut_asked_for_so_far_can_be_made_no_other_is_looked_at(judge: Counted) -> None:
    for recipe in (cut(0.9), cut(0.6, width=0.5), cut(0.8, width=0.5), cut(0.9, width=0.5)):
        assert judge(recipe) is None
    assert [recipe.stages[1] for recipe in judge.built] == [cut(0.9).stages[1]] * 2


def test_where_it_cannot_be_the_shallower_one_is_judged_by_itself(judge: Counted) -> None:
    assert judge(cut(0.9999)) == {}
    assert judge(cut(0.5)) is None
    assert judge(cut(0.4)) is None
    assert judge(cut(0.9998)) == {}
    assert judge(cut(0.9999)) == {}
    assert len(judge.said) == 2


def test_a_method_that_finds_its_sparsity_has_no_depth(judge: Counted) -> None:
    assert judge(cut(0.9)) is None
    adaptive = Prune(APoZRounds(), recovery=Recovery(ONCE))
    assert judge(replace(cut(0.9), stages=(Train(ONCE), adaptive))) is None
    assert judge.built[1].stages[1] == adaptive
