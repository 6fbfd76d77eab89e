"""Points of a study as typed: the id, the beginning of an id, or `teacher`."""

from __future__ import annotations

from collections.abc import Sequence

from search.study.record import Point, StudyRecord

TEACHER = "teacher"


def named_point(who: str, study: StudyRecord, text: str) -> Point:
    """Return the only point whose id begins with `text`, or the unpruned teacher's of `TEACHER`.

    ValueError of `who` for any other number of points.
    """
    if text == TEACHER and study.teacher is None:
        raise ValueError(f"{who}: the teacher of {study.name} must be measured, it is not yet")
    if text == TEACHER and study.teacher is not None:
        return study.teacher
    found = [point for point in study.points if text and point.id.startswith(text)]
    if len(found) != 1:
        got = f"{len(found)} do" if found else "none does"
        raise ValueError(f"{who}: the id of one point of {study.name} must begin with {text!r}, {got}")
    return found[0]


def named_points(who: str, study: StudyRecord, texts: Sequence[str]) -> list[Point]:
    """Return the point of each text; ValueError for no text, a text of no or several points, or a point named twice."""
    if isinstance(texts, str) or not texts:
        raise ValueError(f"{who}: points must be named, ids or their beginnings, got {texts!r}")
    found = [named_point(who, study, text) for text in texts]
    for text, point in zip(texts, found, strict=True):
        if found.count(point) > 1:
            raise ValueError(f"{who}: every point must be named once, got {text!r} for {point.id} again")
    return found
