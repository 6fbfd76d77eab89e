"""ResRep: the compactors' gradient and update by hand, which rows are masked, the fold and the cut."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pruning import ResRep
from compress.pruning.during_training import Goal
from compress.pruning.folding import fold
from compress.pruning.pruner import weight_count, weighted_layers
from compress.pruning.resrep import Compacting
from compress.training.loop import Hook, Loss, fit
from compress.training.settings import Training

STEPS = Training(epochs=3, lr=0.05, batch_size=32, weight_decay=0.1)
NETWORKS = [Model("cnn", 0.5), Model("resnet20", 0.25), Model("vgg8", 0.0625)]
by_network = pytest.mark.parametrize("network", NETWORKS, ids=str)


def build(network: Model) -> nn.Module:
    """With BN statistics, scales and shifts that training might have left."""
    torch.manual_seed(3)
    model = network.build(10, 1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
    model(torch.randn(16, 1, 8, 8))
    return model.eval()


def begin(net: nn.Module, method: ResRep, calibration: Batch, level: float = 0.6, epochs: int = 3) -> Compacting:
    pruning = method.begin(net, Goal(level, weight_count(net), calibration, epochs))
    assert isinstance(pruning, Compacting)
    return pruning


def stir(pruning: Compacting) -> None:
    """Compactors that training might have left."""
    with torch.no_grad():
        for compactor in pruning.compactors:
            compactor.rows.add_(torch.randn_like(compactor.rows) * 0.1)


def logits(net: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return net.eval()(images)  # type: ignore[no-any-return]


class Wide(Loss):
    """The same in float64."""

    def forward(self, batch: Batch) -> Tensor:
        return super().forward(replace(batch, images=batch.images.double()))


class Early(Hook):
    """The task's gradient of the compactors, before they are told of it."""

    def __init__(self, pruning: Compacting) -> None:
        self.pruning = pruning
        self.gradients: list[list[Tensor]] = []

    def before_update(self, step: int, steps: int) -> None:
        grads = [compactor.rows.grad for compactor in self.pruning.compactors]
        self.gradients.append([grad.clone() for grad in grads if grad is not None])


class Spy(Hook):
    """Rows and masks after each step, and the task's gradients in it."""

    def __init__(self, pruning: Compacting) -> None:
        self.pruning, self.early = pruning, Early(pruning)
        self.rows: list[list[Tensor]] = [self._rows()]
        self.masked: list[list[Tensor]] = []

    def _rows(self) -> list[Tensor]:
        return [compactor.rows.detach().clone() for compactor in self.pruning.compactors]

    def after_update(self, step: int, steps: int) -> None:
        self.rows.append(self._rows())
        self.masked.append([masked.clone() for masked in self.pruning.masked])


def watched(net: nn.Module, method: ResRep, task: Task, calibration: Batch, level: float = 0.6) -> Spy:
    pruning = begin(net, method, calibration, level)
    spy = Spy(pruning)
    fit(Wide(net), task.train, STEPS, seed=0, augment=None, hooks=[spy.early, pruning, spy])
    return spy


def test_every_step_of_the_compactors_by_hand(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    method = ResRep(start=1, every=2, more=3, lasso=0.01, threshold=0.0)
    wide = replace(calibration, images=calibration.images.double())
    spy = watched(net.double(), method, tiny, wide)
    assert any(masked.any() for masked in spy.masked[-1])
    for number in range(len(spy.rows[0])):
        rows = torch.eye(len(spy.rows[0][number]), dtype=torch.float64).tolist()
        speed = [[0.0] * len(rows) for _ in rows]
        for step, gradient in enumerate(spy.early.gradients):
            for r, row in enumerate(rows):
                keep = 0.0 if spy.masked[step][number][r] else 1.0
                norm = sum(value * value for value in row) ** 0.5
                for c, value in enumerate(row):
                    whole = keep * float(gradient[number][r, c]) + 0.01 * value / norm
                    speed[r][c] = 0.99 * speed[r][c] + whole
                rows[r] = [v - STEPS.lr_at(step / 12) * s for v, s in zip(row, speed[r], strict=True)]
            torch.testing.assert_close(
                spy.rows[step + 1][number], torch.tensor(rows, dtype=torch.float64), rtol=0, atol=1e-6
            )


def test_without_reset_the_penalty_alone_works_and_the_smallest_rows_go_in_the_end(
    tiny: Task, net: nn.Module, calibration: Batch
) -> None:
    pruning = begin(net, ResRep(start=0, every=1, lasso=0.01, reset=False), calibration)
    early, spy = Early(pruning), Spy(pruning)
    late: list[list[Tensor]] = []

    class Late(Hook):
        def before_update(self, step: int, steps: int) -> None:
            late.append([c.rows.grad.clone() for c in pruning.compactors if c.rows.grad is not None])

    fit(Loss(net), tiny.train, STEPS, seed=0, augment=None, hooks=[early, pruning, Late(), spy])
    assert not any(masked.any() for masks in spy.masked for masked in masks)
    for rows, task_gradients, gradients in zip(spy.rows, early.gradients, late, strict=False):
        for row, before, after in zip(rows, task_gradients, gradients, strict=True):
            torch.testing.assert_close(after - before, 0.01 * row / row.norm(dim=1, keepdim=True), rtol=0, atol=1e-6)
    norms = [compactor.rows.detach().norm(dim=1) for compactor in pruning.compactors]
    pruning.finish()
    assert weight_count(net) <= pruning.goal.at_most
    for norm, masked in zip(norms, pruning.masked, strict=True):
        assert not masked.any() or norm[masked].max() <= norm[~masked].min()


def test_the_gradient_of_a_compactor_is_the_slope_of_the_loss(net: nn.Module, calibration: Batch) -> None:
    wide = replace(calibration, images=calibration.images.double())
    pruning = begin(net.double(), ResRep(), wide)
    stir(pruning)

    def value() -> Tensor:
        return nn.functional.cross_entropy(net(wide.images[:32]), wide.targets[:32])

    for compactor in pruning.compactors:
        (gradient,) = torch.autograd.grad(value(), [compactor.rows])
        way = torch.randn_like(gradient)
        slope = 0.0
        for side in (1, -1):
            with torch.no_grad():
                compactor.rows.add_(way, alpha=side * 1e-6)
                slope += side * float(value()) / 2e-6
                compactor.rows.sub_(way, alpha=side * 1e-6)
        assert float((gradient * way).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_masks_come_when_they_are_due_and_never_go(tiny: Task, net: nn.Module, calibration: Batch) -> None:
    wide = replace(calibration, images=calibration.images.double())
    spy = watched(net.double(), ResRep(start=1, every=3, more=5), tiny, wide, level=0.8)
    counts = [sum(int(masked.sum()) for masked in masks) for masks in spy.masked]
    assert counts == [0] * 7 + [5] * 3 + [10] * 2  # four steps an epoch: due at steps 4 + 3 and 4 + 6
    for before, after in zip(spy.masked, spy.masked[1:], strict=False):
        assert all(bool((new | ~old).all()) for old, new in zip(before, after, strict=True))


def test_masks_come_after_half_of_a_training_that_is_no_longer_than_the_start(
    tiny: Task, net: nn.Module, calibration: Batch
) -> None:
    wide = replace(calibration, images=calibration.images.double())
    spy = watched(net.double(), ResRep(start=5, every=1, more=2), tiny, wide, level=0.8)
    counts = [sum(int(masked.sum()) for masked in masks) for masks in spy.masked]
    assert counts == [0] * 7 + [2, 4, 6, 8, 10]  # of twelve steps


def test_rows_are_masked_by_norm_until_the_goal_would_be_met(net: nn.Module, calibration: Batch) -> None:
    pruning = begin(net, ResRep(), calibration, level=0.5)
    stir(pruning)
    norms = [compactor.rows.detach().norm(dim=1) for compactor in pruning.compactors]
    known = sorted((float(norm), number, row) for number, of in enumerate(norms) for row, norm in enumerate(of))
    sizes = [len(norm) for norm in norms]
    places = [[t.name for t in pruning.targets.each].index(f"stage{stage}.0") for stage in (1, 2, 3)]
    for _, number, _row in known:  # weights of the CNN: 9 a + 9 a b + 9 b c + 10 c
        a, b, c = (sizes[place] for place in places)
        if 9 * a + 9 * a * b + 9 * b * c + 10 * c <= pruning.goal.at_most:
            break
        sizes[number] -= sizes[number] > 1
    pruning._mask(10_000)
    assert [int((~masked).sum()) for masked in pruning.masked] == sizes
    for masked, norm in zip(pruning.masked, norms, strict=True):
        assert norm[masked].max() < norm[~masked].min()


def test_one_row_of_each_compactor_stays(net: nn.Module, calibration: Batch) -> None:
    least = 9 + 9 + 9 + 10
    pruning = begin(net, ResRep(), calibration, level=1 - least / weight_count(net))
    with torch.no_grad():
        pruning.compactors[1].rows.mul_(1e-3)  # all its rows are the smallest of the network
    pruning._mask(20)
    assert [int((~masked).sum()) for masked in pruning.masked][1] == 1
    pruning.finish()
    assert weight_count(net) == least


def test_a_masked_row_shrinks_to_zero_and_stays_there(net: nn.Module, tiny: Task, calibration: Batch) -> None:
    method = ResRep(start=0, every=1, more=100, lasso=4.0, momentum=0.9)
    wide = replace(calibration, images=calibration.images.double())
    spy = watched(net.double(), method, tiny, wide)
    masked, norms = spy.masked[-1][0], torch.stack([rows[0].norm(dim=1) for rows in spy.rows])
    assert masked.any()
    assert bool((norms[-1][masked] == 0).all())
    assert bool((norms.diff(dim=0)[1:, masked] <= 0).all())
    assert bool((norms[-1][~masked] > 0).all())


@by_network
def test_the_fold_gives_the_same_logits(network: Model, calibration: Batch) -> None:
    net = build(network)
    pruning = begin(net, ResRep(), calibration)
    stir(pruning)
    known, structure = logits(net, calibration.images), {n: p.shape for n, p in net.named_parameters()}
    fold(net, pruning.compactors, calibration)
    torch.testing.assert_close(logits(net, calibration.images), known, rtol=1e-5, atol=1e-5)
    assert {n: p.shape for n, p in net.named_parameters()} == structure
    assert not any(m._forward_hooks for m in net.modules())


def test_the_fold_by_hand(calibration: Batch) -> None:
    net = build(NETWORKS[2]).double()
    first, norm = (net.get_submodule(f"block1.{place}") for place in (0, 1))
    assert isinstance(first, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    wide = replace(calibration, images=calibration.images[:64].double())
    pruning = begin(net, ResRep(), wide)
    stir(pruning)
    matrix = next(c.rows.detach().clone() for c in pruning.compactors if c.target.layer is first)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    made = first(wide.images).detach() - norm.running_mean[:, None, None]
    slope = norm.weight.detach() / (norm.running_var + norm.eps) ** 0.5
    old = made * slope[:, None, None] + norm.bias.detach()[:, None, None]
    mixed = torch.einsum("oc,bchw->bohw", matrix, old)
    fold(net, pruning.compactors, wide)
    torch.testing.assert_close(norm(first(wide.images)), mixed, rtol=1e-6, atol=1e-6)
    made = first(wide.images).detach()
    torch.testing.assert_close(norm.running_mean, made.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, made.var((0, 2, 3), correction=0))


@by_network
def test_the_cut_takes_away_only_what_was_zero(network: Model, calibration: Batch) -> None:
    net = build(network)
    pruning = begin(net, ResRep(), calibration)
    stir(pruning)
    pruning._mask(None)
    with torch.no_grad():
        for compactor, masked in zip(pruning.compactors, pruning.masked, strict=True):
            compactor.rows[masked] = 0.0
    known, kept = logits(net, calibration.images), [int((~masked).sum()) for masked in pruning.masked]
    names = [target.name for target in pruning.targets.each]
    pruning.finish()
    torch.testing.assert_close(logits(net, calibration.images), known, rtol=1e-5, atol=1e-5)
    layers = weighted_layers(net)
    assert [layers[name].weight.shape[0] for name in names] == kept
    assert 0.8 * pruning.goal.at_most < weight_count(net) <= pruning.goal.at_most


def test_after_the_fold_training_is_not_shocked(trained: object, calibration: Batch) -> None:
    net: nn.Module = trained.module()  # type: ignore[attr-defined]
    begin(net, ResRep(), calibration, level=0.0).finish()
    with torch.no_grad():
        whole, batchwise = logits(net, calibration.images), copy.deepcopy(net).train()(calibration.images)
    torch.testing.assert_close(batchwise, whole, rtol=1e-3, atol=1e-3)


def test_compactors_stand_behind_the_bn_or_the_layer_but_not_on_shortcuts(calibration: Batch) -> None:
    places = {}
    for network in (Model("resnet20", 0.25), Model("wrn-16-1", 0.5), Model("densenet121", 0.125)):
        pruning = begin(build(network), ResRep(), calibration, level=0.1)
        places[network.family] = {target.name: target.norm is not None for target in pruning.targets.each}
    blocks = [f"stage{stage}.{block}.conv1" for stage in (1, 2, 3) for block in (0, 1, 2)]
    assert places["resnet20"] == dict.fromkeys(blocks, True)
    assert all(name.endswith("conv1") and behind for name, behind in places["wrn-16-1"].items())
    dense = places["densenet121"]
    assert dense["features.denseblock1.denselayer1.conv1"]
    assert not dense["features.denseblock1.denselayer1.conv2"]  # a concatenation comes before the next BN


def test_a_factorized_network_can_be_compacted(net: nn.Module, calibration: Batch) -> None:
    factorize(net, SVD(), 0.3)
    full = weight_count(net)
    begin(net, ResRep(), calibration, level=0.5).finish()
    assert weight_count(net) <= full // 2


class Odd(nn.Module):
    """A depthwise convolution of the images, a grouped one, and one that leaves room to prune."""

    head = "last"

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(2, 2, 1, groups=2), nn.Conv2d(2, 4, 1, groups=2)
        self.inner, self.last = nn.Conv2d(4, 6, 1), nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.inner(self.grouped(self.first(images)).relu()).relu()
        logits: Tensor = self.last(maps.mean((2, 3)))
        return logits


def test_grouped_convolutions_are_left_alone(calibration: Batch) -> None:
    shown = replace(calibration, images=torch.randn(4, 2, 8, 8))
    pruning = begin(Odd(), ResRep(), shown, level=0.3)
    assert [target.name for target in pruning.targets.each] == ["inner"]


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ResRep(start=-1), "resrep: start must be a whole number of at least 0, got -1"),
    (lambda: ResRep(every=0), "resrep: every must be a whole number of at least 1, got 0"),
    (lambda: ResRep(more=0), "resrep: more must be a whole number of at least 1, got 0"),
    (lambda: ResRep(lasso=0), "resrep: lasso must be above 0, got 0"),
    (lambda: ResRep(threshold=-1), "resrep: threshold must be at least 0, got -1"),
    (lambda: ResRep(momentum=1), r"resrep: momentum must be in \[0, 1\), got 1"),
]


@pytest.mark.parametrize(("make", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_wrong_settings_are_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        make()
