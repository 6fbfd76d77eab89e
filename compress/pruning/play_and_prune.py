"""Play and Prune: one module drops filters, the other sets the rate by the accuracy left to lose.

Singh et al. 2019, https://arxiv.org/abs/1905.04446.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.errors import check_above_zero, check_at_least, check_share, check_whole
from compress.pruning.during_training import DuringTraining, Goal, Pruning
from compress.pruning.pruner import Adaptive, in_eval_mode, weighted_layers
from compress.pruning.targets import Targets
from compress.training.series import share


@dataclass(frozen=True)
class PlayAndPrune(DuringTraining, Adaptive):
    """Drops filters while the validation accuracy is less than `tolerance` below that of the unpruned network.

    The sparsity is a result, not a setting. In every epoch the candidates are the share `alpha` of a layer's filters
    with the smallest `sum abs(w)`; an L1 penalty acts on the candidates alone. At the end of the epoch, candidates with
    a sum under the layer's threshold are dropped; a filter of each layer always stays. With C the present accuracy and
    E the unpruned network's, penalty and threshold are `T l1` and `speed T W` for `T = C - (E - tolerance)`. Where T is
    negative both are 0, and training recovers. If the accuracy has not recovered at the end, the network of the last
    epoch within the tolerance comes back.

    `W` and `l1` are the values at the start: read as a recursion, the paper's equation would multiply the T of many
    epochs and vanish or explode. Bisection finds `W` in each layer: the largest sum such that all filters under `W` can
    go, in this layer alone, without loss of accuracy. T is counted in tolerances, or in hundredths where the tolerance
    is less than 0.01, so that T is 1 without loss. The defaults of `alpha`, `l1` and `speed` are this project's choice.
    At most `rounds` trainings follow one another.
    """

    name: ClassVar[str] = "play-and-prune"
    source: ClassVar[str] = "https://arxiv.org/abs/1905.04446"
    granularity: ClassVar[Literal["channel", "weight"]] = "channel"

    tolerance: float = 0.01
    rounds: int = 5
    alpha: float = 0.2
    l1: float = 3e-3
    speed: float = 2.0

    def __post_init__(self) -> None:
        check_share(f"{self.name}: tolerance", self.tolerance)
        check_whole(f"{self.name}: rounds", self.rounds, 1)
        check_share(f"{self.name}: alpha", self.alpha, low=1e-6)
        check_at_least(f"{self.name}: l1", self.l1, 0)
        check_above_zero(f"{self.name}: speed", self.speed)

    @property
    def spare_shortcuts(self) -> bool:
        """Return True: a filter is dropped behind the only layer that makes its channel."""
        return True

    def scores(self, model: nn.Module, calibration: Batch) -> dict[str, Tensor]:
        """Return `sum abs(w)` over each filter, `(out_channels,)`."""
        return {name: layer.weight.detach().abs().flatten(1).sum(1) for name, layer in weighted_layers(model).items()}

    def rate(self, accuracy: float, unpruned: float) -> float:
        """Return T, from accuracies in [0, 1]."""
        return max(0.0, accuracy - (unpruned - self.tolerance)) / max(self.tolerance, 0.01)

    def validations(self, widths: Callable[[], Sequence[int]], epochs: int) -> int:
        """Return a look for each step of the bisection in each layer, one before, and one after each epoch."""
        return 1 + sum((width - 1).bit_length() for width in widths()) + epochs

    def begin(self, model: nn.Module, goal: Goal) -> Pruning:
        """Return the hook with both modules; a goal without `validate` drops nothing, and `goal.level` is ignored."""
        return Playing(self, model, goal)


class Playing(Pruning):
    """The hook of a training. For each target `gone` and `candidates` are masks `(channels,)`, `base` is W."""

    def __init__(self, method: PlayAndPrune, model: nn.Module, goal: Goal) -> None:
        self.method, self.model, self.goal = method, model, goal
        self.targets = Targets(model, goal.calibration)
        self.gone = [torch.zeros_like(sums, dtype=torch.bool) for sums in self._sums()]
        self.hooks = [
            target.place.register_forward_hook(self._masking(number)) for number, target in enumerate(self.targets.each)
        ]
        self.candidates = self._lowest()
        self.safe = self._snapshot()
        self.within, self.rate, self.base = True, 0.0, [0.0] * len(self.gone)
        if goal.validate is not None and goal.unpruned is not None:
            now = self._accuracy()
            self.rate = method.rate(now, goal.unpruned)
            self.base = [self._threshold(number, now) for number in range(len(self.gone))]

    def before_update(self, step: int, steps: int) -> None:
        """Add the penalty's gradient on the candidates."""
        for target, candidates in zip(self.targets.each, self.candidates, strict=True):
            weight = target.layer.weight
            assert weight.grad is not None
            penalty = self.method.l1 * self.rate * weight.detach().sign()
            weight.grad += penalty * candidates.reshape(-1, *[1] * (weight.dim() - 1))  # an index would wait for a GPU

    def after_epoch(self, done: int, epochs: int) -> None:
        """Validate, set the rate, and unless training is over drop candidates under their threshold."""
        if self.goal.validate is None or self.goal.unpruned is None:
            return
        accuracy = self._accuracy()
        self.rate = self.method.rate(accuracy, self.goal.unpruned)
        self.within = accuracy >= self.goal.unpruned - self.method.tolerance
        if self.within:
            self.safe = self._snapshot()
        if done == epochs:
            return
        for number, sums in enumerate(self._sums()):
            self.gone[number] |= self.candidates[number] & (sums < self.method.speed * self.rate * self.base[number])
        self.candidates = self._lowest()

    def figures(self) -> dict[str, Tensor | float]:
        """Return the share of dropped filters, and the present rate T."""
        return {"masked": share(self.gone), "rate": self.rate}

    def finish(self) -> None:
        """Return to the last epoch within the tolerance if necessary, then cut the dropped filters."""
        if not self.within:
            self.model.load_state_dict(self.safe["model"])
            self.gone = self.safe["gone"]
        for hook in self.hooks:
            hook.remove()
        self.model.eval()
        self.targets.cut(self.gone)

    def state_dict(self) -> dict[str, Any]:
        """Return masks, rate, and the last network within the tolerance."""
        return {name: getattr(self, name) for name in ("gone", "candidates", "rate", "within", "safe")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state on the present devices: a checkpoint may come from another machine."""
        for name in ("gone", "candidates"):
            masks = zip(getattr(self, name), state[name], strict=True)
            setattr(self, name, [known.to(mask.device) for mask, known in masks])
        gone = [known.to(mask.device) for mask, known in zip(self.gone, state["safe"]["gone"], strict=True)]
        self.safe = {**state["safe"], "gone": gone}
        self.rate, self.within = state["rate"], state["within"]

    def _sums(self) -> list[Tensor]:
        scores = self.method.scores(self.model, self.goal.calibration)
        return [scores[target.name] for target in self.targets.each]

    def _lowest(self) -> list[Tensor]:
        """Return the candidates: a share `alpha` of the remaining filters, at least one, never all."""
        found = []
        for sums, gone in zip(self._sums(), self.gone, strict=True):
            left = int((~gone).sum())
            count = min(max(1, round(self.method.alpha * left)), left - 1)
            mask = torch.zeros_like(gone)
            mask[sums.masked_fill(gone, torch.inf).argsort(stable=True)[:count]] = True
            found.append(mask)
        return found

    def _threshold(self, number: int, accuracy: float) -> float:
        """Return the largest sum such that without the target's filters under the sum accuracy stays."""
        sums = self._sums()[number]
        order, whole = sums.argsort(stable=True), self.gone[number]
        low, high = 0, len(order) - 1
        while low < high:
            middle = (low + high + 1) // 2
            self.gone[number] = whole.clone().index_fill_(0, order[:middle], True)
            low, high = (middle, high) if self._accuracy() >= accuracy else (low, middle - 1)
        self.gone[number] = whole
        return float(sums[order[low]])

    def _accuracy(self) -> float:
        assert self.goal.validate is not None
        with in_eval_mode(self.model):
            return self.goal.validate()

    def _snapshot(self) -> dict[str, Any]:
        return deepcopy({"model": self.model.state_dict(), "gone": self.gone})

    def _masking(self, number: int) -> Callable[[nn.Module, object, Tensor], Tensor]:
        def mask(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            return output.masked_fill(self.gone[number].reshape(-1, *[1] * (output.dim() - 2)), 0.0)

        return mask
