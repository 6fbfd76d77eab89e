"""Breakpoints: where a curve starts to lose more quality than it saves, in two readings.

A curve is the points of a trial and a variant by rising sparsity. *Tolerance* is the largest sparsity whose score
stays within `delta` of the curve's base, the score at its lowest sparsity. Tolerance comes first in reports, because
it states the loss. *Knee* is the point of greatest curvature in Kneedle's reading: farthest above the chord through the
curve's ends. The knee is the same on every linear scale of the two axes, so neither needs normalising.

Both are read off the validation split; the test score of the same point is reported beside. Sources:
https://doi.org/10.3390/bdcc7030154 (Malihi 2023), https://doi.org/10.1109/ICDCSW.2011.20 (Kneedle).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from compress.quality import ACCURACY, Quality
from search.study.record import JsonDict, Point, StudyRecord

DELTA = 0.01
"""Loss of score that is tolerated, if no loss is given."""
_READINGS = ("base", "tolerance", "knee")
_ROUNDING = 1e-9  # .96 - .95 is more than .01 in floats, and a point on the line is within tolerance


@dataclass(frozen=True)
class Breakpoint:
    """The two readings of a curve: sparsities in [0, 1), and the `quality` in its own unit, on validation or test.

    `knee`, its qualities and its point are None for a curve without a knee: under three points, no fall from the first
    to the last point, or no point above the chord. `tolerance` is the base's own sparsity where every other point falls
    further than `delta`. `tolerance_point` and `knee_point` are ids.
    """

    trial: int
    variant: str
    base_quality: float
    tolerance: float
    tolerance_quality: float
    knee: float | None
    knee_quality: float | None
    delta: float
    base_test: float
    tolerance_test: float
    knee_test: float | None
    quality: str = ACCURACY.name
    tolerance_point: str = ""
    knee_point: str | None = None

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune breakpoints --json`; the keys of accuracies are those of old."""
        form = {name: value for name, value in asdict(self).items() if name != "quality"}
        if self.quality != ACCURACY.name:
            return {**form, "quality": self.quality}
        renamed = {f"{at}_quality": f"{at}_accuracy" for at in _READINGS}
        renamed |= {f"{at}_test": f"{at}_accuracy_test" for at in _READINGS}
        return {renamed.get(name, name): value for name, value in form.items()}


def curves(study: StudyRecord) -> dict[tuple[int, str], list[Point]]:
    """Return the points of every (trial, variant) by rising sparsity; at equal sparsity the best on validation.

    Points shared by several trials, such as the same unpruned student, belong to each trial's curve.
    """
    found: dict[tuple[int, str], dict[float, Point]] = {}
    for trial in study.trials:
        for point in trial.points:
            stops = found.setdefault((trial.id, point.variant), {})
            rival = stops.get(point.sparsity)
            if rival is None or _score(point) > _score(rival):
                stops[point.sparsity] = point
    return {key: [stops[sparsity] for sparsity in sorted(stops)] for key, stops in found.items()}


def tolerance(curve: Sequence[Point], delta: float = DELTA) -> Point:
    """Return the sparsest point within `delta` of the first point's score; `curve` by rising sparsity, not empty."""
    floor = _score(curve[0]) - delta - _ROUNDING
    return next((point for point in reversed(curve) if _score(point) >= floor), curve[0])


def knee(curve: Sequence[Point]) -> Point | None:
    """Return the point farthest above the chord through the ends of a falling curve, or None.

    `curve` comes by rising sparsity.
    """
    if len(curve) < 3 or _score(curve[-1]) >= _score(curve[0]):
        return None
    farthest = max(curve[1:-1], key=lambda point: _above_chord(point, curve))
    return farthest if _above_chord(farthest, curve) > _ROUNDING else None


def breakpoints(study: StudyRecord, delta: float | None = None) -> list[Breakpoint]:
    """Return both readings of every curve of at least two points, trial by trial.

    `delta` is the quality that may be lost, in its own unit, in [0, 1] for a share; None is `DELTA` of score.
    ValueError for any other `delta`.
    """
    quality = study.quality
    delta = quality.amount(DELTA) if delta is None else delta
    if not (math.isfinite(delta) and delta >= 0 and (delta <= 1 or not quality.is_share)):
        rule = "in [0, 1]" if quality.is_share else "finite and at least 0"
        raise ValueError(f"breakpoints: delta must be {rule}, got {delta}")
    return [
        _read(trial, variant, curve, delta, quality)
        for (trial, variant), curve in curves(study).items()
        if len(curve) >= 2
    ]


def _read(trial: int, variant: str, curve: Sequence[Point], delta: float, quality: Quality) -> Breakpoint:
    held, bend = tolerance(curve, quality.scores(delta)), knee(curve)
    return Breakpoint(
        trial=trial,
        variant=variant,
        base_quality=quality.value(_score(curve[0])),
        tolerance=held.sparsity,
        tolerance_quality=quality.value(_score(held)),
        knee=bend.sparsity if bend else None,
        knee_quality=quality.value(_score(bend)) if bend else None,
        delta=delta,
        base_test=quality.value(curve[0].measured.score_test),
        tolerance_test=quality.value(held.measured.score_test),
        knee_test=quality.value(bend.measured.score_test) if bend else None,
        quality=quality.name,
        tolerance_point=held.id,
        knee_point=bend.id if bend else None,
    )


def _score(point: Point) -> float:
    return point.measured.score_validation


def _above_chord(point: Point, curve: Sequence[Point]) -> float:
    first, last = curve[0], curve[-1]
    slope = (_score(last) - _score(first)) / (last.sparsity - first.sparsity)
    return _score(point) - _score(first) - slope * (point.sparsity - first.sparsity)
