"""Scores against slow, plain readings of their formulas in float64."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.data.splits import Batch
from compress.errors import RecipeError
from compress.models import Model
from compress.pruning import FPGM, L2Filter, Pruner, Random, Taylor
from compress.pruning.pruner import weighted_layers


@pytest.fixture
def shown() -> Batch:
    """Six images of noise in float64: no ties in the pooling."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(6, 1, 8, 8, generator=generator, dtype=torch.float64)
    return Batch(images, torch.tensor([0, 3, 3, 9, 1, 7]), torch.arange(6))


@pytest.fixture
def wide(net: nn.Module) -> nn.Module:
    """The small CNN in float64."""
    return net.double()


def close(scores: dict[str, Tensor], name: str, expected: list[float]) -> bool:
    return scores[name].tolist() == pytest.approx(expected, rel=1e-6)


def rows(layer: nn.Conv2d | nn.Linear) -> list[list[float]]:
    return [filter.flatten().tolist() for filter in layer.weight.detach().double()]


def test_l2_filter_is_the_root_of_the_sum_of_squares(wide: nn.Module, shown: Batch) -> None:
    scores = L2Filter().scores(wide, shown)
    for name, layer in weighted_layers(wide).items():
        assert close(scores, name, [math.sqrt(sum(w * w for w in row)) for row in rows(layer)])


def test_fpgm_is_the_sum_of_distances_to_the_other_filters(wide: nn.Module, shown: Batch) -> None:
    scores = FPGM().scores(wide, shown)
    for name, layer in weighted_layers(wide).items():
        assert close(scores, name, [sum(math.dist(row, other) for other in rows(layer)) for row in rows(layer)])


def test_fpgm_is_as_near_in_float32(net: nn.Module, shown: Batch) -> None:
    scores = FPGM().scores(net, shown)
    for name, layer in weighted_layers(net).items():
        assert close(scores, name, [sum(math.dist(row, other) for other in rows(layer)) for row in rows(layer)])


def test_fpgm_of_equal_filters_is_nought(net: nn.Module, shown: Batch) -> None:
    for layer in weighted_layers(net).values():
        nn.init.constant_(layer.weight, 0.3)
    assert all(bool((values == 0).all()) for values in FPGM().scores(net, shown).values())


def slow_loss(model: nn.Module, batch: Batch) -> float:
    with torch.no_grad():
        logits = model(batch.images)
    picked = logits.gather(1, batch.targets[:, None])[:, 0]
    return float((logits.exp().sum(1).log() - picked).mean())


@pytest.mark.parametrize("name", ["stage2.0", "classifier"])
def test_taylor_is_the_sum_of_squares_of_gradient_times_weight(name: str, shown: Batch) -> None:
    torch.manual_seed(0)
    net = Model("cnn", 0.25).build(10, 1).double().eval()
    weight, step = net.get_parameter(f"{name}.weight"), 1e-5
    expected = []
    for row in weight.detach().flatten(1):  # a view: writes change the model
        total = 0.0
        for place, value in enumerate(row.tolist()):
            row[place] = value + step
            above = slow_loss(net, shown)
            row[place] = value - step
            below = slow_loss(net, shown)
            row[place] = value
            total += ((above - below) / (2 * step) * value) ** 2
        expected.append(total)
    assert close(Taylor().scores(net, shown), name, expected)


def test_taylor_in_float32_is_what_backward_gives(net: nn.Module, calibration: Batch) -> None:
    scores = Taylor().scores(net, calibration)
    functional.cross_entropy(net(calibration.images), calibration.targets).backward()  # type: ignore[no-untyped-call]
    for name, layer in weighted_layers(net).items():
        assert layer.weight.grad is not None
        product = layer.weight.grad.double() * layer.weight.detach().double()
        assert close(scores, name, product.square().flatten(1).sum(1).tolist())


def test_taylor_asks_for_the_labels(wide: nn.Module, shown: Batch) -> None:
    other = replace(shown, targets=shown.targets.flip(0))
    one, two = (Taylor().scores(wide, batch)["stage1.0"] for batch in (shown, other))
    assert not torch.allclose(one, two)


def test_random_is_drawn_from_its_seed(net: nn.Module, shown: Batch) -> None:
    one, again, other = (Random(seed).scores(net, shown)["stage2.0"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_random_does_not_move_the_global_generator(net: nn.Module, shown: Batch) -> None:
    before = torch.get_rng_state()
    Random().scores(net, shown)
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_below_nought_is_a_sentence() -> None:
    with pytest.raises(RecipeError, match="random: seed must be a whole number of at least 0, got -1"):
        Random(-1)


@pytest.mark.parametrize("method", [L2Filter(), FPGM(), Taylor()], ids=lambda m: m.name)
def test_the_order_of_filters_is_the_order_of_scores(method: Pruner, wide: nn.Module, shown: Batch) -> None:
    """Swapping two filters of the last convolution, and all that reads them, swaps their scores."""
    before = method.scores(wide, shown)["stage3.0"]
    order = torch.arange(len(before)).flip(0)
    norm, reader = wide.get_submodule("stage3.1"), wide.get_submodule("classifier")
    with torch.no_grad():
        for tensor in (wide.get_parameter("stage3.0.weight"), *norm.state_dict().values()):
            if tensor.dim():
                tensor.copy_(tensor[order].clone())
        reader.get_parameter("weight").copy_(reader.get_parameter("weight")[:, order].clone())
    torch.testing.assert_close(method.scores(wide, shown)["stage3.0"], before[order])
