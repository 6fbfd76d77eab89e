"""What every method keeps to, one test a promise; no method is named."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import DISTILLERS, Distiller
from compress.distill.teaching import Teaching, observe
from compress.lowrank import FACTORIZERS, Factorizer
from compress.models import Model
from compress.pruning import PRUNERS, OneShot, Pruner
from compress.pruning.pruner import weight_count, weighted_layers
from compress.quantize import QUANTIZERS, Quantizer
from compress.stages import Factorize, Prune, Quantize
from compress.training.loop import fit
from compress.training.settings import Training

pruners = pytest.mark.parametrize("pruner", [kind() for kind in PRUNERS.values()], ids=list(PRUNERS))
distillers = pytest.mark.parametrize("distiller", [kind() for kind in DISTILLERS.values()], ids=list(DISTILLERS))
factorizers = pytest.mark.parametrize("factorizer", [k() for k in FACTORIZERS.values()], ids=list(FACTORIZERS))
quantizers = pytest.mark.parametrize("quantizer", [kind() for kind in QUANTIZERS.values()], ids=list(QUANTIZERS))
CHANGES: list[Prune | Factorize | Quantize] = [
    *(Prune(kind(), *(() if kind.adaptive else (0.5, OneShot()))) for kind in PRUNERS.values()),
    *(Factorize(kind(), 0.5, OneShot()) for kind in FACTORIZERS.values()),
    *(Quantize(kind()) for kind in QUANTIZERS.values()),
]
TEACHERS = [Model("cnn", 0.5), Model("cnn"), Model("resnet20", 0.25)]


def build(model: Model) -> nn.Module:
    torch.manual_seed(0)
    return model.build(10, 1)


def labelled(images: Tensor) -> Batch:
    """The images with a class each."""
    place = torch.arange(len(images))
    return Batch(images, place % 10, place)


def state(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pruners
def test_scores_have_the_shapes_of_their_granularity(pruner: Pruner, net: nn.Module, calibration: Batch) -> None:
    layers = weighted_layers(net)
    scores = pruner.scores(net, calibration)
    assert scores.keys() <= layers.keys()
    assert len(scores) > 1
    for name, values in scores.items():
        whole = layers[name].weight.shape
        assert values.shape == (whole if pruner.granularity == "weight" else whole[:1])


@pruners
def test_scores_are_the_same_twice(pruner: Pruner, net: nn.Module, calibration: Batch) -> None:
    assert same(pruner.scores(net, calibration), pruner.scores(net, calibration))


@pruners
def test_scores_leave_the_model_as_it_was(pruner: Pruner, net: nn.Module, calibration: Batch) -> None:
    before = state(net)
    pruner.scores(net, calibration)
    assert same(before, state(net))
    assert not net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())


@pruners
def test_scores_leave_a_model_in_training_as_it_was(pruner: Pruner, net: nn.Module, calibration: Batch) -> None:
    net.train().get_submodule("stage2").eval()
    net.get_parameter("stage1.0.weight").requires_grad_(False)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    modes, before = [m.training for m in net.modules()], state(net)
    pruner.scores(net, calibration)
    assert same(before, state(net))
    assert [m.training for m in net.modules()] == modes
    assert [n for n, p in net.named_parameters() if not p.requires_grad] == ["stage1.0.weight"]
    assert all(p.grad is not None and bool((p.grad == 1).all()) for p in net.parameters())


@pruners
def test_scores_are_the_same_in_training_and_without_gradients(
    pruner: Pruner, net: nn.Module, calibration: Batch
) -> None:
    expected = pruner.scores(net, calibration)
    with torch.no_grad():
        assert same(expected, pruner.scores(net.train(), calibration))


@pruners
@pytest.mark.parametrize("shown", [torch.zeros(4, 1, 8, 8), torch.ones(1, 1, 8, 8)], ids=["constant", "one-image"])
def test_scores_are_finite_on_odd_images(pruner: Pruner, net: nn.Module, shown: Tensor) -> None:
    for values in pruner.scores(net, labelled(shown)).values():
        assert torch.isfinite(values).all()


@pruners
def test_scores_are_detached_and_where_the_model_is(pruner: Pruner, net: nn.Module, calibration: Batch) -> None:
    weight = next(net.parameters())
    for values in pruner.scores(net, calibration).values():
        assert values.device == weight.device
        assert not values.requires_grad


@pytest.mark.parametrize("stage", CHANGES, ids=lambda s: s.method.name)
def test_a_change_keeps_the_floating_type(
    stage: Prune | Factorize | Quantize, net: nn.Module, calibration: Batch
) -> None:
    wide, shown = net.double(), calibration.images[:8].double()
    changed = stage.change(wide, 0.5, full=weight_count(wide), calibration=labelled(shown))
    assert changed(shown).dtype == torch.float64
    floating = [p for p in changed.parameters() if p.is_floating_point()]
    assert {p.dtype for p in floating} == {torch.float64}


@distillers
@pytest.mark.parametrize("teacher", TEACHERS, ids=str)
def test_a_distiller_trains_the_student_and_not_the_teacher(distiller: Distiller, teacher: Model, tiny: Task) -> None:
    student, knowing = build(Model("cnn", 0.25)), build(teacher).eval()
    start, known = state(student), state(knowing)
    loss = Teaching(student, knowing, distiller, next(tiny.train.batches(64)), targets=tiny.train.targets)
    fit(loss, tiny.train, Training(epochs=1, batch_size=64, lr=0.01), seed=0, augment=None)
    assert same(known, state(knowing))
    assert all(parameter.grad is None for parameter in knowing.parameters())
    assert not torch.equal(start["stage1.0.weight"], student.state_dict()["stage1.0.weight"])


@distillers
def test_a_distilling_loss_is_a_finite_scalar_with_gradients(distiller: Distiller, images: Tensor) -> None:
    student, teacher = build(Model("cnn", 0.25)), build(Model("resnet20", 0.25)).eval()
    labels = torch.arange(16) % 10
    batch = Batch(images[:16], labels, torch.arange(16))
    one, other = (observe(model, distiller, batch) for model in (student, teacher))
    loss = distiller.loss(one, other, labels, distiller.adapters(one, other, labels))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()  # type: ignore[no-untyped-call]
    weight = student.get_parameter("stage1.0.weight")
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


@factorizers
@pytest.mark.parametrize("layer", [nn.Conv2d(6, 8, 3, padding=1), nn.Linear(12, 8)], ids=["conv", "linear"])
def test_a_factorizer_at_full_rank_changes_nothing(factorizer: Factorizer, layer: nn.Conv2d | nn.Linear) -> None:
    shown = torch.randn(2, 6, 5, 5) if isinstance(layer, nn.Conv2d) else torch.randn(2, 12)
    rank = min(factorizer.matrix(layer).shape)
    assert torch.allclose(factorizer.factors(layer, rank)(shown), layer(shown), atol=1e-5)


@factorizers
def test_a_rank_falls_with_the_strength_and_never_to_zero(factorizer: Factorizer) -> None:
    spectrum = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.5])
    ranks = [factorizer.rank(spectrum, strength) for strength in (0.0, 0.3, 0.8, 0.95, 1.0)]
    assert ranks == sorted(ranks)
    assert (ranks[0], ranks[-1]) == (1, 5)


@quantizers
@pytest.mark.parametrize("shown", [torch.zeros(4, 1, 8, 8), torch.ones(1, 1, 8, 8)], ids=["constant", "one-image"])
def test_a_quantizer_bears_odd_calibration(quantizer: Quantizer, net: nn.Module, shown: Tensor) -> None:
    converted = quantizer.convert(net, shown)
    assert torch.isfinite(converted(torch.randn(3, 1, 8, 8))).all()


@quantizers
def test_a_quantizer_is_the_same_twice(quantizer: Quantizer, net: nn.Module, images: Tensor) -> None:
    one, other = (quantizer.convert(copy.deepcopy(net), images) for _ in range(2))
    assert same(state(one), state(other))
