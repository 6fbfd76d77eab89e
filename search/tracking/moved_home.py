"""Tell the MLflow database of a moved or copied home where the artifacts are.

MLflow keeps absolute addresses of artifacts: of the experiment, of every run, logged model and registered version.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow with addresses of artifacts; a database of another version may lack some."""
WAIT_S = 30.0
"""Seconds to wait for another writer."""


def follow_move(file: Path, root: str, experiment: str) -> str:
    """Have the database `file` name its artifacts below `root`, a `file:` URI; return where they were, "" if there.

    The addresses change in one transaction, so that a server may be running. A file without MLflow's tables stays as it
    is, and so does a database whose artifacts never lay beside it. sqlite3.Error for a file that is no database, or
    that cannot be written.
    """
    if not file.exists():
        return ""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", timeout=WAIT_S, uri=True)) as database:
        there = [place for place in PLACES if place[1] in _columns(database, place[0])]
        if PLACES[0] not in there:
            return ""
        found = database.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
        before = found[0] if found else root
        if before == root or not _was_here(before, root):
            return ""
        with database:
            for table, column in there:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? "
                    f"OR substr({column}, 1, ?) = ?",
                    (root, len(before) + 1, before, len(before) + 1, f"{before}/"),
                )
    return str(before)


def _was_here(before: str, root: str) -> bool:
    """Return whether the artifacts lay beside the database before the move, and lie there now, or nowhere."""
    old, new = (Path(url2pathname(urlsplit(each).path)) for each in (before, root))
    return before.startswith("file:") and old.name == new.name and (new.exists() or not old.exists())


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
