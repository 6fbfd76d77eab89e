"""Verbs that look at the stored models of a study: robustness, speed by batch size, layers, attention maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paretune.options.view import BATCHES, CORRUPTIONS, SEVERITY
from search.settings import home_folder
from search.study.named_points import TEACHER, named_point, named_points
from search.study.recipe_words import network
from search.study.record import Point, StudyRecord
from search.study.study import Study

if TYPE_CHECKING:
    from compress.data.tasks import Task
    from compress.inspection.layers import Pair
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

    @classmethod
    def of_trial(cls, who: str, name: str, trial: int, home: Path | str | None) -> Looked:
        """All points of a trial, along its curve; ValueError for a trial without points."""
        study = Study(home_folder(home), name)
        record = study.record
        found = [point for one in record.trials if one.id == trial for point in one.points]
        if not found:
            most = len(record.trials) - 1
            raise ValueError(f"{who}: trial must have points, of trials 0 to {most} of {name}, got {trial!r}")
        return cls(who, study, record, found)

    def row(self, point: Point) -> dict[str, Any]:
        """What a table says of a point before its figures: `point` is the id."""
        return {
            "point": point.id,
            "trial": point.trial,
            "student": network(cast(Mapping[str, Any], point.recipe["student"])),
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


def speed(
    name: str,
    points: Sequence[str],
    batches: Sequence[int] = BATCHES,
    against: str = TEACHER,
    *,
    threads: int = 1,
    home: Path | str | None = None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Speed of points' models by batch size on this machine's CPU, and GPU if present, ready for JSON.

    Each of `points` has `macs`, the `theoretical` speed-up (MACs of the point `against` for each MAC of the point), the
    share of `zeros` among its parameters, and under `times` by device and batch the `median_ms` of a forward pass and
    the measured `speedup`. The stored networks run layer by layer, in turns, with `threads` threads. Zeros bring no
    speed: they are multiplied like other numbers. `against` is a point or `teacher`. ValueError for an unknown study,
    point or batch, or a model that is gone.
    """
    from compress.errors import check_whole
    from compress.inspection import speed as timing
    from compress.measure import machine_name

    sizes = timing.check_batches(batches)
    check_whole("threads", threads, 1)
    looked = Looked.at("speed", name, points, home)
    base = named_point("speed", looked.record, against)
    every = replace(looked, points=[*looked.points, *([base] if base not in looked.points else [])])
    files, task = every.files(), looked.task(data)
    found = {}
    for device in timing.devices():
        models = {key: file.module() for key, file in files.items()}
        found[timing.named(device)] = timing.times(models, task.shape, sizes, device, threads)
    rows = timing.rows(found, {point.id: point.measured.macs for point in every.points}, base.id)
    return {
        "study": name,
        "against": base.id,
        "machine": machine_name(),
        "threads": threads,
        "form": "layer by layer",
        "batches": list(sizes),
        "points": [
            {**looked.row(point), "zeros": _zeros(point), **rows[point.id], **_int8_note(point)}
            for point in every.points
        ],
    }


def _zeros(point: Point) -> float:
    return 1 - point.measured.nonzero_params / max(1, point.measured.params)


def _int8_note(point: Point) -> dict[str, str]:
    return {"note": "int8 weights, computed with in float"} if point.variant == "int8" else {}


def layers(
    name: str, points: Sequence[str] = (), *, trial: int | None = None, home: Path | str | None = None
) -> dict[str, Any]:
    """Layers of points' models beside those of the unpruned networks, ready for JSON.

    `points` are named, or all of a `trial`, along its curve. Each of `layers` has its path as `layer`, and under
    `points` a cell for each point: `original` and present `channels` (filters, or outputs of a linear layer), `live`
    channels with a weight other than zero, `weights` and the `zeros` among them, the `rank` of a factorized layer. The
    cell is None where neither network has the layer; `channels` is None where the layer is gone, `original` where it
    was added. ValueError for an unknown study, point or trial, or a model that is gone.
    """
    from compress.inspection.layers import compare, original

    if bool(points) == (trial is not None):
        raise ValueError(f"layers: points or --trial must be given, got {'both' if points else 'neither'}")
    looked = (
        Looked.of_trial("layers", name, trial, home) if trial is not None else Looked.at("layers", name, points, home)
    )
    pairs = [compare(original(files), files.module()) for files in looked.files().values()]
    paths = list(dict.fromkeys(path for pair in pairs for path in pair))
    return {
        "study": name,
        "points": [looked.row(point) for point in looked.points],
        "layers": [{"layer": path, "points": [_cell(pair.get(path)) for pair in pairs]} for path in paths],
    }


def _cell(pair: Pair | None) -> dict[str, Any] | None:
    if pair is None:
        return None
    now = dict.fromkeys(("channels", "live", "weights", "zeros", "rank"))
    known = pair.now or pair.before
    return {
        "kind": known.kind if known else "",
        "original": pair.before.channels if pair.before else None,
        "original_weights": pair.before.weights if pair.before else None,
        **({key: vars(pair.now)[key] for key in now} if pair.now else now),
    }
