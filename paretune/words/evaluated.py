"""What the fresh measurement of an exported model comes to, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from compress.figures import COSTS
from compress.quality import ACCURACY, Quality
from paretune.words.selected import form_line, robustness_line, threads_said

SAME = 1e-6
"""Greatest relative difference of a quality from the card's that is none: a sum of floats depends on its order."""
_NO_NUMBER = "no number"
COUNTED = tuple(cost for cost in COSTS if cost.is_exact)


def evaluated(found: Mapping[str, Any], card: Mapping[str, Any], folder: Path) -> str:
    """The figures of `paretune.evaluate`, each form, and whether the card in `folder` records the same figures."""
    name = _quality(found)
    unit = found.get("robustness", {}).get("unit", "")
    quality = ACCURACY if name == ACCURACY.name else Quality(name, 1.0, 0.0, unit=unit)
    values = ", ".join(f"{quality.text(value)} on {split}" for split, value in found[name].items())
    lines = [f"{folder}: {name} {values}"]
    if "params" in found:
        lines.append(
            f"  {found['params']:,} params ({found['nonzero_params']:,} not zero), {found['macs']:,} MACs, "
            f"{found['flops']:,} FLOPs, {found['size_bytes']:,} bytes"
        )
    else:
        lines.append("  parameters are counted where there are weights whose network may be built")
    lines.append(f"  {_beside(found, card.get('measured'), name, quality)}")
    alone = len(found["formats"]) == 1 and "params" not in found
    lines += [f"{form}: {form_line(figures, alone=alone)}" for form, figures in found["formats"].items()]
    lines.append(f"{threads_said(found['threads'])} on {found['machine']['processor']}, device {found['device']}")
    if "robustness" in found:
        lines.append(robustness_line(found["robustness"], quality))
    return "\n".join(lines)


def _quality(found: Mapping[str, Any]) -> str:
    """Return the name of the quality, whose value has a figure for each split."""
    return next(name for name, value in found.items() if isinstance(value, Mapping) and "validation" in value)


def _beside(found: Mapping[str, Any], recorded: object, name: str, quality: Quality) -> str:
    """Say whether the figures are those that the card records."""
    if not isinstance(recorded, Mapping) or not isinstance(recorded.get(name), Mapping):
        return f"the card records no {name}"
    unlike = [*_unlike(found, recorded, name, quality)]
    return f"unlike the card: {'; '.join(unlike)}" if unlike else "as the card records"


def _unlike(found: Mapping[str, Any], recorded: Mapping[str, Any], name: str, quality: Quality) -> Iterator[str]:
    for split, value in found[name].items():
        told = recorded[name].get(split)
        if not isinstance(told, int | float) or not math.isclose(value, told, rel_tol=SAME):
            words = quality.text(told) if isinstance(told, int | float) else _NO_NUMBER
            yield f"{name} on {split} recorded {words}, measured {quality.text(value)}"
    for cost in COUNTED:
        told = recorded.get(cost.name)
        if cost.name in found and found[cost.name] != told:
            words = f"{told:,}" if isinstance(told, int | float) else _NO_NUMBER
            yield f"{cost.title} recorded {words}, measured {found[cost.name]:,}"
