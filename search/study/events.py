"""Check the events of a study's ledger: a hand, a disk or another program may have changed the file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from compress.errors import shortened
from compress.quality import Quality
from search.study.ledger import Event
from search.study.record import Better, measurement_from_json

NAMING = ("students", "teachers", "networks")
"""Entries of the header with networks whose code may run."""
_ENTRIES = (
    *(*NAMING, "budget", "training", "recovery", "optimizers", "options", "only", "recipes", "metrics"),
    *("data", "versions", "latency"),
)
_TEXTS = ("store", "space_is", "reference", "scale")
"""Entries that a study's own event may lack."""
_FAMILY = re.compile(r"^(?:.+?\.py:\w*|[^@]*)")
"""A network before the @ of its weights; a folder may have an @ in its name."""
STATUSES = ("complete", "stopped", "failed", "running")


class PointError(ValueError):
    """Complaint about a point's invalid figures; nothing of the point is written."""


def check_header(event: Event) -> None:
    """Raise ValueError unless the study's own event has task, space, seed, objectives and reference point."""
    _check(event, task=str, space=str, seed=int, objectives=list, reference_point=dict)
    _check(
        {**{name: {} for name in _ENTRIES}, **dict.fromkeys(_TEXTS, ""), **event},
        **dict.fromkeys(_TEXTS, str),
        **dict.fromkeys(_ENTRIES, dict),
    )
    if not event["objectives"] or not all(isinstance(name, str) for name in event["objectives"]):
        raise ValueError(shortened(f"objectives must be names, got {event['objectives']!r}", 200))
    _check_numbers("reference_point", event["reference_point"])
    Quality.from_json(event.get("quality"))
    if "latency" in event:
        found = {"target": None, "machine": None, "rates": None, **event["latency"]}
        _check(found, target=str, machine=str, rates=dict)
        _check_numbers("latency: rates", found["rates"])
    for name, better in event.get("metrics", {}).items():
        if better not in get_args(Better):
            known = " or ".join(get_args(Better))
            raise ValueError(shortened(f"metrics must have {known} for {name}, got {better!r}", 200))


def check_asked(event: Event) -> None:
    """Raise ValueError unless the event has a trial number and a recipe."""
    _check(event, trial=int, recipe=dict, choices=dict, optuna=(int, type(None)))


def check_named(event: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Raise ValueError for a recipe with a function unknown to the study's header: the function's code would run."""
    named = {_FAMILY.findall(name)[0] for who in NAMING for name in header.get(who, ())}
    for who in ("student", "teacher"):
        model = event["recipe"].get(who) if event["event"] == "asked" else None
        family = model.get("family") if isinstance(model, Mapping) else None
        if isinstance(family, str) and ":" in family and family not in named:
            raise ValueError(f"the study must have been begun with the {who} {family!r}, whose code would run")
    for optimizer in _optimizers(event["recipe"]) if event["event"] == "asked" else ():
        if ":" in optimizer and optimizer not in header.get("optimizers", ()):
            raise ValueError(f"the study must have been begun with the optimizer {optimizer!r}, whose code would run")


def _optimizers(recipe: object) -> Iterator[str]:
    """Yield the names of the optimizers anywhere in a recipe's JSON."""
    if isinstance(recipe, Mapping):
        named = recipe.get("optimizer")
        if isinstance(named, str):
            yield named
        for value in recipe.values():
            yield from _optimizers(value)
    elif isinstance(recipe, list):
        for value in recipe:
            yield from _optimizers(value)


def check_wanted(event: Event) -> None:
    """Raise ValueError unless the event has a number of trials, and whether the number is that of all recipes."""
    _check(event, trials=int)
    if not isinstance(event["all"], bool) or event["trials"] < 1:
        raise ValueError(shortened(f"wanted must be trials from 1 on, got {event['trials']!r}", 200))


def check_point(event: Mapping[str, Any]) -> None:
    """Raise PointError when a figure is missing, unknown or not finite."""
    _check(event, id=str, variant=str, path=str)
    try:
        measured = measurement_from_json(event["measured"])
    except TypeError as error:
        raise PointError(f"point {event['id']}: {str(error).partition(' ')[2]}") from error
    metrics = measured.metrics if isinstance(measured.metrics, Mapping) else {}
    for name, value in {**vars(measured), **metrics, "metrics": "", "sparsity": event["sparsity"]}.items():
        if not isinstance(value, str) and not (isinstance(value, int | float) and math.isfinite(value)):
            raise PointError(f"point {event['id']}: every figure must be finite, got {name} {value}")
    if measured.fault:
        raise PointError(f"point {event['id']}: every figure must be one of its kind, got {measured.fault}")


def check_ended(event: Event) -> None:
    """Raise ValueError unless status, reason and seconds of the trial's end are valid."""
    _check(event, reason=str, seconds=(int, float), spent=dict)
    if event["status"] not in STATUSES:
        raise ValueError(shortened(f"status must be one of {', '.join(STATUSES)}, got {event['status']!r}", 200))
    _check_numbers("spent", {**event["spent"], "seconds": event["seconds"]})


def check_timed(event: Event) -> None:
    """Raise ValueError unless the event has median and 95th percentile in ms by point."""
    _check(event, latencies=dict)
    for key, figures in event["latencies"].items():
        if not (isinstance(figures, list) and len(figures) == 2 and all(_is_time(ms) for ms in figures)):
            raise ValueError(shortened(f"latencies of {key} must be two numbers above 0, got {figures!r}", 200))


def _is_time(ms: object) -> bool:
    return isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < math.inf


def _check(event: Mapping[str, Any], **kinds: type | tuple[type, ...]) -> None:
    for name, kind in kinds.items():
        if not isinstance(event[name], kind) or isinstance(event[name], bool):
            raise ValueError(shortened(f"{name} must be of another kind, got {event[name]!r}", 200))


def _check_numbers(what: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(shortened(f"{what} must be finite numbers, got {name} {value!r}", 200))
