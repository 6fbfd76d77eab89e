"""Phrases for the sentences of stages in a card."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from compress.encoding import encode
from compress.stages.lesson import Lesson
from compress.training.settings import Training

if TYPE_CHECKING:
    from compress.models import Model


def epochs(training: Training) -> str:
    """Describe a training: length, learning rate and batch size, then all settings other than the default."""
    plural = "" if training.epochs == 1 else "s"
    said = [f"{training.epochs} epoch{plural}, learning rate {training.lr:g}, batches of {training.batch_size}"]
    for one in fields(training):
        value = getattr(training, one.name)
        if one.name not in ("epochs", "lr", "batch_size") and value != one.default:
            shown = ", ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else value
            said.append(f"{one.name.replace('_', ' ')} {shown}")
    return ", ".join(said)


def method_and_settings(method: object) -> str:
    """Return the name of a method, with its settings in brackets."""
    form: Any = encode(method)
    settings = [f"{name} {value}" for name, value in form.items() if name != "type"]
    return f"{form['type']} ({', '.join(settings)})" if settings else str(form["type"])


def recovered(recovery: Lesson, teacher: Model | None) -> str:
    """Describe the recovery from a cut; `teacher` is the recipe's."""
    who = teacher if recovery.teacher == "teacher" else "the network as it was before"
    taught = "" if recovery.distiller is None else f" under {who} with {method_and_settings(recovery.distiller)}"
    part = "all weights" if recovery.scope == "all" else "the classifier alone"
    return f"recovered by training {part}{taught}: {epochs(recovery.training)}"


def cut(
    verb: str,
    method: object,
    schedule: object,
    levels: tuple[float, ...],
    share: float,
    level: float | None,
    unit: str = "weights",
) -> str:
    """Describe a cut by `method` to a `share` in (0, 1) of the `unit`: one `level` of `levels`, None for all."""
    place = ""
    if level is not None and len(levels) > 1 and level in levels:
        place = f", level {levels.index(level) + 1} of {len(levels)}"
    how = f"{method_and_settings(method)} until {share:.1%} of its {unit} are gone"
    return f"{verb} with {how}, {method_and_settings(schedule)}{place}"
