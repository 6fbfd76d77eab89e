"""What a choice of a model and a paper's study come to, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.measurement import Measurement
from compress.quality import ACCURACY, Quality
from search.selection.amount import plain
from search.selection.budget import QUALITY_BOUNDS, option, title
from search.selection.preference import KNEE
from search.selection.selection import Selection

if TYPE_CHECKING:
    from search.papers.text import Reproduction

_ROUNDING = 1e-9  # 29 % of 100 is 28.999999999999996 in floats


def selected(found: Selection, taken: Mapping[str, Any] | None, folder: Path | None, *, replaces: bool = False) -> str:
    """The best point, the reasons for the choice, and the files exported to `folder`, if any.

    `replaces`: the folder had an earlier export.
    """
    best = found.best
    assert best is not None
    m = best.measured
    lines = [
        f"best: point {best.id[:8]}, trial {best.trial} at {best.sparsity:.0%} ({best.variant})",
        *_quality(found),
        f"  {m.params:,} params ({m.nonzero_params:,} not zero), {m.macs:,} MACs, {m.flops:,} FLOPs, "
        f"{m.size_bytes:,} bytes, {m.latency_ms:.3g} ms an image {_where(found, m)}",
    ]
    if found.latencies:
        lines.append(f"latency: {found.latencies}")
    if found.why:
        lines.append(f"runner-up: {found.why}")
    if found.alike:
        lines.append(f"too close: {found.alike}")
    if found.left_out:
        lines.append(f"left out: {found.left_out} within the budget that have one seed only")
    if found.budget.bounds:
        bounds = (f"{option(name)} {_bound(name, each.value)}" for name, each in found.budget.bounds.items())
        lines.append(f"budget: {', '.join(bounds)}")
        lines.append(f"binding: {', '.join(title(name, best.quality) for name in found.binding) or 'no bound'}")
    if found.more_buys:
        lines.append(f"one notch more: {found.more_buys}")
    elif found.prefer == KNEE and found.binding:
        lines.append("one notch more: not told of a knee, a larger budget has a knee of its own")
    if taken is not None:
        lines += [
            f"exported to {folder}{', in place of an earlier export' if replaces else ''}: {', '.join(taken['files'])}",
            f"  reloaded in a new process: {_proven(taken, best.quality)}",
            *(f"  {form}: {form_line(figures)}" for form, figures in taken["formats"].items()),
            f"  {threads_said(taken['threads'])} on {taken['machine']['processor']}",
        ]
        if "robustness" in taken:
            lines.append(f"  {robustness_line(taken['robustness'], best.quality)}")
        zeros = m.params - m.nonzero_params
        if zeros:
            lines.append(f"  {zeros / m.params:.1%} of the params are zeros, which take as long as other numbers")
        lines.append(f"registered as {taken['registered']}, or {taken['alias']}")
    return "\n".join(lines)


def _bound(name: str, value: float) -> str:
    """Write a bound, of a cost that is counted its whole units: a share of the teacher's is seldom whole."""
    is_counted = name not in (*QUALITY_BOUNDS, "max_latency_ms")
    return f"{math.floor(value * (1 + _ROUNDING))}" if is_counted else plain(value, 6)


def _proven(taken: Mapping[str, Any], quality: Quality) -> str:
    if "elsewhere" not in taken:
        return f"{quality.name}, params, MACs and bytes as recorded"
    found = taken[quality.name]
    values = ", ".join(f"{quality.text(found[split])} on {split}" for split in ("validation", "test"))
    return f"params, MACs and bytes as recorded; {taken['elsewhere']}: {values}"


def robustness_line(found: Mapping[str, Any], quality: Quality) -> str:
    """The quality on clean and corrupted test images, as of `paretune.robustness`."""
    values = {"clean": found["clean"], **found["corrupted"]}
    told = ", ".join(f"{name} {quality.text(value)}" for name, value in values.items())
    return f"test {quality.name} at severity {found['severity']}: {told}"


def threads_said(count: int) -> str:
    """The number of threads."""
    return f"{count} thread{'s' if count > 1 else ''}"


def form_line(found: Mapping[str, Any], *, alone: bool = False) -> str:
    """How a form compares with the network, and how long it takes; `alone` there was nothing to compare with."""
    times = ", ".join(f"{row['median_ms']:.3g} ms for {row['batch']}" for row in found["latency"])
    whole, answer = "", found.get("compares", "class")
    if alone:
        return f"nothing to compare with; {times}"
    outputs = "logits" if answer == "class" else "outputs"
    if found.get("int8_layers"):
        whole = f", {found['integer_layers']} of {found['int8_layers']} int8 layers multiplied in integers"
    return (
        f"same {answer} on {found['agreement']:.2%} of {found['images']} test images, {outputs} within "
        f"{found['difference']:.0e}{whole}; {times}"
    )


def _where(found: Selection, m: Measurement) -> str:
    """Return how and where the latency was measured; a target names device and threads, and may have foreseen it."""
    spread = f"(95% under {m.latency_p95_ms:.3g}) alone " if found.latencies else ""
    if ":" in m.device:
        return f"{spread}on {m.device}"
    return f"{'alone' if found.latencies else 'in its trial'} ({m.device}, {threads_said(m.threads)})"


def _quality(found: Selection) -> list[str]:
    """The quality of the best model: over several seeds the mean, then the quality of the seed to ship."""
    best = found.fits[0]
    m, family, quality = best.point.measured, best.family, best.point.quality

    def text(score: float) -> str:
        return quality.text(quality.value(score))

    if family.margin is None:
        return [f"  {quality.name} {text(m.score_validation)} on validation, {text(m.score_test)} on test"]
    interval = "" if found.robust else f" ± {quality.text(quality.amount(family.margin))}"
    end, of = "lower" if quality.higher_is_better else "upper", "" if quality == ACCURACY else f"{quality.name} "
    lower = f" ({end} end {text(best.weighed.measured.score_validation)})" if found.robust else ""
    count, seed = len(family.points), best.point.recipe["seed"]
    return [
        f"  over {count} seeds: {of}{text(family.validation)}{interval} on validation{lower}, "
        f"{text(family.test)} on test",
        f"  seed {seed} ships: {of}{text(m.score_validation)} on validation, {text(m.score_test)} on test",
    ]


def reproduced(found: Reproduction) -> str:
    """Return the verdicts of a paper's study, and where its tables lie."""
    lines = [f"{each.answer}: {each.claim.text}" for each in found.verdicts]
    return "\n".join([found.heading, *found.notes, *lines, f"tables and figures: {found.folder}"])
