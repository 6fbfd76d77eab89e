"""Channels cut by a method against channels cut at random, at equal MACs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.methods import reported
from benchmarks.methods.comparison import Entry, Run, Section, entry
from benchmarks.methods.equal import at_macs
from benchmarks.methods.settings import Setting
from compress.costs import predict
from compress.data.tasks import Task
from compress.pruning import PRUNERS, Adaptive, L1Filter, OneShot, Pruner, Random, ResRep
from compress.recipe import Recipe
from compress.stages import Prune, Recovery
from spaces.space import pruner

CUT = (0.5, 0.75, 0.9)
"""Shares of the weights that `random` takes."""


def pruners(task: Task, setting: Setting) -> list[Section]:
    """Every channel pruner whose costs are foreseen, against random channels at equal MACs."""
    note = (
        f"{reported.PRUNERS_ARE} Every method is cut to the sparsity that is foreseen to "
        "need the MACs of `random`; what they came to stands in the table. "
        "Weight pruners are not here: no random mask is registered to compare them with. Methods that find "
        "their sparsity, or their layers, by themselves are in the part `adaptive`."
    )
    sections = []
    for sparsity in CUT:
        random, figures = cut_at_once(task, setting, Random(), sparsity), reported.PRUNERS.get(sparsity, {})
        macs = predict(random, task)[-1].costs.macs
        entries = [Entry("random", random)]
        for name, kind in PRUNERS.items():
            if kind is not Random and kind.granularity == "channel" and kind.predictable:
                build = partial(cut_at_once, task, setting, pruner(name, task.name))
                entries.append(entry(name, figures.get(name, ""), at_macs, build, task, sparsity, macs))
        title = f"{setting.cut}, {sparsity:.0%} of its weights cut at once, {setting.words}"
        sections.append(Section(title, ("random",), tuple(entries), note))
    return sections


def adaptive(task: Task, setting: Setting) -> list[Section]:
    """Every method whose MACs are known only afterwards, against one cut by others to the MACs it came to."""
    sections = []
    for name, kind in PRUNERS.items():
        method = pruner(name, task.name)
        if isinstance(method, Adaptive):
            recipe = setting.then(task, setting.cut, Prune(method, recovery=Recovery(setting.recovery())))
            how = f"{setting.cut} cut by {name}, at most {method.rounds} rounds of {setting.epochs.recovery} epochs"
            sections.append(_as_far(task, setting, how, name, recipe, method.rounds))
        elif not kind.predictable:
            for sparsity in CUT:
                recipe = cut_at_once(task, setting, method, sparsity)
                figures = reported.PRUNERS.get(sparsity, {}).get(name, "")
                how = f"{setting.cut}, {sparsity:.0%} of its weights cut by {name}, {setting.words}"
                sections.append(_as_far(task, setting, how, name, recipe, 1, figures))
    return sections


def _as_far(
    task: Task, setting: Setting, title: str, name: str, recipe: Recipe, rounds: int, figures: str = ""
) -> Section:
    note = (
        "The others are cut once, to the MACs that the method came to at the same seed, and recovered for as "
        "many epochs as all its rounds took, with the one it took back."
    )
    entries = [entry(name, figures, _possible, recipe, task)]
    others = {
        "random": Random(),
        "l1-filter": L1Filter(),
        "l1-filter, shortcuts spared": L1Filter(spare_shortcuts=True),
    }
    for label, other in others.items():
        entries.append(Entry(label, None, fit=partial(_to_its_macs, task, setting, rounds, other)))
    return Section(title, ("random",), tuple(entries), note)


def _possible(recipe: Recipe, task: Task) -> Recipe:
    predict(recipe, task)
    return recipe


def _to_its_macs(task: Task, setting: Setting, rounds: int, method: Pruner, found: Run) -> Recipe:
    """One cut to the MACs of the run, with its epochs."""
    assert found.measured is not None
    epochs = min(found.levels + 1, rounds) * setting.epochs.recovery
    build = partial(cut_at_once, task, setting, method, epochs=epochs)
    return at_macs(build, task, CUT[0], found.measured.macs)


def resrep(task: Task, setting: Setting) -> list[Section]:
    """ResRep by when it chooses, and how strong its lasso is, against random channels, at equal weights."""
    usual = pruner("resrep", task.name)
    assert isinstance(usual, ResRep)
    sections = []
    for sparsity in CUT:
        ways: dict[str, Pruner] = {"random": Random()}
        for start, lasso in ((0, 0.01), (0, usual.lasso), (1, 0.01), (1, usual.lasso)):
            after = "an epoch" if start else "a step"
            ways[f"resrep, chooses after {after}, lasso {lasso:g}"] = replace(usual, start=start, lasso=lasso)
        entries = [entry(way, "", cut_at_once, task, setting, method, sparsity) for way, method in ways.items()]
        title = f"{setting.cut}, {sparsity:.0%} of its weights cut at once, {setting.words}"
        sections.append(Section(title, ("random",), tuple(entries)))
    return sections


def cut_at_once(task: Task, setting: Setting, method: Pruner, sparsity: float, *, epochs: int | None = None) -> Recipe:
    """Trained plain, cut once, recovered."""
    cut = Prune(method, sparsity, OneShot(), Recovery(setting.recovery(epochs)))
    return setting.then(task, setting.cut, cut)
