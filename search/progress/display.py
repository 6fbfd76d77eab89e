"""Show a running search: trials, points, front, hypervolume, time left, and what each trial does.

A terminal shows a block, redrawn as the study changes, with the notes below; at the end the notes stay. Elsewhere every
finished trial prints a line, and every note. All output goes to standard error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from compress.errors import RecipeError
from compress.recipe import Recipe
from compress.stages import Distill, Train
from search.running.driver import Driver
from search.running.notes import Notes
from search.study.driver_file import Doing, duration
from search.study.endings import ending, reason
from search.study.record import StudyRecord, TrialRecord
from search.study.totals import Totals
from search.wrapping import wrapped

SHOWN = 8
"""Most running trials listed, and most notes."""


class Progress:
    """Shows a study; a context manager, to be called with the study after every change.

    `trials` is the number of trials wanted, without replicates.
    """

    def __init__(self, trials: int, console: Console | None = None) -> None:
        self.trials = trials
        self.console = console or Console(stderr=True)
        self.record: StudyRecord | None = None
        self.driver: Driver | None = None
        self.live = Live(get_renderable=self.block, console=self.console, refresh_per_second=4, transient=True)
        self.started = time.monotonic()
        self.totals = Totals()
        self.done_before: int | None = None
        self.done_said: set[int] = set()
        self.begun_said: set[int] = set()
        self.notes = Notes()

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.live.stop()
            for note in self.notes.all():
                self._print_note(f"note: {note}")
            return
        for note in self.notes.repeated():
            self._print_note(f"note, {note}")

    def __call__(self, record: StudyRecord, driver: Driver) -> None:
        """Show the study's present state."""
        self.trials = max(self.trials, driver.trials)
        changed = self.totals.follow(record)
        done = [trial for trial in changed if trial.status != "running"]
        self.done_said.difference_update(trial.id for trial in changed if trial.status == "running")
        if self.done_before is None:
            self.done_before = len(done)
            self.done_said = {trial.id for trial in done}
        self.record, self.driver = record, driver
        new = self.notes.hear(driver.notes)
        if self.console.is_terminal:
            return
        for note in new:
            self._print_note(f"note: {note}")
        for trial in done:
            if trial.id not in self.done_said:
                self.done_said.add(trial.id)
                self.say(self.line(trial))
        for trial in _working(record, driver) if not self.totals.points else ():
            if trial.id not in self.begun_said:
                self.begun_said.add(trial.id)
                self.say(f"trial {_at_work(trial)}")

    def _print_note(self, line: str) -> None:
        self._print(line, "yellow")

    def say(self, line: str) -> None:
        """Print a sentence; a terminal gets a long one broken between words."""
        self._print(line)

    def _print(self, line: str, style: str | None = None) -> None:
        lines = line.split("\n")
        if self.console.is_terminal:
            lines = [part for each in lines for part in wrapped(each, self.console.width)]
        self.console.print("\n".join(lines), style=style, markup=False, highlight=False, soft_wrap=True)

    def line(self, ended: TrialRecord) -> str:
        """Return the line of a finished trial."""
        why = f": {reason(ended)}" if reason(ended) else ""
        chosen = [_shown(name, value) for name, value in ended.choices.items() if value is not False]
        names = ", ".join(chosen) or "the plain teacher"
        count = "1 point" if len(ended.points) == 1 else f"{len(ended.points)} points"
        return f"trial {ended.id} {ending(ended)}{why}  {count} in {ended.seconds:.0f} s  ({names})  " + "  ".join(
            f"{name} {value}" for name, value in self.figures().items()
        )

    def block(self) -> Table:
        """Return the whole display, as of now; called by a thread of `Live`."""
        record, driver = self.record, self.driver
        if record is None or driver is None:
            return Table.grid()
        said = {one.trial: one for one in driver.doing if one.what}
        working = _working(record, driver)
        lines = [_at_work(t, said.get(t.id), time.monotonic() - driver.started[t.id]) for t in working]
        waiting = [f"{trial}: a model that it needs is in the making" for trial in tuple(driver.queue)]
        return block(record.name, self.figures(), lines, waiting, self.notes.all())

    def figures(self) -> dict[str, str]:
        """Return the study's figures by name, as text."""
        states, spent, front = self.totals.states, self.totals.spent, self.totals.front
        done = sum(states.values()) - states["running"]
        failed = f", {states['failed']} failed" if states["failed"] else ""
        total = sum(spent.values()) or 1.0
        shares = ", ".join(f"{what} {seconds / total:.0%}" for what, seconds in spent.most_common(4))
        return {
            "trials": f"{done}/{max(self.trials, sum(states.values()))}{failed}",
            "points": str(self.totals.points),
            "front": str(len(front) if front else 0),
            "hypervolume": f"{front.hypervolume if front else 0.0:.4f}",
            **({"left": self._left(done)} if done < self.trials else {}),
            "time": shares or "nothing finished yet",
        }

    def _left(self, done: int) -> str:
        expected = None if self.driver is None else self.driver.left()
        now = done - (self.done_before or 0)
        if expected is None and now and self.totals.points:
            expected = (time.monotonic() - self.started) / now * max(0, self.trials - done)
        if expected is None:
            return "unknown"
        return f"about {duration(expected)}"


def block(
    name: str, figures: Mapping[str, str], running: Sequence[str], waiting: Sequence[str], notes: Sequence[str]
) -> Table:
    """Return the display of a study: figures, running trials, waiting trials, and the last notes."""
    table = Table.grid(padding=(0, 2))
    for head, value in {"study": name, **figures}.items():
        table.add_row(head, Text(value))
    for head, lines in (("running", running), ("waiting", waiting)):
        for number, line in enumerate(lines[:SHOWN]):
            table.add_row("" if number else head, Text(line))
        if len(lines) > SHOWN:
            table.add_row("", f"and {len(lines) - SHOWN} more")
    for note in notes[-SHOWN:]:
        table.add_row(Text("note", style="yellow"), Text(note, style="yellow"))
    return table


def _working(record: StudyRecord, driver: Driver) -> list[TrialRecord]:
    """Return the trials a worker runs now; other running trials wait in the queue."""
    return [trial for trial in record.trials if trial.status == "running" and trial.id in driver.started]


def _at_work(trial: TrialRecord, doing: Doing | None = None, seconds: float | None = None) -> str:
    """Describe a running trial in a few words; before its worker's first word, name the networks in training."""
    count = len(trial.points)
    made = f"{count} point{'s' * (count != 1)}" if count else "no point yet"
    if doing is not None:
        words = f"{doing.words}; {made}"
    else:
        words = made if count else f"{made}, {_first_training(trial)}".rstrip(", ")
    since = "" if seconds is None else f", for {duration(seconds)}"
    return f"{trial.id}: {words}{since}"


def _first_training(trial: TrialRecord) -> str:
    try:
        recipe = Recipe.from_json(trial.recipe)
    except RecipeError:  # a recipe of another version
        return ""
    taught = f" taught by {recipe.teacher}" if recipe.teacher else ""
    epochs = recipe.stages[0].training.epochs if isinstance(recipe.stages[0], Train | Distill) else 0
    lesson = recipe.stages[0].lesson
    if lesson is not None and not lesson.training.epochs:
        return f"{recipe.student} is measured as it is"
    length = f" for {epochs} epoch{'s' * (epochs > 1)}" if epochs else ""
    return f"{recipe.student}{taught} trains{length}"


def _shown(name: str, value: object) -> str:
    """Return a choice's value as a word; for True, the choice's name."""
    if value is True:
        return name
    return f"{value:.3g}" if isinstance(value, float) else str(value)
