"""Does it help? Every distillation method against the same student trained plain.

    python -m benchmarks.methods [--seeds 3] [--out FILE]

On digits: student `cnn` at half width, teacher `resnet20`, both trained as a search does. A method with a weight `beta`
runs with its published one and with shares of it, for that was chosen on other images. A process a core, one torch
thread each; prints Markdown and writes it to `benchmarks/results/methods.md`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.machine import machine
from compress.distill import DISTILLERS, Distiller
from compress.models import Model
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.stage import Distill, Train
from compress.store import Store
from compress.tasks import load_task
from compress.train import TrainingError
from spaces.space import schooling

RESULTS = Path(__file__).parent / "results" / "methods.md"
STUDENT, TEACHER = Model("cnn", 0.5), Model("resnet20")
SHARES = (1.0, 0.1, 0.01)


@dataclass(frozen=True)
class Run:
    """One student: None where training broke down, else accuracy on validation and on test; seconds of training."""

    accuracy: tuple[float, float] | None
    seconds: float


def variants() -> list[tuple[str, Distiller | None]]:
    """What is compared, by label; None is plain training."""
    found: list[tuple[str, Distiller | None]] = [("plain", None)]
    kinds: dict[str, Any] = {**DISTILLERS}
    for name, kind in kinds.items():
        method = kind()
        beta = getattr(method, "beta", 0.0)
        for share in SHARES if beta else (1.0,):
            label = f"{name}, beta {share * beta:g}" if beta else name
            found.append((label, kind(beta=share * beta) if beta else method))
    return found


def runs(seed: int) -> list[Run]:
    """One seed: a teacher, then every student."""
    torch.set_num_threads(1)
    task, training = load_task("digits"), schooling("digits")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(task, Store(Path(folder)))
        list(pipeline.run(Recipe(task.name, TEACHER, (Train(training),), seed=seed)))
        for _, method in variants():
            recipe = Recipe(task.name, STUDENT, (Train(training),), seed=seed)
            if method is not None:
                recipe = replace(recipe, stages=(Distill(method, training),), teacher=TEACHER, schooling=training)
            started = time.perf_counter()
            try:
                (made,) = pipeline.run(recipe)
            except TrainingError:
                accuracy = None
            else:
                accuracy = made.measured.accuracy_validation, made.measured.accuracy_test
            found.append(Run(accuracy, time.perf_counter() - started))
    return found


def table(found: list[list[Run]]) -> list[str]:
    """Markdown, a method a row; gains are paired by seed."""
    lines = [
        "| student | validation | test | gain on test over plain | seconds |",
        "|---|---|---|---|---|",
    ]
    plain = [seed[0].accuracy for seed in found]
    for number, (label, _) in enumerate(variants()):
        got = [seed[number] for seed in found]
        seconds = f"{mean(run.seconds for run in got):.1f}"
        whole = [(run.accuracy, base) for run, base in zip(got, plain, strict=True) if run.accuracy and base]
        if len(whole) < len(found):
            lines.append(f"| {label} | {len(found) - len(whole)} of {len(found)} diverged | | | {seconds} |")
            continue
        validation, test = (_spread([run[part] for run, _ in whole]) for part in (0, 1))
        gain = _spread([run[1] - base[1] for run, base in whole])
        lines.append(f"| {label} | {validation} | {test} | {gain} | {seconds} |")
    return lines


def _spread(values: list[float]) -> str:
    deviation = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{deviation}"


def main() -> None:
    """Run everything, print and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(runs, range(chosen.seeds)))
    text = (
        f"# Does it help?\n\n`python -m benchmarks.methods` on {machine()}.\n\n"
        f"Digits, {STUDENT} taught by {TEACHER}, {schooling('digits').epochs} epochs, mean and standard deviation of "
        f"{chosen.seeds} seeds.\n\n" + "\n".join(table(found)) + "\n"
    )
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
