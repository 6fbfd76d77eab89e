"""Low rank: `FACTORIZERS` by name, one file a method."""

from __future__ import annotations

from compress.lowrank.factorizer import Factorizer, factorize
from compress.lowrank.svd import SVD

FACTORIZERS: dict[str, type[Factorizer]] = {method.name: method for method in (SVD,)}

__all__ = ["FACTORIZERS", "SVD", "Factorizer", "factorize"]
