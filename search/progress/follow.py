"""A search as a person follows it: drawn on standard error, and in MLflow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from search.progress.display import Progress
from search.running import launch
from search.settings import Settings
from search.study.record import StudyRecord
from search.tracking.client import Unanswered, check_reachable
from search.tracking.sync import Sync
from search.tracking.writer import Draw

CLOSE_S = 120.0
"""How long MLflow has at the end."""


def followed(
    wanted: Settings,
    carry_out: Callable[[Settings, launch.Listener], StudyRecord],
    draw: Draw,
    *,
    show: bool,
) -> StudyRecord:
    """Carry it out, mirrored in MLflow with `draw` for its report; `show` draws progress.

    TrackingError when a server that is named is none; one that is down may come back, which is said.
    """
    if wanted.tracking_uri is not None:  # the home's own database is made on the way
        try:
            check_reachable(wanted.mlflow_uri)
        except Unanswered as error:
            if not (error.down or wanted.resume):
                raise
            print(f"note: {error}; it is told everything once it answers", file=sys.stderr)
    sync = Sync.of(wanted, draw)
    with Progress(wanted.trials) as progress:

        class Watch(launch.Listener):
            """Draws, and hands on to MLflow."""

            def said(self, line: str) -> None:
                if show:
                    progress.say(line)

            def ready(self) -> None:
                sync.start()

            def heard(self, study: StudyRecord, driver: Any) -> None:
                sync.post(study)
                if show:
                    progress(study, driver)

            def over(self, study: StudyRecord) -> None:
                sync.post(study)
                sync.finish()

        try:
            return carry_out(wanted, Watch())
        finally:
            if not sync.close(timeout=CLOSE_S):
                print(sync.trouble, file=sys.stderr)
