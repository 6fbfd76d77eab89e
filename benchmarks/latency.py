"""Foreseen against measured latencies: two hundred networks of seven families that no rate was fitted to.

    python -m benchmarks.latency [--target onnx:cpu:1] [--networks 210] [--out FILE]

The networks have random widths, sizes of images and cuts. Each is measured alone, in the form of the target. The rates
are those of blocks timed before (`compress/latency/`): every family is held out. Writes
`benchmarks/results/latency-TARGET.md`. Twenty of the networks are also written by the exporter of `select --export`, to
compare the times of both files. Run it on a quiet machine; takes some six minutes.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau
from torch import nn

from benchmarks.bars import Row, table
from benchmarks.machine import machine
from compress.data.splits import Batch
from compress.errors import RecipeError
from compress.export.onnx_export import open_onnx, write_onnx
from compress.latency.forms import opened, timed
from compress.latency.latency_model import calibrated
from compress.latency.target import ONNX, Target
from compress.measure import latency, using_threads
from compress.models import Model
from compress.pruning import L1Filter
from compress.pruning.channels import cut_channels
from compress.pruning.pruner import weight_count

RESULTS = Path(__file__).parent / "results"
FAMILIES = {
    "ResNet": ("resnet20", "resnet32", "resnet56", "resnet110", "resnet8x4"),
    "WRN": ("wrn-16-1", "wrn-16-2", "wrn-40-1", "wrn-40-2"),
    "VGG": ("vgg8", "vgg11", "vgg13", "vgg16", "vgg19"),
    "MobileNetV2": ("mobilenetv2",),
    "DenseNet": ("densenet121", "densenet169"),
    "EfficientNet": ("efficientnet-b0", "efficientnet-b1"),
    "CNN": ("cnn", "nin"),
}
SHAPES = ((3, 32, 32), (1, 28, 28), (1, 8, 8), (3, 64, 64))
WIDTHS, CUTS = (0.25, 0.5, 0.75, 1.0), (0.0, 0.3, 0.5, 0.7, 0.9)
TAU, ERROR, EXPORTS = 0.9, 0.15, 20


@dataclass(frozen=True)
class Network:
    """A network of a family, untrained, and the shape (C, H, W) of its images."""

    family: str
    name: str
    model: nn.Module
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """Milliseconds of a network, measured and foreseen; `exported_ms` of the file of `select --export`, where asked."""

    network: Network
    measured: float
    foreseen: float
    exported_ms: float | None = None


def networks(count: int, seed: int = 0) -> Iterator[Network]:
    """Yield random networks, the families in turn, without networks that cannot be built."""
    chance, families = random.Random(seed), [*FAMILIES]
    torch.manual_seed(seed)
    for number in range(count):
        family = families[number % len(families)]
        name, width, cut = chance.choice(FAMILIES[family]), chance.choice(WIDTHS), chance.choice(CUTS)
        shape = chance.choice(SHAPES[1:3] if family == "DenseNet" else SHAPES[:3] if family == "CNN" else SHAPES)
        try:
            model = Model(name, width=width).build(10, shape[0]).eval()
            if cut:
                _cut(model, cut, shape)
        except RecipeError as error:
            print(f"left out: {name} x{width:g} of {shape}: {error}", flush=True)
            continue
        yield Network(family, f"{name} x{width:g}, cut {cut:.0%}", model, shape)


def _cut(model: nn.Module, share: float, shape: tuple[int, int, int]) -> None:
    images = torch.randn(4, *shape)
    batch = Batch(images, torch.zeros(4, dtype=torch.long), torch.arange(4))
    cut_channels(model, L1Filter(), int(weight_count(model) * (1 - share)), batch, "weights")


def exported(network: Network, target: Target) -> float:
    """Return the milliseconds of the network as `select --export` writes it."""
    with tempfile.TemporaryDirectory() as folder, using_threads(target.threads):
        file = Path(folder, "model.onnx")
        write_onnx(network.model, network.shape, file)
        run = open_onnx(file).run
        return min(latency(run, network.shape, batch=target.batch)[0] for _ in range(3))


def quality(found: Sequence[Found]) -> tuple[float, float, float, float]:
    """Return Kendall's tau, the median and the ninth decile of the errors, and the median of foreseen by measured."""
    measured, foreseen = (np.array([getattr(one, name) for one in found]) for name in ("measured", "foreseen"))
    errors = abs(foreseen / measured - 1)
    return (
        float(kendalltau(measured, foreseen)[0]),
        float(np.median(errors)),
        float(np.quantile(errors, 0.9)),
        float(np.median(foreseen / measured)),
    )


def page(found: Sequence[Found], target: Target, seconds: float) -> str:
    """Return the results as markdown."""
    tau, median, tenth, _ = quality(found)
    times = sorted(one.measured for one in found)
    rows = [
        Row("Kendall's tau of foreseen and measured", f"at least {TAU:g}", f"{tau:.3f}", tau >= TAU),
        Row("median error", f"under {ERROR:.0%}", f"{median:.1%}", median < ERROR),
        Row("ninth decile of the errors", "", f"{tenth:.0%}"),
        Row("blocks timed, once a machine", "", f"{seconds:.0f} s"),
    ]
    both = [one.exported_ms / one.measured for one in found if one.exported_ms]
    if both:
        least, most = np.quantile(both, (0.1, 0.9))
        got = f"{np.median(both):.2f} (first to ninth decile {least:.2f} to {most:.2f})"
        rows.append(Row(f"ms of the exported file by ms measured, {len(both)} networks", "", got))
    lines = [
        f"# Latencies foreseen on {target}",
        "",
        f"`python -m benchmarks.latency --target {target}` on {machine()}. {len(found)} networks of {len(FAMILIES)} "
        f"families, {times[0]:.2g} to {times[-1]:.3g} ms, of random width, size of images and cut (`l1-filter`)."
        " The rates are of random blocks: no network of any family was seen before.",
        "",
        table(rows),
        "",
        "| family | networks | tau | median error | ninth decile | foreseen by measured, median |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for family in FAMILIES:
        of = [one for one in found if one.network.family == family]
        tau, median, tenth, ratio = quality(of)
        lines.append(f"| {family} | {len(of)} | {tau:.3f} | {median:.1%} | {tenth:.0%} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Calibrate, measure all networks, write the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--target", default=str(Target()))
    asked.add_argument("--networks", type=int, default=210)
    asked.add_argument("--out", type=Path)
    given = asked.parse_args()
    target = Target.parse(given.target)
    start = time.perf_counter()
    model = calibrated(target)
    seconds = time.perf_counter() - start
    found: list[Found] = []
    for network in networks(given.networks):
        foreseen = model.foresee(network.model, network.shape).ms
        measured = timed(opened(network.model, network.shape, target), target).median_ms
        written = target.form == ONNX and len(found) % (given.networks // EXPORTS or 1) == 0
        found.append(Found(network, measured, foreseen, exported(network, target) if written else None))
        print(f"{network.name} of {network.shape}: {measured:.3g} ms, foreseen {foreseen:.3g}", flush=True)
    out = given.out or RESULTS / f"latency-{str(target).replace(':', '-')}.md"
    out.write_text(page(found, target, seconds), encoding="utf-8")


if __name__ == "__main__":
    main()
