"""A Gaussian process over all measured points predicts the points of untried choices.

The Matern kernel of smoothness 5/2 has a length scale for every choice. All length scales are found by maximum a
posteriori; their prior grows with the number of choices (Hvarfner et al. 2024, https://arxiv.org/abs/2402.02229).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
"""Most observations a process is fitted to: the time of a fit grows with their cube."""
NOISE = 0.01
"""Prior of the noise, as a share of the kernel's scale."""
BETWEEN = -5.0, 5.0
"""Bounds of the logarithms of length scales and kernel scale."""
OUTCOME = "__dynamo_disable"
STEPS = 25
"""Iterations of a fit, at most, from each start."""


@dataclass(frozen=True)
class Encoder:
    """Encodes choices as numbers.

    A choice with ordered values takes two columns: the place of the value in [0, 1], and a column for an absent choice.
    A choice with unordered values takes a column for each value, all zero for an absent choice.
    """

    distributions: Mapping[str, BaseDistribution]

    @property
    def choices(self) -> list[int]:
        """Return the number of the choice behind each column."""
        widths = [len(one.choices) if _unordered(one) else 2 for one in self.distributions.values()]
        return [number for number, width in enumerate(widths) for _ in range(width)]

    def __call__(self, rows: Sequence[Choices]) -> Floats:
        """Return the encoded rows, shape `(len(rows), columns)`."""
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
    """Return the place of a value within its distribution, in [0, 1]; 0 for an absent choice."""
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
    """Predicts the mean and standard deviation of a figure, and the means of others, at encoded rows.

    `seen` has shape `(n, columns)`, `figure` `(n,)`, `others` `(n, m)`. The others share the kernel fitted to the
    figure; far from all observations their means are zero. `choices` has the number of the choice behind each column.

    The likelihood has several maxima, and at some of them noise explains all observations. The fit climbs from each of
    `starts`, for example the `logs` of a process fitted to fewer observations, and keeps the highest maximum.
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
        """Return mean and deviation of the figure, `(n,)` each, and the means of the others, `(n, m)`."""
        with torch.no_grad():
            near = self._kernel(torch.as_tensor(rows), self.logs)
            means = near @ self.weights
            known = torch.linalg.solve_triangular(self.factor, near.T, upper=False).square().sum(0)
            deviation = (self.logs[-2].clamp(*BETWEEN).exp() - known).clamp_min(1e-8).sqrt()
        mean = means[:, 0].numpy() * self.scale + self.mean
        return mean, deviation.numpy() * self.scale, means[:, 1:].numpy()

    def _fit(self, wanted: Tensor, start: Tensor) -> tuple[float, Tensor]:
        """Fit the process from `start`; return the least loss, and the logarithms found.

        The loss is the negative logarithm of the posterior. The logarithms are those of all length scales, of the
        kernel's scale and of the noise's share.
        """
        logs = start.clone().requires_grad_()
        with _without_compiler():
            search = torch.optim.LBFGS([logs], max_iter=STEPS, tolerance_change=1e-2, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            logs.grad = None
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
        """Return the Cholesky factor of the observations' covariance, noise included."""
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


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Make an optimizer without the import of torch's compiler, a second of the driver for the first optimizer.

    Torch wraps a method of optimizers against the compiler. What the wrapper is to call is kept with the method, as
    `OUTCOME`.
    """
    method = getattr(torch.optim.Optimizer.add_param_group, "__wrapped__", None)
    if method is None or hasattr(method, OUTCOME):
        yield
        return
    setattr(method, OUTCOME, method)
    try:
        yield
    finally:
        delattr(method, OUTCOME)
