"""Words of the report in a sentence each, shown when the pointer rests on a heading."""

from __future__ import annotations

GLOSSARY = {
    "point": "The id of a model; the commands of paretune take its beginning.",
    "trial": "A recipe carried out: a curve of models of the same network, from unpruned to the smallest.",
    "removed": "Share of the prunable weights that pruning or factorizing took away.",
    "validation": "On images apart from training; models are chosen by these alone.",
    "test": "On images that neither training nor choosing has seen.",
    "variant": "float, or int8: weights and activations of eight bits.",
    "recipe": "The network, then the method of each stage.",
    "tolerance": "The largest sparsity at which the curve has lost at most a hundredth.",
    "knee": "The sparsity after which the curve falls faster than the model shrinks.",
    "unpruned": "The network before any cut, on validation.",
    "on the front": "Models that no other model beats: to beat is to be as good in every objective and better in one.",
    "work": "Seconds of all workers together.",
    "best on test": "Another model of at most this size that does better on test; validation could not tell.",
    "FLOPs": "Twice the MACs, for one image.",
    "alone there": "Of the front of all studies, the models that no other study has.",
    "adds": "Hypervolume of all studies that is lost without this one.",
    "clean": "On the test images as they are.",
    "MACs": "Multiplications with an addition, for one image.",
}
"""By the text of a heading."""


def explained(heading: str) -> str:
    """Return the sentence on a heading, "" for a heading that says enough."""
    return GLOSSARY.get(heading, "")
