"""A study in a notebook: models as data frames, figures as Plotly objects, and a summary as the cell's output."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.figures import COSTS, graded
from search.settings import home_folder
from search.study.breakpoints import breakpoints as find_breakpoints
from search.study.front import hypervolume
from search.study.recipe_words import recipe_words
from search.study.record import Point, StudyRecord
from search.study.seeds import Family, families, front_of
from search.study.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from pandas import DataFrame


class OpenedStudy:
    """A study as it stood when it was opened; `open` again for what came since.

    `record` has everything as frozen values. `points`, `front`, `trials` and `breakpoints` are pandas frames; rows of
    the first two are models, means over seeds, under the id of the point of the study's own seed.
    """

    def __init__(self, record: StudyRecord) -> None:
        self.record = record

    @cached_property
    def points(self) -> DataFrame:
        """Return all models, in the order they were made."""
        return self._frame(families(self.record.points))

    @cached_property
    def front(self) -> DataFrame:
        """Return the models that no other beats on the study's objectives, the best quality first."""
        return self._frame(front_of(self.record.points, self.record.objectives))

    @cached_property
    def trials(self) -> DataFrame:
        """Return the trials by number: status, reason, points, seconds, and a column for each choice."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "trial": t.id,
                "status": t.status,
                "reason": t.reason,
                "points": len(t.points),
                "seconds": t.seconds,
                **t.choices,
            }
            for t in self.record.trials
        ]
        return pd.DataFrame(rows, columns=None if rows else ["trial"]).set_index("trial")

    @cached_property
    def breakpoints(self) -> DataFrame:
        """Return the breakpoints of every curve, by trial and variant."""
        import pandas as pd

        found = [one.as_json() for one in find_breakpoints(self.record, None)]
        frame = pd.DataFrame(found, columns=None if found else ["trial", "variant"])
        return frame.set_index(["trial", "variant"])

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume of the front, in [0, 1]."""
        means = [family.mean for family in front_of(self.record.points, self.record.objectives)]
        return hypervolume(means, self.record.objectives, self.record.reference_point)

    def figure(self, cost: str = "params") -> go.Figure:
        """Draw the quality on validation over a cost, such as params, flops, size_bytes or latency_ms.

        ValueError for an unknown cost.
        """
        from dashboards import front

        return front.figure(front.info(self.record, cost), self.record)

    @property
    def figures(self) -> dict[str, go.Figure]:
        """Return the report's other figures by name: hypervolume, stages, importance, levels, spending."""
        from dashboards.report import figures

        return figures(self.record)

    def _frame(self, found: Iterable[Family]) -> DataFrame:
        import pandas as pd

        rows = [self._row(family) for family in found]
        return pd.DataFrame(rows, columns=None if rows else ["point"]).set_index("point")

    def _row(self, family: Family) -> dict[str, Any]:
        first, mean = family.points[0], family.mean
        return {
            "point": first.id,
            "trial": first.trial,
            "recipe": _words(first),
            "sparsity": first.sparsity,
            "variant": first.variant,
            **{f"{mean.quality.name}_{one.split}": one.value(mean.measured) for one in graded(mean.quality)},
            "seeds": len(family.points),
            "margin": family.as_json()["margin"],
            **{cost.name: cost.value(mean.measured) for cost in COSTS},
            **first.measured.metrics,
            "device": first.measured.device,
        }

    def __repr__(self) -> str:
        count = f"{len(self.record.trials)} trials, {len(self.record.points)} points"
        return f"<study {self.record.name}: {count}, {len(self.front)} on the front>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the front as a table, below a line about the study."""
        count = f"{len(self.record.trials)} trials, {len(self.record.points)} points, {len(self.front)} on the front"
        said = f"task {self.record.task}, space {self.record.space_said}, {count}, hypervolume {self.hypervolume:.4f}"
        shown = self.front.drop(columns=["variant", "margin", "device"], errors="ignore").rename(
            index=lambda key: key[:8]
        )
        table = shown.to_html(float_format=lambda value: f"{value:.4g}", max_rows=20) if len(self.front) else ""
        return f"<h4>{html.escape(self.record.name)}</h4><p>{html.escape(said)}</p>{table}"


def _words(point: Point) -> str:
    return recipe_words(point.recipe, point.sparsity, point.variant)


def open(name: str, home: Path | str | None = None) -> OpenedStudy:
    """Open a study of a home, for a notebook: `paretune.open("demo").front`.

    StudyError (a ValueError) for a name without a study.
    """
    return OpenedStudy(Study(home_folder(home), name).record)
