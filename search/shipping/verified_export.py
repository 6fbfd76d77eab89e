"""Export a point's model, then verify the export in a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compress.codec import decode
from compress.corruptions import SEVERITY
from compress.data.tasks import Task, load_task, shown
from compress.errors import RecipeError, StoreError
from compress.export.formats import export, read_card, write_card
from compress.export.lineage import lineage, sentences, sources
from compress.figures import COSTS
from compress.measurement import TIMES
from compress.models import Model
from compress.quality import ACCURACY as ACCURATE
from compress.recipe import Recipe
from compress.store.bucket import open_store
from compress.store.folder import Entry
from search.selection.preference import ACCURACY
from search.study.images import check_images
from search.study.record import Point, StudyRecord, measurement_as_json, point_event
from search.study.seeds import families
from search.study.study import RENEWED, Study
from search.worker_path import ROOT

CHECKED = tuple(cost.name for cost in COSTS if cost.is_exact and not cost.is_computed)
CLOSE = 1e-4
"""Greatest difference of a form's logits from the network's, relative where the logits are beyond 1."""
INT8_AGREEMENT = 0.99
"""Least share of equal classes for an int8 network's ONNX.

A float sum in another order may round to the next of 256 steps, so a class may differ.
"""

FEW_IMAGES = 3
"""Images by which accuracies may differ where the recording device or machine was another."""
SHARES = {"float": 0.001, "int8": 0.01}
"""Share of the images by which accuracies may then differ, if more; int8 rounds differently on other processors."""


CLOSE_SCORE = 1e-6
"""Greatest difference of a score other than accuracy on the same machine: a sum of floats depends on its order."""
OTHER_MACHINE = 0.01
"""Greatest difference of such a score where the recording device or machine was another."""


class Mismatch(RuntimeError):
    """Failure of an export to match its record; nothing was placed or registered."""


def take(
    point: Point,
    study: StudyRecord,
    home: Path,
    staging: Path,
    *,
    budget: Mapping[str, str],
    prefer: str = ACCURACY,
    robust: bool = False,
    data: Path | None = None,
    formats: Sequence[str],
    corrupt: Sequence[str] = (),
    severity: int = SEVERITY,
) -> dict[str, Any]:
    """Export a point into the empty folder `staging` and return the figures measured by a new process.

    Weights and program are always exported; `place` takes the requested formats. With `corrupt` the quality on test
    images corrupted at `severity` is among the figures. ValueError when the point's model is
    gone or damaged, or the task has other images now; ExportFailed when the network has no such form; Mismatch when a
    figure differs from the record, or a form from the network. Mismatch too when the model was made again and is
    another: the study then has the new figures.
    """
    entry = stored(point, study)
    renew(Study(home, study.name), point, entry)
    cache = home / "store" / "data"
    begun = Study(home, study.name).header.get("fingerprint")
    task = load_task(study.task, data, cache_dir=cache, again=True, begun=begun)
    check_images(Study(home, study.name), task)  # the images' mean and deviation go into the card
    facts = {
        "study": study.name,
        "task": shown(study.task),
        "budget": dict(budget),
        "prefer": prefer,
        "robust": robust,
        "point": {**point.as_json(), "path": None, "recipe": {**point.recipe, "task": shown(study.task)}},
        "spread": spread(point, study),
        "data": task.summary.replace(task.name, shown(task.name)),
        "made_from": dict(entry.made_from),
        **_origin(point, task),
    }
    export(entry.files(), task, staging, facts, formats)
    origin, on_cpu = entry.files().origin(), point.measured.device == "cpu"
    own = [origin.family] if origin.own else []
    harder = ["--corrupt", ",".join(corrupt), "--severity", str(severity)] if corrupt else []
    fresh: dict[str, Any] = remeasure(staging, study.task, data, cache, on_cpu=on_cpu, networks=own, further=harder)
    images = {"validation": len(task.validation), "test": len(task.test)}
    wrong = differences(point, fresh, images)
    if wrong:
        raise Mismatch(f"select: the export is not what was recorded, so nothing was kept: {'; '.join(wrong)}")
    fresh |= {"elsewhere": note} if (note := elsewhere(point, fresh, images)) else {}
    card = {key: value for key, value in read_card(staging).items() if key != "files"}
    write_card(staging, {**card, "measured": fresh})
    return fresh


def _origin(point: Point, task: Task) -> dict[str, object]:
    """Return the making of the model, for the card: stages and sources of the networks.

    The card lists all the recipe's stages where missing files hide the steps that led to the point, and nothing for a
    recipe of another version.
    """
    try:
        recipe = Recipe.from_json(point.recipe)
    except RecipeError:
        return {}
    try:
        steps = lineage(recipe, task.fingerprint, point.id, (point.sparsity, point.variant))
    except RecipeError:  # initial weights are missing, or a teacher's module
        steps = []
    return {"made": sentences(recipe, steps), "sources": sources(recipe, steps)}


def spread(point: Point, study: StudyRecord) -> dict[str, float | None] | None:
    """Return the means of the point's model over its seeds; None with one seed."""
    family = next(family for family in families(study.points) if point.id in (one.id for one in family.points))
    return family.as_json() if len(family.points) > 1 else None


def stored(point: Point, study: StudyRecord, who: str = "select") -> Entry:
    """Return the point's model; ValueError of `who` when the model is gone, damaged, or of a newer version."""
    named = networks(point)
    try:
        entry = open_store(study.store).get(point.id, named)
    except StoreError as error:
        raise ValueError(f"{who}: {error}") from error
    if entry is None:
        raise ValueError(
            f"{who}: the model of point {point.id} is not in the store any more; "
            f"`paretune search --name {study.name} --resume` does not bring it back, a new search does"
        )
    if not named and entry.files().origin().own:
        raise ValueError(f"{who}: the model of point {point.id} must be of a network that its recipe names, got none")
    return entry


def renew(study: Study, point: Point, entry: Entry) -> None:
    """Raise Mismatch where the model was made again with other figures, and record the new figures in the study."""
    if entry.measured.is_of(point.measured):
        return
    with study.lock():
        renewed = Study(study.home, study.name).renew(point_event(entry.key, 0.0, "", entry.measured))
    if renewed:
        old, new = measurement_as_json(point.measured), measurement_as_json(entry.measured)
        changes = [
            f"{name} {old[name]}, now {new[name]}" for name in old if name not in TIMES and old[name] != new[name]
        ]
        raise Mismatch(
            f"select: the model of point {point.id} was made again since it was recorded and is another one, as may "
            f"be on a GPU: {'; '.join(changes)}; {RENEWED}, so select again"
        )


def networks(point: Point) -> list[Model]:
    """Return the recipe's networks, among them the point's; [] for a recipe of another version."""
    try:
        return [decode(made) for who in ("student", "teacher") if (made := point.recipe.get(who)) is not None]
    except RecipeError:
        return []


def remeasure(
    folder: Path,
    task: str,
    data: Path | None,
    cache: Path,
    *,
    on_cpu: bool,
    networks: Sequence[str] = (),
    further: Sequence[str] = (),
) -> Any:
    """Measure an export in a new process, given only the export's files; Mismatch when the process fails.

    The process runs this very Paretune: `-P` keeps Python from importing modules of the current folder. Decoded images
    lie in `cache`. `further` options of `paretune evaluate` are added. With `on_cpu`, for a record from a CPU, GPUs are
    hidden: a GPU adds up in another order.
    """
    seen = {"PARETUNE_CACHE": str(cache), **({"CUDA_VISIBLE_DEVICES": ""} if on_cpu else {})}
    program = [sys.executable, "-P", os.path.join(ROOT, "paretune_names.py")]
    command = [*program, "evaluate", str(folder), "--task", task, "--json", *further]
    command += [word for name in networks for word in ("--network", name)]
    if data is not None:
        command += ["--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | seen)
    if done.returncode:
        raise Mismatch(f"select: the export does not load again, so nothing was kept: {done.stderr.strip()}")
    return json.loads(done.stdout)


def elsewhere(point: Point, fresh: Mapping[str, Any], images: Mapping[str, int]) -> str:
    """Say where accuracies were recorded, if not here, and how near the fresh ones must be; "" for records from here.

    `images` counts the images of each split. A record without a machine's name is taken to be from here.
    """
    measured, where = point.measured, fresh["machine"]
    here = f"{where['processor']}, torch {where['torch'].partition('+')[0]}"
    if (measured.device, measured.machine or here) == (fresh["device"], here):
        return ""
    there = " with ".join(name for name in (measured.device, measured.machine) if name)
    near = " and ".join(f"{_allowed(point, count)} of {count} {split} images" for split, count in images.items())
    return f"accuracies were recorded on {there}, and are here within {near} of the recorded ones"


def _allowed(point: Point, images: int) -> int:
    return max(FEW_IMAGES, int(SHARES.get(point.variant, 0.0) * images))


def differences(point: Point, fresh: Mapping[str, Any], images: Mapping[str, int]) -> list[str]:
    """Return a sentence for every figure unlike the record, and for every form unlike the network.

    Accuracies recorded here must be equal to the last image; for others see `elsewhere`.
    """
    recorded = point.as_json()
    pairs = {name: (recorded[name], fresh[name]) for name in CHECKED}
    quality = point.quality
    values: Any = recorded[quality.name]
    near = bool(elsewhere(point, fresh, images))
    for split, count in images.items():
        old, new = values[split], fresh[quality.name][split]
        if quality == ACCURATE:
            same = near and abs(old - new) * count <= _allowed(point, count) + 1e-6
        else:  # sums of floats depend on their order
            same = abs(quality.score(old) - quality.score(new)) <= (OTHER_MACHINE if near else CLOSE_SCORE)
        if not same:
            pairs[f"{split} {quality.name}"] = (old, new)
    found = [f"{name} recorded {old}, measured {new}" for name, (old, new) in pairs.items() if old != new]
    return found + strange_forms(fresh["formats"])


def strange_forms(formats: Mapping[str, Any]) -> list[str]:
    """Return a sentence for every form whose fresh figures show other outputs than the network's.

    A form must give every image the network's class, and its logits to `CLOSE`. The ONNX of an int8 network must give
    the share `INT8_AGREEMENT` of the images the network's class; the difference of its logits is only noted in the
    card.
    """
    found = []
    for form, figures in formats.items():
        rounds = form == "onnx" and figures["int8_layers"] > 0
        least = INT8_AGREEMENT if rounds else 1.0
        if not figures["agreement"] >= least:
            found.append(
                f"{form} agrees with the network on {figures['agreement']:.4f} of {figures['images']} test images, "
                f"must on {'all' if least == 1 else f'{least:g}'}"
            )
        if not rounds and not figures["difference"] <= CLOSE:
            found.append(f"the logits of {form} are {figures['difference']:.1e} from the network's, must be {CLOSE:g}")
    return found
