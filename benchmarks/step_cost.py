"""What a training step costs under each method, and what keeping a teacher's logits saves.

    python -m benchmarks.step_cost [--student resnet20] [--teacher resnet56] [--channels 3] [--size 32] [--batch 128]
                                   [--images 50000] [--rounds 7] [--kept-batch 128] [--kept-rounds 5] [--out FILE]

One thread, random images. A round trains every case for one epoch of one batch through the house's own loop (a
recovery through the pipeline, ten batches), in an order drawn anew, so that noise hits all alike; figures are medians
over rounds. A method's own part is its step less a
plain step and less the teacher's forward pass, of the same round. A method whose own part takes longer than that
forward pass says why in its docstring, in a paragraph that begins with "Cost:". Prints Markdown and writes it to
`benchmarks/results/step_cost.md`.
"""

from __future__ import annotations

import argparse
import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.machine import machine
from benchmarks.steps import AUGMENT, CLASSES, Cases, Times, built, random_images, recovering, timed, trained, whole
from compress.data.splits import TensorSplit
from compress.distill import DISTILLERS, KD
from compress.distill.teacher_logits import Views
from compress.distill.teaching import Teaching, observe
from compress.measure import count
from compress.models import Model
from compress.pruning import PRUNERS, DuringTraining
from compress.training.loop import Loss

RESULTS = Path(__file__).parent / "results" / "step_cost.md"
KEPT_TEACHER, KEPT_STUDENT = Model("resnet32x4"), Model("resnet8x4")
SHARE_SAVED, FILLING, CLOSE = 0.8, 1.1, 1e-3


def step_cases(student: Model, teacher: Model, split: TensorSplit, images: int, home: Path) -> Cases:
    """A plain step, the teacher's forward pass, then a step of every registered method that takes part in one.

    The batch counts as one of a split of so many `images`: methods that remember every image pay for all of them.
    Recoveries are kept below `home`.
    """
    module, master = built(student, split), built(teacher, split)
    first, labels = whole(split), torch.arange(images) % CLASSES

    def forward() -> None:
        with torch.no_grad():
            observe(master, KD(), first)

    cases: Cases = {"plain": trained(Loss(module), split), "teacher": forward}
    for name, kind in DISTILLERS.items():
        cases[name] = trained(Teaching(module, master, kind(), first, targets=labels), split)
    for name, pruner in PRUNERS.items():
        if pruner.granularity == "weight" or issubclass(
            pruner, DuringTraining
        ):  # masks that are held, or a hook of its own
            cases[f"recovery under {name}"] = recovering(pruner, student, split, home)
    return cases


def step_table(times: Times, student: Model, teacher: Model) -> Iterator[str]:
    """Markdown, a method a row."""
    yield "| step | ms | ratio to plain | own part, in the teacher's forward passes | why, if above 1 |"
    yield "|---|---|---|---|---|"
    plain = median(times["plain"])
    for name, took in times.items():
        row = f"{1000 * median(took):.0f} | {median(took) / plain:.2f}"
        if name == "plain":
            yield f"| plain, {student} | {row} | | |"
        elif name == "teacher":
            yield f"| forward pass of the teacher, {teacher} | {row} | | |"
        elif name in DISTILLERS:
            rounds = zip(took, times["plain"], times["teacher"], strict=True)
            own = median((step - base - forward) / forward for step, base, forward in rounds)
            yield f"| {name} | {row} | {own:.2f} | {reason(DISTILLERS[name]) if own > 1 else ''} |"
        else:  # no teacher in it
            own = median((step - base) for step, base in zip(took, times["plain"], strict=True))
            yield f"| {name} | {row} | {own / median(times['teacher']):.2f} | |"


def reason(kind: type) -> str:
    """The paragraph of the docstring that says why a step takes what it takes, in one line."""
    paragraphs = (inspect.getdoc(kind) or "").split("\n\n")
    found = [" ".join(text.split()) for text in paragraphs if text.startswith("Cost:")]
    return found[0].removeprefix("Cost: ") if found else "**none given**"


def kept_table(size: int, batch: int, rounds: int) -> Iterator[str]:
    """A step on known logits against one that computes them, with the bars, in Markdown."""
    split = random_images(3, size, batch)
    student, teacher = built(KEPT_STUDENT, split), built(KEPT_TEACHER, split)
    with tempfile.TemporaryDirectory() as folder:
        views = Views(Path(folder) / "views", len(split), AUGMENT.views, CLASSES)

        def taught(kept: Views | None) -> Loss:
            return Teaching(student, teacher, KD(), whole(split), targets=split.targets, views=kept)

        filling, seeds = taught(views), iter(range(1, rounds + 2))
        cases: Cases = {
            "plain": trained(Loss(student), split),
            "uncached": trained(taught(None), split),
            "filling": lambda: trained(filling, split, seed=next(seeds))(),  # views nobody has seen, but for 1 in 162
            "cached": trained(taught(views), split),
        }
        times = timed(cases, rounds)
        apart = furthest(views, teacher, split)
    yield "| step | ms |"
    yield "|---|---|"
    for name, took in times.items():
        yield f"| {name} | {1000 * median(took):.0f} |"
    macs = [count(module, (3, size, size)).macs for module in (student, teacher)]
    promised = macs[1] / (3 * macs[0] + macs[1])
    saved = median(1 - short / long for short, long in zip(times["cached"], times["uncached"], strict=True))
    first = median(fill / long for fill, long in zip(times["filling"], times["uncached"], strict=True))
    by_macs = f"{macs[1] / 1e6:.0f} M of {(3 * macs[0] + macs[1]) / 1e6:.0f} M MACs an image, {promised:.1%}"
    yield "\n| what | bar | measured | met |"
    yield "|---|---|---|---|"
    yield _row(
        "share of an uncached step that a cached one saves",
        f"{SHARE_SAVED:.0%} of what its MACs say ({by_macs}): {SHARE_SAVED * promised:.1%}",
        f"{saved:.1%}, {saved / promised:.0%} of what they say; {1 / (1 - saved):.2f} times as fast",
        saved >= SHARE_SAVED * promised,
    )
    yield _row(
        "a step that fills, against an uncached one", f"at most {FILLING:g} times", f"{first:.2f}", first <= FILLING
    )
    yield _row(
        "largest `abs(kept - computed) / max(1, abs(computed))` of a logit",
        f"at most {CLOSE:g}",
        f"{apart:.1e}",
        apart <= CLOSE,
    )


def furthest(views: Views, teacher: nn.Module, split: TensorSplit) -> float:
    """How far the kept logits of the first epoch's views are from those of the teacher asked for the whole batch."""

    def unknown(positions: Tensor) -> Tensor:
        raise AssertionError(f"{len(positions)} of the views are not kept")

    batch = next(split.batches(len(split), torch.Generator().manual_seed(0), AUGMENT))
    kept = views.logits(batch.index, batch.view, unknown)
    with torch.no_grad():
        computed = observe(teacher, KD(), batch).logits
    return float(((kept - computed).abs() / computed.abs().clamp(min=1)).max())


def _row(what: str, bar: str, got: str, met: bool) -> str:
    return f"| {what} | {bar} | {got} | {'yes' if met else '**no**'} |"


def main() -> None:
    """Time everything, print and write the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--student", type=Model, default=Model("resnet20"))
    options.add_argument("--teacher", type=Model, default=Model("resnet56"))
    options.add_argument("--channels", type=int, choices=(1, 3), default=3)
    options.add_argument("--size", type=int, default=32)
    options.add_argument("--images", type=int, default=50_000, help="in the split that the batch is taken to be from")
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--kept-batch", type=int, default=128)
    options.add_argument("--kept-rounds", type=int, default=5, help="0 leaves the second table out")
    options.add_argument("--out", type=Path, default=RESULTS)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    split = random_images(chosen.channels, chosen.size, chosen.batch)
    with tempfile.TemporaryDirectory() as folder:
        cases = step_cases(chosen.student, chosen.teacher, split, chosen.images, Path(folder))
        times = timed(cases, chosen.rounds)
    text = (
        f"# What a training step costs\n\n`python -m benchmarks.step_cost` on {machine()}; one torch thread.\n\n"
        f"Batches of {chosen.batch} random images {chosen.channels} x {chosen.size} x {chosen.size}, medians of "
        f"{chosen.rounds} interleaved rounds; for methods that remember every image, {chosen.images:,} of them.\n\n"
        + "\n".join(step_table(times, chosen.student, chosen.teacher))
        + "\n"
    )
    if chosen.kept_rounds:
        text += (
            f"\n## Kept logits\n\n`kd` of {KEPT_STUDENT} taught by {KEPT_TEACHER}, batches of {chosen.kept_batch} "
            f"random images 3 x {chosen.size} x {chosen.size}, medians of {chosen.kept_rounds} interleaved rounds. "
            "Cached: the teacher's logits are read from the store; filling: they are computed and written there.\n\n"
            + "\n".join(kept_table(chosen.size, chosen.kept_batch, chosen.kept_rounds))
            + "\n"
        )
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
