"""Figures published by the papers of the studies: a CSV for every paper, a line for every figure, with a quotation.

Columns of a CSV: `table,row,column,value,unit,spread,source,text,note`. `table` is the paper's own number, `Text` for a
figure of the running text. `row` and `column` are the labels of our own tables. `value` is written as printed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from types import MappingProxyType

from compress.errors import check_known

PAPERS = ("malihi2023", "slimnets2018", "chen2021", "aghli2021", "resrep2021", "singh2019")
UNITS = {
    "%": "share in percent, 0 to 100: an accuracy, a sparsity, a decrease",
    "points": "difference of two accuracies in percent",
    "1e7 params": "tens of millions of parameters",
    "1e6 params": "millions of parameters",
    "1e3 params": "thousands of parameters",
    "x": "ratio, such as compression rate and speed-up",
    "share": "share, 0 to 1",
    "channels": "whole number of channels",
    "degrees": "mean absolute error of an angle",
    "MB": "size on disk in megabytes",
    "s": "seconds",
    "epochs": "whole number of epochs",
    "steps": "whole number of pruning steps",
}


@dataclass(frozen=True)
class Published:
    """A published figure of a paper.

    `value` is in `unit`, a key of `UNITS`. `spread` is the printed deviation in the same unit, None for most figures.
    `text` quotes the source around the figure: at most 200 characters, white space folded. `source` is the paper's
    link. `note` is mostly empty; it says where the paper contradicts the figure, or who told the figure in its place.
    """

    value: float
    unit: str
    spread: float | None
    text: str
    source: str
    note: str = ""


def load(paper: str) -> Mapping[tuple[str, str, str], Published]:
    """Return the figures of one of `PAPERS` by (table, row, column), in the order of the paper.

    ValueError for an unknown paper.
    """
    check_known("published", paper, PAPERS)
    lines = csv.DictReader(files(__name__).joinpath(f"{paper}.csv").read_text(encoding="utf-8").splitlines())
    return MappingProxyType({(line["table"], line["row"], line["column"]): _figure(line) for line in lines})


def _figure(line: Mapping[str, str]) -> Published:
    """Read a line of a CSV; a value such as 1/32 is a fraction."""
    spread = float(line["spread"]) if line["spread"] else None
    value = float(Fraction(line["value"]))
    return Published(value, line["unit"], spread, line["text"], line["source"], line["note"])
