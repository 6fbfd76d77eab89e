"""Corruptions of images by name, one file each: how a network does on images worse than those of its task."""

from __future__ import annotations

from collections.abc import Sequence

from compress.corruptions.brightness import Brightness
from compress.corruptions.corruption import SEVERITY as SEVERITY
from compress.corruptions.corruption import CorruptedSplit, Corruption, Scale
from compress.corruptions.motion_blur import MotionBlur
from compress.corruptions.occlusion import Occlusion
from compress.data.tasks import Task
from compress.errors import RecipeError, check_known

CORRUPTIONS: dict[str, type[Corruption]] = {one.name: one for one in (MotionBlur, Occlusion, Brightness)}


def corruptions(names: Sequence[str], severity: int = SEVERITY) -> list[Corruption]:
    """Return the named corruptions, each once; RecipeError for no name, an unknown name, or an impossible severity."""
    if isinstance(names, str) or not names:
        raise RecipeError(f"corrupt: must name one or more of {', '.join(CORRUPTIONS)}, got {names!r}")
    for name in names:
        check_known("corrupt", name, CORRUPTIONS)
    return [CORRUPTIONS[name](severity) for name in dict.fromkeys(names)]


def corrupted_test(task: Task, wanted: Sequence[Corruption]) -> dict[str, CorruptedSplit]:
    """Return the task's test split under each corruption, by name: always the same images."""
    scale = Scale.of(task.train)
    return {one.name: CorruptedSplit.of(task.test, one, scale) for one in wanted}
