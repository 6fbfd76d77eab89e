"""The quality of a model, and its score: the quality on a scale where higher is better and 1 is perfect.

A quality is a metric in its own unit, such as accuracy or an error in degrees; lower may be better. Search, front,
breakpoints and budgets compare scores. People read the quality: a score is turned back where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from compress.errors import shortened


@dataclass(frozen=True)
class Quality:
    """A metric, and the straight line between its values and scores.

    `zero` is the value at score 0, `one` the value at score 1, the best possible. `constant` is the score of the best
    constant answer on validation: the worst quality worth a point in the hypervolume. `unit` follows the value in
    words, "" for a share in [0, 1].
    """

    name: str = "accuracy"
    zero: float = 0.0
    one: float = 1.0
    constant: float = 0.0
    unit: str = ""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value is the better value."""
        return self.one > self.zero

    @property
    def is_share(self) -> bool:
        """Whether values are shares in [0, 1] and equal to their scores."""
        return (self.zero, self.one) == (0.0, 1.0)

    def score(self, value: float) -> float:
        """Return the score of a value, at most 1."""
        return value if self.is_share else (value - self.zero) / (self.one - self.zero)

    def value(self, score: float) -> float:
        """Return the value of a score, the inverse of `score`."""
        return score if self.is_share else self.zero + score * (self.one - self.zero)

    def amount(self, scores: float) -> float:
        """Return a difference of scores as a difference of values, at least 0 for a positive difference."""
        return scores * abs(self.one - self.zero)

    def scores(self, amount: float) -> float:
        """Return a difference of values as a difference of scores: the inverse of `amount`."""
        return amount / abs(self.one - self.zero)

    def text(self, value: float) -> str:
        """Write a value with its unit: four digits after the point for a share, else four digits in all."""
        return f"{value:.4f}" if self.is_share else f"{value:.4g}{self.unit and ' '}{self.unit}"

    def as_json(self) -> dict[str, Any]:
        """Return the fields, for a study's header."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Quality:
        """Read back `as_json`; None is accuracy, as in studies of earlier versions. ValueError for other content."""
        if found is None:
            return ACCURACY
        kinds: dict[str, Any] = {one.name: str if one.type == "str" else (int, float) for one in fields(cls)}
        if found.keys() != kinds.keys() or not all(isinstance(found[name], kinds[name]) for name in kinds):
            raise ValueError(shortened(f"quality must have {', '.join(kinds)}, got {found!r}", 200))
        if found["zero"] == found["one"]:
            raise ValueError(shortened(f"quality must have a zero unlike its one, got {found!r}", 200))
        return cls(**found)


ACCURACY = Quality()
"""The share of images with the right class: the quality of classification unless another is named."""
