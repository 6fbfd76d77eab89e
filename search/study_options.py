"""Options of a study: into the study's header when the study is begun, and back as arguments or a study file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from search import study_file
from search.sampling.optuna_study import GRID
from search.selection.amount import Amount
from search.settings import TRIALS, Settings
from search.study.study import Study
from search.training_options import RECOVERY
from spaces import EARLIER, SPACES
from spaces.own import is_path

ENTRY = "options"
EARLIER_MODULE = "spaces.earlier"
KEPT = ("trials", "seeds", "time_budget_s", "trial_limit_s", "whole_curves", "keep_outputs")
"""Settings that no other entry of the header has."""


def header_entry(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the header's entry on settings that no other entry has; {} where all have their defaults."""
    defaults = {each.name: each.default for each in fields(Settings)}
    changed = {name: getattr(settings, name) for name in KEPT if getattr(settings, name) != defaults[name]}
    return {ENTRY: changed} if changed else {}


def arguments_of(study: Study) -> dict[str, Any]:
    """Return the arguments of `Settings` that would repeat the study, by field.

    Places on a machine other than the store are left out: home, data, databases and clusters. A header of an earlier
    version has fewer settings.
    """
    header = study.header
    kept: dict[str, Any] = header.get(ENTRY, {})
    found = {
        "name": study.name,
        **_space(header),
        "task": header["task"],
        "objectives": tuple(header["objectives"]),
        "sampler": header.get("sampler"),
        "seed": header["seed"],
        "students": tuple(header.get("students", ())),
        "teachers": tuple(header.get("teachers", ())),
        "start_from": header.get("from"),
        "store": header.get("store"),
        "cpus_per_trial": header.get("cpus_per_trial", 1),
        "gpus_per_trial": header.get("gpus_per_trial") or None,
        **{name: str(Amount(**amount)) for name, amount in header.get("budget", {}).items()},
        **kept,
        "only": header.get("only"),
        "trials": _trials(kept.get("trials"), study),
        **header.get("training", {}),
        **{RECOVERY + name: value for name, value in header.get("recovery", {}).items()},
    }
    return {name: value for name, value in found.items() if value is not None and value != ()}


def _space(header: Mapping[str, Any]) -> dict[str, str]:
    """Return the space, and its scale if any; a space of an earlier version is named by its place in `spaces`."""
    name = header["space"]
    earlier = None if "scale" in header or "space_is" in header or "recipes" in header else EARLIER.get(name)
    now = SPACES.get(name)
    if earlier is None or now is None or now is earlier:
        return {"space": name, **({"scale": header["scale"]} if "scale" in header else {})}
    scale = next((scale for scale, space in now.scales.items() if space is earlier), None)
    return {"space": name, "scale": scale} if scale else {"space": f"{EARLIER_MODULE}:{name.upper()}"}


def _trials(asked: int | None, study: Study) -> int | None:
    """Return the trials to ask for: at least those there are; None for all of a grid."""
    if asked is None and study.header.get("sampler") == GRID:
        return None
    return max(asked or TRIALS, study.originals)


def _repeated(study: Study, file: str) -> str:
    """Return the study file; of a study that no study file alone repeats, a comment says what does."""
    space = study.header["space"]
    if "recipes" in study.header:
        names = ", ".join(study.header["recipes"])
        return f"# recipes given to paretune run: {names}; paretune recipe {study.name} POINT prints each\n"
    given = "space_is" in study.header and not is_path(space)
    return f"# the space {space} was given in Python, as paretune.search(space=...)\n{file}" if given else file


def described(study: Study) -> dict[str, Any]:
    """Return what a study is, ready for JSON: `options` and `toml` repeat the study; StudyError for a missing study."""
    record, arguments = study.record, arguments_of(study)
    sections: dict[str, Any] = {}
    for section in ("", study_file.TRAINING, study_file.RECOVERING):
        known = study_file.names(Settings, section)
        given = {key: arguments[name] for key, (name, _) in known.items() if name in arguments}
        sections |= {section: given} if section and given else given
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in sections.items()}
    return {
        "study": study.name,
        "begun": datetime.fromtimestamp(study.header["time"], UTC).isoformat(timespec="seconds"),
        "home": str(study.home),
        "store": study.store,
        "images": study.header.get("fingerprint", ""),
        "trials done": dict(Counter(trial.status for trial in record.trials)),
        "points": len(record.points),
        "options": plain,
        "toml": _repeated(study, study_file.written(Settings, arguments)),
    }
