"""Every move on every block: `python -m benchmarks.block_matrix` writes `results/block_matrix.md`.

A move passes the look that a search has before anything trains, is then carried out on weights drawn at random, stored,
loaded and compared by its logits on real images. Or it is refused, and the sentence stands below the table: by the
look, or "in a trial" where the weights decide.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from torch import nn

from benchmarks.blocks import BLOCKS
from benchmarks.machine import machine
from compress.agreement import RELOADED, reloaded_differs
from compress.costs import check
from compress.data.tasks import Task, load_task
from compress.distill import KD
from compress.errors import RecipeError
from compress.lowrank import SVD
from compress.models import Model
from compress.pruning import PRUNERS, OneShot
from compress.pruning.pruner import weight_count
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Factorize, Narrow, Prune, Quantize, Recovery, Train
from compress.store.files import Files
from compress.training.settings import Training

ONCE = Training(epochs=1)
HALF = 0.4
Move = Prune | Factorize | Quantize | Narrow
MOVES: dict[str, Move] = {
    **{
        name: Prune(kind(), recovery=Recovery(ONCE))
        if kind.adaptive
        else Prune(kind(), HALF, OneShot(), Recovery(ONCE))
        for name, kind in PRUNERS.items()
    },
    "svd": Factorize(SVD(), HALF, OneShot(), Recovery(ONCE)),
    "int8": Quantize(Int8()),
    "narrow": Narrow(KD(), training=ONCE),
}
RESULT = Path(__file__).parent / "results" / "block_matrix.md"
WORKS, SILENT = "works", "SILENT DIFFERENCE"


def tried(block: str, move: Move, task: Task) -> str:
    """`WORKS`, the sentence that refuses the move, or `SILENT`."""
    model = Model(f"benchmarks.blocks:{block}")
    try:
        check(Recipe(task.name, model, (Train(ONCE), move)), task)
    except RecipeError as error:
        return str(error)
    shown = task.train.first(64)
    net = drawn(model.build(task.outputs, task.channels))
    before = weight_count(net)
    try:
        changed = move.change(net, HALF, full=before, calibration=shown)
    except RecipeError as error:  # the look, on other weights, had nothing against it
        return f"in a trial: {error}"
    stored = Files.of(changed, model, classes=task.outputs, channels=task.channels).module()
    differs = reloaded_differs(changed, stored, shown.images) is not None
    return SILENT if differs or weight_count(changed) > before else WORKS


def drawn(net: nn.Module) -> nn.Module:
    """The network with weights and statistics as training may leave them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.5 * torch.rand(buffer.shape, generator=generator))
    return net.eval()


def rows(task: Task) -> dict[str, dict[str, str]]:
    """What became of every move, by block."""
    found: dict[str, dict[str, str]] = {}
    for block in BLOCKS:
        found[block] = {name: tried(block, move, task) for name, move in MOVES.items()}
        print(block, *(name for name, got in found[block].items() if got != WORKS), flush=True)
    return found


def page(found: dict[str, dict[str, str]]) -> str:
    """The table and, below it, each sentence with the moves it refuses."""
    cells = [got for row in found.values() for got in row.values()]
    works, silent = cells.count(WORKS), cells.count(SILENT)
    lines = [
        "# Every move on every block",
        "",
        f"`python -m benchmarks.block_matrix` on {machine()}.",
        "",
        f"{len(found)} blocks, {len(MOVES)} moves: {works} work, {len(cells) - works - silent} are refused in a "
        f"sentence, {silent} change in silence. A move that works was carried out, stored and "
        f"loaded: the logits of 64 real images agree to {RELOADED:g} of the largest.",
        "",
        f"| block | {' | '.join(MOVES)} |",
        f"|---|{'---|' * len(MOVES)}",
    ]
    sentences: dict[str, list[str]] = {}
    for block, row in found.items():
        marks = []
        for move, got in row.items():
            if got not in (WORKS, SILENT):
                sentences.setdefault(got, []).append(f"{block}: {move}")
                got = f"[{list(sentences).index(got) + 1}]"
            marks.append(got)
        lines.append(f"| {block} | {' | '.join(marks)} |")
    lines += ["", *(f"{n}. {said}" for n, said in enumerate(sentences, 1))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Try all, write the page; exit code 1 if anything changed in silence."""
    warnings.simplefilter("error")
    found = rows(load_task("digits"))
    RESULT.write_text(page(found), encoding="utf-8")
    sys.exit(any(got == SILENT for row in found.values() for got in row.values()))


if __name__ == "__main__":
    main()
