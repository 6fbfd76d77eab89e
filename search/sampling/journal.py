"""Optuna's journal file, written without a wait for the disk at every value: the ledger is the truth.

Written lines outlive the process; the last seconds may be lost with the machine. `OptunaStudy.catch_up` then writes the
lost results again.
"""

from __future__ import annotations

import copy
import errno
import json
import logging
import os
import time
import weakref
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from search.study.ledger import sealed, unsealed

WAITING = (TrialState.WAITING,)
_JSON = json.JSONEncoder(separators=(",", ":"))


class Journal(BaseJournalBackend):
    """The journal at `path`, for a single writer with the study's lock; an incomplete last line is removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read, self._offset = 0, 0
        path.touch()
        self._size = _mend(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)  # opening takes longer than writing a line
        weakref.finalize(self, os.close, self._file)
        self._last: list[tuple[int, dict[str, Any]]] = []

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the logs from a number on, oldest first; the place in the file is kept for the next call."""
        if log_number_from < self._read:
            self._read, self._offset = 0, 0
        if self._offset == self._size:
            return
        if self._offset + sum(size for size, _ in self._last) == self._size:
            for size, log in self._last:
                if self._passes(size, log_number_from):
                    yield log
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if self._passes(len(line), log_number_from):
                    yield _log(line)

    def _passes(self, size: int, number: int) -> bool:
        self._read += 1
        self._offset += size
        return self._read > number

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write the logs as lines, without a wait for the disk. OSError of a full disk, the file as before."""
        lines = [sealed(_JSON.encode(log)).encode() for log in logs]
        size = sum(map(len, lines))
        try:
            if os.write(self._file, b"".join(lines)) != size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:  # a full disk may have taken a part of the lines
            os.truncate(self._path, self._size)
            raise
        self._last = list(zip(map(len, lines), logs, strict=True))
        self._size += size


class OneWriters(JournalStorage):
    """The storage in the journal at `path`.

    The waiting trials are remembered: Optuna would look through all trials for them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Journal(path))
        self._waiting: dict[int, list[int]] = {}

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials as Optuna does, waiting trials without a look at all trials."""
        if states != WAITING:
            return super().get_all_trials(study_id, deepcopy, states)
        if study_id in self._waiting:
            known = (self.get_trial_id_from_study_id_trial_number(study_id, n) for n in self._waiting[study_id])
            found = [trial for trial in map(self.get_trial, known) if trial.state == TrialState.WAITING]
        else:
            found = super().get_all_trials(study_id, False, states)
        self._waiting[study_id] = [trial.number for trial in found]
        return copy.deepcopy(found) if deepcopy else found

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Create a trial as Optuna does, and remember a waiting trial."""
        made = super().create_new_trial(study_id, template_trial)
        if template_trial is not None and template_trial.state == TrialState.WAITING and study_id in self._waiting:
            self._waiting[study_id].append(self.get_trial(made).number)
        return made


def open_journal(path: Path) -> OneWriters:
    """Open the storage in the journal at `path`; a damaged journal is moved aside, and a new journal begun.

    OSError of the disk.
    """
    try:
        return _checked(OneWriters(path))
    except OSError:
        raise
    except Exception as error:  # Optuna has no error of its own for odd values
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        os.rename(path, aside)
        logging.getLogger(__name__).warning(
            "%s is damaged (%s: %s); moved to %s and begun anew: of trials before the sampler knows less",
            path,
            type(error).__name__,
            str(error).partition("\n")[0],
            aside.name,
        )
        return OneWriters(path)


def _checked(storage: OneWriters) -> OneWriters:
    """Return the storage; ValueError for a trial whose values or user attributes have a wrong type."""
    for study in storage.get_all_studies():
        for trial in storage.get_all_trials(study._study_id, deepcopy=False):
            numbers = all(type(value) in (int, float) for value in trial.values or ())
            point, of = trial.user_attrs.get("point", ""), trial.user_attrs.get("of", 0)
            if not numbers or type(point) is not str or type(of) is not int or (point and "of" not in trial.user_attrs):
                raise ValueError(f"trial {trial.number} must have numbers, and the point of a trial")
    return storage


def _log(line: bytes) -> dict[str, Any]:
    found = unsealed(line.decode())
    if not isinstance(found, dict):
        raise ValueError("a line is no object")
    return found


def _mend(path: Path) -> int:
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return whole
