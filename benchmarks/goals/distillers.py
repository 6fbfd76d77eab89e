"""Every distiller against the same student trained plain for as long, paired by seed, in the quality of the task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtr

from benchmarks.goals.cases import Case
from benchmarks.goals.record import Missing, Record, Result
from compress.distill import DISTILLERS, KD, Distiller
from search.study.seeds import Difference, paired

CHOOSING = 100
"""Seed of the trainings on whose validation a setting is chosen; not a seed of the comparison."""
SHARES = (1.0, 0.1, 0.01)
"""Of a published `beta`."""
WEIGHTS = ((0.1, 0.9), (1.0, 1.0), (0.5, 0.5))
"""Of targets and teacher in `kd`: both published settings, and one between."""
CHANCE = 0.05


@dataclass(frozen=True)
class Row:
    """One way to train the student: a method, its settings in words, and a result a seed.

    `quality` is in the task's unit, by seed; `over` the differences from plain training, positive is worse. Both leave
    out the `broken` seeds.
    """

    method: str
    settings: str
    quality: tuple[float, ...]
    over: tuple[float, ...]
    broken: int = 0

    @property
    def difference(self) -> Difference | None:
        """Return the mean difference from plain training with its interval; None for less than two seeds."""
        return paired(self.over) if len(self.over) > 1 else None

    @property
    def chance(self) -> float:
        """Return the probability of such a difference by chance (paired t test, two sides); 1 without a difference."""
        if len(self.over) < 2 or not stdev(self.over):
            return 1.0
        t = fmean(self.over) / (stdev(self.over) / math.sqrt(len(self.over)))
        return float(2 * stdtr(len(self.over) - 1, -abs(t)))


def settings_of(name: str) -> dict[str, Distiller]:
    """Return a method's settings to choose from, by their words; the published come first."""
    kind: Any = DISTILLERS[name]
    if name == KD.name:
        return {f"targets {w_ce:g}, teacher {w_kd:g}": KD(w_ce, w_kd) for w_ce, w_kd in WEIGHTS}
    published = kind().beta
    each = [published, *(share * published for share in SHARES if share != 1)]
    return {f"beta {beta:g}": kind(beta=float(f"{beta:g}")) for beta in each}


def choose(record: Record, case: Case, name: str) -> str:
    """Return the words of the settings best on validation, with the seed `CHOOSING`; the published if all broke."""
    found: dict[str, float] = {}
    for words, method in settings_of(name).items():
        tried = record.carried_out(case.task, f"{name}, {words}, to choose", case.taught(method, CHOOSING))
        value = tried.value(f"{case.task.quality.name}_validation")
        found[words] = math.inf if value is None else value
    return min(found, key=lambda words: found[words])


def compare(record: Record, case: Case, seeds: int) -> list[Row]:
    """Return the rows of the teacher, of plain training, and of each method."""
    plain, rows = baselines(record, case, seeds)
    return rows + [one for name in DISTILLERS for one in method_rows(record, case, name, plain)]


def known(record: Record, case: Case, seeds: int) -> tuple[list[Row], list[str]]:
    """Return the rows that are in the record, and the methods that are not; Missing without the baselines."""
    plain, rows = baselines(record, case, seeds)
    missing = []
    for name in DISTILLERS:
        try:
            rows += method_rows(record, case, name, plain)
        except Missing:
            missing.append(name)
    return rows, missing


def baselines(record: Record, case: Case, seeds: int) -> tuple[list[Result], list[Row]]:
    """Return the results of plain training, a seed each, and the rows of the teacher and of plain training."""
    plain = [record.carried_out(case.task, "plain", case.plain(case.student, seed)) for seed in range(seeds)]
    teacher = [record.carried_out(case.task, "teacher", case.plain(case.teacher, seed)) for seed in range(seeds)]
    return plain, [row(case, "teacher", "", teacher, None), row(case, "plain", "", plain, None)]


def method_rows(record: Record, case: Case, name: str, plain: Sequence[Result]) -> Iterator[Row]:
    """Yield the rows of a method at its published and at its chosen settings, a single row if they are the same."""
    offered, chosen = settings_of(name), choose(record, case, name)
    published = next(iter(offered))
    for words in dict.fromkeys((published, chosen)):
        taught = [case.taught(offered[words], one.seed) for one in plain]
        results = [record.carried_out(case.task, f"{name}, {words}", recipe) for recipe in taught]
        kinds = ["published"] * (words == published) + ["chosen"] * (words == chosen)
        yield row(case, name, f"{words} ({' and '.join(kinds)})", results, plain)


def row(case: Case, method: str, settings: str, results: Sequence[Result], plain: Sequence[Result] | None) -> Row:
    """Return the row of results, a seed each; `plain` are those to compare with, of the same seeds."""
    error = f"{case.task.quality.name}_test"
    values = [result.value(error) for result in results]
    bases = [result.value(error) for result in plain or ()]
    over = [value - base for value, base in zip(values, bases, strict=False) if None not in (value, base)]  # type: ignore[operator]
    whole = tuple(value for value in values if value is not None)
    return Row(method, settings, whole, tuple(over), len(values) - len(whole))


def compared(rows: Sequence[Row]) -> list[Row]:
    """Return the rows to be compared with plain training: those of a method that no seed broke."""
    return [one for one in rows if one.difference is not None and not one.broken]


def verdict(one: Row, count: int) -> str:
    """Say whether a row differs from plain training; bold if so among `count` comparisons (Bonferroni)."""
    apart = one.difference
    if apart is None or not apart.is_told:
        return "no difference"
    which = "worse" if apart.mean > 0 else "better"
    return f"**{which}**" if one.chance < CHANCE / count else which


def table(rows: Sequence[Row], unit: str) -> Iterator[str]:
    """Yield Markdown, a row a line."""
    count = len(compared(rows))
    yield f"| distiller | settings | MAE on test, {unit} | over plain (95 %) | p | |"
    yield "|---" * 6 + "|"
    for one in rows:
        name = one.method + (f" (**{one.broken} broke**)" if one.broken else "")
        spread = f" ± {stdev(one.quality):.3g}" if len(one.quality) > 1 else ""
        mean = f"{fmean(one.quality):.4g}{spread}" if one.quality else ""
        apart = one.difference
        if apart is None or one.broken:
            yield f"| {name} | {one.settings} | {mean} | | | {'**breaks**' * bool(one.broken)} |"
        else:
            told = f"{apart.mean:+.3g} ± {apart.margin:.2g} | {one.chance:.2g} | {verdict(one, count)}"
            yield f"| {name} | {one.settings} | {mean} | {told} |"


def in_words(rows: Sequence[Row], task: str) -> str:
    """Say how many methods help, and which."""
    found = compared(rows)
    better = [one for one in found if one.difference and one.difference.is_told and one.difference.mean < 0]
    worse = [one for one in found if one.difference and one.difference.is_told and one.difference.mean > 0]
    sure = [one for one in better if one.chance < CHANCE / len(found)]
    broken = [f"{one.method} with {one.settings}" for one in rows if one.broken]
    helpless = [name for name in dict.fromkeys(one.method for one in found) if name not in {x.method for x in better}]
    return (
        f"Of {len(found)} comparisons on {task} {len(better)} are better than plain training beyond their interval, "
        f"{len(sure)} of them in bold; {len(worse)} are worse. By chance alone about {CHANCE * len(found):.1f} would "
        f"be beyond. Training breaks under: {', '.join(broken) or 'none'}. No setting helps with: "
        f"{', '.join(helpless) or 'none'}."
    )
