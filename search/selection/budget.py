"""A budget: bounds on costs and on accuracy, absolute or as shares of the study's unpruned teacher such as `10%`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from search.selection.amount import Amount, parse_amount
from search.study.record import Point

__all__ = ["Amount", "Budget", "figure", "option", "parse_amount"]


@dataclass(frozen=True)
class Budget:
    """Inclusive upper bounds on costs and a lower one on validation accuracy; None is no bound.

    A field is `max_` or `min_` and the figure's name in `Measurement`, units included. An upper bound is above 0,
    `min_accuracy` in [0, 1], or a share of the teacher's; a ValueError says so for anything else.
    """

    max_params: Amount | None = None
    max_nonzero_params: Amount | None = None
    max_macs: Amount | None = None
    max_flops: Amount | None = None
    max_size_bytes: Amount | None = None
    max_latency_ms: Amount | None = None
    min_accuracy: Amount | None = None

    def __post_init__(self) -> None:
        for name, amount in self.bounds.items():
            if name != "min_accuracy" and not amount.value > 0:
                raise ValueError(f"{option(name)} must be above 0, got {amount}")
        least = self.min_accuracy
        if least is not None and not least.is_share and least.value > 1:
            hint = f" (did you mean {least}%?)" if least.value <= 100 else ""
            raise ValueError(
                f"min-accuracy: expected a number in [0, 1], or a share of the teacher's such as 97%, got {least}{hint}"
            )

    @classmethod
    def parse(cls, **texts: str | None) -> Budget:
        """A budget of written amounts by field: `Budget.parse(max_params="20k", min_accuracy="97%")`.

        An unknown field or an amount that cannot be read is a ValueError.
        """
        known = [field.name for field in fields(cls)]
        for name in texts:
            if name not in known:
                raise ValueError(f"budget: unknown bound {name!r}, known are {', '.join(known)}")
        return cls(**{name: parse_amount(text, option(name)) for name, text in texts.items() if text is not None})

    @property
    def bounds(self) -> dict[str, Amount]:
        """The bounds that are set, by field."""
        amounts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: amount for name, amount in amounts.items() if amount is not None}

    def __str__(self) -> str:
        return ", ".join(f"{option(name)} {amount}" for name, amount in self.bounds.items()) or "none"

    def resolve(self, teacher: Point | None) -> Budget:
        """The same budget in absolute numbers; ValueError for a share while no teacher is measured."""
        resolved = {}
        for name, amount in self.bounds.items():
            if not amount.is_share:
                continue
            if teacher is None:
                raise ValueError(f"{option(name)}: {amount} is of the teacher, and none is measured yet")
            whole = figure(teacher, name)
            if name == "min_accuracy" and amount.value * whole > 1:
                raise ValueError(f"min-accuracy: {amount} of the teacher's {whole:.4g} is over 1")
            resolved[name] = Amount(amount.value * whole)
        return replace(self, **resolved)


def option(name: str) -> str:
    """A field as it is typed."""
    return name.replace("_", "-")


def figure(point: Point, bound: str) -> float:
    """What a point has of what is bounded."""
    name = bound.removeprefix("max_")
    return float(getattr(point.measured, "accuracy_validation" if bound == "min_accuracy" else name))
