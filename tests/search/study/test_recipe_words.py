"""A recipe in few words, from its JSON."""

from __future__ import annotations

from typing import Any

import pytest

from compress.distill import KD
from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Narrow, Prune, Quantize, Recovery, Train
from compress.stages.stage import Stage
from search.study.recipe_words import network, recipe_words

CUT = Prune(L1Filter(), 0.9, OneShot(4), Recovery(distiller=KD()))


def recipe(*stages: Stage, teacher: Model | None = None) -> dict[str, Any]:
    schooling = Train().training if teacher else None
    return dict(Recipe("digits", Model("cnn", 0.5), stages, teacher=teacher, schooling=schooling, seed=0).as_json())


@pytest.mark.parametrize(
    ("made", "sparsity", "variant", "words"),
    [
        (recipe(Train()), 0.0, "float", "cnn x0.5"),
        (recipe(Train(), CUT), 0.0, "float", "cnn x0.5"),
        (recipe(Train(), CUT), 0.449, "float", "cnn x0.5, l1-filter 45%, recovered by kd"),
        (recipe(Train(), CUT, Quantize(Int8())), 0.449, "int8", "cnn x0.5, l1-filter 45%, recovered by kd, int8"),
        (recipe(Distill(KD()), teacher=Model("resnet20")), 0.0, "float", "cnn x0.5, kd from resnet20"),
        (recipe(Train(), Narrow(width=0.5)), 0.6, "float", "cnn x0.5, narrowed to 50% 60%"),
        (
            recipe(Distill(KD()), Factorize(SVD(), 0.5, OneShot(1)), teacher=Model("cnn")),
            0.5,
            "float",
            "cnn x0.5, kd from cnn, svd 50%",
        ),
        ({"seed": 0}, 0.0, "float", ""),
    ],
)
def test_a_recipe_is_named_by_its_network_and_its_methods(
    made: dict[str, Any], sparsity: float, variant: str, words: str
) -> None:
    assert recipe_words(made, sparsity, variant) == words


def test_few_words_leave_out_who_taught() -> None:
    made = recipe(Distill(KD()), CUT, teacher=Model("resnet20"))
    assert recipe_words(made, 0.5, "float", whole=False) == "cnn x0.5, kd, l1-filter 50%"


def test_a_network_of_a_file_is_named_without_its_folders() -> None:
    made = {"family": "/a/b/net.py:make", "width": 1.0, "weights": "/a/w.safetensors"}
    assert network(made) == "net.py:make@w.safetensors"
