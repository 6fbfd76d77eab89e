"""Repeat papers' studies and keep their tables in `benchmarks/results/papers/`.

    python -m benchmarks.papers                         # all papers at the small scale, three seeds
    python -m benchmarks.papers chen2021 --task digits  # one paper
    python -m benchmarks.papers --scale medium --task first:5000:folder:DIR  # each paper's headline row
    python -m benchmarks.papers --trial-run             # every recipe of the published scale, an epoch on few images
    python -m benchmarks.papers --gpu                   # Chen's row on a card, by torch alone

A study that was interrupted goes on. Every run adds a line to `benchmarks/recorded/papers.jsonl`: its time, its trials,
the longest trial and the memory of the largest worker. `benchmarks/results/papers/costs.md` has them as a table.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

RESULTS, RECORDED = Path("benchmarks/results/papers"), Path("benchmarks/recorded/papers.jsonl")
TASKS = {
    "malihi2023": ("digits",),
    "slimnets2018": ("digits",),
    "chen2021": ("digits",),
    "aghli2021": ("digits", "digits-angle"),
    "resrep2021": ("digits",),
    "singh2019": ("digits",),
}
HEADLINES = {
    "malihi2023": ("pair=ResNet101 > ResNet18", "teacher=ResNet101"),
    "slimnets2018": ("part=pruning,distillation,combination", "way=gradual", "student=NIN"),
    "chen2021": ("study=one-shot", "network=ResNet32x4"),
    "aghli2021": ("network=ResNet110",),
    "resrep2021": ("network=ResNet56", "share=published"),
    "singh2019": ("network=VGG16", "tolerance=1%"),
}
"""The part of each grid at the medium scale: the models of the paper's main claim."""
TRIAL_TASK, TRIAL_IMAGES = "cifar10", 64


def main() -> None:
    """Carry out what the command line asks for."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("papers", nargs="*", default=[*TASKS], choices=[[], *TASKS], metavar="PAPER")
    asked.add_argument("--task", help="a task in place of the paper's small ones")
    asked.add_argument("--scale", default="small")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--only", action="append", default=[])
    asked.add_argument("--home", default="build/papers")
    asked.add_argument("--data", default=None)
    asked.add_argument("--trial-run", action="store_true")
    asked.add_argument("--images", type=int, default=TRIAL_IMAGES)
    asked.add_argument("--gpu", action="store_true")
    given = asked.parse_args()
    if given.gpu:
        from benchmarks.papers.card import chen_row

        return chen_row(RESULTS)
    for paper in given.papers or TASKS:
        for task in (given.task,) if given.task else (TRIAL_TASK,) if given.trial_run else TASKS[paper]:
            carry_out(paper, task, given)
    return None


def carry_out(paper: str, task: str, given: argparse.Namespace) -> None:
    """Repeat a study, keep the tables, and record the costs."""
    import paretune
    from benchmarks.machine import machine
    from benchmarks.papers.costs import page
    from benchmarks.papers.memory import Largest
    from compress.data.tasks import shown

    short = {"trial_run": True, "images": given.images, "scale": "published"} if given.trial_run else {}
    only = tuple(given.only) or (HEADLINES[paper] if given.scale == "medium" else ())
    name = f"{paper}-{shown(task).rpartition(':')[2]}"
    settings = {"scale": given.scale, "seeds": given.seeds, **short, **({"seeds": 1} if short else {})}
    start = time.perf_counter()
    with Largest() as largest:
        found = paretune.reproduce(
            paper,
            name=f"{name}-trial-run" if short else name,
            task=task,
            home=given.home,
            only=only,
            data=given.data and Path(given.data),
            **settings,
        )
    seconds = time.perf_counter() - start
    trials = paretune.trials(found.study, home=given.home)
    longest = max(trials, key=lambda trial: trial.seconds)
    line = {
        "paper": paper,
        "task": shown(task),
        **settings,
        "only": only,
        "seconds": round(seconds, 1),
        "trials": len(trials),
        "failed": [trial.reason for trial in trials if trial.status == "failed"],
        "longest_s": round(longest.seconds, 1),
        "longest": dict(longest.choices),
        "largest_worker_mb": largest.megabytes,
        "trainings_alone": found.work.alone,
        "trainings_made": found.work.made,
        "missing_cells": sum(table.missing for table in found.tables),
        "machine": machine(),
        "date": found.date,
    }
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    with RECORDED.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "costs.md").write_text(page(RECORDED), encoding="utf-8")
    if found.folder is None or given.trial_run:
        return
    (RESULTS / f"{name}.md").write_text((found.folder / "tables.md").read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
