"""What a point says of itself, and how values are written and typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Factorize, Quantize, Recovery, Train
from compress.training.settings import Training
from search.study.axes import in_order, is_value, shown, values_of
from search.study.record import Choice
from tests.search.grids import point, recipe, trial

ONCE = Training(epochs=1)


def test_a_recipe_without_choices_says_its_networks_and_methods() -> None:
    made = recipe("at")
    cut = point("a", 1, made, 0.9, 0.45)
    assert values_of(trial(1, made, [cut], {}), cut) == {
        "student": "cnn x0.25",
        "teacher": "resnet20",
        "stages": "distill, prune",
        "distiller": "at",
        "recovery distiller": "none",
        "pruner": "l1-filter",
        "factorizer": "none",
        "schedule": "one-shot",
        "sparsity": 0.45,
        "variant": "float",
    }


def test_a_network_is_written_as_the_model_is() -> None:
    for model in (Model("cnn"), Model("cnn", 0.5), Model("cnn", weights="/far/away.pt")):
        made = Recipe("digits", model, (Train(ONCE),))
        assert values_of(trial(1, made, [], {}), point("a", 1, made, 0.9))["student"] == str(model)


def test_low_rank_and_int8_are_said() -> None:
    cut = Factorize(SVD(), 0.5, OneShot(1), Recovery(ONCE))
    made = Recipe("digits", Model("cnn"), (Train(ONCE), cut, Quantize(Int8())))
    quantized = replace(point("a", 1, made, 0.9), variant="int8")
    said = values_of(trial(1, made, [quantized], {"int8": False, "seed": 3}), quantized)
    assert (said["factorizer"], said["stages"], said["int8"], said["teacher"]) == (
        "svd",
        "train, factorize",
        True,
        "none",
    )
    assert "seed" not in said


def test_the_point_and_then_the_choices_have_the_last_word() -> None:
    made = recipe()
    cut = point("a", 1, made, 0.9, 0.45)
    said = values_of(trial(1, made, [cut], {"student": "mine", "sparsity": 0.95}), cut)
    assert (said["student"], said["sparsity"]) == ("mine", 0.45)


def test_a_recipe_of_another_version_is_read_as_far_as_it_goes() -> None:
    cut = replace(point("a", 1, recipe(), 0.9), recipe={"stages": ["odd", {"type": "melt"}], "student": 5})
    strange = replace(trial(1, recipe(), [cut], {}), recipe=cut.recipe)
    assert values_of(strange, cut)["stages"] == "melt"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("sparsity", 0.45, "45%"), ("lr", 0.05, "0.05"), ("int8", True, "yes"), ("teacher", None, "none"), ("k", 3, "3")],
)
def test_a_value_is_written_and_can_be_typed_so(name: str, value: Choice, text: str) -> None:
    assert shown(name, value) == text
    assert is_value(name, text, value)
    assert not is_value(name, "other", value)


def test_a_share_may_be_typed_as_percent_or_as_a_number() -> None:
    assert all(is_value("sparsity", text, 0.9) for text in ("90%", ".9", "0.90"))
    assert not is_value("sparsity", "0.91", 0.9)


def test_numbers_come_by_size_then_words_then_none() -> None:
    assert in_order(["kd", None, 10, 2.5, "at", "none"]) == [2.5, 10, "at", "kd", None, "none"]
