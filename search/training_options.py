"""Options of a search about trainings; an option left out stays as the space has it.

A field is a field of `compress.training.settings.Training`, with `recovery_` before its name for the recovery after a
cut. A study file has the fields in its sections `[training]` and `[recovery]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from search.option_fields import TRAINED, setting

if TYPE_CHECKING:
    from spaces.study_training import StudyTraining

RECOVERY = "recovery_"
Shares = tuple[str | float, ...] | None
"""Shares of a run, as numbers or as text such as `150/240`."""


def _trained(help: str, *, commas: bool = False) -> Any:
    return setting(None, f"{help[0].upper()}{help[1:]}.", group=TRAINED, commas=commas)


def _recovered(help: str, *, commas: bool = False) -> Any:
    return setting(None, f"Of a recovery: {help}.", group=TRAINED, commas=commas)


_EPOCHS = "epochs of each training"
_LR = "learning rate; the space's choices of rates keep their ratio"
_BATCH_SIZE = "images in a batch"
_OPTIMIZER = "sgd, adamw, FILE.py:function or package.module:function of your own"
_MOMENTUM = "momentum of sgd, first beta of adamw"
_WEIGHT_DECAY = "weight decay, on all parameters"
_WARMUP = "epochs in which the learning rate rises to its full height"
_DECAY = "of the learning rate: cosine, constant, or step"
_DROPS = "shares of the run at which step lowers the rate, such as 150/240,180/240"
_FACTOR = "factor of the rate at each of the drops"
_CLIP_NORM = "norm to which the gradient of a batch is scaled down"
_EMA = "keep the moving average of the weights, with this decay, such as 0.999"
_SHARED = "; of the training if left out"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Settings of a study's trainings from scratch and of its recoveries; None leaves a setting to the space.

    Ranges are those of `Training`. A recovery shares optimizer, momentum, weight decay, batch size, clipping and moving
    average with the training. The constructor turns `drops` into numbers; ValueError for values that make no sense.
    """

    epochs: int | None = _trained(_EPOCHS)
    lr: float | None = _trained(_LR)
    batch_size: int | None = _trained(_BATCH_SIZE)
    optimizer: str | None = _trained(_OPTIMIZER)
    momentum: float | None = _trained(_MOMENTUM)
    weight_decay: float | None = _trained(_WEIGHT_DECAY)
    warmup: float | None = _trained(_WARMUP)
    decay: str | None = _trained(_DECAY)
    drops: Shares = _trained(_DROPS, commas=True)
    factor: float | None = _trained(_FACTOR)
    clip_norm: float | None = _trained(_CLIP_NORM)
    ema: float | None = _trained(_EMA)
    recovery_epochs: int | None = _recovered(_EPOCHS)
    recovery_lr: float | None = _recovered(f"{_LR}, that of --lr if left out")
    recovery_batch_size: int | None = _recovered(_BATCH_SIZE + _SHARED)
    recovery_optimizer: str | None = _recovered(_OPTIMIZER + _SHARED)
    recovery_momentum: float | None = _recovered(_MOMENTUM + _SHARED)
    recovery_weight_decay: float | None = _recovered(_WEIGHT_DECAY + _SHARED)
    recovery_warmup: float | None = _recovered(_WARMUP)
    recovery_decay: str | None = _recovered(_DECAY)
    recovery_drops: Shares = _recovered(_DROPS, commas=True)
    recovery_factor: float | None = _recovered(_FACTOR)
    recovery_clip_norm: float | None = _recovered(_CLIP_NORM + _SHARED)
    recovery_ema: float | None = _recovered(_EMA + _SHARED)

    def __post_init__(self) -> None:
        for name in ("drops", f"{RECOVERY}drops"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, shares(name.replace("_", "-"), given))
        _ = self.trainings

    @property
    def trainings(self) -> StudyTraining:
        """The given settings, complete; ValueError for values that make no sense, first for an optimizer's file."""
        from compress.training.optimizers import check_found
        from spaces.study_training import StudyTraining

        names = [each.name for each in fields(TrainingOptions)]
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        recovery = {name.removeprefix(RECOVERY): given.pop(name) for name in names if name in given and _recovers(name)}
        for values in (given, recovery):
            if "lr" not in values:  # a rate is asked for only with an optimizer that is there
                check_found(values.get("optimizer"))
        return StudyTraining(given, recovery)


def _recovers(name: str) -> bool:
    return name.startswith(RECOVERY)


def shares(option: str, given: Iterable[str | float]) -> tuple[float, ...]:
    """Shares of a run as numbers, from numbers or text such as `0.5` or `150/240`; ValueError for other text."""
    try:
        return tuple(float(Fraction(one)) for one in given)
    except (TypeError, ValueError, ArithmeticError) as error:
        shown = ",".join(map(str, given)) if isinstance(given, tuple | list) else given
        raise ValueError(f"{option} must be shares of the run, such as 0.5 or 150/240, got {shown!r}") from error
