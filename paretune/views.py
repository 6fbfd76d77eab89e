"""Verbs that look at the stored models of a study: robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paretune.view_options import CORRUPTIONS, SEVERITY
from paretune.words import student_name
from search.settings import home_folder
from search.study.named_points import named_points
from search.study.record import Point, StudyRecord
from search.study.study import Study

if TYPE_CHECKING:
    from compress.data.tasks import Task
    from compress.store.files import Files


@dataclass(frozen=True)
class Looked:
    """Points of a study, with the files of their models; `who` is the verb, for messages."""

    who: str
    study: Study
    record: StudyRecord
    points: list[Point]

    @classmethod
    def at(cls, who: str, name: str, points: Sequence[str], home: Path | str | None) -> Looked:
        """Find the points of a study; ValueError for a missing study, or as of `named_points`."""
        study = Study(home_folder(home), name)
        record = study.record
        return cls(who, study, record, named_points(who, record, points))

    def row(self, point: Point) -> dict[str, Any]:
        """What a table says of a point before its figures: `point` is the id."""
        return {
            "point": point.id,
            "trial": point.trial,
            "student": student_name(cast(Mapping[str, Any], point.recipe["student"])),
            "sparsity": point.sparsity,
            "variant": point.variant,
        }

    def files(self) -> dict[str, Files]:
        """The models' files by id; ValueError for a model that is not in the store."""
        from search.shipping.verified_export import stored

        return {point.id: stored(point, self.record, self.who).files() for point in self.points}

    def task(self, data: Path | None) -> Task:
        """The study's task, on the device of trainings; ValueError for other images than the study was begun with."""
        from compress.data.tasks import load_task
        from compress.training.loop import training_device
        from search.study.images import check_images

        cache, begun = self.study.home / "store" / "data", self.study.header.get("fingerprint")
        task = load_task(self.record.task, data, cache_dir=cache, begun=begun)
        check_images(self.study, task)
        return task.to(training_device())


def robustness(
    name: str,
    point: str,
    corruptions: Sequence[str] = CORRUPTIONS,
    severity: int = SEVERITY,
    *,
    home: Path | str | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """The quality of a point's model on the task's test images, clean and corrupted, ready for JSON.

    `corruptions` are of motion-blur, occlusion, brightness, `severity` is 1 to 5 (`compress/corruptions/`). All models
    see the same images; targets stay. `point` is the id, its beginning, or `teacher`. `clean` and the values of
    `corrupted` are in the quality's own unit. ValueError for an unknown study, point or corruption, a model that is
    gone, or other images.
    """
    return robustness_of(name, [point], corruptions, severity, home=home, data=data)[0]


def robustness_of(
    name: str,
    points: Sequence[str],
    corruptions: Sequence[str],
    severity: int,
    *,
    home: Path | str | None = None,
    data: Path | None = None,
) -> list[dict[str, Any]]:
    """The result of `robustness` for each point, in order; nothing is measured unless all points are there."""
    from compress.corruptions import corruptions as checked
    from compress.inspection.robustness import robustness as measured

    checked(corruptions, severity)
    looked = Looked.at("robustness", name, points, home)
    files, task = looked.files(), looked.task(data)
    return [
        {
            "study": name,
            **looked.row(point),
            **measured(files[point.id].module().to(task.test.device), task, corruptions, severity),
        }
        for point in looked.points
    ]
