"""Losses on feature maps, against slow readings of their formulas in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.distill import AT, SP, VID, Cosine, Distiller, FitNets, Outputs
from compress.distill.fitnets import regressor
from compress.distill.stages import pairs, stages
from compress.distill.weighted import Weighted
from compress.errors import RecipeError
from compress.models import Model

Array = NDArray[np.float64]
Agree = Callable[[Callable[[], Tensor], Callable[..., Any], list[Tensor]], None]
BATCH = 3
TARGETS = torch.tensor([1, 0, 3])
NOTHING = nn.Identity()
MAPS = [AT(beta=1), AT(beta=1, distance="norm"), FitNets(beta=1), SP(beta=1), Cosine(), VID()]
every_loss = pytest.mark.parametrize("method", MAPS, ids=str)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


def student() -> Outputs:
    """Two stages."""
    maps = {"b": random(BATCH, 2, 4, 4).requires_grad_(), "c": random(BATCH, 3, 2, 2).requires_grad_()}
    return Outputs(random(BATCH, 4).requires_grad_(), torch.arange(BATCH), maps)


def teacher() -> Outputs:
    """Three stages, one smaller and one larger than the student's, all of other widths."""
    maps = {"a": random(BATCH, 5, 8, 8), "b": random(BATCH, 4, 2, 2), "c": random(BATCH, 2, 5, 5)}
    return Outputs(random(BATCH, 4, seed=1), torch.arange(BATCH), maps)


def only(said: Outputs, name: str) -> Outputs:
    return Outputs(said.logits, said.index, {name: said.taps[name]})


def pool(maps: Array, size: int) -> Array:
    """Means of blocks: block i of n out of m begins at floor(i m / n) and ends at ceil((i + 1) m / n)."""
    sides = maps.shape[2]
    out = np.zeros((*maps.shape[:2], size, size))
    ends = [(i * sides // size, -(-(i + 1) * sides // size)) for i in range(size)]
    for i, (top, bottom) in enumerate(ends):
        for j, (left, right) in enumerate(ends):
            out[:, :, i, j] = maps[:, :, top:bottom, left:right].mean((2, 3))
    return out


def fitted(one: Array, other: Array) -> tuple[Array, Array]:
    size = min(one.shape[2], other.shape[2])
    return pool(one, size), pool(other, size)


def test_pooling_by_hand_is_adaptive_pooling() -> None:
    maps = random(2, 3, 5, 5)
    assert np.allclose(pool(maps.numpy(), 2), nn.functional.adaptive_avg_pool2d(maps, 2).numpy())


def told() -> list[Array]:
    """The teacher's two last maps."""
    return [teacher().taps[name].numpy() for name in ("b", "c")]


@pytest.mark.parametrize("distance", ["square", "norm"])
def test_at_is_its_formula(distance: str, agree: Agree) -> None:
    def look(maps: Array) -> list[Array]:
        rows = [np.array([(image[:, i, j] ** 2).mean() for i, j in np.ndindex(*image.shape[1:])]) for image in maps]
        return [row / np.sqrt((row**2).sum()) for row in rows]

    def by_hand(*maps: Array) -> float:
        total = 0.0
        for mine, theirs in zip(maps, told(), strict=True):
            s, t = fitted(mine, theirs)
            apart = [one - other for one, other in zip(look(s), look(t), strict=True)]
            each = [(d**2).mean() if distance == "square" else np.sqrt((d**2).sum()) / 2 for d in apart]
            total += sum(each) / BATCH
        return total

    learning = student()
    agree(
        lambda: AT(distance=distance).term(learning, teacher(), NOTHING),
        by_hand,
        list(learning.taps.values()),
    )


@pytest.mark.parametrize(("mine", "theirs"), [("b", "b"), ("c", "c"), ("b", "c")])
def test_fitnets_is_its_formula(mine: str, theirs: str, agree: Agree) -> None:
    learning, knowing = only(student(), mine), only(teacher(), theirs)
    hint = knowing.taps[theirs].numpy()
    adapters = FitNets().adapters(learning, knowing, TARGETS).double()
    convolution = adapters.get_submodule("0")
    assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
    (stride, _), (kernel, _) = convolution.stride, convolution.kernel_size

    def by_hand(maps: Array, weight: Array, bias: Array, scale: Array, shift: Array) -> float:
        out = np.zeros_like(hint) + bias[None, :, None, None]
        grows = maps.shape[2] < hint.shape[2]
        few = min(maps.shape[2], hint.shape[2])
        for i, j, k, m in np.ndindex(few, few, kernel, kernel):
            y, x = i * stride + k, j * stride + m
            if grows:
                out[:, :, y, x] += maps[:, :, i, j] @ weight[:, :, k, m]
            else:
                out[:, :, i, j] += maps[:, :, y, x] @ weight[:, :, k, m].T
        mean, variance = out.mean((0, 2, 3), keepdims=True), out.var((0, 2, 3), keepdims=True)
        out = (out - mean) / np.sqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]
        return float(((np.maximum(out, 0) - hint) ** 2).mean())

    agree(
        lambda: FitNets().term(learning, knowing, adapters),
        by_hand,
        [learning.taps[mine], *adapters.parameters()],
    )


@pytest.mark.parametrize("sides", [(8, 8), (8, 4), (8, 3), (7, 4), (5, 1), (1, 6), (3, 8), (4, 8)], ids=str)
def test_the_convolution_of_fitnets_gives_the_teachers_shape(sides: tuple[int, int]) -> None:
    mine, hint = torch.randn(2, 3, sides[0], sides[0]), torch.randn(2, 5, sides[1], sides[1])
    assert regressor(mine, hint)(mine).shape == hint.shape


def test_the_convolution_of_fitnets_is_1x1_where_sizes_agree() -> None:
    assert regressor(torch.randn(1, 3, 4, 4), torch.randn(1, 5, 4, 4)).kernel_size == (1, 1)


def test_fitnets_refuses_maps_that_grow_and_shrink() -> None:
    with pytest.raises(RecipeError, match=r"at least as high and as wide as the other, got \(4, 2\) and \(2, 4\)"):
        regressor(torch.randn(1, 1, 4, 2), torch.randn(1, 1, 2, 4))


def test_sp_is_its_formula(agree: Agree) -> None:
    def alike(maps: Array) -> Array:
        found = np.array([[(a * b).sum() for b in maps] for a in maps])
        return np.array([row / np.sqrt((row**2).sum()) for row in found])

    learning, knowing = only(student(), "c"), only(teacher(), "c")
    agree(
        lambda: SP().term(learning, knowing, NOTHING),
        lambda maps: ((alike(maps) - alike(told()[1])) ** 2).sum() / BATCH**2,
        [learning.taps["c"]],
    )


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_cosine_is_its_formula(lam: float, agree: Agree) -> None:
    def cos(a: Array, b: Array) -> float:
        return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))

    def by_hand(logits: Array, *maps: Array) -> float:
        total = 0.0
        for image in range(BATCH):
            total += lam * (1 - cos(logits[image], teacher().logits[image].numpy()))
            for mine, theirs in zip(maps, told(), strict=True):
                s, t = fitted(mine, theirs)
                total += (1 - lam) / 2 * (1 - cos(s[image].mean(0), t[image].mean(0)))
        return 3 * total / BATCH

    learning = student()
    agree(
        lambda: Cosine(lam, beta=3.0).loss(learning, teacher(), TARGETS, NOTHING),
        by_hand,
        [learning.logits, *learning.taps.values()],
    )


def test_vid_is_its_formula(agree: Agree) -> None:
    learning, knowing = student(), teacher()
    adapters = VID().adapters(learning, knowing, TARGETS).double()

    def stage(maps: Array, hint: Array, spread: Array, layers: list[Array]) -> float:
        s, t = fitted(maps, hint)
        for place, layer in enumerate(layers):
            s = np.einsum("oi,bihw->bohw", layer[:, :, 0, 0], np.maximum(s, 0) if place else s)
        v = (np.log(1 + np.exp(spread)) + 1e-5)[None, :, None, None]
        return float((0.5 * ((s - t) ** 2 / v + np.log(v))).mean())

    def by_hand(*values: Array) -> float:
        maps, weights = values[:2], values[2:]
        return sum(
            stage(mine, theirs, weights[4 * i], list(weights[4 * i + 1 : 4 * i + 4]))
            for i, (mine, theirs) in enumerate(zip(maps, told(), strict=True))
        )

    inputs = [*learning.taps.values(), *adapters.parameters()]
    assert [p.dim() for p in adapters.parameters()] == [1, 4, 4, 4] * 2
    agree(lambda: VID().term(learning, knowing, adapters), by_hand, inputs)


def test_the_variance_of_vid_starts_at_five() -> None:
    adapters = VID().adapters(student(), teacher(), TARGETS)
    for spread in (adapters.get_parameter("0.spread"), adapters.get_parameter("1.spread")):
        assert torch.allclose(nn.functional.softplus(spread) + 1e-5, torch.tensor(5.0))


@pytest.mark.parametrize("method", [AT(0.0), AT(0.0, distance="norm"), SP(0.0), Cosine()], ids=str)
def test_a_student_that_sees_the_same_has_nothing_to_learn(method: Distiller) -> None:
    said = teacher()
    if isinstance(method, SP):
        said = only(said, "c")
    assert abs(method.loss(said, said, TARGETS, NOTHING).item()) < 1e-12


def test_fitnets_through_the_identity_has_nothing_to_learn_of_the_same_map() -> None:
    said = Outputs(teacher().logits, torch.arange(BATCH), {"b": teacher().taps["b"].abs()})
    adapters = FitNets().adapters(said, said, TARGETS).double().eval()
    with torch.no_grad():
        adapters.get_parameter("0.weight").copy_(torch.eye(4)[:, :, None, None])
        adapters.get_parameter("0.bias").zero_()
        adapters.get_parameter("1.weight").fill_((1 + 1e-5) ** 0.5)
    assert FitNets().term(said, said, adapters).item() < 1e-12


def test_vid_through_the_identity_is_the_spread_alone() -> None:
    said = teacher()
    said = Outputs(said.logits, said.index, {name: f.abs() for name, f in said.taps.items()})
    adapters = VID().adapters(said, said, TARGETS).double()
    with torch.no_grad():
        for parameter in adapters.parameters():
            if parameter.dim() == 4:
                parameter.copy_(torch.eye(len(parameter))[:, :, None, None])
    assert VID().term(said, said, adapters).item() == pytest.approx(3 * 0.5 * np.log(5), abs=1e-6)


@every_loss
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_loss_is_finite_on_constant_maps_and_on_one_image(method: Distiller, batch: int, value: float) -> None:
    name = method.reads(Model("cnn", 0.25).build(10, 1))
    maps = {tap: torch.full((batch, 2, 4, 4), value).requires_grad_() for tap in name}
    knowing = Outputs(torch.zeros(batch, 4), torch.arange(batch), {tap: torch.randn(batch, 3, 2, 2) for tap in name})
    learning = Outputs(torch.zeros(batch, 4).requires_grad_(), torch.arange(batch), maps)
    targets = torch.zeros(batch, dtype=torch.int64)
    loss = method.loss(learning, knowing, targets, method.adapters(learning, knowing, targets))
    assert torch.isfinite(loss)
    for gradient in torch.autograd.grad(loss, list(maps.values())):
        assert torch.isfinite(gradient).all()


def test_stages_match_from_the_end() -> None:
    found = [(s.shape, t.shape) for s, t in pairs(student(), teacher())]
    assert found == [((3, 2, 2, 2), (3, 4, 2, 2)), ((3, 3, 2, 2), (3, 2, 2, 2))]


def test_the_stem_is_no_stage() -> None:
    assert stages(Model("resnet20", 0.25).build(10, 1)) == ("stage1", "stage2", "stage3")


def test_the_middle_stage_is_a_networks_own() -> None:
    assert FitNets().reads(Model("resnet20", 0.25).build(10, 1)) == ("stage2",)


class Constant(Weighted):
    """A term of one half."""

    name = "constant"

    def term(self, student: Outputs, teacher: Outputs, adapters: nn.Module) -> Tensor:
        return torch.tensor(0.5)


def test_the_term_is_added_to_those_of_the_logits() -> None:
    learning, knowing = student(), teacher()
    hard = nn.functional.cross_entropy(learning.logits, TARGETS)
    p, q = (torch.softmax(said.logits / 2.0, 1) for said in (knowing, learning))
    soft = (p * (p / q).log()).sum() / BATCH
    wanted = 0.3 * hard + 0.7 * 4.0 * soft + 20 * 0.5
    loss = Constant(0.3, 0.7, 2.0, 20.0).loss(learning, knowing, TARGETS, NOTHING)
    assert loss.item() == pytest.approx(wanted.item())


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: AT(w_ce=-1), "at: w_ce must be at least 0, got -1"),
    (lambda: SP(w_kd=-1), "sp: w_kd must be at least 0, got -1"),
    (lambda: VID(beta=-1), "vid: beta must be at least 0, got -1"),
    (lambda: FitNets(temperature=0), "fitnets: temperature must be above 0, got 0"),
    (lambda: AT(distance="far"), "at: distance: unknown 'far', known are norm, square"),
    (lambda: Cosine(lam=-0.1), "cosine: lam must be at least 0, got -0.1"),
    (lambda: Cosine(lam=1.5), "cosine: lam must be at most 1, got 1.5"),
    (lambda: Cosine(beta=0), "cosine: beta must be above 0, got 0"),
]


@pytest.mark.parametrize(("make", "sentence"), BAD, ids=[sentence for _, sentence in BAD])
def test_a_setting_that_makes_no_sense_is_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        make()
    assert str(caught.value) == sentence
