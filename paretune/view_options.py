"""Options of the verbs that look at stored models: a dataclass for each verb, its fields the verb's options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.option_fields import argument, data_setting, home_setting, json_setting, setting

CORRUPTIONS = ("motion-blur", "occlusion", "brightness")
"""Names of `compress.corruptions.CORRUPTIONS`, which imports torch."""
SEVERITY = 3


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

    study: str = field(metadata=argument("Name of the study."))
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
