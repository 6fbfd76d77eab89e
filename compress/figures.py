"""The table of a model's figures: names, units, forms in words, costs, bounds, and figures known before training.

Front, budgets, records, guesses, MLflow, the report and its page, cards and printed tables take their lists from here.
To add a figure: a field of `Measurement`, a row of `FIGURES`, and the function that measures or counts it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from compress.measurement import FLOPS_A_MAC, Measurement
from compress.quality import ACCURACY, Quality

LATENCY = "latency_ms"


@dataclass(frozen=True)
class Style:
    """The form of a value in words: divided by `scale`, with the format `spec`; `unit` follows it in a sentence."""

    unit: str
    spec: str = ","
    scale: int = 1

    def text(self, value: float) -> str:
        """The value without its unit."""
        return f"{value if self.scale == 1 else value / self.scale:{self.spec}}"


@dataclass(frozen=True)
class Figure:
    """One figure of a model.

    `name` is the attribute of `Measurement` and the key in ledgers. `title` is the name in words, `scope` is appended
    to the title of an axis. `head` stands over a column, the unit by default. `narrow` is the style of a terminal's
    table, `style` by default, and `brief` a shorter unit over its column. `split` names the images of a `quality`, ""
    of a cost. `bound` is the field of a budget, "" where there is none.

    A cost that follows from another has the other's name in `of`, and is `times` as much. With `times` 0 both are the
    same in a model without zeros. `is_foreseen`: the cost can be told before training. `is_exact`: every machine gives
    the same value.
    """

    name: str
    title: str
    style: Style
    scope: str = ""
    head: str = ""
    narrow: Style | None = None
    brief: str = ""
    split: str = ""
    bound: str = ""
    of: str = ""
    times: int = 0
    is_foreseen: bool = True
    is_exact: bool = True
    quality: Quality = ACCURACY

    @property
    def is_cost(self) -> bool:
        """Whether the figure is a cost, of which lower is better."""
        return not self.split

    @property
    def is_least(self) -> bool:
        """Whether a bound on the figure is a lower bound: of a quality, if higher is better."""
        return bool(self.split) and self.quality.higher_is_better

    @property
    def is_computed(self) -> bool:
        """Whether the figure is no field of `Measurement`, but a multiple of a field."""
        return self.times > 0

    @property
    def is_sparse(self) -> bool:
        """Whether the cost differs from the cost in `of` by zeros alone."""
        return bool(self.of) and not self.is_computed

    @property
    def label(self) -> str:
        """The head of a column."""
        return self.head or self.style.unit

    @property
    def axis(self) -> str:
        """The title of an axis."""
        return self.title + self.scope

    @property
    def column(self) -> Style:
        """The style in a terminal's table, where the unit stands over the column."""
        return self.narrow or self.style

    @property
    def key(self) -> str:
        """The key in JSON and on the report's page: a quality's split, a cost's name."""
        return self.split or self.name

    @property
    def metric(self) -> str:
        """The key in MLflow, such as `test_accuracy` or `params`."""
        return metric_key(self.quality.name, self.split) if self.split else self.name

    def value(self, measured: Measurement) -> float:
        """The value of one model: a quality in its own unit, a cost in the unit of its name."""
        found: float = getattr(measured, self.name)
        return self.quality.value(found) if self.split else found

    def written(self, measured: Measurement) -> str:
        """The value of one model in words, without the unit."""
        return self.style.text(self.value(measured))


def metric_key(name: str, split: str) -> str:
    """The key of a metric on a split in MLflow, such as `test_f1`: characters that MLflow refuses become hyphens."""
    return re.sub(r"[^\w./ -]+", "-", f"{split}_{name}")


@lru_cache
def graded(quality: Quality) -> tuple[Figure, Figure]:
    """The figures of a quality: on validation and on test."""
    spec = ".2%" if quality == ACCURACY else ".4f" if quality.is_share else ".4g"
    bound = "min_accuracy" if quality == ACCURACY else "quality"
    unit, short = (f" in {quality.unit}", f", {quality.unit}") if quality.unit else ("", "")
    validation, test = (
        Figure(
            f"score_{split}",
            quality.name + unit,
            Style(split, spec),
            scope=f" on {split}",
            head="" if quality == ACCURACY else f"{quality.name} {split}{short}",
            split=split,
            bound=bound if split == "validation" else "",
            is_foreseen=False,
            is_exact=False,
            quality=quality,
        )
        for split in ("validation", "test")
    )
    return validation, test


ACCURACIES = graded(ACCURACY)
VALIDATION, TEST = ACCURACIES
COSTS = (
    Figure("params", "parameters", Style("params"), bound="max_params"),
    Figure(
        "nonzero_params",
        "non-zero parameters",
        Style("non-zero params"),
        bound="max_nonzero_params",
        of="params",
        brief="nonzero",
    ),
    Figure("macs", "MACs", Style("MACs"), scope=" for one image", bound="max_macs"),
    Figure(
        "flops",
        "FLOPs",
        Style("FLOPs"),
        scope=" for one image",
        bound="max_flops",
        of="macs",
        times=FLOPS_A_MAC,
    ),
    Figure("size_bytes", "bytes on disk", Style("bytes"), narrow=Style("kB", ".1f", 1000), bound="max_size_bytes"),
    Figure(
        "compressed_bytes",
        "bytes on disk, deflated",
        Style("bytes, deflated"),
        of="size_bytes",
        brief="deflated",
        is_exact=False,  # libraries that deflate differ
    ),
    Figure(
        LATENCY,
        "latency in ms",
        Style("ms", ".3g"),
        scope=", batch 1",
        head="latency, ms",
        bound="max_latency_ms",
        is_foreseen=False,
        is_exact=False,
    ),
)
FIGURES = (*ACCURACIES, *COSTS)
MAIN = tuple(one for one in COSTS if not one.of)
"""Costs that follow from no other cost."""
TIES = tuple(one for one in MAIN if one.is_exact)
"""Costs that rank equally accurate models, the first cost first; lower is better."""
RECORDED = tuple(one for one in FIGURES if not one.is_computed)
"""Figures that are fields of `Measurement`."""
_BY_NAME = {one.name: one for one in FIGURES}


def named(*names: str) -> tuple[Figure, ...]:
    """Figures by their names, for a table with room for a few; KeyError for an unknown name."""
    return tuple(_BY_NAME[name] for name in names)


SHOWN = named("params", "flops", "size_bytes")
"""Costs that every table of models in a terminal has."""


def by_split(measured: Measurement, quality: Quality) -> dict[str, float]:
    """Values of the quality, by split."""
    return {one.split: one.value(measured) for one in graded(quality)}


def costs(measured: Measurement) -> dict[str, float]:
    """All costs, by name."""
    return {one.name: one.value(measured) for one in COSTS}


def computed(known: Mapping[str, float]) -> dict[str, float]:
    """Costs that are multiples of `known` costs, by name."""
    return {one.name: one.times * known[one.of] for one in COSTS if one.is_computed}


def foreseen(main: Mapping[str, float], kept: float = 1) -> dict[str, float]:
    """Every cost known before training, by name, from the values of params, MACs and bytes in `main`.

    `kept` in [0, 1] is the share of nonzero parameters.
    """
    return {one.name: main[one.of or one.name] * _share(one, kept) for one in COSTS if one.is_foreseen}


def _share(one: Figure, kept: float) -> float:
    return kept if one.is_sparse else one.times or 1
