"""A researcher's grid: two distillers at three sparsities, three seeds each, as a LaTeX table, from Python.

The page of the documents, `docs/examples/grid.md`, does the same at the command line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import paretune

SPARSITIES = (0.5, 0.7, 0.9)
GRID = {
    "order": "distill-prune",
    "width": 0.5,
    "distiller": ("kd", "at"),
    "recovery": "all",
    "lr": 0.05,
    "pruner": "l1-filter",
    "schedule": "one-shot",
    "sparsity": SPARSITIES,
    "int8": False,
}
"""Every choice of the joint space, restricted to a value or several."""


def main() -> None:
    """Search the grid, write the table, and make the best model at half the weights again, from its recipe alone."""
    words = argparse.ArgumentParser(description="Two distillers at three sparsities, as a LaTeX table.")
    words.add_argument("--epochs", type=int, default=20)
    words.add_argument("--recovery-epochs", type=int, default=3)
    words.add_argument("--seeds", type=int, default=3)
    words.add_argument("--out", type=Path, default=Path("table.tex"))
    asked = words.parse_args()
    paretune.search(
        "grid",
        task="digits",
        students=("cnn",),
        teachers=("cnn",),
        sampler="grid",
        only=GRID,
        seeds=asked.seeds,
        epochs=asked.epochs,
        recovery_epochs=asked.recovery_epochs,
    )
    table = paretune.table("grid", rows=("distiller",), columns=("sparsity",), only={"sparsity": SPARSITIES})
    asked.out.write_text(paretune.table_text(table, "latex") + "\n")
    halved = [cell for (_, column), cell in table.cells.items() if column == (SPARSITIES[0],)]
    best = max(halved, key=lambda cell: cell.mean)
    print(f"{asked.out} written; the best at {SPARSITIES[0]:.0%}: {best.mean:.4f} over {best.seeds} seeds")
    recipe = paretune.recipe("grid", best.points[0].id)
    again = paretune.run(recipe, "again")
    print("made again:", best.points[0].id in {point.id for point in again.points})


if __name__ == "__main__":
    main()
