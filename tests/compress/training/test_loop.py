"""The training loop: the same twice, frozen where told, resumed as if never stopped."""

from __future__ import annotations

import copy
import errno
import logging
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import compress.training.checkpoint
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import DiskError
from compress.goals import LABELS
from compress.models import Model
from compress.training.loop import Hook, Loss, TrainingError, fit
from compress.training.settings import Training

SHORT = Training(epochs=4, lr=0.05, batch_size=32)


def build() -> nn.Module:
    torch.manual_seed(0)
    return Model("cnn", 0.25).build(10, 1)


def train(task: Task, seed: int = 0, checkpoint: Path | None = None) -> dict[str, Tensor]:
    model = build()
    fit(Loss(model), task.train, SHORT, seed=seed, augment=task.augment, checkpoint=checkpoint)
    return model.state_dict()


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


class Interrupted(Exception):
    """A node that was lost."""


def interrupt(task: Task, epoch: int, checkpoint: Path) -> None:
    """Train as `train` does, but stop once `epoch` epochs are over."""

    def told(done: int, of: int) -> None:
        if done == epoch:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(Loss(build()), task.train, SHORT, seed=0, augment=task.augment, checkpoint=checkpoint, on_progress=told)


@pytest.fixture
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress.training.checkpoint, "EVERY_SECONDS", 0.0)


def test_the_same_seed_gives_the_same_bits(tiny: Task) -> None:
    assert same(train(tiny), train(tiny))


def test_another_seed_gives_other_weights(tiny: Task) -> None:
    assert not same(train(tiny), train(tiny, seed=1))


def test_training_draws_nothing_from_the_global_generator(tiny: Task) -> None:
    model = build()
    state = torch.get_rng_state()
    fit(Loss(model), tiny.train, SHORT, seed=0, augment=tiny.augment)
    assert torch.equal(state, torch.get_rng_state())


def test_training_lowers_the_loss_and_ends_in_eval_mode(tiny: Task) -> None:
    model, batch = build().eval(), next(tiny.train.batches(128))
    with torch.no_grad():
        before = Loss(model)(batch)
    fit(Loss(model), tiny.train, Training(epochs=8, batch_size=16), seed=0, augment=None)
    assert not model.training
    with torch.no_grad():
        assert Loss(model)(batch) < 0.5 * before


def test_the_classifier_alone_can_be_trained(tiny: Task) -> None:
    model = build()
    before = copy.deepcopy(model.state_dict())
    head = model.get_submodule("classifier")
    fit(Loss(model), tiny.train, SHORT, seed=0, augment=tiny.augment, only=head)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_what_is_frozen_gets_no_gradient(tiny: Task) -> None:
    model = build()
    fit(Loss(model), tiny.train, SHORT, seed=0, augment=None, only=model.get_submodule("classifier"))
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "classifier.weight",
        "classifier.bias",
    }


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    epoch: int, tiny: Task, tmp_path: Path, every_epoch: None
) -> None:
    file = tmp_path / "partial" / "key.pt"
    interrupt(tiny, epoch, file)
    assert file.exists() == (epoch > 1)
    assert same(train(tiny, checkpoint=file), train(tiny))


def test_a_resumed_run_does_not_repeat_its_epochs(tiny: Task, tmp_path: Path, every_epoch: None) -> None:
    file, heard = tmp_path / "key.pt", []
    interrupt(tiny, 3, file)
    loss = Loss(build())
    fit(
        loss,
        tiny.train,
        SHORT,
        seed=0,
        augment=None,
        checkpoint=file,
        on_progress=lambda done, of: heard.append((done, of)),
    )
    assert heard == [(3, 4), (4, 4)]


def test_a_checkpoint_on_a_full_disk_is_a_sentence(
    tiny: Task, tmp_path: Path, every_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match=r"checkpoint: cannot write .*key.pt: No space left on device"):
        train(tiny, checkpoint=tmp_path / "key.pt")
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_goes_when_training_is_over(tiny: Task, tmp_path: Path, every_epoch: None) -> None:
    train(tiny, checkpoint=tmp_path / "key.pt")
    assert os.listdir(tmp_path) == []


def test_a_torn_checkpoint_starts_over(
    tiny: Task, tmp_path: Path, every_epoch: None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key.pt"
    interrupt(tiny, 3, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with caplog.at_level(logging.WARNING):
        assert same(train(tiny, checkpoint=file), train(tiny))
    assert f"checkpoint {file} cannot be read" in caplog.text


def test_a_checkpoint_of_another_network_starts_over_from_the_weights_given(
    tiny: Task, tmp_path: Path, every_epoch: None
) -> None:
    file = tmp_path / "key.pt"
    interrupt(tiny, 3, file)
    state = torch.load(file, weights_only=True)
    state["module"]["model.classifier.weight"] = torch.zeros(10, 3)  # all but this fits
    torch.save(state, file)
    assert same(train(tiny, checkpoint=file), train(tiny))


def test_short_epochs_are_not_worth_a_checkpoint(tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress.training.checkpoint, "EVERY_SECONDS", 3600.0)
    interrupt(tiny, 4, tmp_path / "key.pt")
    assert os.listdir(tmp_path) == []


def test_a_loss_that_is_no_number_is_a_sentence(tiny: Task) -> None:
    model = build()
    nn.init.constant_(model.get_parameter("classifier.bias"), math.nan)
    with pytest.raises(TrainingError, match=r"the loss became nan in epoch 1 of 4 at lr 0\.05, which is too high"):
        fit(Loss(model), tiny.train, SHORT, seed=0, augment=None)


class Rates(Hook):
    """Notes what the loop calls, and the gradients' presence."""

    def __init__(self, weight: nn.Parameter) -> None:
        self.weight, self.heard = weight, [(-1, -1)]

    def before_update(self, step: int, steps: int) -> None:
        assert self.weight.grad is not None
        self.before = self.weight.detach().clone()

    def after_update(self, step: int, steps: int) -> None:
        assert not torch.equal(self.before, self.weight)
        self.heard.append((step, steps))


def test_hooks_hear_of_every_step_around_the_update(tiny: Task) -> None:
    model = build()
    hook = Rates(model.get_parameter("classifier.weight"))
    fit(Loss(model), tiny.train, Training(epochs=2, batch_size=50), seed=0, augment=None, hooks=[hook])
    assert hook.heard[1:] == [(step, 6) for step in range(6)]


class Scaling(Hook):
    """Multiplies the logits by a number of its own, and counts epochs."""

    def __init__(self, model: nn.Module) -> None:
        self.factor = nn.Parameter(torch.ones(()))
        self.heard: list[tuple[int, int]] = []
        model.get_submodule("classifier").register_forward_hook(lambda m, i, output: output * self.factor)

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.factor], "momentum": 0.0, "weight_decay": 0.0, "nesterov": False}]

    def before_update(self, step: int, steps: int) -> None:
        assert self.factor.grad is not None
        self.factor.grad.fill_(0.25)

    def after_epoch(self, done: int, epochs: int) -> None:
        self.heard.append((done, epochs))

    def state_dict(self) -> dict[str, Any]:
        return {"factor": self.factor.detach(), "heard": self.heard}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.factor.copy_(state["factor"])
        self.heard = list(state["heard"])


def test_a_hooks_own_parameters_are_trained_with_settings_of_their_own(tiny: Task) -> None:
    model = build()
    hook = Scaling(model)
    fit(Loss(model), tiny.train, SHORT, seed=0, augment=None, hooks=[hook])
    moved = sum(0.25 * SHORT.lr_at(step / 16) for step in range(16))  # no momentum, no decay
    assert float(hook.factor.detach()) == pytest.approx(1 - moved, abs=1e-6)
    assert hook.heard == [(epoch, 4) for epoch in (1, 2, 3, 4)]


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "hooks missing"])
def test_a_hook_goes_on_where_it_was_or_starts_over(torn: bool, tiny: Task, tmp_path: Path, every_epoch: None) -> None:
    def run(checkpoint: Path | None, until: int = 9) -> tuple[dict[str, Tensor], Scaling]:
        def told(done: int, of: int) -> None:
            if done == until:
                raise Interrupted

        model = build()
        hook = Scaling(model)
        fit(Loss(model), tiny.train, SHORT, seed=0, augment=None, hooks=[hook], checkpoint=checkpoint, on_progress=told)
        return model.state_dict(), hook

    file = tmp_path / "key.pt"
    with pytest.raises(Interrupted):
        run(file, until=3)
    if torn:
        torch.save({**torch.load(file, weights_only=True), "hooks": []}, file)
    (resumed, one), (straight, other) = run(file), run(None)
    assert same(resumed, straight)
    assert torch.equal(one.factor, other.factor)
    assert one.heard == other.heard


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_cosine_lowers_the_rate_along_half_a_cosine(share: float) -> None:
    assert Training(lr=0.3).lr_at(share) == pytest.approx(0.3 * math.cos(math.pi * share / 2) ** 2)


@pytest.mark.parametrize(("share", "factor"), [(0.0, 1), (0.49, 1), (0.5, 0.1), (0.74, 0.1), (0.75, 0.01), (1, 0.01)])
def test_step_divides_the_rate_by_ten_at_a_half_and_three_quarters(share: float, factor: float) -> None:
    assert Training(lr=0.3, decay="step").lr_at(share) == pytest.approx(0.3 * factor)


def test_label_smoothing_mixes_in_the_uniform_distribution() -> None:
    model = nn.Flatten()
    batch = Batch(torch.tensor([[1.0, 0.0, -2.0], [0.5, 3.0, 0.0]]), torch.tensor([2, 1]), torch.arange(2))
    logs = batch.images.log_softmax(1)
    wanted = -(0.9 * logs[[0, 1], [2, 1]] + 0.1 * logs.mean(1)).mean()
    torch.testing.assert_close(Loss(model, replace(LABELS, smoothing=0.1).loss)(batch), wanted)


@pytest.mark.parametrize("images", [64, 65, 66])
def test_a_last_batch_of_one_image_is_left_out_where_batch_norm_refuses_it(tiny: Task, images: int) -> None:
    shown = replace(tiny.train, images=tiny.train.images[:images], targets=tiny.train.targets[:images])  # type: ignore[call-arg,attr-defined]
    layers = nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10)
    for net, left_out in ((nn.Sequential(*layers), images == 65), (build(), False)):
        seen: list[int] = []
        net.register_forward_hook(
            lambda layer, given, _, seen=seen: seen.append(len(given[0])) if layer.training else None
        )
        fit(Loss(net), shown, replace(SHORT, epochs=2), seed=0, augment=tiny.augment)
        assert seen == 2 * ([32, 32] if images == 64 or left_out else [32, 32, images - 64])


def test_a_checkpoint_of_a_gpu_goes_on_where_there_is_none(
    tiny: Task, tmp_path: Path, every_epoch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pt"
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        interrupt(tiny, 3, file)
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        torch.load(file, weights_only=True)
    heard: list[int] = []
    loss = Loss(build())
    fit(
        loss,
        tiny.train,
        SHORT,
        seed=0,
        augment=tiny.augment,
        checkpoint=file,
        on_progress=lambda done, of: heard.append(done),
    )
    assert heard == [3, 4]
    assert same(loss.model.state_dict(), train(tiny))


@pytest.mark.parametrize(("writing", "every"), [(0.01, 2.0), (0.04, 2.0), (1.0, 50.0)])
def test_what_takes_long_to_write_is_written_as_much_more_rarely(
    writing: float, every: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, times = build(), iter((0.0, 10.0, 10.0, 10.0 + writing))
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    kept = compress.training.checkpoint.Checkpoint(tmp_path / "key.pt", model, optimizer, torch.Generator())
    kept.keep(1)
    assert kept.every == pytest.approx(every)
