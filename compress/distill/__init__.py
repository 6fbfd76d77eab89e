"""Distillation: `DISTILLERS` by name, one file a method."""

from __future__ import annotations

from compress.distill.at import AT
from compress.distill.cosine import Cosine
from compress.distill.crd import CRD
from compress.distill.distiller import Distiller, Outputs
from compress.distill.fitnets import FitNets
from compress.distill.kd import KD
from compress.distill.semckd import SemCKD
from compress.distill.simkd import SimKD
from compress.distill.sp import SP
from compress.distill.srrl import SRRL
from compress.distill.vid import VID

DISTILLERS: dict[str, type[Distiller]] = {
    method.name: method for method in (KD, AT, FitNets, SP, Cosine, VID, SRRL, SemCKD, CRD, SimKD)
}

__all__ = [
    "AT",
    "CRD",
    "DISTILLERS",
    "KD",
    "SP",
    "SRRL",
    "VID",
    "Cosine",
    "Distiller",
    "FitNets",
    "Outputs",
    "SemCKD",
    "SimKD",
]
