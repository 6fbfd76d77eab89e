"""Params and data of a study's run in MLflow: all settings that the study was begun with, as texts by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from compress.errors import shortened
from search.sampling.optuna_study import GRID
from search.selection.amount import Amount
from search.settings import KEPT, TRIALS, Settings
from search.study.record import StudyRecord
from search.tracking.fields import LONGEST
from search.tracking.lineage import Data
from spaces.study_training import in_words

SIMPLE = ("task", "space", "seed", "sampler", "cpus_per_trial", "gpus_per_trial", "from", "store")
"""Entries of the header that are settings by themselves."""


def study_params(study: StudyRecord) -> dict[str, str]:
    """Return all settings of the study, its data and its versions of libraries.

    Settings of trainings have names such as `recovery.lr`. A study of an earlier version recorded
    less.
    """
    parts = {"training": study.training, "recovery": study.recovery}
    found = {
        f"{who}.{name}": in_words({name: value}) for who, values in parts.items() for name, value in values.items()
    }
    scale = {} if study.scale is None else {"scale": study.scale}
    settings = {name: shortened(text, LONGEST - 20) for name, text in settings_of(study.header).items()}
    return scale | {key: shortened(text.partition(" ")[2], LONGEST - 20) for key, text in found.items()} | settings


def data_of(study: StudyRecord) -> Data | None:
    """Return the study's data; None for a study of an earlier version that recorded no fingerprint."""
    fingerprint, facts = study.header.get("fingerprint"), study.header.get("data", {})
    if not fingerprint:
        return None
    counts = {name: facts[name] for name in ("train", "validation", "test") if name in facts}
    return Data(study.task, str(fingerprint), counts, tuple(facts.get("shape", ())))


def settings_of(header: Mapping[str, Any]) -> dict[str, str]:
    """Return all settings, the data and the versions that the header records; nothing is empty.

    The settings of trainings and the scale of the space are fields of the record. The names of data begin with `data.`,
    of versions with `version.`.
    """
    data = {"fingerprint": header.get("fingerprint"), **header.get("data", {})}
    found: dict[str, object] = {
        **{name: header.get(name) for name in SIMPLE},
        "objectives": header.get("objectives"),
        "target": header.get("latency", {}).get("target"),
        "quality": header.get("quality", {}).get("name"),
        **{name: Amount(**amount) for name, amount in header.get("budget", {}).items()},
        **{name: list(header[name]) for name in ("students", "teachers", "optimizers") if header.get(name)},
        **{f"only.{name}": values for name, values in header.get("only", {}).items()},
        **(_defaults(header) if "versions" in header else {}),
        **header.get("options", {}),
        **{f"data.{name}": value for name, value in data.items()},
        **{f"version.{name}": value for name, value in header.get("versions", {}).items()},
    }
    said = {name: _said(name, value) for name, value in found.items() if value is not None}
    return {name: text for name, text in said.items() if text}


def _defaults(header: Mapping[str, Any]) -> dict[str, object]:
    """Return the options that a header leaves out: those left at their defaults."""
    kept = {each.name: each.default for each in fields(Settings) if each.name in KEPT}
    return kept if header.get("sampler") == GRID else {**kept, "trials": TRIALS}


def _said(name: str, value: object) -> str:
    if isinstance(value, list | tuple):
        return (" x " if name == "data.shape" else ", ").join(str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
