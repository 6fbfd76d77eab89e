"""A table of real trainings, so that samplers and schedulers can be compared in seconds: every recipe of the grid.

    python -m benchmarks.search.recording [--home DIR]

trains all of `grid.py` once, a process a core with one thread each, and writes
`benchmarks/recorded/curves-digits.csv.gz`: a row a point, its choices, its place on the curve and its figures.
`seconds` are of the processor, so that what else runs on the machine does not count; a model's own, without what it was
made from. With `--home` what is stored there is taken as it is, and a recording that was cut short goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.search.grid import GRID, TASK, Given, build, everything
from compress.data.tasks import load_task
from compress.measurement import Measurement
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.store.folder import Store

TABLE = Path(__file__).parents[1] / "recorded" / "curves-digits.csv.gz"
Row = tuple[float, str, Measurement]
"""A point: its sparsity, variant and figures."""
FIGURES = [
    field.name for field in fields(Measurement) if field.name not in ("machine", "metrics")
]  # one machine a table
RECORDED = {"accuracy_validation": "score_validation", "accuracy_test": "score_test"}
"""Columns of a table recorded by an earlier version."""


def beginnings(recipes: Iterable[Recipe]) -> list[Recipe]:
    """The teacher, and each recipe's first stage alone, once each."""
    first = [replace(recipe, stages=recipe.stages[:1]) for recipe in recipes]
    return list({recipe.id: recipe for recipe in (GRID.baseline(TASK, 0), *first)}.values())


def carry_out(home: Path, recipe: Recipe) -> list[tuple[str, Row]]:
    """Its points by key; seconds of those that were there already are kept from when they were made."""
    torch.set_num_threads(1)
    found, last = [], time.process_time()
    kept = home / "seconds"
    kept.mkdir(parents=True, exist_ok=True)
    for made in Pipeline(load_task(TASK), Store(home / "store")).run(recipe):
        now = time.process_time()
        file = kept / made.key
        if not made.known or not file.exists():
            file.write_text(str(now - last))
        last = now
        measured = replace(made.measured, seconds=round(float(file.read_text()), 4))
        found.append((made.key, (made.sparsity, made.variant, measured)))
    return found


def main() -> None:
    """Train, and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path)
    options.add_argument("--out", type=Path, default=TABLE)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        home = chosen.home or Path(folder)
        whole = [(params, recipe) for params, recipe in everything() if params["int8"]]
        first = beginnings(recipe for _, recipe in whole)
        rows = [{"order": "teacher", **_row(*found[0][1])} for found in pool.map(carry_out, [home], first[:1])]
        list(pool.map(carry_out, [home] * len(first), first))
        curves = pool.map(carry_out, [home] * len(whole), [recipe for _, recipe in whole])
        for number, ((params, _), curve) in enumerate(zip(whole, curves, strict=True), start=1):
            rows += [{**params, **_row(*point)} for _, point in curve]
            print(f"\r{number} of {len(whole)}", end="", file=sys.stderr, flush=True)
    chosen.out.parent.mkdir(exist_ok=True)
    frame = pd.DataFrame(rows).drop(columns="int8")
    frame.to_csv(chosen.out, index=False, compression={"method": "gzip", "mtime": 1})


def _row(sparsity: float, variant: str, measured: Measurement) -> dict[str, Any]:
    known = {name: value for name, value in asdict(measured).items() if name in FIGURES}
    figures = {**known, "latency_ms": round(measured.latency_ms, 4)}
    return {"sparsity": sparsity, "variant": variant, **figures, "latency_p95_ms": round(measured.latency_p95_ms, 4)}


@cache
def recorded(path: Path = TABLE) -> dict[str, list[Row]]:
    """Points by the id of the recipe that ends in int8, in the order they are made; the teacher's under its own id."""
    frame = pd.read_csv(path, keep_default_na=False).rename(columns=RECORDED)
    names = [name for name in frame.columns if name not in ("sparsity", "variant", *FIGURES)]
    table: dict[str, list[Row]] = {}
    for choices, group in frame.groupby(names, sort=False):
        given: dict[str, Any] = {name: value for name, value in zip(names, choices, strict=True) if value != ""}
        if given["order"] == "teacher":
            recipe = GRID.baseline(TASK, 0)
        else:
            if "width" in given:
                given["width"] = float(given["width"])
            recipe = build(Given({**given, "lr": float(given["lr"]), "int8": True}), TASK, 0)
        table[recipe.id] = [
            (row["sparsity"], row["variant"], Measurement(**{name: row[name] for name in FIGURES}))
            for row in group.to_dict("records")
        ]
    return table


if __name__ == "__main__":
    main()
