"""What the methods benchmark compares, part by part: every registered method beside its baseline, as recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.methods import reported
from benchmarks.methods.channels import adaptive, pruners, resrep
from benchmarks.methods.comparison import Entry, Section, entry
from benchmarks.methods.equal import narrower
from benchmarks.methods.losers import FINE_TUNING, losers, weights
from benchmarks.methods.settings import Setting
from compress.costs import predict
from compress.data.tasks import Task
from compress.distill import DISTILLERS, Distiller
from compress.lowrank import FACTORIZERS
from compress.pruning import PRUNERS, SCHEDULES, DuringTraining, L1Filter, L1Unstructured, OneShot, Pruner, Schedule
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Recovery, Train
from spaces.space import distiller, pruner

SHARES = (1.0, 0.1, 0.01)
"""Of a published `beta`."""
RECOVERED, GRADUAL, FACTORIZED = (0.9, 0.95, 0.975), (0.75, 0.875, 0.95), (0.5, 0.75, 0.9)
"""Sparsities of each part."""
STEPS = 4
"""Of a gradual schedule, each of a recovery's epochs."""


def students(task: Task, setting: Setting) -> list[Section]:
    """Every distiller with the settings a search uses for the task, and with its published ones where they differ."""
    entries = [entry("plain", reported.STUDENTS["plain"], _student, task, setting, None)]
    for name, kind in DISTILLERS.items():
        suited, published = distiller(name, task.name), kind()
        entries.append(entry(name, reported.STUDENTS.get(name, ""), _student, task, setting, suited))
        if suited != published:
            entries.append(entry(f"{name}, as published", "", _student, task, setting, published))
    return [_taught(setting, entries, reported.STUDENTS_ARE)]


def betas(task: Task, setting: Setting) -> list[Section]:
    """Every distiller that has a weight `beta`, with shares of the published one."""
    entries = [entry("plain", "", _student, task, setting, None)]
    kinds: dict[str, Any] = {**DISTILLERS}
    for name, kind in kinds.items():
        published = getattr(kind(), "beta", 0.0)
        for beta in [share * published for share in SHARES if published]:
            entries.append(entry(f"{name}, beta {beta:g}", "", _student, task, setting, kind(beta=beta)))
    return [_taught(setting, entries)]


def _taught(setting: Setting, entries: list[Entry], note: str = "") -> Section:
    title = f"{setting.student} taught by {setting.teacher}, {setting.epochs.scratch} epochs each"
    return Section(title, ("plain",), tuple(entries), note)


def _student(task: Task, setting: Setting, method: Distiller | None) -> Recipe:
    if method is None:
        return Recipe(task.name, setting.student, (Train(setting.scratch()),))
    stages = (Distill(method, setting.scratch()),)
    return Recipe(task.name, setting.student, stages, setting.teacher, setting.scratch())


CLASSIFIER = "classifier only"


def recovery(task: Task, setting: Setting) -> list[Section]:
    """Chen 2021: weights zeroed once, then recovered by labels, by the classifier alone, or from the original."""
    sections = []
    for sparsity in RECOVERED:
        figures = reported.RECOVERY[sparsity]
        entries = [
            entry(way, figures.get(way, ""), _recovered, task, setting, sparsity, way)
            for way in (FINE_TUNING, CLASSIFIER, *DISTILLERS)
        ]
        title = f"{setting.recovered}, {sparsity:.1%} of its weights zeroed by l1-unstructured, {setting.words}"
        sections.append(Section(title, (FINE_TUNING, CLASSIFIER), tuple(entries), reported.RECOVERY_IS))
    return sections


def _recovered(task: Task, setting: Setting, sparsity: float, way: str) -> Recipe:
    method = distiller(way, task.name) if way in DISTILLERS else None
    tuning = Recovery(setting.recovery(), "classifier" if way == CLASSIFIER else "all", method)
    return setting.then(task, setting.recovered, Prune(L1Unstructured(), sparsity, OneShot(), tuning))


def gradual(task: Task, setting: Setting) -> list[Section]:
    """Every schedule of many steps, and pruning inside training, against one cut: as many epochs in all."""
    epochs = STEPS * setting.epochs.recovery
    sections = []
    for base in (L1Unstructured(), L1Filter()):
        for sparsity in GRADUAL:
            figures = reported.GRADUAL.get((base.name, sparsity), {})
            schedules = {name: kind(1 if kind is OneShot else STEPS) for name, kind in SCHEDULES.items()}
            ways: dict[str, tuple[Pruner, Schedule]] = {name: (base, kind) for name, kind in schedules.items()}
            for name, kind in PRUNERS.items():
                if issubclass(kind, DuringTraining) and kind.granularity == base.granularity and not kind.adaptive:
                    ways[name] = pruner(name, task.name), OneShot()
            entries = [
                entry(name, figures.get(name, ""), _scheduled, task, setting, *way, sparsity, epochs)
                for name, way in ways.items()
            ]
            title = f"{setting.gradual}, {sparsity:.1%} off by {base.name}, {epochs} epochs after the first cut"
            sections.append(Section(title, (OneShot.name,), tuple(entries), reported.GRADUAL_IS))
    return sections


def _scheduled(
    task: Task, setting: Setting, method: Pruner, schedule: Schedule, sparsity: float, epochs: int
) -> Recipe:
    """As many `epochs` over all levels, whatever their number."""
    tuning = Recovery(setting.recovery(epochs // len(schedule.levels(sparsity))))
    return setting.then(task, setting.gradual, Prune(method, sparsity, schedule, tuning))


def lowrank(task: Task, setting: Setting) -> list[Section]:
    """Every factorizer against a narrower network of as many parameters, trained plain for as many epochs.

    As many as are foreseen: ranks chosen by kept energy depend on the trained weights, so the table may show some more
    or less.
    """
    sections = []
    for name, kind in FACTORIZERS.items():
        for sparsity in FACTORIZED:
            stage = Factorize(kind(), sparsity, OneShot(), Recovery(setting.recovery()))
            factorized = setting.then(task, setting.factorized, stage)
            narrow = narrower(task, setting.factorized, predict(factorized, task)[-1].costs.params)
            plain = Recipe(task.name, narrow, (Train(setting.scratch(setting.epochs.recovery)),))
            title = f"{setting.factorized}, {sparsity:.0%} of its weights gone by {name}, {setting.words}"
            entries = (Entry(str(narrow), plain), Entry(name, factorized))
            sections.append(Section(title, (str(narrow),), entries, reported.LOWRANK_IS))
    return sections


PARTS: dict[str, Callable[[Task, Setting], list[Section]]] = {
    "students": students,
    "recovery": recovery,
    "pruners": pruners,
    "gradual": gradual,
    "lowrank": lowrank,
    "adaptive": adaptive,
    "losers": losers,
    "betas": betas,
    "weights": weights,
    "resrep": resrep,
}
