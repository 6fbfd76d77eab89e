"""Settings of a training: rates over the run, and settings that make no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from compress.encoding import digest, encode
from compress.errors import RecipeError
from compress.stages.words import epochs
from compress.training.settings import Training


def rates(training: Training, per_epoch: int = 10) -> list[float]:
    """The rate at the first step of every epoch."""
    steps = per_epoch * training.epochs
    return [training.lr_at(epoch * per_epoch / steps) for epoch in range(training.epochs)]


def test_a_rate_is_halved_every_40_epochs() -> None:
    drops = tuple(epoch / 240 for epoch in (40, 80, 120, 160, 200))
    halved = rates(Training(epochs=240, lr=0.01, decay="step", drops=drops, factor=0.5))
    assert halved == pytest.approx([0.01 / 2 ** (epoch // 40) for epoch in range(240)])


def test_a_rate_is_a_tenth_at_150_180_and_210_of_240_epochs() -> None:
    drops = (150 / 240, 180 / 240, 210 / 240)
    dropped = rates(Training(epochs=240, lr=0.05, decay="step", drops=drops))
    wanted = [0.05 * 0.1 ** sum(epoch >= drop for drop in (150, 180, 210)) for epoch in range(240)]
    assert dropped == pytest.approx(wanted)


def test_a_warm_up_is_a_line_and_the_cosine_begins_behind_it() -> None:
    warmed = Training(epochs=12, lr=0.1, warmup=2)
    assert [warmed.lr_at(share / 12) for share in (0, 1, 2)] == pytest.approx([0.001, 0.0505, 0.1])
    plain = Training(epochs=10, lr=0.1)
    assert rates(warmed)[2:] == pytest.approx(rates(plain))


def test_a_constant_rate_stays() -> None:
    assert set(rates(Training(epochs=9, lr=0.3, decay="constant"))) == {0.3}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"optimizer": "adam"},
        "training: optimizer: unknown 'adam', known are adamw, sgd, FILE.py:function and",
    ),
    ({"optimizer": 3}, "training: optimizer: unknown 3, known are"),
    ({"optimizer": "my_opt:make", "momentum": 0.5}, "momentum is not handed to my_opt:make: set momentum in the func"),
    ({"warmup": 30}, "training: warmup must be shorter than the 30 epochs of the training, got 30"),
    ({"warmup": -1}, "training: warmup must be at least 0, got -1"),
    ({"decay": "linear"}, "training: decay: unknown 'linear', known are constant, cosine, step"),
    ({"decay": "step", "drops": ()}, "training: drops must be rising shares of the run, got ()"),
    ({"decay": "step", "drops": (0.5, 0.5)}, "training: drops must be rising shares of the run, got (0.5, 0.5)"),
    ({"decay": "step", "drops": (0.5, 1.5)}, "training: drops must be in [1e-09, 1), got 1.5"),
    ({"decay": "step", "drops": 0.5}, "training: drops must be a tuple, got 0.5"),
    ({"decay": "step", "factor": 1.0}, "training: factor must be in [1e-09, 1), got 1.0"),
    ({"drops": (0.3,)}, "training: drops and factor must come with the decay step, got cosine"),
    ({"factor": 0.5}, "training: drops and factor must come with the decay step, got cosine"),
    ({"clip_norm": 0.0}, "training: clip_norm must be above 0, got 0.0"),
    ({"ema": 1.0}, "training: ema must be in [0, 1), got 1.0"),
]


@pytest.mark.parametrize(("settings", "sentence"), REFUSED, ids=lambda case: str(case)[:40])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError) as told:
        Training(**settings)
    assert sentence in str(told.value)


def test_a_training_hashes_as_before_the_new_settings() -> None:
    form = encode(Training(epochs=60))
    assert set(form) == {  # type: ignore[call-overload]
        "type", "epochs", "lr", "batch_size", "momentum", "weight_decay", "decay", "label_smoothing",
    }  # fmt: skip
    assert digest(Training(epochs=60)) == digest(form)


def test_whole_numbers_and_floats_hash_alike() -> None:
    assert digest(Training(clip_norm=1, warmup=2)) == digest(Training(clip_norm=1.0, warmup=2.0))


def test_a_sentence_has_every_setting_that_is_not_the_default() -> None:
    assert epochs(Training(epochs=3)) == "3 epochs, learning rate 0.1, batches of 128"
    told = replace(Training(epochs=3), optimizer="adamw", decay="step", drops=(0.25, 0.5), ema=0.99)
    assert epochs(told).endswith("of 128, decay step, optimizer adamw, drops 0.25, 0.5, ema 0.99")
