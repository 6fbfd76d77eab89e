"""Why some methods lose to their baselines, recoveries, `svd` and schedules: other weights, rates and longer ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.methods.comparison import Entry, Section, entry
from benchmarks.methods.equal import narrower
from benchmarks.methods.settings import Setting
from compress.costs import predict
from compress.data.tasks import Task
from compress.distill import DISTILLERS, Cosine, Distiller, SimKD
from compress.lowrank import SVD, Factorizer
from compress.pruning import SCHEDULES, L1Filter, L1Unstructured, OneShot, Schedule
from compress.recipe import Recipe
from compress.stages import Factorize, Prune, Recovery, Train
from compress.training.settings import Training
from spaces.space import distiller

FINE_TUNING = "fine-tuning"
SPARSITY, FACTORIZED, HARDEST = 0.95, 0.9, 0.975
"""Of the weights zeroed, of those gone by `svd`, and of those zeroed where weights of a loss are compared."""
CUT, STEPS = (0.875, 0.95), 4
"""Of the weights that go with channels, and in how many steps."""
TIMES = (10.0, 0.1, 0.01)
"""As much as the published `beta`."""


def losers(task: Task, setting: Setting) -> list[Section]:
    """The tables."""
    longer = 4 * setting.epochs.recovery
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
        cut = Prune(L1Unstructured(), SPARSITY, OneShot(), Recovery(training, distiller=method))
        entries.append(entry(label, "", setting.then, task, setting.recovered, cut))
    title = f"{setting.recovered}, {SPARSITY:.1%} of its weights zeroed by l1-unstructured, {setting.words} or {longer}"
    baselines = FINE_TUNING, f"{FINE_TUNING}, {longer} epochs"
    schedules = [_schedules(task, setting, sparsity) for sparsity in CUT]
    return [Section(title, baselines, tuple(entries)), _slow_recoveries(task, setting, longer), *schedules]


def weights(task: Task, setting: Setting) -> list[Section]:
    """Every distiller that has a weight `beta`, with other ones than the published."""
    ways: list[tuple[str, Distiller | None]] = [(FINE_TUNING, None)]
    kinds: dict[str, Any] = {**DISTILLERS}
    for name, kind in kinds.items():
        betas = [times * getattr(kind(), "beta", 0.0) for times in TIMES]
        ways += [(f"{name}, beta {beta:g}", kind(beta=beta)) for beta in betas if beta]
    entries = []
    for label, method in ways:
        cut = Prune(L1Unstructured(), HARDEST, OneShot(), Recovery(setting.recovery(), distiller=method))
        entries.append(entry(label, "", setting.then, task, setting.recovered, cut))
    title = f"{setting.recovered}, {HARDEST:.1%} of its weights zeroed by l1-unstructured, {setting.words}"
    return [Section(title, (FINE_TUNING,), tuple(entries))]


def _schedules(task: Task, setting: Setting, sparsity: float) -> Section:
    """Of many steps, by how long the last size trains: as long as all steps together do, or as long as one cut's."""
    short, longer = setting.epochs.recovery, STEPS * setting.epochs.recovery
    ways: list[tuple[str, Schedule, int]] = [
        (OneShot.name, OneShot(), longer),
        (f"{OneShot.name}, {short} epochs", OneShot(), short),
    ]
    for name, kind in SCHEDULES.items():
        if kind is not OneShot:
            ways += [(f"{name}, {epochs} epochs a step", kind(STEPS), epochs) for epochs in (short, longer)]
    entries = []
    for label, schedule, epochs in ways:
        cut = Prune(L1Filter(), sparsity, schedule, Recovery(setting.recovery(epochs)))
        entries.append(entry(label, "", setting.then, task, setting.gradual, cut))
    title = f"{setting.gradual}, {sparsity:.1%} off by l1-filter, one cut with {longer} epochs or {STEPS} steps"
    return Section(title, (OneShot.name,), tuple(entries))


def _slow_recoveries(task: Task, setting: Setting, longer: int) -> Section:
    short, long, scratch = setting.recovery(), setting.recovery(longer), setting.scratch()
    ways: list[tuple[str, Factorizer, Recovery]] = [
        ("svd", SVD(), Recovery(short)),
        ("svd, ranks in proportion", SVD(keep="ratio"), Recovery(short)),
        (f"svd, {longer} epochs", SVD(), Recovery(long)),
        (f"svd, ranks in proportion, {longer} epochs", SVD(keep="ratio"), Recovery(long)),
        (f"svd, {longer} epochs of kd", SVD(), Recovery(long, distiller=distiller("kd", task.name))),
        (f"svd, {scratch.epochs} epochs at {scratch.lr:g}", SVD(), Recovery(scratch)),
    ]
    stages = [(label, Factorize(method, FACTORIZED, OneShot(), recovery)) for label, method, recovery in ways]
    recipes = [(label, setting.then(task, setting.factorized, stage)) for label, stage in stages]
    narrow = narrower(task, setting.factorized, predict(recipes[0][1], task)[-1].costs.params)
    plain = Recipe(task.name, narrow, (Train(setting.scratch(setting.epochs.recovery)),))
    entries = [Entry(str(narrow), plain), *(Entry(label, recipe) for label, recipe in recipes)]
    title = f"{setting.factorized}, {FACTORIZED:.0%} of its weights gone by svd, {setting.words} or more"
    return Section(title, (str(narrow),), tuple(entries))
