"""A paper as data: the reported study at several scales, with tables, figures and claims.

The values of a space's choices are the paper's own labels. A table's cell names a recipe by the labels, so tables and
claims are the same at every scale. A published figure has its table, row and column
(`spaces/published/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spaces.space import Space, Value, with_scales

FIRST, BEFORE_LAST, LAST, BREAKPOINT = "first", "before last", "last", "breakpoint"
"""Places on a curve: before the cut, the model before the end, the end, the sparsest model of a tolerated loss."""
Place = float | str
"""A sparsity in [0, 1), or a place by name."""


@dataclass(frozen=True)
class Cell:
    """The `figure` of a model: the model at the place `at` on the curve of the recipe with the `choices`.

    The first model of a curve may be named by those choices alone on which the model depends.

    With `within` the place is left out: the cell's model is the first on the curve with no more MACs than the other
    cell's. `figure` is a figure of `paretune table` such as `test`, `params` or `nonzero_params`; `ms@512`, the
    milliseconds of 512 images in one batch; or `test@motion-blur`, the quality on corrupted test images. With
    `of`, another cell, the value compares both by the rule `by`: `decrease` is 1 - figure / other, `rate` is other /
    figure, `difference` is figure - other.
    """

    choices: Mapping[str, Value]
    at: Place = LAST
    figure: str = "test"
    within: Cell | None = None
    of: Cell | None = None
    by: Literal["decrease", "rate", "difference"] = "difference"


PLAIN = Cell({})
"""The study's first trial: the space's own teacher, unpruned."""


@dataclass(frozen=True)
class Table:
    """A table of the paper, by its `number` there; `cells` by row and column, in the order of the paper.

    The published figure of a cell stands under the table's number, the row and the column, or under the place that
    `known` names.
    """

    number: str
    title: str
    cells: Mapping[tuple[str, str], Cell]
    known: Mapping[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)

    def published_at(self, row: str, column: str) -> tuple[str, str, str]:
        """Return table, row and column under which the published figure stands."""
        return self.known.get((row, column), (self.number, row, column))

    @property
    def rows(self) -> tuple[str, ...]:
        """Return the rows in order."""
        return tuple(dict.fromkeys(row for row, _ in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns in order."""
        return tuple(dict.fromkeys(column for _, column in self.cells))


@dataclass(frozen=True)
class Curves:
    """A figure of the paper with a line for each recipe, by the line's name: `y` over `x` along the curve.

    Both are figures of a point, or `sparsity`. With `marks` each line's breakpoint is marked.
    """

    number: str
    title: str
    lines: Mapping[str, Mapping[str, Value]]
    x: str = "nonzero_params"
    y: str = "test"
    marks: bool = False


@dataclass(frozen=True)
class Steps:
    """A figure of the paper over the epochs of a recipe's trainings: `values` of its series, a line a recipe."""

    number: str
    title: str
    lines: Mapping[str, Mapping[str, Value]]
    values: tuple[str, ...] = ("loss", "sparsity")


@dataclass(frozen=True)
class Layers:
    """A figure of the paper with the channels left in every layer, a column for each model."""

    number: str
    title: str
    models: Mapping[str, Cell]


@dataclass(frozen=True)
class Maps:
    """A figure of the paper with attention maps: images down, models across."""

    number: str
    title: str
    models: Mapping[str, Cell]


Picture = Curves | Steps | Layers | Maps


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that the study may bear out.

    Every pair says: the first is more than the second, less `margin`; of a quality more is better, whatever its
    direction. The second may be a number. `margin` is in the figure's unit, of a quality in score.
    """

    text: str
    pairs: Sequence[tuple[Cell, Cell | float]]
    margin: float = 0.0


@dataclass(frozen=True)
class Paper:
    """A paper: `scales` by name, and for the task of a study its tables, figures and claims.

    `tasks` names the tasks of the paper and of the small scale.
    """

    name: str
    title: str
    source: str
    tasks: tuple[str, ...]
    scales: Mapping[str, Space]
    tables: Callable[[str], tuple[Table, ...]]
    claims: Callable[[str], tuple[Claim, ...]]
    pictures: Callable[[str], tuple[Picture, ...]] = field(default=lambda task: ())

    @property
    def space(self) -> Space:
        """Return the paper's space, at all its scales."""
        return with_scales(self.scales)
