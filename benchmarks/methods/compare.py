"""Does it help? Every method against its own baseline, on the same images, with the same effort and seeds.

    python -m benchmarks.methods [--part students|recovery|pruners|adaptive|gradual|lowrank ...]
                                 [--part betas|weights|resrep|losers ...]
                                 [--task digits] [--images N] [--epochs SCRATCH RECOVERY] [--seeds 5]
                                 [--only METHOD ...] [--out DIR]

students: distillers against plain training. recovery: distillers against fine-tuning and against the classifier alone
(Chen 2021). pruners: channel pruners against random channels; adaptive: those whose MACs are known only afterwards,
against the same. gradual: schedules of many steps against one cut (SlimNets 2018). lowrank: factorizers against a
narrower network. Only when asked for, betas and weights: other weights than the published of every distiller, for
students and for recoveries; resrep: by when it chooses; losers: why some recoveries lose. `settings.py` says with
which networks.

Differences are paired by seed; a method that loses by more than two of their standard deviations is marked. A task may
be `folder:PATH`, named after its last folder; of a large one `--images` takes a fixed part of the training images. A
process a core, one torch thread each; recipes share what they have in common, through one store a seed. Prints Markdown
and writes one file a part and task, `methods-PART[-METHOD...]-TASK.md`, into `benchmarks/results/`.

On two cores digits takes two to ten minutes a part, `--task folder:PATH --images 2500 --seeds 3` of 32x32 images from a
quarter of an hour to more than an hour.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.machine import machine
from benchmarks.methods.comparison import Place, Run, Section, carry_out, table
from benchmarks.methods.parts import PARTS
from benchmarks.methods.settings import DIGITS, OTHERS
from compress.recipe import Recipe
from spaces.space import Effort

ON_DEMAND = ("betas", "weights", "resrep", "losers")
RESULTS = Path(__file__).parents[1] / "results"
LEGEND = (
    "Bold: loses to its baseline by more than two standard deviations of the differences. Seconds: of the recipe's own "
    "points, training and measuring, without the beginning it shares."
)


def all_runs(
    pool: ProcessPoolExecutor, place: Place, sections: list[Section], seeds: int
) -> list[dict[str, list[Run]]]:
    """Of every section, each label's runs by seed. All seeds of a recipe come before the next: workers seldom wait."""
    found: list[dict[str, list[Run]]] = [{} for _ in sections]
    jobs = [
        (number, row.label, replace(row.recipe, seed=seed))
        for number, section in enumerate(sections)
        for row in section.entries
        if row.recipe
        for seed in range(seeds)
    ]
    _carry_out(pool, place, jobs, found)
    jobs = [
        (number, row.label, replace(row.fit(run), seed=seed))
        for number, section in enumerate(sections)
        for row in section.entries
        if row.fit
        for seed, run in enumerate(found[number].get(section.entries[0].label, ()))
    ]
    _carry_out(pool, place, jobs, found)
    return found


def asked_for(section: Section, methods: list[str] | None) -> bool:
    """Whether `few` leaves more of it than baselines, and its first row, which others may be fitted to."""
    left = few(section, methods).entries
    return section.entries[0] in left and (methods is None or any(row.label not in section.baselines for row in left))


def few(section: Section, methods: list[str] | None) -> Section:
    """The section with rows of these methods and its baselines alone; all of them for None."""
    if methods is None:
        return section
    rows = tuple(row for row in section.entries if row.label in section.baselines or row.label.split(",")[0] in methods)
    return replace(section, entries=rows)


def _carry_out(
    pool: ProcessPoolExecutor, place: Place, jobs: list[tuple[int, str, Recipe]], found: list[dict[str, list[Run]]]
) -> None:
    """All of them, each result under its section and label."""
    runs = pool.map(carry_out, [place] * len(jobs), [recipe for _, _, recipe in jobs])
    for done, ((number, label, _), run) in enumerate(zip(jobs, runs, strict=True), start=1):
        found[number].setdefault(label, []).append(run)
        print(f"\r{done} of {len(jobs)}", end="\n" if done == len(jobs) else "", file=sys.stderr, flush=True)


def main() -> None:
    """Run the parts that were asked for, print and write their tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--part",
        nargs="+",
        choices=PARTS,
        default=[name for name in PARTS if name not in ON_DEMAND],
    )
    options.add_argument("--task", default="digits")
    options.add_argument("--images", type=int, help="about so many training images, the same share of every class")
    options.add_argument("--epochs", type=int, nargs=2, metavar=("SCRATCH", "RECOVERY"))
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--only", nargs="+", metavar="METHOD", help="no other rows but these and the baselines")
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    setting = DIGITS if chosen.task == "digits" else OTHERS
    if chosen.epochs:
        setting = replace(setting, epochs=Effort(*chosen.epochs))
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        place = Place(chosen.task, chosen.images, Path(folder))
        task = place.load()
        name = Path(task.name.removeprefix("folder:")).name
        about = replace(task, name=name).summary
        asked = f"--task {'folder:' * task.name.startswith('folder:')}{name} --seeds {chosen.seeds}"
        asked += f" --images {chosen.images}" * bool(chosen.images)
        asked += " --only " + " ".join(chosen.only) if chosen.only else ""
        asked += " --epochs {} {}".format(*chosen.epochs) if chosen.epochs else ""
        for part in chosen.part:
            started = time.perf_counter()
            sections = [few(s, chosen.only) for s in PARTS[part](task, setting) if asked_for(s, chosen.only)]
            found = all_runs(pool, place, sections, chosen.seeds)
            minutes = (time.perf_counter() - started) / 60
            command = f"python -m benchmarks.methods --part {part} {asked}"
            text = f"# Does it help? {part} on {name}\n\n`{command}` on {machine()}; {minutes:.1f} minutes.\n\n"
            text += (
                f"{about}. Mean and standard deviation of {chosen.seeds} seeds, differences paired by seed. {LEGEND}\n"
            )
            for number, section in enumerate(sections):
                text += f"\n## {section.title}\n\n" + "\n".join(table(section, found[number])) + "\n"
            text += "".join(f"\n{note}\n" for note in dict.fromkeys(section.note for section in sections) if note)
            rows = "".join(f"-{method}" for method in chosen.only or ())
            (chosen.out / f"methods-{part}{rows}-{name}.md").write_text(text)
            print(text)


if __name__ == "__main__":
    main()
