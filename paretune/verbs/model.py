"""Functions about the models of a study: chosen, exported, measured again, and their outputs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretune.options.model import Select
from paretune.options.taking import taking
from paretune.options.view import SEVERITY as DEFAULT_SEVERITY
from paretune.verbs.search import follow
from paretune.verbs.study import open_study
from search.selection.budget import Budget
from search.selection.preference import ACCURACY, LATENCY
from search.selection.selection import Selection, choose
from search.settings import Settings, home_folder
from search.study.named_points import named_point
from search.study.record import Point, StudyRecord
from search.study.study import Study

if TYPE_CHECKING:
    from compress.data.tasks import Task

FORMATS = ("pt2", "safetensors")
"""Formats a model is exported in by default."""


@taking(Select)
def select(asked: Select) -> Selection:
    """The best model within a budget, and why: `select("name", max_params="20k", min_accuracy="97%")`.

    `prefer` is accuracy (or quality, whatever its name), params, latency or knee; `robust` goes by the lower end of the
    confidence over seeds. With `reseed`, the best `top` models, or three if `top` is 1, are first made with so many
    seeds in all, on this machine or the Ray at `address`; `show` draws progress on standard error. Where a latency
    decides, the latencies of the models in question are measured again, here (`search/selection/latencies.py`): their
    points carry the new figures.
    """
    study = Study(home_folder(asked.home), asked.name)
    record = study.record
    budget = Budget(**asked.bounds).named(record.quality)
    within = budget.resolve(record.teacher)
    if asked.reseed is not None:
        from search.beginning import reseed as again

        again.check_seeds(asked.reseed)
        count = asked.top if asked.top > 1 else again.FINALISTS
        wanted = again.finalists(within, asked.prefer, count, robust=asked.reseed if asked.robust else 0)
        settings = again.settings_of(
            study, asked.reseed, data=asked.data, address=asked.address, tracking_uri=asked.tracking_uri
        )
        if again.lacks_seeds(record, wanted, asked.reseed):
            record = follow(settings, lambda given, told: again.reseed(given, wanted, told), asked.show)
    if asked.prefer != LATENCY and budget.max_latency_ms is None:
        return choose(record.points, within, prefer=asked.prefer, robust=asked.robust)
    from compress.latency.target import Target
    from search.selection.latencies import timed

    target = None if asked.target is None else Target.parse(asked.target)
    found = timed(
        record, study.folder, budget, partial(task_of, record, study, asked.data), robust=asked.robust, target=target
    )
    return replace(choose(found.points, found.budget, prefer=asked.prefer, robust=asked.robust), latencies=found.said)


def take(
    name: str,
    point: Point,
    folder: Path,
    *,
    budget: Mapping[str, str],
    formats: Sequence[str] = FORMATS,
    prefer: str = ACCURACY,
    robust: bool = False,
    home: Path | str | None = None,
    data: Path | None = None,
    tracking_uri: str | None = None,
    corrupt: Sequence[str] = (),
    severity: int | None = None,
) -> dict[str, Any]:
    """Export the model of a point to `folder`, measure the export in a new process, register the model in MLflow.

    Returns the measured figures, the `files` in the folder and the `registered` names. `formats` are of pt2, onnx and
    safetensors; a model is registered with its pt2 program in any case. `budget`, `prefer` and `robust` say how the
    point was chosen. `corrupt` names corruptions of the test images, under which the export is measured too, at
    `severity`, for the card (see `robustness`). ValueError for a folder or a format that cannot be written,
    RuntimeError for a failed export.
    """
    from search.shipping.release import ship

    settings = Settings(name, home=home_folder(home), data=data, tracking_uri=tracking_uri)
    point = next((one for one in open_study(name, home).points if one.id == point.id), point)  # a choice times again
    return ship(
        settings,
        point,
        folder,
        formats,
        budget=budget,
        prefer=prefer,
        robust=robust,
        corrupt=corrupt,
        severity=DEFAULT_SEVERITY if severity is None else severity,
    )


def check_export(
    name: str,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    *,
    home: Path | str | None = None,
    tracking_uri: str | None = None,
) -> None:
    """ValueError unless models of the study can be exported to `folder` in `formats`, and registered."""
    from search.shipping.release import check

    check(Settings(name, home=home_folder(home), tracking_uri=tracking_uri), folder, formats)


def evaluate(
    folder: Path | str,
    task: str | None = None,
    *,
    data: Path | None = None,
    networks: Sequence[str] = (),
    corrupt: Sequence[str] = (),
    severity: int | None = None,
) -> dict[str, Any]:
    """Measure an exported model afresh, on the task of its card or on `task` (`compress.export.evaluate_export`).

    A card does not say where a folder of images lay: ValueError asks for `task` unless the folder is found here. A
    function that makes a task runs only as `task`. The code of a user's own network runs only if `networks` names the
    network's function, `FILE.py:function` or `package.module:function`. With `corrupt`, names of corruptions, the
    quality on test images corrupted at `severity`, 1 to 5, is measured too (see `robustness`).
    """
    import torch

    from compress.corruptions import corruptions
    from compress.data.own_task import OBJECT, is_function
    from compress.data.tasks import FOLDER, load_task
    from compress.export.evaluate_export import evaluate as measure_export
    from compress.export.evaluate_export import shape_in
    from compress.export.formats import read_card
    from compress.own_code import whole_path

    hard = DEFAULT_SEVERITY if severity is None else severity
    if corrupt:
        corruptions(corrupt, hard)
    folder, networks = Path(folder), [whole_path("network", name) for name in networks]
    torch.set_num_threads(1)
    logging.getLogger("torch.export").setLevel(logging.ERROR)  # of a damaged program it logs a traceback, then raises
    named = str(read_card(folder).get("task"))
    if task is None and named.startswith(FOLDER) and not Path(named.removeprefix(FOLDER)).is_dir():
        raise ValueError(f"evaluate: {folder} was trained on {named}, which is not here; say --task folder:PATH")
    if task is None and (is_function(named) or named.startswith(OBJECT)):  # whose code nobody has asked to run
        raise ValueError(
            f"evaluate: {folder} was trained on {named}, a task of its maker's; say --task FILE.py:NAME to run one"
        )
    chosen = load_task(named if task is None else task, data, begun=shape_in(folder))
    return measure_export(folder, chosen, networks, corrupt, hard)


def outputs(name: str, point: str, *, home: Path | str | None = None, data: Path | None = None) -> dict[str, Any]:
    """The outputs of a point's model on `validation` and `test`, tensors `(N, ...)` in the order of the task's targets.

    `point` is the id, its beginning, or `teacher`. Outputs kept by `keep_outputs` are read; else the stored model
    computes them. ValueError if no or several points have the id, if the model is gone, or if an image has too many
    values.
    """
    from compress.store.bucket import open_store
    from compress.store.outputs import MOST, outputs_of, unpacked
    from search.shipping.verified_export import stored

    study = Study(home_folder(home), name)
    record = study.record
    found = named_point("outputs", record, point)
    packed = open_store(record.store).outputs(found.id)
    if packed is None:
        packed = outputs_of(stored(found, record).files().module(), task_of(record, study, data))
    if packed is None:
        raise ValueError(f"outputs: an image must have at most {MOST:,} values, those of {record.task} have more")
    return unpacked(packed)


def task_of(record: StudyRecord, study: Study, data: Path | None) -> Task:
    """Load the task of a study; DataError for other images than the study began with."""
    from compress.data.tasks import load_task

    return load_task(record.task, data, cache_dir=study.home / "store" / "data", begun=study.header.get("fingerprint"))
