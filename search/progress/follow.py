"""Follow a search: progress on standard error, and a mirror in MLflow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from search.beginning import launch
from search.progress.display import Progress
from search.progress.json_lines import JsonLines
from search.settings import Settings
from search.study.record import StudyRecord
from search.tracking.client import Unanswered, check_reachable
from search.tracking.mirror import Mirror
from search.tracking.writer import Draw

JSON_LINES = "json-lines"
CLOSE_S = 120.0
"""Seconds for MLflow to finish at the end."""


def followed(
    wanted: Settings,
    carry_out: Callable[[Settings, launch.Listener], StudyRecord],
    draw: Draw,
    *,
    show: bool | str,
) -> StudyRecord:
    """Run `carry_out` with a mirror in MLflow, and progress on the terminal if `show`; `draw` makes MLflow's report.

    With `show` as `JSON_LINES` progress is written as JSON (`json_lines.py`).
    TrackingError for a tracking URI that names no MLflow. A server that is down is noted only: the server may come
    back.
    """
    if wanted.tracking_uri is not None:  # the home's own database is created on demand
        try:
            check_reachable(wanted.mlflow_uri)
        except Unanswered as error:
            if not (error.down or wanted.resume):
                raise
            print(f"note: {error}; it is told everything once it answers", file=sys.stderr)
    mirror = Mirror(wanted, draw)
    if show not in (True, False, JSON_LINES):
        raise ValueError(f"show must be True, False or {JSON_LINES!r}, got {show!r}")
    with JsonLines() if show == JSON_LINES else Progress(wanted.trials or 0) as progress:

        class Watch(launch.Listener):
            """Prints the progress, and posts the study to MLflow."""

            def said(self, line: str) -> None:
                if show:
                    progress.say(line)

            def ready(self) -> None:
                mirror.start()

            def heard(self, study: StudyRecord, driver: Any) -> None:
                mirror.post()
                if show:
                    progress(study, driver)

            def over(self, study: StudyRecord) -> None:
                mirror.start()
                mirror.post()
                mirror.finish()

        try:
            return carry_out(wanted, Watch())
        finally:
            if not mirror.close(timeout=CLOSE_S):
                print(mirror.trouble, file=sys.stderr)
