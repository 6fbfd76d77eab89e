"""A model's recipe in few words: the network, then the method of each stage, as in `cnn x0.5, kd, l1-filter 45%, int8`.

The words are read off a recipe's JSON, so that recipes of other versions and of a user's own methods have words too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CUTS = ("prune", "factorize")
"""Stages whose curve begins with a network not cut yet."""


def recipe_words(recipe: Mapping[str, Any], sparsity: float, variant: str, *, whole: bool = True) -> str:
    """Return the words of a point; without `whole`, teachers and distillers of recoveries are left out."""
    stages = [stage for stage in recipe.get("stages", ()) if stage["type"] not in ("train", "quantize")]
    if stages and sparsity == 0 and stages[-1]["type"] in CUTS:
        stages.pop()
    words = [_stage(stage, recipe.get("teacher"), whole) for stage in stages]
    if sparsity > 0:
        words[-1:] = [f"{words[-1]} {sparsity:.0%}" if words else f"{sparsity:.0%}"]
    if whole and stages and (distiller := (stages[-1].get("recovery") or {}).get("distiller")):
        words.append(f"recovered by {distiller['type']}")
    student = [network(recipe["student"])] if "student" in recipe else []
    return ", ".join([*student, *words, *([variant] if variant != "float" else [])])


def network(model: Mapping[str, Any]) -> str:
    """Return a model's name, width and weights, of files the name alone: `resnet20`, `cnn x0.5`, `net.py:make`."""
    place = f"@{model['weights'].rpartition('/')[2]}" if "weights" in model else ""
    width = "" if model["width"] == 1 else f" x{model['width']:g}"
    return f"{model['family'].rpartition('/')[2]}{place}{width}"


def _stage(stage: Mapping[str, Any], teacher: Mapping[str, Any] | None, whole: bool) -> str:
    """Return a stage's method; of a narrowed network the share of filters kept."""
    method = stage.get("method")
    named = method["type"] if isinstance(method, Mapping) else ""
    if stage["type"] == "narrow":
        return " ".join(filter(None, (f"narrowed to {stage['width']:.0%}", named)))
    taught = whole and teacher is not None and stage["type"] == "distill"
    return f"{named} from {network(teacher)}" if taught and teacher else named or stage["type"]
