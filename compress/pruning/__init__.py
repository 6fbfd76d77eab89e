"""Pruning: `PRUNERS` by name, one file a method."""

from __future__ import annotations

from compress.pruning.apoz import APoZ, APoZRounds
from compress.pruning.bn_scale import BNScale
from compress.pruning.during_training import DuringTraining
from compress.pruning.fpgm import FPGM
from compress.pruning.gradual import Gradual
from compress.pruning.l1_filter import L1Filter
from compress.pruning.l1_unstructured import L1Unstructured
from compress.pruning.l2_filter import L2Filter
from compress.pruning.play_and_prune import PlayAndPrune
from compress.pruning.pruner import Adaptive, Pruner
from compress.pruning.random import Random
from compress.pruning.resrep import ResRep
from compress.pruning.schedule import SCHEDULES, Cubic, Exponential, OneShot, Schedule
from compress.pruning.taylor import Taylor

PRUNERS: dict[str, type[Pruner]] = {
    method.name: method
    for method in (
        *(L1Unstructured, L1Filter, L2Filter, BNScale, Taylor, FPGM, APoZ, Random),
        *(Gradual, ResRep, APoZRounds, PlayAndPrune),
    )
}

__all__ = [
    "FPGM",
    "PRUNERS",
    "SCHEDULES",
    "APoZ",
    "APoZRounds",
    "Adaptive",
    "BNScale",
    "Cubic",
    "DuringTraining",
    "Exponential",
    "Gradual",
    "L1Filter",
    "L1Unstructured",
    "L2Filter",
    "OneShot",
    "PlayAndPrune",
    "Pruner",
    "Random",
    "ResRep",
    "Schedule",
    "Taylor",
]
