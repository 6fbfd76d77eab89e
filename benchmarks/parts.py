"""What the methods benchmark compares, part by part: every registered method beside its baseline, as recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from benchmarks import reported
from benchmarks.comparison import Entry, Section, entry
from benchmarks.settings import Setting
from compress.costs import foresee
from compress.distill import DISTILLERS, Cosine, Distiller, SimKD
from compress.errors import RecipeError
from compress.lowrank import FACTORIZERS, SVD, Factorizer
from compress.models import Model
from compress.pruning import PRUNERS, SCHEDULES, Inside, L1Filter, L1Unstructured, OneShot, Pruner, Random, Schedule
from compress.recipe import Recipe
from compress.stage import Distill, Factorize, Prune, Recovery, Stage, Train
from compress.tasks import Task
from compress.training import Training
from spaces.space import distiller, pruner

SHARES = (1.0, 0.1, 0.01)
"""Of a published `beta`."""
RECOVERED, CUT, GRADUAL, FACTORIZED = (0.9, 0.95, 0.975), (0.5, 0.75, 0.9), (0.75, 0.875, 0.95), (0.5, 0.75, 0.9)
"""Sparsities of each part."""
STEPS = 4
"""Of a gradual schedule, each of a recovery's epochs."""
CLOSE_MACS = 0.01
"""What counts as equal."""


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


FINE_TUNING, CLASSIFIER = "fine-tuning", "classifier only"


def recovery(task: Task, setting: Setting) -> list[Section]:
    """Chen 2021: weights zeroed once, then recovered by labels, by the classifier alone, or from the original."""
    sections = []
    for sparsity in RECOVERED:
        figures = reported.RECOVERY[sparsity]
        entries = [
            entry(way, figures.get(way, ""), _recovered, task, setting, sparsity, way)
            for way in (FINE_TUNING, CLASSIFIER, *DISTILLERS)
        ]
        title = f"{setting.recovered}, {sparsity:.1%} of its weights zeroed by l1-unstructured, {_epochs(setting)}"
        sections.append(Section(title, (FINE_TUNING, CLASSIFIER), tuple(entries), reported.RECOVERY_IS))
    return sections


def _recovered(task: Task, setting: Setting, sparsity: float, way: str) -> Recipe:
    method = distiller(way, task.name) if way in DISTILLERS else None
    tuning = Recovery(setting.recovery(), "classifier" if way == CLASSIFIER else "all", method)
    return _after(task, setting, setting.recovered, Prune(L1Unstructured(), sparsity, OneShot(), tuning))


def losers(task: Task, setting: Setting) -> list[Section]:
    """Why `cosine` and `simkd` lose to fine-tuning, `svd` to a narrower network: other and longer recoveries."""
    longer, sparsity = 4 * setting.epochs.recovery, RECOVERED[1]
    ways: list[tuple[str, Distiller | None, Training]] = []
    for label, epochs in (("", setting.epochs.recovery), (f", {longer} epochs", longer)):
        training = setting.recovery(epochs)
        large = replace(training, lr=4 * training.lr)
        ways += [
            (f"{FINE_TUNING}{label}", None, training),
            (f"cosine{label}", Cosine(), training),
            (f"cosine, logits alone{label}", Cosine(lam=1.0), training),
            (f"cosine, four times the rate{label}", Cosine(), large),
            (f"simkd{label}", SimKD(), training),
            (f"simkd, four times the rate{label}", SimKD(), large),
        ]
    entries = []
    for label, method, training in ways:
        cut = Prune(L1Unstructured(), sparsity, OneShot(), Recovery(training, distiller=method))
        entries.append(entry(label, "", _after, task, setting, setting.recovered, cut))
    title = (
        f"{setting.recovered}, {sparsity:.1%} of its weights zeroed by l1-unstructured, {_epochs(setting)} or {longer}"
    )
    baselines = FINE_TUNING, f"{FINE_TUNING}, {longer} epochs"
    return [Section(title, baselines, tuple(entries)), _slow_recoveries(task, setting, longer)]


def _slow_recoveries(task: Task, setting: Setting, longer: int) -> Section:
    sparsity = FACTORIZED[-1]
    short, long, scratch = setting.recovery(), setting.recovery(longer), setting.scratch()
    ways: list[tuple[str, Factorizer, Recovery]] = [
        ("svd", SVD(), Recovery(short)),
        ("svd, ranks in proportion", SVD(keep="ratio"), Recovery(short)),
        (f"svd, {longer} epochs", SVD(), Recovery(long)),
        (f"svd, ranks in proportion, {longer} epochs", SVD(keep="ratio"), Recovery(long)),
        (f"svd, {longer} epochs of kd", SVD(), Recovery(long, distiller=distiller("kd", task.name))),
        (f"svd, {scratch.epochs} epochs at {scratch.lr:g}", SVD(), Recovery(scratch)),
    ]
    stages = [(label, Factorize(method, sparsity, OneShot(), recovery)) for label, method, recovery in ways]
    recipes = [(label, _after(task, setting, setting.factorized, stage)) for label, stage in stages]
    narrow = narrower(task, setting.factorized, foresee(recipes[0][1], task)[-1].costs.params)
    plain = Recipe(task.name, narrow, (Train(setting.scratch(setting.epochs.recovery)),))
    entries = [Entry(str(narrow), plain), *(Entry(label, recipe) for label, recipe in recipes)]
    title = f"{setting.factorized}, {sparsity:.0%} of its weights gone by svd, {_epochs(setting)} or more"
    return Section(title, (str(narrow),), tuple(entries))


def pruners(task: Task, setting: Setting) -> list[Section]:
    """Every channel pruner against random channels at equal MACs."""
    note = (
        f"{reported.PRUNERS_ARE} Every method is cut to the sparsity that is foreseen to "
        "need the MACs of `random`; what they came to stands in the table. "
        "Weight pruners are not here: no random mask is registered to compare them with; nor are methods that find "
        "their sparsity by themselves."
    )
    sections = []
    for sparsity in CUT:
        random, figures = cut_at_once(task, setting, Random(), sparsity), reported.PRUNERS.get(sparsity, {})
        macs = foresee(random, task)[-1].costs.macs
        entries = [Entry("random", random)]
        for name, kind in PRUNERS.items():
            if kind is not Random and kind.granularity == "channel" and not kind.adaptive:
                method = pruner(name, task.name)
                entries.append(entry(name, figures.get(name, ""), at_macs, task, setting, method, sparsity, macs))
        title = f"{setting.cut}, {sparsity:.0%} of its weights cut at once, {_epochs(setting)}"
        sections.append(Section(title, ("random",), tuple(entries), note))
    return sections


def cut_at_once(task: Task, setting: Setting, method: Pruner, sparsity: float) -> Recipe:
    """Trained plain, cut once, recovered."""
    return _after(task, setting, setting.cut, Prune(method, sparsity, OneShot(), Recovery(setting.recovery())))


def at_macs(task: Task, setting: Setting, method: Pruner, sparsity: float, target: int) -> Recipe:
    """The recipe that is foreseen to need `target` MACs, or just less: at `sparsity` if that is within a hundredth."""

    def apart(share: float) -> float:
        try:
            return foresee(cut_at_once(task, setting, method, share), task)[-1].costs.macs / target - 1
        except RecipeError:  # too deep
            return -1.0

    if abs(apart(sparsity)) <= CLOSE_MACS:
        return cut_at_once(task, setting, method, sparsity)
    low, high = 0.01, 0.99
    for _ in range(10):  # to a thousandth of the weights
        middle = round((low + high) / 2, 4)
        low, high = (middle, high) if apart(middle) > 0 else (low, middle)
    return cut_at_once(task, setting, method, high)


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
                if issubclass(kind, Inside) and kind.granularity == base.granularity and not kind.adaptive:
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
    return _after(task, setting, setting.gradual, Prune(method, sparsity, schedule, tuning))


def lowrank(task: Task, setting: Setting) -> list[Section]:
    """Every factorizer against a narrower network of as many parameters, trained plain for as many epochs.

    As many as are foreseen: ranks chosen by kept energy depend on the trained weights, so the table may show some more
    or less.
    """
    sections = []
    for name, kind in FACTORIZERS.items():
        for sparsity in FACTORIZED:
            stage = Factorize(kind(), sparsity, OneShot(), Recovery(setting.recovery()))
            factorized = _after(task, setting, setting.factorized, stage)
            narrow = narrower(task, setting.factorized, foresee(factorized, task)[-1].costs.params)
            plain = Recipe(task.name, narrow, (Train(setting.scratch(setting.epochs.recovery)),))
            title = f"{setting.factorized}, {sparsity:.0%} of its weights gone by {name}, {_epochs(setting)}"
            entries = (Entry(str(narrow), plain), Entry(name, factorized))
            sections.append(Section(title, (str(narrow),), entries, reported.LOWRANK_IS))
    return sections


def narrower(task: Task, model: Model, params: int) -> Model:
    """The model at the width, in hundredths of its own, whose parameters are nearest to `params`."""

    def count(width: float) -> int:
        with torch.random.fork_rng(devices=[]):
            module = Model(model.family, width).build(len(task.classes), task.channels)
        return sum(parameter.numel() for parameter in module.parameters())

    widths = [round(model.width * share / 100, 4) for share in range(1, 101)]
    return Model(model.family, min(widths, key=lambda width: abs(count(width) - params)))


def _after(task: Task, setting: Setting, model: Model, stage: Stage) -> Recipe:
    """Trained plain, then the stage."""
    return Recipe(task.name, model, (Train(setting.scratch()), stage))


def _epochs(setting: Setting) -> str:
    return f"{setting.epochs.scratch} epochs before and {setting.epochs.recovery} after"


PARTS: dict[str, Callable[[Task, Setting], list[Section]]] = {
    "students": students,
    "recovery": recovery,
    "pruners": pruners,
    "gradual": gradual,
    "lowrank": lowrank,
    "losers": losers,
    "betas": betas,
}
