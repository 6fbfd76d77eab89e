"""Losses on features, attention and memory, against slow readings of their formulas in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from compress.data.splits import Batch
from compress.distill import CRD, SRRL, Distiller, Outputs, SemCKD
from compress.distill.banks import Banks, Draws
from compress.distill.crd import _scores_of
from compress.distill.semckd import Attention
from compress.distill.teaching import observe
from compress.errors import RecipeError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.stages import Distill, Recovery
from compress.training.settings import Training

Array = NDArray[np.float64]
Agree = Callable[[Callable[[], Tensor], Callable[..., Any], list[Tensor]], None]
BATCH, CLASSES = 5, 4
LABELS = torch.tensor([0, 1, 1, 2, 0, 3, 2, 1, 0, 3])
INDEX = torch.tensor([7, 0, 3, 9, 2])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + sum(shape)))


def said(features: int, sizes: list[tuple[int, int]], seed: int) -> Outputs:
    """Features, logits the classifier makes of them, and maps of the given widths and sizes."""
    weight, bias = random(CLASSES, features, seed=seed), random(CLASSES, seed=seed)
    e = random(BATCH, features, seed=seed).requires_grad_(seed == 0)
    maps = {f"{c}x{s}": random(BATCH, c, s, s, seed=seed).requires_grad_(seed == 0) for c, s in sizes}
    logits = nn.functional.linear(e, weight, bias)
    return Outputs(logits, INDEX, maps, e, lambda moved: nn.functional.linear(moved, weight, bias))


def student() -> Outputs:
    return said(3, [(2, 4), (3, 2)], seed=0)


def teacher() -> Outputs:
    return said(6, [(4, 8), (2, 4), (3, 1)], seed=1)


def made(method: Distiller, labels: Tensor = LABELS) -> nn.Module:
    torch.manual_seed(0)
    return method.adapters(student(), teacher(), labels).double()


def features(said: Outputs) -> Tensor:
    assert said.features is not None
    return said.features


def normed(rows: Array, over: tuple[int, ...], scale: Array, shift: Array) -> Array:
    """Batch norm on the batch's own statistics."""
    shape = [1] * rows.ndim
    shape[1] = -1
    mean, variance = rows.mean(over, keepdims=True), rows.var(over, keepdims=True)
    out: Array = (rows - mean) / np.sqrt(variance + 1e-5) * scale.reshape(shape) + shift.reshape(shape)
    return out


def unit(rows: Array) -> Array:
    return np.array([row / np.sqrt((row**2).sum()) for row in rows])


def test_srrl_is_its_formula(agree: Agree) -> None:
    learning, knowing = student(), teacher()
    adapters = made(SRRL())
    weight, bias = random(CLASSES, 6, seed=1).numpy(), random(CLASSES, seed=1).numpy()
    e, z = features(knowing).numpy(), knowing.logits.numpy()

    def by_hand(own: Array, linear: Array, scale: Array, shift: Array) -> float:
        moved = np.maximum(normed(np.array([linear @ row for row in own]), (0,), scale, shift), 0)
        again = np.array([weight @ row + bias for row in moved])
        return float(((moved - e) ** 2).mean() + ((again - z) ** 2).mean())

    agree(lambda: SRRL().term(learning, knowing, adapters), by_hand, [features(learning), *adapters.parameters()])


def test_srrl_through_the_identity_has_nothing_to_learn_of_the_same_features() -> None:
    knowing = teacher()
    weight, bias = random(CLASSES, 6, seed=1), random(CLASSES, seed=1)
    e = features(knowing).abs()
    same = Outputs(nn.functional.linear(e, weight, bias), INDEX, {}, e, knowing.classify)
    assert SRRL().term(same, same, nn.Identity()).item() < 1e-12


def test_the_teachers_classifier_gets_no_gradient_and_passes_it_on() -> None:
    model = Model("cnn", 0.25).build(10, 1).eval()
    batch = Batch(torch.randn(2, 1, 8, 8), torch.tensor([0, 1]), torch.arange(2))
    seen = observe(model, SRRL(), batch)
    e = features(seen).detach().requires_grad_()
    assert seen.classify is not None
    again = seen.classify(e)
    assert torch.equal(again, seen.logits)
    (gradient,) = torch.autograd.grad(again.sum(), e)
    assert gradient.abs().sum() > 0
    assert not any(torch.is_tensor(p.grad) for p in model.parameters())


def test_features_are_what_a_factorized_classifier_is_given() -> None:
    model = factorize(Model("cnn").build(10, 1), SVD(), 0.5).eval()
    batch = Batch(torch.randn(2, 1, 8, 8), torch.tensor([0, 1]), torch.arange(2))
    seen = observe(model, SRRL(), batch)
    assert features(seen).shape == (2, 64)
    assert seen.classify is not None
    assert torch.equal(seen.classify(features(seen)), seen.logits)


def pool(maps: Array, size: int) -> Array:
    return nn.functional.adaptive_avg_pool2d(torch.from_numpy(maps), size).numpy()


def conv3x3(maps: Array, weight: Array) -> Array:
    side = maps.shape[2]
    framed = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(maps), len(weight), side, side))
    for i, j, k, m in np.ndindex(side, side, 3, 3):
        out[:, :, i, j] += framed[:, :, i + k, j + m] @ weight[:, :, k, m].T
    return out


def project(maps: Array, first: list[Array], middle: list[Array], last: Array) -> Array:
    inner = np.einsum("oi,bihw->bohw", first[0][:, :, 0, 0], maps)
    inner = np.maximum(normed(inner, (0, 2, 3), first[1], first[2]), 0)
    inner = np.maximum(normed(conv3x3(inner, middle[0]), (0, 2, 3), middle[1], middle[2]), 0)
    out: Array = np.einsum("oi,bihw->bohw", last[:, :, 0, 0], inner)
    return out


def test_semckd_is_its_formula(agree: Agree) -> None:
    learning, knowing = student(), teacher()
    adapters = made(SemCKD())
    names = [name for name, _ in adapters.named_parameters()]
    hints = [f.numpy() for f in knowing.taps.values()]

    def embed(maps: Array, w: dict[str, Array], where: str) -> Array:
        alike = np.array([[(a * b).sum() for b in maps] for a in maps])
        inner = np.maximum(alike @ w[f"{where}.0.weight"].T + w[f"{where}.0.bias"], 0)
        return unit(inner @ w[f"{where}.2.weight"].T + w[f"{where}.2.bias"])

    def by_hand(*values: Array) -> float:
        maps, w = values[:2], dict(zip(names, values[2:], strict=True))
        queries = [embed(f, w, f"queries.{i}") for i, f in enumerate(maps)]
        keys = [embed(f, w, f"keys.{j}") for j, f in enumerate(hints)]
        total = 0.0
        for image in range(BATCH):
            for i, s in enumerate(maps):
                energies = np.exp([queries[i][image] @ key[image] for key in keys])
                for j, t in enumerate(hints):
                    p, size = f"projections.{3 * i + j}", min(s.shape[2], t.shape[2])
                    first, middle = ([w[f"{p}.{n}.weight"], w[f"{p}.{n + 1}.weight"]] for n in (0, 3))
                    first, middle = [*first, w[f"{p}.1.bias"]], [*middle, w[f"{p}.4.bias"]]
                    out = project(pool(s, size), first, middle, w[f"{p}.6.weight"])
                    error = ((out[image] - pool(t, size)[image]) ** 2).mean()
                    total += energies[j] / energies.sum() * error
        return total / (BATCH * 2)

    inputs = [*learning.taps.values(), *adapters.parameters()]
    for parameter in adapters.parameters():  # away from the kinks of ReLU and from embeddings of length zero
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    agree(lambda: SemCKD().term(learning, knowing, adapters), by_hand, inputs)


def test_the_weights_of_semckd_share_out_every_student_stage() -> None:
    adapters = made(SemCKD())
    assert isinstance(adapters, Attention)
    weights = adapters.weights(list(student().taps.values()), list(teacher().taps.values()))
    assert weights.shape == (BATCH, 2, 3)
    assert torch.allclose(weights.sum(2), torch.ones(BATCH, 2).double())


@pytest.mark.parametrize("method", [SRRL(), SemCKD()], ids=str)
def test_batches_of_one_image_are_refused(method: Distiller) -> None:
    single = Training(batch_size=1)
    for who, make in (
        ("distill", lambda: Distill(method, single)),
        ("recovery", lambda: Recovery(single, "all", method)),
    ):
        with pytest.raises(RecipeError, match=f"{who}: {method.name} needs a batch_size of at least 2, got 1"):
            make()


def contrast(e: Array, bank: Array, chosen: Array, log_z: float, count: int) -> float:
    total = 0.0
    for row, others in zip(e, chosen, strict=True):
        p = [np.exp(row @ bank[o] / 0.07 - log_z) for o in others]
        total -= np.log(p[0] / (p[0] + count / 10))
        total -= sum(np.log(count / 10 / (q + count / 10)) for q in p[1:])
    return total / len(e)


@pytest.mark.parametrize("same_class", [False, True])
def test_crd_is_its_formula(same_class: bool, agree: Agree) -> None:
    method = CRD(negatives=6, same_class=same_class, dim=4)
    learning, knowing, adapters = student(), teacher(), made(method)
    assert isinstance(adapters, Banks)
    banks = [adapters.of(side).numpy().copy() for side in (0, 1)]
    drawn, chosen = adapters.draws.get_extra_state(), None
    log_z: list[float] = []

    def embed(own: Array, *layers: Array) -> list[Array]:
        theirs = features(knowing).numpy()
        rows = (own, layers[0], layers[1]), (theirs, layers[2], layers[3])
        return [unit(np.array([weight @ e + bias for e in values])) for values, weight, bias in rows]

    def by_hand(*values: Array) -> float:
        assert chosen is not None
        e = embed(*values)
        if not log_z:
            for side in (0, 1):
                found = zip(e[side], chosen, strict=True)
                scores = [np.exp(row @ banks[1 - side][o] / 0.07) for row, others in found for o in others]
                log_z.append(float(np.log(np.mean(scores) * 10)))
        return sum(contrast(e[side], banks[1 - side], chosen, log_z[side], 6) for side in (0, 1))

    def loss() -> Tensor:
        adapters.draws.set_extra_state(drawn)
        return method.term(learning, knowing, adapters)

    inputs = [features(learning), *adapters.parameters()]
    for _ in range(2):  # the second time from banks that have moved, with the normalisers of the first
        chosen = np.concatenate([INDEX.numpy()[:, None], adapters.draws(INDEX, 6).numpy()], axis=1)
        agree(loss, by_hand, inputs)
        arrays = [x.detach().numpy() for x in inputs]
        for bank, e in zip(banks, embed(*arrays), strict=True):
            bank[INDEX] = unit(0.5 * bank[INDEX] + 0.5 * e)
        assert [np.allclose(adapters.of(side).numpy(), banks[side], atol=1e-12) for side in (0, 1)] == [True, True]
        adapters.draws.set_extra_state(drawn)


def test_what_crd_remembers_is_written_in_place_once_the_gradient_is_there() -> None:
    banks = Banks((3, 3), 4, 2, Draws(LABELS))
    memory, before = banks.get_buffer("bank0").data_ptr(), [banks.of(side).clone() for side in (0, 1)]
    vectors = banks.embed(torch.rand(len(INDEX), 3), torch.rand(len(INDEX), 3))
    loss = (vectors[0] @ banks.of(1).T).sum()
    banks.remember(INDEX, vectors, 0.25)
    loss.backward()  # type: ignore[no-untyped-call]
    copies = banks.state_dict()
    for side, (old, said) in enumerate(zip(before, vectors, strict=True)):
        moved = functional.normalize(0.25 * old[INDEX] + 0.75 * said.detach(), dim=1)
        assert torch.equal(copies[f"bank{side}"], old.index_copy(0, INDEX, moved))
    assert banks.of(0).data_ptr() == memory


def test_scores_are_picked_on_a_gpu_as_on_a_cpu() -> None:
    scores, chosen = torch.rand(2, 5), torch.tensor([[0, 3, 3], [4, 1, 4]])
    index = _scores_of(scores.to("meta"), chosen.to("meta"))
    assert index.shape == chosen.shape
    assert torch.equal(_scores_of(scores, chosen), scores[torch.arange(2)[:, None], chosen])


def test_negatives_are_of_other_classes() -> None:
    drawn = Draws(LABELS)(INDEX, 500)
    for image, others in zip(INDEX.tolist(), drawn.tolist(), strict=True):
        assert set(others) == {o for o in range(10) if LABELS[o] != LABELS[image]}


def test_negatives_of_any_class_are_all_but_the_image_itself() -> None:
    drawn = Draws(torch.arange(10))(INDEX, 500)
    for image, others in zip(INDEX.tolist(), drawn.tolist(), strict=True):
        assert set(others) == set(range(10)) - {image}


def test_negatives_are_equally_likely() -> None:
    drawn = Draws(LABELS)(torch.tensor([1]), 70_000)[0].bincount(minlength=10)
    assert drawn[LABELS == 1].sum() == 0
    assert ((drawn[LABELS != 1] / 10_000 - 1).abs() < 0.05).all()


def test_every_step_draws_others_and_the_state_is_saved() -> None:
    draws = Draws(LABELS)
    saved = draws.state_dict()
    one, other = draws(INDEX, 6), draws(INDEX, 6)
    assert not torch.equal(one, other)
    again = Draws(LABELS)
    again.load_state_dict(saved)
    assert torch.equal(again(INDEX, 6), one)


def test_the_seed_of_the_step_decides_the_draws() -> None:
    torch.manual_seed(3)
    one = Draws(LABELS)(INDEX, 6)
    torch.manual_seed(3)
    assert torch.equal(Draws(LABELS)(INDEX, 6), one)


def test_unless_told_crd_draws_as_many_as_there_are() -> None:
    found = [made(CRD()), made(CRD(), torch.arange(40_000) % 2)]
    assert [getattr(banks, "count") for banks in found] == [7, 16384]  # noqa: B009


@pytest.mark.parametrize(
    ("method", "labels", "sentence"),
    [
        (CRD(negatives=8), LABELS, "negatives must be at most 7, so that each of the 10 .* of other classes, got 8"),
        (
            CRD(negatives=10, same_class=True),
            LABELS,
            "negatives must be at most 9, so that each of the 10 .* enough other images",
        ),
        (CRD(), torch.zeros(10, dtype=torch.int64), "negatives must be at most 0, so that .* of other classes, got 0"),
    ],
    ids=["others", "any", "one-class"],
)
def test_more_negatives_than_images_are_refused(method: CRD, labels: Tensor, sentence: str) -> None:
    for refused in (lambda: made(method, labels), lambda: method.check_targets(labels)):
        with pytest.raises(RecipeError, match=f"crd: {sentence}"):
            refused()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CRD(negatives=0), "crd: negatives must be a whole number of at least 1, got 0"),
        (lambda: CRD(dim=0), "crd: dim must be a whole number of at least 1, got 0"),
        (lambda: CRD(tau=0), "crd: tau must be above 0, got 0"),
        (lambda: CRD(momentum=1.0), r"crd: momentum must be in \[0, 1\), got 1.0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        make()


@pytest.mark.parametrize("method", [SRRL(), SemCKD(), CRD()], ids=str)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_loss_is_finite_where_all_images_are_the_same(method: Distiller, value: float) -> None:
    e = torch.full((BATCH, 3), value).requires_grad_()
    maps = {"one": torch.full((BATCH, 2, 4, 4), value).requires_grad_()}
    knowing = Outputs(
        torch.zeros(BATCH, 4), INDEX, {"one": torch.ones(BATCH, 3, 2, 2)}, torch.ones(BATCH, 4), nn.Identity()
    )
    learning = Outputs(torch.zeros(BATCH, 4), INDEX, maps, e)
    loss = method.loss(learning, knowing, LABELS[:BATCH], method.adapters(learning, knowing, LABELS))
    assert torch.isfinite(loss)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(torch.isfinite(x.grad).all() for x in (e, *maps.values()) if x.grad is not None)


def test_crd_is_finite_on_one_image() -> None:
    said = Outputs(torch.zeros(1, 4), torch.tensor([2]), {}, torch.randn(1, 3))
    assert torch.isfinite(CRD().loss(said, said, LABELS[2:3], CRD().adapters(said, said, LABELS)))
