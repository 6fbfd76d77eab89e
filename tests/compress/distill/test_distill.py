"""Distillation: the formula against a slow reading of it, and what the loop is given."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from compress.data.tasks import Task
from compress.distill import KD, Distiller, Outputs
from compress.distill.teaching import Teaching, tapped
from compress.goals import LABELS, Goal
from compress.models import Model

TARGETS = torch.tensor([1, 0, 3])
NOTHING = nn.Identity()


def logits(seed: int) -> Tensor:
    return torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


def said(values: Tensor) -> Outputs:
    return Outputs(values, torch.arange(len(values)))


def softened(row: list[float], temperature: float) -> list[float]:
    powers = [math.exp(z / temperature) for z in row]
    return [power / sum(powers) for power in powers]


def by_hand(student: Tensor, teacher: Tensor, method: KD) -> float:
    """`w_ce CE + w_kd T^2 KL(teacher || student)`, sum over classes, mean over the batch."""
    total = 0.0
    for s, t, label in zip(student.tolist(), teacher.tolist(), TARGETS.tolist(), strict=True):
        p, q = softened(t, method.temperature), softened(s, method.temperature)
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += -method.w_ce * math.log(softened(s, 1)[label]) + method.w_kd * method.temperature**2 * divergence
    return total / len(student)


def gradient_by_hand(student: Tensor, teacher: Tensor, method: KD) -> list[list[float]]:
    """`(w_ce (softmax(z_s) - y) + w_kd T (softmax(z_s / T) - softmax(z_t / T))) / B`."""
    rows = []
    for s, t, label in zip(student.tolist(), teacher.tolist(), TARGETS.tolist(), strict=True):
        hard = [q - (k == label) for k, q in enumerate(softened(s, 1))]
        p, q = softened(t, method.temperature), softened(s, method.temperature)
        soft = [method.temperature * (b - a) for a, b in zip(p, q, strict=True)]
        rows.append([(method.w_ce * h + method.w_kd * k) / len(student) for h, k in zip(hard, soft, strict=True)])
    return rows


METHODS = [KD(), KD(1.0, 1.0, 4.0), KD(0.0, 1.0, 2.5), KD(1.0, 0.0, 1.0)]


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_kd_is_its_formula(method: KD) -> None:
    loss = method.loss(said(logits(0)), said(logits(1)), TARGETS, NOTHING)
    assert float(loss) == pytest.approx(by_hand(logits(0), logits(1), method), abs=1e-9)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_kd_has_the_gradient_of_its_formula(method: KD) -> None:
    student = logits(0).requires_grad_()
    method.loss(said(student), said(logits(1)), TARGETS, NOTHING).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    wanted = torch.tensor(gradient_by_hand(logits(0), logits(1), method), dtype=torch.float64)
    assert torch.allclose(student.grad, wanted, atol=1e-9, rtol=0)


def test_a_student_that_says_the_same_has_nothing_to_learn_of_the_teacher() -> None:
    loss = KD(0.0, 1.0).loss(said(logits(2)), said(logits(2)), TARGETS, NOTHING)
    assert abs(float(loss)) < 1e-12


def test_teaching_is_the_method_on_both_networks(tiny: Task, net: nn.Module) -> None:
    teacher = Model("cnn", 0.25).build(10, 1).eval()
    batch = next(tiny.train.batches(3))
    loss = Teaching(net, teacher, KD(), batch, targets=tiny.train.targets)
    net.eval()
    with torch.no_grad():
        wanted = KD().loss(said(net(batch.images)), said(teacher(batch.images)), batch.targets, NOTHING)
        assert float(loss(batch)) == pytest.approx(float(wanted), rel=1e-6)


def test_the_teacher_is_neither_trained_nor_saved(tiny: Task, net: nn.Module) -> None:
    teacher = Model("cnn", 0.25).build(10, 1).train()
    loss = Teaching(net, teacher, KD(), next(tiny.train.batches(3)), targets=tiny.train.targets)
    loss.train()
    assert not teacher.training
    assert not {id(p) for p in teacher.parameters()} & {id(p) for p in loss.parameters()}
    assert {name.split(".")[0] for name in loss.state_dict()} == {"model"}


class Matching(Distiller):
    """The simplest method that reads a map and trains an adapter."""

    name = "matching"

    def reads(self, model: nn.Module) -> tuple[str, ...]:
        return ("stage2",)

    def adapters(self, student: Outputs, teacher: Outputs, labels: Tensor) -> nn.Module:
        return nn.Conv2d(student.taps["stage2"].shape[1], teacher.taps["stage2"].shape[1], 1)

    def loss(
        self, student: Outputs, teacher: Outputs, targets: Tensor, adapters: nn.Module, goal: Goal = LABELS
    ) -> Tensor:
        mapped: Tensor = adapters(student.taps["stage2"])
        return (mapped - teacher.taps["stage2"]).square().mean()


def test_adapters_are_trained_beside_the_student(tiny: Task, net: nn.Module) -> None:
    first = next(tiny.train.batches(3))
    loss = Teaching(net, Model("cnn", 0.25).build(10, 1), Matching(), first, targets=tiny.train.targets)
    loss(next(tiny.train.batches(8))).backward()
    adapter = loss.get_parameter("adapters.weight")
    assert adapter.shape == (8, 16, 1, 1)
    assert adapter.grad is not None
    assert adapter.grad.abs().sum() > 0


def test_tapped_collects_the_named_maps(net: nn.Module, images: Tensor) -> None:
    with tapped(net, ("stage1", "stage3")) as maps:
        net(images[:2])
    assert {name: tuple(m.shape) for name, m in maps.items()} == {"stage1": (2, 8, 8, 8), "stage3": (2, 32, 2, 2)}
    assert torch.equal(maps["stage1"], net.get_submodule("stage1")(images[:2]))


def test_tapped_stops_collecting_at_its_end(net: nn.Module, images: Tensor) -> None:
    with tapped(net, ("stage1",)) as maps:
        pass
    net(images[:2])
    assert maps == {}


def test_a_tap_the_model_lacks_is_an_error(net: nn.Module) -> None:
    with pytest.raises(KeyError, match="stage9"), tapped(net, ("stage9",)):
        pass
