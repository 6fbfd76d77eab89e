"""The costs of a search beside its trainings, and their growth: every bar of scale, measured in one run.

    python -m benchmarks.scale [--rows busy,fixed,cost,replay,front,mlflow,workers,verbs] [--trials 10000] [--out FILE]

`--trials` is the length of the replayed study. Prints every figure with its bar and writes the tables to
`benchmarks/results/scale.md`, where other parts stay as before. Figures are wall time: on a
machine that does other work they are too large.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.bars import Row, table
from benchmarks.machine import machine
from benchmarks.scale.growth import front_rows, replay_rows, tpe_rows
from benchmarks.scale.launching import busy_rows, cost_rows, fixed_rows
from benchmarks.scale.mirroring import mirror_rows
from benchmarks.scale.simulation import simulation_rows
from benchmarks.scale.verbs import verb_rows

RESULTS = Path(__file__).parents[1] / "results" / "scale.md"


def parts(home: Path, trials: int) -> dict[str, Callable[[], Iterator[Row]]]:
    """What can be measured, by name."""

    def replayed() -> Iterator[Row]:
        yield from replay_rows(home, trials)
        yield from tpe_rows(home, max(10, trials // 50))

    return {
        "busy": lambda: busy_rows(home, 40),
        "fixed": lambda: fixed_rows(home),
        "cost": lambda: cost_rows(home, 60),
        "replay": replayed,
        "front": lambda: front_rows(10_000),
        "mlflow": lambda: mirror_rows(home, 50),
        "verbs": lambda: verb_rows(home, 1000),
        "workers": lambda: simulation_rows(home, 1500, 1000),
    }


def main() -> None:
    """Run what is asked for, print and write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", default="")
    options.add_argument("--trials", type=int, default=10_000)
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        known = parts(Path(home), chosen.trials)
        names = chosen.rows.split(",") if chosen.rows else list(known)
        unknown = [name for name in names if name not in known]
        if unknown:
            options.error(f"rows: unknown {unknown[0]!r}, known are {', '.join(known)}")
        for name in names:
            rows: list[Row] = []
            for row in known[name]():
                rows.append(row)
                print(f"{row.what}: {row.got} (bar: {row.bar or 'none'})", flush=True)
            write(chosen.out, name, f"{table(rows)}\n\nOn {machine()}.", list(known))
    print(chosen.out.read_text())


def write(out: Path, name: str, text: str, names: list[str]) -> None:
    """Put one part into the file; those of other runs stay."""
    written = out.read_text() if out.exists() else ""
    found = dict(part.split("\n\n", 1) for part in written.split("\n## ")[1:])
    found[name] = text
    parts = [f"## {part}\n\n{found[part].strip()}\n" for part in names if part in found]
    out.write_text("\n".join(["# Scale\n\n`python -m benchmarks.scale`, each part by `--rows`.\n", *parts]))


if __name__ == "__main__":
    main()
