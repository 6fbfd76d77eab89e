"""How long to train: validation accuracy after that many epochs, from scratch and of recovery after each cut.

    python -m benchmarks.effort [--task digits] [--seeds 5] [--out FILE]

`spaces.space.EFFORT` follows it. A process a core, one torch thread each; prints Markdown and writes it to
`benchmarks/results/effort.md`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean

import torch

from benchmarks.machine import machine
from compress.data.tasks import load_task
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import SCHEDULES, L1Filter
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.store.folder import Store
from compress.training.settings import Training

RESULTS = Path(__file__).parent / "results" / "effort.md"
SCRATCH = (20, 40, 60, 80, 120)
RECOVERY = (3, 6, 10, 15, 20)
RECOVERED_FROM = 60
"""Epochs from scratch of what is cut and recovered."""
NETWORKS = (Model("cnn"), Model("cnn", 0.5), Model("resnet20", 0.5), Model("resnet20"))
CUT = (Model("cnn"), Model("resnet20", 0.5))
LEVELS, DEEPEST = 8, 0.95

Curve = dict[tuple[str, Model, int], list[float]]


def curves(task_name: str, seed: int) -> Curve:
    """Validation accuracy of one seed: one figure a network trained from scratch, one a level of a curve recovered."""
    torch.set_num_threads(1)
    task = load_task(task_name)
    found: Curve = {}
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(task, Store(Path(folder)))

        def points(recipe: Recipe) -> list[float]:
            return [made.measured.score_validation for made in pipeline.run(recipe)]

        for model in NETWORKS:
            for epochs in SCRATCH:
                recipe = Recipe(task.name, model, (Train(Training(epochs=epochs, lr=0.1)),), seed=seed)
                found["scratch", model, epochs] = points(recipe)
        for model in CUT:
            for epochs in RECOVERY:
                recovery = Recovery(Training(epochs=epochs, lr=0.05))
                cut = Prune(L1Filter(), DEEPEST, SCHEDULES["exponential"](LEVELS), recovery)
                first = Train(Training(epochs=RECOVERED_FROM, lr=0.1))
                found["recovery", model, epochs] = points(Recipe(task.name, model, (first, cut), seed=seed))[1:]
    return found


def tables(found: list[Curve]) -> Iterator[str]:
    """Means over seeds, in Markdown."""
    yield "| from scratch | " + " | ".join(f"{epochs} epochs" for epochs in SCRATCH) + " |"
    yield "|---" * (1 + len(SCRATCH)) + "|"
    for model in NETWORKS:
        row = [mean(curve["scratch", model, epochs][0] for curve in found) for epochs in SCRATCH]
        yield f"| {model.family} x{model.width:g} | " + " | ".join(f"{value:.4f}" for value in row) + " |"
    for model in CUT:
        levels = SCHEDULES["exponential"](LEVELS).levels(DEEPEST)
        yield (
            f"\n| recovery of {model.family} x{model.width:g}, epochs a level | "
            + " | ".join(f"{level:.0%} off" for level in levels)
            + " |"
        )
        yield "|---" * (1 + LEVELS) + "|"
        for epochs in RECOVERY:
            row = [mean(curve["recovery", model, epochs][n] for curve in found) for n in range(LEVELS)]
            yield f"| {epochs} | " + " | ".join(f"{value:.3f}" for value in row) + " |"


def main() -> None:
    """Run everything, print and write the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", default="digits")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(curves, [chosen.task] * chosen.seeds, range(chosen.seeds)))
    text = (
        f"# How long to train\n\n`python -m benchmarks.effort` on {machine()}.\n\n"
        f"Mean validation accuracy over {chosen.seeds} seeds, {chosen.task}; filters cut along the exponential "
        "schedule.\n\n" + "\n".join(tables(found)) + "\n"
    )
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
