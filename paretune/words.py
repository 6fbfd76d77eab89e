"""The command's results in words: a table or a few lines for each verb."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from compress.figures import graded, named
from compress.quality import ACCURACY, Quality
from search.selection.budget import title
from search.selection.preference import KNEE
from search.selection.rated import RatedModel
from search.selection.selection import Selection
from search.study.breakpoints import DELTA, Breakpoint
from search.study.record import TrialRecord

if TYPE_CHECKING:
    from pandas import DataFrame

    from search.papers.text import Reproduction

_SHOWN = named("params", "flops", "size_bytes", "latency_ms")


def front_table(found: Mapping[str, Any]) -> Table:
    """A front as of `paretune.front`, a point a row."""
    points = found["points"]
    quality = Quality.from_json(found.get("quality"))
    table = points_by_study(points, quality)
    places = {(p["device"], p["machine"], p["threads"]) for p in points}
    if len(places) > 1:
        table.caption = "ms: of several devices, machines or numbers of threads, so not to be compared; see --json"
    unit = f"; {quality.name} in {quality.unit}" if quality.unit else ""
    table.title = f"{found['study']}: {len(points)} points on the front, hypervolume {found['hypervolume']:.4f}{unit}"
    return table


def points_table(found: Iterable[RatedModel]) -> Table:
    """The models within a budget, a row each, in the given order."""
    rated = [*found]
    return points_by_study([one.as_json() for one in rated], rated[0].point.quality if rated else ACCURACY)


def points_by_study(points: Iterable[Mapping[str, Any]], quality: Quality, studies: Sequence[str] = ()) -> Table:
    """Points in the form of JSON, a point a row; with `studies` a first column names the studies of each point."""
    of = "" if quality == ACCURACY else f"{quality.name} "
    figures = (*(of + one.split for one in graded(quality)), *(cost.column.unit for cost in _SHOWN))
    whose = ("study",) if studies else ()
    table = new_table(*whose, "point", "trial", "student", "stages", "bits", "sparsity", *figures)
    for place, p in enumerate(points):
        table.add_row(
            *map(_plain, studies[place : place + 1]),
            p["id"][:8],
            str(p["trial"]),
            _plain(student_name(p["recipe"]["student"])),
            ", ".join(stage["type"] for stage in p["recipe"]["stages"] if stage["type"] != "quantize"),
            p["variant"],
            f"{p['sparsity']:.0%}",
            *(_over_seeds(p, one.split, quality) for one in graded(quality)),
            *(cost.column.text(p[cost.name]) for cost in _SHOWN),
        )
    return table


def _over_seeds(point: Mapping[str, Any], split: str, quality: Quality) -> str:
    """The quality; of a model made with several seeds their mean, and on validation its interval of confidence."""
    count, margin = point["seeds"]["count"], point["seeds"]["margin"]
    interval = f" ± {_bare(quality, margin)} ({count})" if margin is not None and split == "validation" else ""
    return f"{_bare(quality, point['seeds'][split])}{interval}"


def _bare(quality: Quality, value: float) -> str:
    """A value of the quality without its unit."""
    return quality.text(value).removesuffix(f" {quality.unit}")


def study_table(found: Mapping[str, Any]) -> Table:
    """A study as of `paretune.show`, a line each."""
    table = Table.grid(padding=(0, 2))
    rows = {**{name: value for name, value in found.items() if name not in ("options", "toml")}, **found["options"]}
    for name, value in rows.items():
        table.add_row(_plain(name), _plain(_in_words(value)))
    return table


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(held)}" for name, held in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def trials_table(found: Iterable[TrialRecord]) -> Table:
    """Trials in the order they were asked for."""
    table = new_table("trial", "status", "points", "seconds", "reason", "choices")
    for t in found:
        choices = ", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in t.choices.items())
        row = (str(t.id), t.status, str(len(t.points)), f"{t.seconds:.0f}", t.reason, choices or "the plain teacher")
        table.add_row(*map(_plain, row))
    return table


def series_table(found: DataFrame) -> Table:
    """Figures of trainings, an epoch a row; a figure that an epoch does not have is left empty."""
    table = new_table(*found.columns)
    for row in found.to_dict("records"):
        table.add_row(*(_plain(_epoch_figure(value)) for value in row.values()))
    return table


def _epoch_figure(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def breakpoints_table(found: Sequence[Breakpoint], quality: Quality) -> Table:
    """Breakpoints, a curve a row."""
    delta, unit = found[0].delta if found else quality.amount(DELTA), f" {quality.unit}" if quality.unit else ""
    table = new_table("trial", "curve", "unpruned", f"within {delta:.4g}{unit}", quality.name, "knee", quality.name)
    for b in found:
        knee = ("", "") if b.knee is None else (f"{b.knee:.0%}", _bare(quality, b.knee_quality or 0.0))
        table.add_row(
            str(b.trial),
            b.variant,
            _bare(quality, b.base_quality),
            f"{b.tolerance:.0%}",
            _bare(quality, b.tolerance_quality),
            *knee,
        )
    return table


def methods_table(found: Iterable[Mapping[str, str]]) -> Table:
    """Methods with their sources."""
    table = new_table("kind", "name", "source")
    for method in found:
        table.add_row(method["kind"], method["name"], method["source"])
    return table


def selected(found: Selection, taken: Mapping[str, Any] | None, folder: Path | None) -> str:
    """The best point, the reasons for the choice, and the files exported to `folder`, if any."""
    best = found.best
    assert best is not None
    m = best.measured
    lines = [
        f"best: point {best.id[:8]}, trial {best.trial} at {best.sparsity:.0%} ({best.variant})",
        *_quality(found),
        f"  {m.params:,} params ({m.nonzero_params:,} not zero), {m.macs:,} MACs, {m.flops:,} FLOPs, "
        f"{m.size_bytes:,} bytes, {m.latency_ms:.2f} ms an image {'alone' if found.latencies else 'in its trial'} "
        f"({m.device}, {_threads(m.threads)})",
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
        lines.append(f"binding: {', '.join(title(name, best.quality) for name in found.binding) or 'no bound'}")
    if found.more_buys:
        lines.append(f"one notch more: {found.more_buys}")
    elif found.prefer == KNEE and found.binding:
        lines.append("one notch more: not told of a knee, a larger budget has a knee of its own")
    if taken is not None:
        lines += [
            f"exported to {folder}: {', '.join(taken['files'])}",
            f"  reloaded in a new process: {_proven(taken, best.quality)}",
            *(f"  {form}: {_form(figures)}" for form, figures in taken["formats"].items()),
            f"  {_threads(taken['threads'])} on {taken['machine']['processor']}",
        ]
        if "robustness" in taken:
            lines.append(f"  {robustness_line(taken['robustness'], best.quality)}")
        zeros = m.params - m.nonzero_params
        if zeros:
            lines.append(f"  {zeros / m.params:.1%} of the params are zeros, which take as long as other numbers")
        lines.append(f"registered as {taken['registered']}, or {taken['alias']}")
    return "\n".join(lines)


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


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _form(found: Mapping[str, Any]) -> str:
    """How a form compares with the network, and how long it takes."""
    times = ", ".join(f"{row['median_ms']:.2f} ms for {row['batch']}" for row in found["latency"])
    whole, answer = "", found.get("compares", "class")
    outputs = "logits" if answer == "class" else "outputs"
    if found.get("int8_layers"):
        whole = f", {found['integer_layers']} of {found['int8_layers']} int8 layers multiplied in integers"
    return (
        f"same {answer} on {found['agreement']:.2%} of {found['images']} test images, {outputs} within "
        f"{found['difference']:.0e}{whole}; {times}"
    )


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


def student_name(model: Mapping[str, Any]) -> str:
    """A model as of a recipe's JSON; of files the name alone."""
    place = f"@{model['weights'].rpartition('/')[2]}" if "weights" in model else ""
    return f"{model['family'].rpartition('/')[2]}{place} x{model['width']:g}"


def new_table(*columns: str) -> Table:
    """Rows of words left, of numbers right, one line each."""
    table = Table(box=SIMPLE_HEAD, title_justify="left")
    words = (
        "study",
        "point",
        "student",
        "stages",
        "status",
        "choices",
        "reason",
        "curve",
        "bits",
        "kind",
        "name",
        "source",
        "layer",
    )
    for column in columns:
        long = column in ("choices", "reason")
        table.add_column(column, justify="left" if column in (*words, "source") else "right", no_wrap=not long)
    return table


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def reproduced(found: Reproduction) -> str:
    """Return the verdicts of a paper's study, and where its tables lie."""
    lines = [f"{each.answer}: {each.claim.text}" for each in found.verdicts]
    return "\n".join([found.heading, *found.notes, *lines, f"tables and figures: {found.folder}"])
