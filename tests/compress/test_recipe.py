"""Recipes: JSON both ways, ids, legal and illegal orders, and what is said of wrong settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from compress.codec import decode
from compress.distill import KD
from compress.encoding import encode
from compress.errors import RecipeError
from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import Exponential, L1Filter, L1Unstructured, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training

TRAIN, DISTILL, INT8 = Train(), Distill(KD()), Quantize(Int8())
CUT = Prune(L1Filter(), 0.5, OneShot())
MASK = Prune(L1Unstructured(), 0.5, OneShot())
RANK = Factorize(SVD(), 0.5, OneShot())
TAUGHT = replace(CUT, recovery=Recovery(distiller=KD(), teacher="teacher"))
SELF_TAUGHT = replace(CUT, recovery=Recovery(distiller=KD(), teacher="original"))
WHOLE = Recipe("digits", Model("cnn"), (DISTILL, CUT, RANK, INT8), Model("resnet20"), Training(), 3)

LEGAL = [
    (TRAIN,),
    (DISTILL,),
    (TRAIN, CUT),
    (TRAIN, MASK),
    (TRAIN, RANK),
    (TRAIN, INT8),
    (TRAIN, CUT, RANK),
    (TRAIN, RANK, CUT),
    (TRAIN, CUT, INT8),
    (TRAIN, MASK, INT8),
    (TRAIN, RANK, MASK),
    (TRAIN, TAUGHT),
    (DISTILL, CUT, RANK, INT8),
]
ILLEGAL = [
    ((), "the first stage must be train or distill, got no stage"),
    ((CUT,), "the first stage must be train or distill, got prune"),
    ((INT8, TRAIN), "the first stage must be train or distill, got quantize -> train"),
    ((TRAIN, DISTILL), "distill starts a new network, so it must come first, got train -> distill"),
    ((TRAIN, CUT, TRAIN), "train starts a new network, so it must come first, got train -> prune -> train"),
    ((TRAIN, INT8, CUT), "quantize must be the last stage, got train -> quantize -> prune"),
    ((TRAIN, INT8, INT8), "quantize must be the last stage, got train -> quantize -> quantize"),
    ((TRAIN, MASK, RANK), "factorize would undo the zeros of the pruning before it, got train -> prune -> factorize"),
    ((TRAIN, MASK, CUT), "prune would undo the zeros of the pruning before it, got train -> prune -> prune"),
    ((TRAIN, CUT, MASK), "at most one prune stage, got train -> prune -> prune"),
    ((TRAIN, RANK, RANK), "at most one factorize stage, got train -> factorize -> factorize"),
]
WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: replace(CUT, sparsity=1.0), "prune: sparsity must be in [1e-06, 1), got 1.0"),
    (lambda: replace(CUT, sparsity=0.0), "prune: sparsity must be in [1e-06, 1), got 0.0"),
    (lambda: replace(RANK, sparsity=1.2), "factorize: sparsity must be in [1e-06, 1), got 1.2"),
    (lambda: Training(lr=float("nan")), "training: lr must be above 0, got nan"),
    (lambda: Training(lr=float("inf")), "training: lr must be above 0, got inf"),
    (lambda: Training(lr=0.0), "training: lr must be above 0, got 0.0"),
    (lambda: Training(epochs=-1), "training: epochs must be a whole number of at least 0, got -1"),
    (lambda: Training(epochs=2.5), "training: epochs must be a whole number of at least 0, got 2.5"),  # type: ignore[arg-type]
    (lambda: Training(batch_size=0), "training: batch_size must be a whole number of at least 1, got 0"),
    (lambda: Training(momentum=1.0), "training: momentum must be in [0, 1), got 1.0"),
    (lambda: Training(weight_decay=-1e-4), "training: weight_decay must be at least 0, got -0.0001"),
    (lambda: Training(decay="linear"), "training: decay: unknown 'linear', known are constant, cosine, step"),
    (lambda: Training(label_smoothing=1.0), "training: label_smoothing must be in [0, 1), got 1.0"),
    (lambda: Model("cnn", 0), "cnn: width must be above 0, got 0"),
    (lambda: OneShot(0), "one-shot: steps must be a whole number of at least 1, got 0"),
    (lambda: KD(temperature=0), "kd: temperature must be above 0, got 0"),
    (lambda: KD(w_ce=-1), "kd: w_ce must be at least 0, got -1"),
    (lambda: SVD(keep="some"), "svd: keep: unknown 'some', known are energy, ratio"),
    (lambda: L1Unstructured(scope="net"), "l1-unstructured: scope: unknown 'net', known are global, layer"),
    (lambda: Recovery(scope="head"), "recovery: scope: unknown 'head', known are all, classifier"),
    (lambda: Recovery(teacher="me"), "recovery: teacher: unknown 'me', known are original, teacher"),
    (lambda: Recovery(distiller=SVD()), "recovery: distiller must be a Distiller or nothing, got SVD"),  # type: ignore[arg-type]
    (lambda: Prune(SVD(), 0.5, OneShot()), "prune: method must be a Pruner, got SVD("),  # type: ignore[arg-type]
    (lambda: Prune(L1Filter(), 0.5, 3), "prune: schedule must be a Schedule, got 3"),  # type: ignore[arg-type]
    (lambda: Train(5), "train: training must be a Training, got 5"),  # type: ignore[arg-type]
    (lambda: replace(WHOLE, seed=-1), "recipe: seed must be a whole number of at least 0, got -1"),
    (lambda: replace(WHOLE, task=7), "recipe: task must be a str, got 7"),  # type: ignore[arg-type]
    (lambda: replace(WHOLE, student="cnn"), "recipe: student must be a Model, got 'cnn'"),  # type: ignore[arg-type]
    (lambda: replace(WHOLE, stages=[TRAIN]), "recipe: stages must be a tuple, got [Train("),  # type: ignore[arg-type]
    (lambda: replace(WHOLE, stages=("train",)), "recipe: a stage must be a Train or a Distill or"),  # type: ignore[arg-type]
    (lambda: replace(WHOLE, schooling=None), "recipe: a teacher needs its schooling, and schooling a teacher"),
    (lambda: replace(WHOLE, teacher=None), "recipe: a teacher needs its schooling, and schooling a teacher"),
]


def taught(*stages: Stage) -> Recipe:
    return Recipe("digits", Model("cnn"), stages, teacher=Model("resnet20"), schooling=Training())


def names(stages: tuple[Stage, ...]) -> str:
    return "-".join(stage.name for stage in stages) or "none"


def test_a_recipe_survives_json() -> None:
    again = Recipe.from_json(json.loads(json.dumps(WHOLE.as_json(), allow_nan=False)))
    assert again == WHOLE
    assert again.id == WHOLE.id


def test_the_id_does_not_change_between_versions_and_machines() -> None:
    assert Recipe("digits", Model("cnn"), (TRAIN,)).id == "2330ac85bb2598a9dc439cb8530d36aa"


def test_the_id_does_not_depend_on_the_order_of_the_json() -> None:
    turned = dict(reversed(WHOLE.as_json().items()))
    assert Recipe.from_json(turned).id == WHOLE.id


@pytest.mark.parametrize(
    "change",
    [
        {"task": "cifar10"},
        {"student": Model("cnn", 0.5)},
        {"teacher": Model("resnet32")},
        {"schooling": Training(epochs=31)},
        {"seed": 4},
        {"stages": (DISTILL, RANK, CUT, INT8)},
        {"stages": (DISTILL, replace(CUT, sparsity=0.6), RANK, INT8)},
        {"stages": (DISTILL, replace(CUT, schedule=Exponential(1)), RANK, INT8)},
        {"stages": (DISTILL, SELF_TAUGHT, RANK, INT8)},
        {"stages": (Distill(KD(temperature=3.0)), CUT, RANK, INT8)},
        {"stages": (DISTILL, CUT, replace(RANK, method=SVD("ratio")), INT8)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_id_changes_with_every_field(change: dict[str, Any]) -> None:
    assert replace(WHOLE, **change).id != WHOLE.id


@pytest.mark.parametrize("stages", LEGAL, ids=names)
def test_a_legal_order_is_a_recipe(stages: tuple[Stage, ...]) -> None:
    assert taught(*stages).stages == stages


@pytest.mark.parametrize(("stages", "said"), ILLEGAL, ids=[names(stages) for stages, _ in ILLEGAL])
def test_an_illegal_order_is_a_sentence(stages: tuple[Stage, ...], said: str) -> None:
    with pytest.raises(RecipeError) as error:
        taught(*stages)
    assert str(error.value) == f"recipe: {said}"


@pytest.mark.parametrize("stages", [(DISTILL,), (TRAIN, TAUGHT)], ids=names)
def test_distilling_needs_a_teacher(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(RecipeError, match="distill needs a teacher and the recipe names none"):
        Recipe("digits", Model("cnn"), stages)


def test_learning_from_the_original_needs_no_teacher() -> None:
    assert Recipe("digits", Model("cnn"), (TRAIN, SELF_TAUGHT)).teacher is None


@pytest.mark.parametrize(("build", "said"), WRONG, ids=[said.split(" must")[0] for _, said in WRONG])
def test_a_wrong_setting_is_a_sentence(build: Callable[[], object], said: str) -> None:
    with pytest.raises(RecipeError) as error:
        build()
    assert str(error.value).startswith(said)


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"^model: unknown 'vgg99', known are .*cnn, .*resnet20.*resnet56"):
        Model("vgg99")


def test_an_unknown_type_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"^recipe: type: unknown 'lottery', known are .*kd, .*l1-filter, .*svd"):
        decode({"type": "lottery"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({**encode(KD()), "alpha": 1}, "kd: unknown setting 'alpha', known are w_ce, w_kd, temperature"),  # type: ignore[dict-item]
        ({"type": "int8", "bits": 4}, "int8: unknown setting 'bits', known are none"),
        ({"type": "prune"}, "prune: "),
    ],
    ids=["unknown", "none-known", "missing"],
)
def test_settings_that_do_not_fit_are_named(data: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as error:
        decode(data)
    assert str(error.value).startswith(said)


def test_an_unknown_field_of_a_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"^recipe: unknown field 'stage', known are task, teacher, .*stages, seed"):
        Recipe.from_json({**WHOLE.as_json(), "stage": []})


def test_a_recipe_without_its_task_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match=r"^recipe: .*missing .*'task'"):
        Recipe.from_json({key: value for key, value in WHOLE.as_json().items() if key != "task"})
