"""What is expected of choices that were not tried: a Gaussian process over everything that was measured.

Matern kernel of smoothness 5/2 with a length for every choice, all found by maximum a posteriori; the prior of the
lengths grows with the number of choices (Hvarfner et al. 2024, https://arxiv.org/abs/2402.02229).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from torch import Tensor

from search.study.record import Choice

Floats = NDArray[np.float64]
Choices = Mapping[str, Choice]
MOST = 500
"""Observations a process is fitted to: its time grows with their cube."""
NOISE = 0.01
"""Of the kernel's scale: what is thought likely before anything is seen."""
BETWEEN = -5.0, 5.0
"""What logarithms of lengths and scale are kept between."""
STEPS = 25
"""Of the search for a process, from each start."""


@dataclass(frozen=True)
class Encoder:
    """Choices as numbers: a column of [0, 1] for what has an order, one for each value of what has none.

    A choice that a recipe does not have is zero in all its columns.
    """

    distributions: Mapping[str, BaseDistribution]

    @property
    def choices(self) -> list[int]:
        """Which choice each column is of, by number."""
        widths = [len(one.choices) if _unordered(one) else 2 for one in self.distributions.values()]
        return [number for number, width in enumerate(widths) for _ in range(width)]

    def __call__(self, rows: Sequence[Choices]) -> Floats:
        """Shape `(len(rows), columns)`."""
        columns: list[list[float]] = []
        for name, known in self.distributions.items():
            values = [row.get(name, _ABSENT) for row in rows]
            if _unordered(known):
                columns += [[0.5**0.5 * (value == one) for value in values] for one in known.choices]
            else:
                columns.append([_place(known, value) for value in values])
                columns.append([0.5 * (value is _ABSENT) for value in values])
        return np.array(columns, dtype=float).T.reshape(len(rows), len(columns))


_ABSENT: Choice = object()  # type: ignore[assignment]


def _unordered(known: BaseDistribution) -> TypeGuard[CategoricalDistribution]:
    return isinstance(known, CategoricalDistribution) and not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in known.choices
    )


def _place(known: BaseDistribution, value: Choice) -> float:
    """In [0, 1]."""
    if value is _ABSENT:
        return 0.0
    if isinstance(known, CategoricalDistribution):
        return sorted(map(float, known.choices)).index(float(value)) / max(1, len(known.choices) - 1)  # type: ignore[arg-type]
    assert isinstance(known, FloatDistribution | IntDistribution)
    low, high, at = float(known.low), float(known.high), float(value)  # type: ignore[arg-type]
    if known.log:
        low, high, at = np.log(low), np.log(high), np.log(at)
    return (at - low) / (high - low) if high > low else 0.0


class Surrogate:
    """Mean and standard deviation of one figure, the mean of others, at rows of an encoder.

    `seen` has shape `(n, columns)`, `figure` `(n,)`, `others` `(n, m)`: they share the kernel that fits the figure, and
    far from everything seen they are expected to be zero. `choices` says which choice each column is of.

    The likelihood has several peaks, some of which explain everything by noise: it is climbed from each of `starts`,
    such as the `logs` of a process fitted to fewer observations, and the highest end is taken.
    """

    def __init__(
        self, seen: Floats, figure: Floats, others: Floats, choices: Sequence[int], starts: Sequence[Tensor] = ()
    ) -> None:
        self.mean, self.scale = float(figure.mean()), float(figure.std()) or 1.0
        self.seen, self.choices = torch.as_tensor(seen), torch.as_tensor(choices)
        wanted = torch.as_tensor((figure - self.mean) / self.scale)
        usual = torch.zeros(int(self.choices.max()) + 3, dtype=torch.double)
        usual[-1] = math.log(NOISE)
        fits = [self._fit(wanted, start) for start in starts if len(start) == len(usual)] or [self._fit(wanted, usual)]
        self.logs = min(fits, key=lambda fit: fit[0])[1]
        with torch.no_grad():
            self.factor = self._factor(self.logs)
            known = torch.column_stack([wanted, torch.as_tensor(others)])
            self.weights = torch.cholesky_solve(known, self.factor)

    def __call__(self, rows: Floats) -> tuple[Floats, Floats, Floats]:
        """Of the figure mean and deviation, `(n,)` each; of the others the means, `(n, m)`."""
        with torch.no_grad():
            near = self._kernel(torch.as_tensor(rows), self.logs)
            means = near @ self.weights
            known = torch.linalg.solve_triangular(self.factor, near.T, upper=False).square().sum(0)
            deviation = (self.logs[-2].clamp(*BETWEEN).exp() - known).clamp_min(1e-8).sqrt()
        mean = means[:, 0].numpy() * self.scale + self.mean
        return mean, deviation.numpy() * self.scale, means[:, 1:].numpy()

    def _fit(self, wanted: Tensor, start: Tensor) -> tuple[float, Tensor]:
        """How unlikely at best, and the logarithms of all lengths, of the kernel's scale and of the noise's share."""
        logs = start.clone().requires_grad_()
        search = torch.optim.LBFGS([logs], max_iter=STEPS, tolerance_change=1e-2, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            search.zero_grad()
            factor = self._factor(logs)
            solved = torch.linalg.solve_triangular(factor, wanted[:, None], upper=False)
            usual = math.sqrt(2) + math.log(len(logs) - 2) / 2
            unlikely = (logs[:-2] - usual).square().sum() / 6 + logs[-2].square() / 2
            unlikely = unlikely + (logs[-1] - math.log(NOISE)).square() / 2
            found = solved.square().sum() / 2 + factor.diagonal().log().sum() + unlikely
            found.backward()
            return torch.as_tensor(found)

        search.step(loss)  # type: ignore[no-untyped-call]
        return float(loss().detach()), logs.detach()

    def _factor(self, logs: Tensor) -> Tensor:
        """Of the covariance of what was seen, noise included."""
        scale, noise = logs[-2].clamp(*BETWEEN).exp(), logs[-1].clamp(2 * BETWEEN[0], 0).exp()
        factor: Tensor = torch.linalg.cholesky(
            self._kernel(self.seen, logs) + scale * (noise + 1e-6) * torch.eye(len(self.seen), dtype=torch.double)
        )
        return factor

    def _kernel(self, rows: Tensor, logs: Tensor) -> Tensor:
        scale = logs[-2].clamp(*BETWEEN).exp()
        lengths = logs[:-2].clamp(*BETWEEN).exp()[self.choices]
        one, other = rows / lengths, self.seen / lengths
        square = one.square().sum(1)[:, None] + other.square().sum(1) - 2 * one @ other.T
        apart = (5 * square.clamp_min(1e-12)).sqrt()
        kernel: Tensor = scale * (1 + apart + apart.square() / 3) * (-apart).exp()
        return kernel
