"""Early stopping: which running trials are given up, because other recipes promise more per second.

A trial's remaining points are worth their expected hypervolume improvement per second left. `Acquisition` compares the
worth with the best new candidate's. The answer travels by `auto.py` and `suggest.py` to `search/running/driver.py`,
which ends the trial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search.sampling.ehvi import Floats, HypervolumeImprovement

POOR = 0.25
"""Share of the best candidate's worth per second. A trial whose remaining points are worth less is given up."""


def worth_of_rest(
    improvement: HypervolumeImprovement, mean: Floats, deviation: Floats, costs: Floats, seconds: float
) -> float:
    """Return the expected improvement of a trial's remaining points, per second left; infinite without points.

    `mean` and `deviation` `(n,)` are of the points' expected errors, `costs` `(n, d)` scaled to [0, 1].
    """
    if not len(mean):
        return math.inf
    gain = improvement.of_curves(mean, deviation, costs, np.zeros(1, dtype=np.intp))
    return float(gain[0]) / seconds


def given_up(worths: Sequence[float], best: float) -> list[bool]:
    """Return for each running trial, by the worth of its rest, whether to give the trial up.

    `best` is the worth of the best candidate, per second.
    """
    return [worth < POOR * best for worth in worths]
