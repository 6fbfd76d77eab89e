"""Options of the verbs that look at stored models: a dataclass for each verb, its fields the verb's options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.option_fields import argument, data_setting, home_setting, json_setting, setting

CORRUPTIONS = ("motion-blur", "occlusion", "brightness")
"""Names of `compress.corruptions.CORRUPTIONS`, which imports torch."""
SEVERITY = 3
BATCHES = (1, 8, 64, 512)
IMAGES, MOST_IMAGES = 8, 64


def corrupt_setting(default: tuple[str, ...] = ()) -> Any:
    """`--corrupt`."""
    text = f"Measure on corrupted test images too: {', '.join(CORRUPTIONS)}."
    return setting(default, text, commas=True)


def severity_setting() -> Any:
    """`--severity`; None stands for `SEVERITY`."""
    return setting(None, f"How much the images are corrupted, 1 to 5; {SEVERITY} if left out.")


def check_corrupt(names: Sequence[str], severity: int | None) -> None:
    """Raise ValueError for an unknown corruption, an impossible severity, or a severity of nothing."""
    if severity is not None and not names:
        raise ValueError(f"severity must come with --corrupt, got {severity} alone")
    if names:
        from compress.corruptions import corruptions

        corruptions(names, SEVERITY if severity is None else severity)


@dataclass(frozen=True, kw_only=True)
class OfPoints:
    """Options common to the verbs for stored models of a study. ValueError without a point."""

    study: str = field(metadata=argument("Name of the study.", is_study=True))
    points: tuple[str, ...] = field(
        metadata=argument("Ids of points or their beginnings; teacher is the unpruned teacher.", "point")
    )
    home: Path | None = home_setting()
    data: Path | None = data_setting()
    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Robustness(OfPoints):
    """`paretune robustness`."""

    corrupt: tuple[str, ...] = corrupt_setting(CORRUPTIONS)
    severity: int | None = severity_setting()

    def __post_init__(self) -> None:
        check_corrupt(self.corrupt, self.severity)


@dataclass(frozen=True, kw_only=True)
class Speed(OfPoints):
    """`paretune speed`. ValueError for an impossible batch or number of threads."""

    batches: tuple[str, ...] = setting(
        tuple(map(str, BATCHES)), "Images of a forward pass, one or more numbers.", commas=True
    )
    against: str = setting("teacher", "The point that speed-ups are against.")
    threads: int = setting(1, "Threads of torch on the CPU.")

    @property
    def numbers(self) -> tuple[int, ...]:
        """The batches as numbers; ValueError for any other word."""
        for word in self.batches:
            if not re.fullmatch(r"[0-9]{1,9}", word, re.ASCII):
                raise ValueError(f"batches: must be whole numbers, such as 1,8,64, got {word!r}")
        return tuple(map(int, self.batches))


@dataclass(frozen=True, kw_only=True)
class Layers(OfPoints):
    """`paretune layers`. ValueError for points and a trial together, or neither."""

    points: tuple[str, ...] = field(
        default=(), metadata=argument("Ids of points or their beginnings; teacher is the unpruned teacher.", "point")
    )
    trial: int | None = setting(None, "All points of this trial, along its curve.")

    def __post_init__(self) -> None:
        if bool(self.points) == (self.trial is not None):
            got = "both" if self.points else "neither"
            raise ValueError(f"layers: points or --trial must be given, got {got}")


@dataclass(frozen=True, kw_only=True)
class Attention(OfPoints):
    """`paretune attention`."""

    images: int = setting(IMAGES, f"Test images to look at, at most {MOST_IMAGES}.")
    tap: str | None = setting(None, "Stage or module to look at, by name; the middle one of each network if left out.")
    out: Path | None = setting(None, "File to write; attention.html in the study's folder if left out.")
