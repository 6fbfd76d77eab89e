"""Release a selected model: check, export and verify, move to its folder, register in MLflow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compress.corruptions import SEVERITY, corruptions
from compress.data.own_task import OBJECT
from compress.export.formats import check_formats, check_free, place, read_card
from search.selection.budget import Budget
from search.settings import Settings
from search.shipping.verified_export import stored, take
from search.study.record import Point
from search.study.study import Study
from search.tracking.client import TrackingError
from search.tracking.registry import alias
from search.tracking.sync import Sync


def check(settings: Settings, folder: Path, formats: Sequence[str], point: Point | None = None) -> Sync:
    """Raise ValueError unless a model of the study, or of `point`, can be exported to `folder` and registered.

    Nothing is created but the home's own MLflow database. Return the `Sync` that registers the model.
    """
    record = Study(settings.home, settings.name).record
    check_formats(formats)
    check_free(folder)
    if record.task.startswith(OBJECT):
        raise ValueError(
            f"select: an export is measured in a new process, which cannot have the object {record.task}; search with "
            "a function that returns the task, --task FILE.py:NAME"
        )
    if point is not None:
        stored(point, record)
    sync = Sync.of(settings)
    sync.open()  # last, for opening creates the database
    return sync


def ship(
    settings: Settings,
    point: Point,
    folder: Path,
    formats: Sequence[str],
    *,
    budget: Mapping[str, str],
    prefer: str,
    robust: bool,
    corrupt: Sequence[str] = (),
    severity: int = SEVERITY,
) -> dict[str, Any]:
    """Export, verify, place and register a model; arguments and result as of `paretune.take`.

    RuntimeError when MLflow fails after the verification; the export then stays in its folder.
    """
    if corrupt:
        corruptions(corrupt, severity)
    sync = check(settings, folder, formats, point)
    name, wanted = f"paretune-{settings.name}", check_formats(formats)
    record = Study(settings.home, settings.name).record
    with tempfile.TemporaryDirectory(prefix="paretune-") as made:
        staging = Path(made)
        fresh = take(
            point,
            record,
            settings.home,
            staging,
            budget=budget,
            prefer=prefer,
            robust=robust,
            data=settings.data,
            formats=wanted,
            corrupt=corrupt,
            severity=severity,
        )
        place(staging, folder, wanted)
        try:
            registered = sync.register(staging, name, point, budget, prefer)
        except TrackingError as error:
            raise RuntimeError(f"{error}; the export itself is whole, in {folder}") from error
    card = read_card(folder)
    shown = {"formats": card["measured"]["formats"], "files": [*card["files"], "card.json"]}
    named = f"models:/{name}@{alias(Budget.parse(**budget), prefer)}"
    return {**fresh, **shown, "registered": registered, "alias": named}
