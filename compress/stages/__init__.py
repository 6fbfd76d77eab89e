"""The stages of a recipe: `STAGES` by name, one file a stage."""

from __future__ import annotations

from compress.stages.distill import Distill
from compress.stages.factorize import Factorize
from compress.stages.lesson import Lesson, Recovery
from compress.stages.narrow import Narrow
from compress.stages.prune import Prune
from compress.stages.quantize import Quantize
from compress.stages.stage import Stage
from compress.stages.train import Train

STAGES: dict[str, type[Stage]] = {kind.name: kind for kind in (Train, Distill, Prune, Narrow, Factorize, Quantize)}

__all__ = ["STAGES", "Distill", "Factorize", "Lesson", "Narrow", "Prune", "Quantize", "Recovery", "Stage", "Train"]
