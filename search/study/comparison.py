"""Studies of one task over each other: joint front, hypervolume on one reference, budgets at which one is better.

Fronts are fronts of means over seeds, on validation. The reference has, of every cost, the largest of the studies' own
references: no study's box is cut off. A study's hypervolume here may thus be larger than in the study's own report. A
point that several studies have, as from a store in common, is of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compress.quality import ACCURACY, Quality
from search.study.better import Range, ranges
from search.study.front import (
    Place,
    check_objectives,
    front,
    hypervolume,
    is_quality,
    measured_on,
    mixed,
    objectives_of,
    value,
)
from search.study.record import JsonDict, Point, StudyRecord
from search.study.seeds import Family, front_of


@dataclass(frozen=True)
class Named:
    """A study under the name that tells it apart; `fingerprint` is the images', "" if not recorded."""

    name: str
    record: StudyRecord
    fingerprint: str = ""


@dataclass(frozen=True)
class JointPoint:
    """A model on the front of all studies, and the names of the studies with a model as good."""

    family: Family
    studies: tuple[str, ...]


@dataclass(frozen=True)
class OneStudy:
    """A study in a comparison.

    `models` counts its measured models, means over seeds once. `front` is the front on the common objectives, by
    falling quality. `hypervolume` is on the common reference, `adds` the part of the joint hypervolume that is lost
    without the study; both in [0, 1]. `on_joint` counts its models on the joint front, `alone` those that no other
    study has.
    """

    name: str
    models: int
    front: tuple[Family, ...]
    hypervolume: float
    adds: float
    on_joint: int
    alone: int


@dataclass(frozen=True)
class Comparison:
    """Studies over each other on common `objectives`.

    `ranges` are by cost, {} without the quality among the objectives; `notes` are sentences for people.
    """

    objectives: tuple[str, ...]
    quality: Quality
    reference_point: Mapping[str, float]
    studies: tuple[OneStudy, ...]
    joint: tuple[JointPoint, ...]
    hypervolume: float
    ranges: Mapping[str, tuple[Range, ...]]
    notes: tuple[str, ...]

    def as_json(self) -> JsonDict:
        """Return the form printed by `paretune compare --json`; shares are of the joint front, in [0, 1]."""
        total = len(self.joint)
        return {
            "objectives": list(self.objectives),
            "quality": self.quality.as_json(),
            "reference_point": dict(self.reference_point),
            "hypervolume": self.hypervolume,
            "studies": [
                {
                    "name": one.name,
                    "models": one.models,
                    "front": len(one.front),
                    "hypervolume": one.hypervolume,
                    "adds": one.adds,
                    "on_joint_front": one.on_joint,
                    "share": one.on_joint / total if total else 0.0,
                    "alone": one.alone,
                    "share_alone": one.alone / total if total else 0.0,
                }
                for one in self.studies
            ],
            "joint_front": [
                {
                    "studies": list(one.studies),
                    **one.family.points[0].as_json(),
                    "seeds": one.family.as_json(),
                }
                for one in self.joint
            ],
            "better": {cost: [each.as_json(self.quality) for each in found] for cost, found in self.ranges.items()},
            "notes": list(self.notes),
        }


def compare(studies: Sequence[Named], objectives: Sequence[str] = ()) -> Comparison:
    """Compare the fronts of two studies or more; by default on the objectives that all of them have.

    ValueError for fewer than two studies, a study twice, studies of other images or with another quality, fewer than
    two common objectives, or no model at all.
    """
    _check(studies)
    quality = studies[0].record.quality
    asked = objectives_of(objectives, quality)
    chosen = check_objectives(asked, any_quality=quality != ACCURACY) if asked else _common(studies)
    fronts = {one.name: front_of(one.record.points, chosen) for one in studies}
    means = {name: [family.mean for family in found] for name, found in fronts.items()}
    every = [(family, mean) for name, found in fronts.items() for family, mean in zip(found, means[name], strict=True)]
    if not every:
        raise ValueError(f"compare: a study must have a model, {' and '.join(fronts)} have none yet")
    reference = _reference(studies, chosen)
    places = {name: {_place(mean, chosen) for mean in found} for name, found in means.items()}
    of = {id(mean): family for family, mean in every}
    joint = tuple(
        JointPoint(of[id(mean)], tuple(name for name, known in places.items() if _place(mean, chosen) in known))
        for mean in front([mean for _, mean in every], chosen)
    )
    whole = hypervolume([mean for _, mean in every], chosen, reference)

    def of_one(name: str) -> OneStudy:
        others = [mean for other, found in means.items() if other != name for mean in found]
        return OneStudy(
            name,
            len({p.family or p.id for one in studies if one.name == name for p in one.record.points}),
            tuple(fronts[name]),
            hypervolume(means[name], chosen, reference),
            whole - hypervolume(others, chosen, reference),
            sum(name in each.studies for each in joint),
            sum(each.studies == (name,) for each in joint),
        )

    return Comparison(
        chosen,
        quality,
        reference,
        tuple(of_one(name) for name in fronts),
        joint,
        whole,
        {cost: ranges(means, cost) for cost in chosen if not is_quality(cost) and any(map(is_quality, chosen))},
        tuple(_notes(studies, chosen, [mean for _, mean in every])),
    )


def _check(studies: Sequence[Named]) -> None:
    names = [one.name for one in studies]
    if len(studies) < 2:
        raise ValueError(f"compare: needs two studies or more, got {', '.join(names) or 'none'}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"compare: every study must be named once, got {twice[0]!r} twice")
    first = studies[0]
    for other in studies[1:]:
        if _scale(first) != _scale(other):
            raise ValueError(
                f"compare: all studies must have one quality, got {first.record.quality.name} of {first.name} and "
                f"{other.record.quality.name} of {other.name}, of other images or another goal"
            )
        if first.fingerprint and other.fingerprint:
            if first.fingerprint != other.fingerprint:
                raise ValueError(
                    f"compare: all studies must be of the same images, got {first.record.task} "
                    f"({first.fingerprint[:8]}) of {first.name} and {other.record.task} ({other.fingerprint[:8]}) "
                    f"of {other.name}"
                )
        elif first.record.task != other.record.task:
            raise ValueError(
                f"compare: all studies must be of one task, got {first.record.task} of {first.name} and "
                f"{other.record.task} of {other.name}"
            )


def _scale(study: Named) -> tuple[object, ...]:
    quality = study.record.quality
    return quality.name, quality.zero, quality.one, quality.unit


def _common(studies: Sequence[Named]) -> tuple[str, ...]:
    """Return the objectives of all studies, in the order of the first; ValueError for fewer than two."""
    first = studies[0].record.objectives
    common = tuple(name for name in first if all(name in one.record.objectives for one in studies))
    if len(common) < 2:
        listed = "; ".join(f"{one.name} has {', '.join(one.record.objectives)}" for one in studies)
        raise ValueError(f"compare: two objectives must be common, got {listed}; say --objectives")
    return common


def _reference(studies: Sequence[Named], objectives: Sequence[str]) -> dict[str, float]:
    """Return the worst of the studies' references; a study without some cost's gives none."""
    points = [one.record.reference_point for one in studies]
    found = {}
    for name in objectives:
        known = [reference[name] for reference in points if name in reference]
        if not known:
            raise ValueError(f"compare: objectives: no study has a reference of {name}; leave it out")
        found[name] = min(known) if is_quality(name) else max(known)
    return found


def _place(mean: Point, objectives: Sequence[str]) -> tuple[Place, tuple[float, ...]]:
    return measured_on(mean, objectives), tuple(value(mean, name) for name in objectives)


def _notes(studies: Sequence[Named], objectives: Sequence[str], means: Sequence[Point]) -> list[str]:
    found = []
    for one in studies:
        if set(one.record.objectives) != set(objectives):
            found.append(f"{one.name} was searched on {', '.join(one.record.objectives)}")
        if not one.fingerprint:
            found.append(f"{one.name} has no fingerprint of its images, so only the name of its task was compared")
        if not one.record.points:
            found.append(f"{one.name} has no model yet")
        running = sum(trial.status == "running" for trial in one.record.trials)
        if running:
            found.append(f"{one.name} has {running} running {'trials' if running > 1 else 'trial'}")
    references = {tuple(one.record.reference_point.get(name) for name in objectives) for one in studies}
    if len(references) > 1:
        found.append("the studies' own references differ: their own hypervolumes are not those shown here")
    apart = mixed(means, objectives)
    return [*found, apart] if apart else found
