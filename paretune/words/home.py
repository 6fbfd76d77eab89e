"""What the verbs for the studies of a home say: a table of studies, and the status of one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from paretune.words.fitted_table import Column, FittedTable
from search.study.driver_file import duration
from search.study.endings import INTERRUPTED

if TYPE_CHECKING:
    from search.study.removal import Removal

SHOWN = 16
"""Most trials at work listed."""


def studies_table(found: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Return the studies as of `paretune.studies`, one a row."""
    table = FittedTable(
        [
            Column("study", words=True),
            Column("state", words=True),
            Column("trials"),
            Column("points", rank=1),
            Column("front", rank=1),
            Column("best", rank=1),
            Column("changed", words=True),
            Column("task", words=True, rank=2),
            Column("space", words=True, rank=3),
        ]
    )
    for one in found:
        if "trials" not in one:
            table.add_row(one["study"], one["state"] or "cannot be read", "", "", "", "", "", "", "")
            continue
        failed = f", {one['failed']} failed" if one["failed"] else ""
        count = f"{one['ended']}/{one['wanted']}"
        table.add_row(
            one["study"],
            one["state"],
            count + failed,
            f"{one['points']:,}",
            str(one["front"]),
            "" if one["best"] is None else f"{one['best']:.4g} {one['quality']}",
            f"{duration(max(0.0, time.time() - one['changed']))} ago",
            one["task"],
            one["space"],
        )
    problems = [one["problem"] for one in found if one["state"] is None]
    table.caption = "; ".join(problems) or None
    return table


def commands(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line with the command for each study that can go on."""
    return [f"go on: {one['go_on']}" for one in found if one.get("go_on")]


def status_lines(found: Mapping[str, Any]) -> Table:
    """Return a status as of `paretune.status`, a line each."""
    table = Table.grid(padding=(0, 2))
    over = {ending: count for ending, count in found["endings"].items() if ending != INTERRUPTED}
    counts = [f"{count} {ending}" for ending, count in over.items()]
    rows = {
        "study": found["study"],
        "state": _state(found),
        "trials": f"{found['ended']} of {found['wanted']} ended"
        + (f": {', '.join(counts)}" if counts else "")
        + (f"; {found['endings'][INTERRUPTED]} interrupted" if found["endings"].get(INTERRUPTED) else ""),
        "points": f"{found['points']:,}, {found['front']} on the front, hypervolume {found['hypervolume']:.4f}",
    }
    if found["left_s"] is not None:
        rows["left"] = f"about {duration(found['left_s'])}"
    for head, value in rows.items():
        table.add_row(head, Text(value))
    running = [one for one in found["running"] if one["doing"]]
    for place, one in enumerate(running[:SHOWN]):
        where = f", on {one['node']}" if one["node"] else ""
        points = f"; {one['points']} point{'s' * (one['points'] != 1)}" if one["points"] else ""
        table.add_row("" if place else "running", Text(f"{one['trial']}: {one['words']}{points}{where}"))
    if len(running) > SHOWN:
        table.add_row("", f"and {len(running) - SHOWN} more")
    idle = [one["trial"] for one in found["running"] if not one["doing"]]
    waiting = {"for a worker": idle, "for models in the making": found["waiting"]}
    lines = [f"{', '.join(map(str, trials))}: {what}" for what, trials in waiting.items() if trials]
    for place, line in enumerate(lines):
        table.add_row("" if place else "waiting", line)
    return table


def deleted_words(gone: Removal) -> list[str]:
    """Return what goes with a study, and what stays, a sentence each."""
    count = len(gone.models)
    models = (
        "no model goes" if not count else f"{_count(count, 'model')} that no other study has go{'es' * (count == 1)}"
    )
    others = f", and so does what other studies have, {_count(gone.stay, 'model')}" if gone.stay else ""
    return [
        f"the folder {gone.folder} goes, with {_count(gone.trials, 'trial')} and {_count(gone.points, 'point')}",
        f"{models} with the folder, {gone.size_bytes / 1e6:.1f} MB in all",
        "the study's runs in MLflow become deleted runs, which MLflow can restore",
        f"registered models stay{others}",
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _state(found: Mapping[str, Any]) -> str:
    driver, state = found["driver"], found["state"]
    if driver is None:
        return str(state)
    who = f"process {driver['pid']} of {driver['user']} on {driver['host']}"
    if driver["alive"]:
        return f"{state}, by {who}, for {duration(max(0.0, time.time() - driver['started']))}"
    return f"{state}: {who} was heard last {duration(max(0.0, time.time() - driver['heard']))} ago"
