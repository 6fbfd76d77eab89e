"""How many evaluations a searcher needs on tables whose exact front is known: ours against Optuna's samplers.

    pip install 'paretune[bench]'
    python -m benchmarks.search.samplers [--table 0 1 2] [--samplers auto tpe gp nsga2 random] [--seeds 10]

Every searcher sees one table at a time, two objectives, nothing but choices and figures, but `auto` is told the sizes
of networks that were not tried, as a search knows the costs of a recipe before it trains. Prints Markdown with means
and 95 % intervals over the seeds (Student's t) and writes `benchmarks/results/samplers.md`.

Tables 0 to 2 are reported; 3 to 5 are there to try things on.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import optuna
from scipy.stats import t as student

from benchmarks.machine import machine
from benchmarks.search.tables import KnownSizes, Row, Table
from search.sampling.acquisition import Acquisition

RESULTS = Path(__file__).parents[1] / "results" / "samplers.md"
TABLES = (
    Table("nasbench201", "cifar10"),
    Table("hpolib", "protein_structure"),
    Table("hpolib", "slice_localization"),
    Table("nasbench201", "cifar100"),
    Table("hpolib", "naval_propulsion"),
    Table("hpolib", "parkinsons_telemonitoring"),
)
EVALUATIONS = {"auto": 50, "gp": 50, "tpe": 200, "nsga2": 200, "random": 200}
"""The bar: `auto` after 50 is to have what `tpe` has after 200, and no less than `gp` after 50."""
AT = (20, 30, 50, 100, 200)
OPTUNAS = {
    "gp": optuna.samplers.GPSampler,
    "tpe": optuna.samplers.TPESampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "random": optuna.samplers.RandomSampler,
}


def shares(table: Table, name: str, seed: int) -> tuple[list[float], float]:
    """Of the exact hypervolume after each evaluation, and the seconds of a suggestion."""
    found: list[Row] = []
    started = time.perf_counter()
    told = aimed(table, seed) if name == "auto" else asked(table, name, seed)
    got = []
    for _, row in zip(range(EVALUATIONS[name]), told, strict=False):
        found.append(row)
        got.append(table.share(found))
    return got, (time.perf_counter() - started) / len(found)


def aimed(table: Table, seed: int):  # type: ignore[no-untyped-def]
    """Rows as `Acquisition` chooses them."""
    aim = Acquisition(table.build, KnownSizes(table), ("size_bytes",), {"size_bytes": float(np.expm1(1.0))}, seed)
    tried: set[str] = set()
    while True:
        chosen = aim.choose(tried, [], 1).candidates[0]
        row = chosen.recipe
        assert isinstance(row, Row)
        tried.add(row.id)
        error = table.values[row.at][0]
        guess = aim.outlook.points(row)[0]
        aim.add(chosen.params, len(tried), guess, error, guess.costs)
        yield row


def asked(table: Table, name: str, seed: int):  # type: ignore[no-untyped-def]
    """Rows as one of Optuna's samplers chooses them, all settings as they come."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=OPTUNAS[name](seed=seed))
    while True:
        trial = study.ask()
        row = table.build_for_optuna(trial)
        study.tell(trial, table.values[row.at])
        yield row


def interval(values: list[float]) -> str:
    """Mean and 95 % interval."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.4f} ± {half:.4f}"


def report(found: dict[tuple[int, str], list[tuple[list[float], float]]]) -> str:
    """Markdown."""
    lines = ["| table | searcher | " + " | ".join(f"after {n}" for n in AT) + " | ms a suggestion |", "|---" * 8 + "|"]
    for (table, name), runs in found.items():
        cells = [interval([got[n - 1] for got, _ in runs]) if len(runs[0][0]) >= n else "" for n in AT]
        lines.append(f"| {TABLES[table]} | {name} | {' | '.join(cells)} | {1000 * np.mean([s for _, s in runs]):.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run all, print and write the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--table", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--samplers", nargs="+", choices=EVALUATIONS, default=list(EVALUATIONS))
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        jobs = {
            (table, name): [pool.submit(shares, TABLES[table], name, seed) for seed in range(chosen.seeds)]
            for table in chosen.table
            for name in chosen.samplers
        }
        found = {key: [job.result() for job in waiting] for key, waiting in jobs.items()}
    text = f"# Evaluations on tables with a known front\n\n`python -m benchmarks.search.samplers` on {machine()}.\n\n"
    text += "Share of the exact hypervolume, mean and 95 % interval.\n\n" + report(found) + "\n"
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
