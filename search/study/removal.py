"""Rename or delete a study: its folder, and the models that no other study has."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.store.bucket import absolute
from compress.store.folder import Store
from search.study.ledger import FILE
from search.study.names import StudyError, check_name
from search.study.study import Study


@dataclass(frozen=True)
class Removal:
    """What goes with a study: its folder, with trials and points, and models that are of no other study.

    `models` are the keys of these models, none where the models do not lie in the home. `stay` is the number of the
    study's models that others have too, `size_bytes` the size of the folder and the models that go.
    """

    study: str
    folder: Path
    trials: int
    points: int
    models: tuple[str, ...]
    stay: int
    size_bytes: int

    @classmethod
    def of(cls, study: Study, others: Iterable[Study]) -> Removal:
        """Return what would go with the study, beside the `others` of the home."""
        record = study.record
        keys = {point.id for point in record.points}
        shared = keys & {point.id for other in others for point in other.record.points}
        own = tuple(sorted(keys - shared)) if _is_home_store(study) else ()
        store = Store(Path(study.store)) if own else None
        models = tuple(key for key in own if store is not None and store.path(key).exists())
        folders = [study.folder, *(store.path(key) for key in models if store is not None)]
        size = sum(_size(folder) for folder in folders)
        return cls(study.name, study.folder, len(record.trials), len(keys), models, len(keys) - len(own), size)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers, for `--json`."""
        numbers = {"trials": self.trials, "points": self.points, "models": len(self.models), "models_stay": self.stay}
        return {"study": self.study, "folder": str(self.folder), **numbers, "size_bytes": self.size_bytes}


def delete(study: Study, gone: Removal) -> None:
    """Delete the study's folder, then its models; the caller holds the study's lock.

    The ledger goes first: after a crash in between, models without a study are left, and no study without models.
    """
    (study.folder / FILE).unlink()
    shutil.rmtree(study.folder, ignore_errors=True)
    store = Path(study.store)
    for key in gone.models:
        shutil.rmtree(Store(store).path(key), ignore_errors=True)


def check_free(study: Study, name: str) -> None:
    """Raise StudyError for a name that is no name, or in use."""
    if study.folder.with_name(check_name(name)).exists():
        raise StudyError(f"rename: the new name must be free, {name} is there in {study.home} already")


def rename(study: Study, name: str) -> None:
    """Move the study's folder to another name, as of `check_free`; the caller holds the study's lock.

    StudyError if the disk refuses.
    """
    folder = study.folder.with_name(name)
    try:
        study.folder.rename(folder)
    except OSError as error:
        raise StudyError(f"rename: cannot move {study.folder} to {folder}: {error.strerror}") from error


def begun_from(name: str, others: Sequence[Study]) -> list[str]:
    """Return the studies that were begun `--from` the study."""
    return [other.name for other in others if other.header.get("from") == name]


def _is_home_store(study: Study) -> bool:
    return absolute(study.store) == absolute(str(study.home / "store"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
