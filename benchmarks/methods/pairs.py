"""Why low rank loses to a narrower network at 90 %: the beginning that `svd` gives, or the pairs of layers themselves?

    python -m benchmarks.methods.pairs [--task digits] [--images N] [--seeds 3]

The networks of the part `lowrank` of `compare.py`, each trained for as long as from scratch and at that
rate: the narrower one; the pairs that begin as `svd` left them; the same pairs begun anew, so that only their shape is
left of it; and these with a BN between the two, as Tai et al. 2016 train theirs from scratch. One seed is one trained
original. Prints Markdown and writes `benchmarks/results/pairs-TASK.md`.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import nn

from benchmarks.machine import machine
from benchmarks.methods.comparison import Place
from benchmarks.methods.equal import narrower
from benchmarks.methods.losers import FACTORIZED
from benchmarks.methods.settings import DIGITS, OTHERS, Setting
from compress.data.tasks import Task
from compress.lowrank import SVD, factorize
from compress.measure import accuracy
from compress.models.family import init_convolutions
from compress.training.loop import Loss, fit

RESULTS = Path(__file__).parents[1] / "results"


def begun_anew(model: nn.Module) -> nn.Module:
    """A copy with new weights everywhere, drawn as the zoo draws them."""
    fresh = copy.deepcopy(model)
    for part in fresh.modules():
        if isinstance(part, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            part.reset_parameters()
    init_convolutions(fresh)
    return fresh


def with_bn(model: nn.Module, before: nn.Module) -> nn.Module:
    """A copy with a BN in every pair of convolutions that `before` had as one."""
    normal = copy.deepcopy(model)
    for name, layer in before.named_modules():
        pair = normal.get_submodule(name)
        if isinstance(layer, nn.Conv2d) and isinstance(pair, nn.Sequential):
            first, second = pair
            assert isinstance(first, nn.Conv2d)
            normal.set_submodule(name, nn.Sequential(first, nn.BatchNorm2d(first.out_channels), second))
    return normal


def of_one_seed(place: Place, setting: Setting, seed: int) -> dict[str, tuple[int, float]]:
    """Parameters and test accuracy of every way."""
    torch.set_num_threads(1)
    task = place.load()
    channels, classes = task.channels, task.outputs

    def trained(model: nn.Module) -> nn.Module:
        torch.manual_seed(seed)
        fit(Loss(model), task.train, setting.scratch(), seed=seed, augment=task.augment)
        return model.eval()

    torch.manual_seed(seed)
    original = trained(setting.factorized.build(classes, channels))
    cut = factorize(copy.deepcopy(original), SVD(), FACTORIZED)
    narrow = narrower(task, setting.factorized, size(cut))
    ways = {
        f"{narrow}": narrow.build(classes, channels),
        "pairs as svd left them": cut,
        "the same pairs begun anew": begun_anew(cut),
        "begun anew, with a BN between the two": begun_anew(with_bn(cut, original)),
    }
    found = {str(setting.factorized): (size(original), accuracy(original, task.test))}
    for label, model in ways.items():
        found[label] = size(model), accuracy(trained(model), task.test)
    return found


def size(model: nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def report(found: list[dict[str, tuple[int, float]]], task: Task, setting: Setting) -> str:
    """Markdown."""
    lines = [
        f"{task.summary}. Mean and standard deviation of {len(found)} seeds; {setting.scratch().epochs} epochs.",
        "",
    ]
    lines += ["|  | params | test |", "|---|---|---|"]
    for label, (params, _) in found[0].items():
        accuracies = [one[label][1] for one in found]
        spread = f" ± {stdev(accuracies):.4f}" if len(accuracies) > 1 else ""
        lines.append(f"| {label} | {params:,} | {mean(accuracies):.4f}{spread} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, print and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--task", default="digits")
    options.add_argument("--images", type=int)
    options.add_argument("--seeds", type=int, default=3)
    chosen = options.parse_args()
    setting = DIGITS if chosen.task == "digits" else OTHERS
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        place = Place(chosen.task, chosen.images, Path(folder))
        task = place.load()
        name = Path(task.name.removeprefix("folder:")).name
        task, count = replace(task, name=name), chosen.seeds
        found = list(pool.map(of_one_seed, [place] * count, [setting] * count, range(count)))
    asked = f"--task {'folder:' * chosen.task.startswith('folder:')}{name} --seeds {count}"
    asked += f" --images {chosen.images}" * bool(chosen.images)
    text = f"# {FACTORIZED:.0%} of {setting.factorized} gone by svd: the beginning or the shape?\n\n"
    text += f"`python -m benchmarks.methods.pairs {asked}` on {machine()}.\n\n{report(found, task, setting)}"
    (RESULTS / f"pairs-{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
