"""Options of a study: into the study's header when the study is begun, and back as arguments or a study file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from compress.encoding import digest
from search import study_file
from search.sampling.optuna_study import GRID
from search.selection.amount import Amount
from search.settings import KEPT, TRIALS, Settings
from search.study.endings import endings
from search.study.ledger import FILE
from search.study.study import Study
from search.training_options import RECOVERY
from spaces import EARLIER, SPACES
from spaces.own import is_path

ENTRY = "options"
EARLIER_MODULE = "spaces.earlier"


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
        "target": study.record.target or None,
        "cpus_per_trial": header.get("cpus_per_trial", 1),
        "gpus_per_trial": header.get("gpus_per_trial") or None,
        **{name: str(Amount(**amount)) for name, amount in header.get("budget", {}).items()},
        **kept,
        "only": header.get("only"),
        "trials": _trials(kept.get("trials") if study.wanted is None else study.wanted, study),
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
    if study.wants_all or (asked is None and study.header.get("sampler") == GRID):
        return None
    return max(asked or TRIALS, study.originals)


def _repeated(study: Study, file: str) -> str:
    """Return the study file; of a study that no study file alone repeats, a comment says what does."""
    space = study.header["space"]
    if "recipes" in study.header:
        return _of_run(study)
    given = "space_is" in study.header and not is_path(space)
    return f"# the space {space} was given in Python, as paretune.search(space=...)\n{file}" if given else file


def _of_run(study: Study) -> str:
    """Return comments on a study of given recipes: a study file has none, `paretune run` repeats the study."""
    recipes = {name: digest(form) for name, form in study.header["recipes"].items()}
    points = {digest(trial.recipe): trial.points[-1].id for trial in study.record.trials if trial.points}
    lines = [f"# no study file repeats the study {study.name}: its recipes were given to paretune run"]
    lines += [
        f"# {shlex.join(['paretune', 'recipe', study.name, points[key][:8]])} > {shlex.quote(f'{name}.json')}"
        if key in points
        else f"# {name} has no point yet: its recipe is in the study's {FILE} alone"
        for name, key in recipes.items()
    ]
    seeds = study.header.get(ENTRY, {}).get("seeds", 1)
    words = ["paretune", "run", *(f"{name}.json" for name in recipes), "--name", f"{study.name}-again"]
    words += ["--task", study.header["task"]] if ":" in study.header["task"] else []
    words += [word for name in _functions(study) for word in ("--network", name)]
    words += ["--objectives", ",".join(study.header["objectives"]), *(["--seeds", str(seeds)] if seeds > 1 else [])]
    return "\n".join([*lines, f"# {shlex.join(words)}", ""])


def _functions(study: Study) -> list[str]:
    """Return the user's networks and optimizers, whose code runs, without the weights of networks."""
    networks = [name.rpartition("@")[0] or name for name in study.header.get("networks", {})]
    return [*dict.fromkeys([*networks, *study.header.get("optimizers", {})])]


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
        "trials done": endings(record.trials),
        "points": len(record.points),
        "options": plain,
        "toml": _repeated(study, study_file.written(Settings, arguments)),
    }
