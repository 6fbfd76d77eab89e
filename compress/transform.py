"""What each stage does to a model's structure, before any training: the cut, the factors, the conversion.

Kept apart from training so that the costs of a recipe are known before it trains: `compress.costs` runs the same
functions on untrained weights.
"""

from __future__ import annotations

from torch import nn

from compress.data import Batch
from compress.lowrank import factorize
from compress.pruning.channels import cut_channels, cut_doomed
from compress.pruning.inside import Goal, Inside
from compress.pruning.masks import mask_weights
from compress.pruning.narrow import narrow
from compress.pruning.pruner import Rounds
from compress.stage import Factorize, Narrow, Prune, Quantize


def transform(
    model: nn.Module, stage: Prune | Factorize | Quantize | Narrow, level: float, *, full: int, calibration: Batch
) -> nn.Module:
    """Change `model` in place to sparsity `level` in [0, 1) and return it.

    `full` is the number of weights before the stage, which `level` counts from; `calibration` a batch of training
    images with their labels. A method inside training is carried out as if training had no steps, an adaptive one does
    one round, whatever the level.
    """
    if isinstance(stage, Quantize):
        return stage.method.convert(model, calibration.images)
    if isinstance(stage, Factorize):
        return factorize(model, stage.method, level, calibration.images)
    if isinstance(stage, Narrow):
        return narrow(model, stage.width, calibration.images)
    if isinstance(stage.method, Inside):
        stage.method.begin(model, Goal(level, full, calibration, stage.recovery.training.epochs)).finish()
        return model
    if isinstance(stage.method, Rounds):
        return cut_doomed(model, stage.method, calibration)
    if stage.method.granularity == "weight":
        return mask_weights(model, stage.method, level, calibration)
    at_most = int(full * (1 - level) + 1e-9)
    return cut_channels(model, stage.method, at_most, calibration)
