"""Figures of a training by epoch: their values, the training unchanged by the figures, epochs kept through a resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import KD, SimKD
from compress.distill.teaching import Teaching
from compress.models import Model
from compress.pruning import Gradual, PlayAndPrune, ResRep
from compress.pruning.during_training import DuringTraining, Goal
from compress.pruning.pruner import weight_count
from compress.training import checkpoint as saving
from compress.training.loop import Hook, KeepZeros, Loss, fit
from compress.training.series import Row
from compress.training.settings import Training

CNN = Model("cnn", 0.25)
SHORT = Training(epochs=4, lr=0.05, batch_size=32, decay="step", drops=(0.5,))


def build(model: Model = CNN) -> nn.Module:
    torch.manual_seed(0)
    return model.build(10, 1)


class Noting(Loss):
    """Notes the loss and the number of right answers of every batch."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.noted: list[tuple[float, int, int]] = []

    def forward(self, batch: Batch) -> Tensor:
        value = super().forward(batch)
        assert self.answers is not None
        right = int((self.answers.argmax(1) == batch.targets).sum())
        self.noted.append((float(value.detach()), right, len(batch.targets)))
        return value


def test_a_row_is_the_mean_over_the_epochs_batches_and_images(tiny: Task) -> None:
    loss = Noting(build())
    rows = fit(loss, tiny.train, SHORT, seed=0, augment=tiny.augment, counts_right=True)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["lr"] for row in rows] == [0.05, 0.05, pytest.approx(0.005), pytest.approx(0.005)]
    batches = len(loss.noted) // 4
    for number, row in enumerate(rows):
        losses, right, images = zip(*loss.noted[number * batches : (number + 1) * batches], strict=True)
        assert row["loss"] == pytest.approx(sum(losses) / batches, rel=1e-5)
        assert row["score"] == sum(right) / sum(images)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_counting_right_answers_changes_no_bit_of_the_network(tiny: Task) -> None:
    states = []
    for counts in (False, True):
        loss = Loss(build())
        rows = fit(loss, tiny.train, SHORT, seed=0, augment=tiny.augment, counts_right=counts)
        assert ("score" in rows[0]) == counts
        assert loss.answers is None
        states.append(loss.model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_resumed_training_keeps_the_epochs_before(
    tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "EVERY_SECONDS", 0.0)

    def train(stop: int | None = None) -> list[Row]:
        def told(done: int, of: int) -> None:
            if done == stop:
                raise KeyboardInterrupt

        model, file = build(), tmp_path / "key.pt"
        return fit(Loss(model), tiny.train, SHORT, seed=0, augment=None, checkpoint=file, on_progress=told)

    whole = train()
    with pytest.raises(KeyboardInterrupt):
        train(stop=3)
    state = torch.load(tmp_path / "key.pt", weights_only=True)
    assert len(state["series"]) == 2
    assert train() == whole


def test_a_checkpoint_without_series_is_resumed_without_the_epochs_before(tmp_path: Path) -> None:
    model = build()
    optimizer, generator = torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator()
    parts = {"module": model.state_dict(), "optimizer": optimizer.state_dict(), "generator": generator.get_state()}
    torch.save({**parts, "hooks": [], "epochs": 2}, tmp_path / "old.pt")
    series: list[Row] = []
    assert saving.Checkpoint(tmp_path / "old.pt", model, optimizer, generator, (), series).restore() == 2
    assert series == []


@pytest.mark.parametrize("method", [KD(), SimKD()], ids=lambda method: method.name)
def test_a_student_has_a_score_unless_its_classifier_is_dropped(method: KD | SimKD, tiny: Task) -> None:
    student, teacher = build(), build(Model("cnn", 0.5)).eval()
    loss = Teaching(student, teacher, method, tiny.train.first(32), targets=tiny.train.targets)
    (row,) = fit(loss, tiny.train, replace(SHORT, epochs=1), seed=0, augment=None, counts_right=True)
    assert ("score" in row) == (not method.ships_adapter)


def rows_under(hook: Hook, net: nn.Module, task: Task) -> list[float]:
    rows = fit(Loss(net), task.train, SHORT, seed=0, augment=None, hooks=[hook])
    return [row["masked"] for row in rows]


def test_zeros_that_are_kept_are_the_same_share_in_every_epoch(tiny: Task) -> None:
    net = build()
    weight = net.get_parameter("classifier.weight")
    with torch.no_grad():
        weight[:5] = 0
    assert rows_under(KeepZeros([weight]), net, tiny) == [0.5] * 4


@pytest.mark.parametrize(
    ("method", "least"), [(Gradual(every=1, share=1), 0.55), (ResRep(start=0, every=1), 0.2)], ids=["gradual", "resrep"]
)
def test_the_masked_share_grows_while_a_method_prunes(method: DuringTraining, least: float, tiny: Task) -> None:
    net = build(Model("cnn", 0.5))
    hook = method.begin(net, Goal(0.6, weight_count(net), tiny.train.first(64), SHORT.epochs))
    masked = rows_under(hook, net, tiny)
    assert masked == sorted(masked)
    assert 0 < masked[0] < masked[-1]
    assert least < masked[-1] < 0.7


def test_play_and_prune_tells_its_rate(tiny: Task) -> None:
    net = build()
    goal = Goal(0.0, weight_count(net), tiny.train.first(64), SHORT.epochs, validate=lambda: 0.5, unpruned=0.5)
    rows = fit(Loss(net), tiny.train, SHORT, seed=0, augment=None, hooks=[PlayAndPrune(0.02).begin(net, goal)])
    assert [row["rate"] for row in rows] == [pytest.approx(1)] * 4
    assert all(0 <= row["masked"] < 1 for row in rows)
