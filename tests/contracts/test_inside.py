"""What every pruning method inside training keeps to; no method is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.costs import predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import KD
from compress.distill.teaching import Teaching
from compress.errors import RecipeError
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import PRUNERS, DuringTraining, Exponential, OneShot, Pruner
from compress.pruning.during_training import Goal
from compress.pruning.pruner import weight_count, weighted_layers
from compress.recipe import Recipe
from compress.stages import Prune, Recovery
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.loop import Loss, fit
from compress.training.settings import Training

Build = Callable[..., Recipe]
MADE = [kind() for kind in PRUNERS.values()]
AIMED = [method for method in MADE if not method.adaptive]
INSIDE = [method for method in MADE if isinstance(method, DuringTraining)]
aimed = pytest.mark.parametrize("method", AIMED, ids=lambda m: m.name)
inside = pytest.mark.parametrize("method", INSIDE, ids=lambda m: m.name)
aimed_inside = pytest.mark.parametrize("method", [m for m in INSIDE if not m.adaptive], ids=lambda m: m.name)
NETWORKS = [Model("cnn", 0.5), Model("resnet20", 0.25)]
SHORT = Training(epochs=2, lr=0.05, batch_size=32)
WAYS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "averaged": {"ema": 0.9, "clip_norm": 1.0, "warmup": 1.0},
    "adamw": {"optimizer": "adamw", "lr": 0.002, "ema": 0.5},
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def build(model: Model) -> nn.Module:
    torch.manual_seed(0)
    return model.build(10, 1)


def goal(net: nn.Module, calibration: Batch, level: float = 0.6) -> Goal:
    return Goal(level, weight_count(net), calibration, SHORT.epochs)


def left(net: nn.Module) -> int:
    return sum(int(layer.weight.count_nonzero()) for layer in weighted_layers(net).values())


def logits(net: nn.Module, calibration: Batch) -> Tensor:
    with torch.no_grad():
        return net.eval()(calibration.images)  # type: ignore[no-any-return]


def _skip_unsuited(method: Pruner, way: dict[str, Any]) -> None:
    """Skip a way of training for which the method is refused, before anything trains."""
    if method.needs_sgd and "optimizer" in way:
        pytest.skip("refused in a sentence")


@inside
def test_a_method_is_made_for_adamw_or_refused_before_training(method: DuringTraining) -> None:
    aim: dict[str, Any] = {} if method.adaptive else {"sparsity": 0.5, "schedule": OneShot()}
    recovery = Recovery(replace(SHORT, **WAYS["adamw"]))
    if not method.needs_sgd:
        assert Prune(method, recovery=recovery, **aim).recovery == recovery
        return
    with pytest.raises(RecipeError, match="so the recovery's optimizer must be sgd, got adamw"):
        Prune(method, recovery=recovery, **aim)


@inside
@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_to_begin_changes_nothing(method: DuringTraining, network: Model, calibration: Batch) -> None:
    net = build(network).eval()
    before, known = logits(net, calibration), copy.deepcopy(net.state_dict())
    method.begin(net, goal(net, calibration))
    torch.testing.assert_close(logits(net, calibration), before)
    assert all(torch.equal(tensor, known[name]) for name, tensor in net.state_dict().items())


@aimed_inside
@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.parametrize("taught", [False, True], ids=["labels", "taught"])
@ways
def test_the_goal_is_met_and_the_network_reloads(
    method: DuringTraining, network: Model, taught: bool, way: dict[str, Any], tiny: Task, calibration: Batch
) -> None:
    _skip_unsuited(method, way)
    net = build(network)
    aim = goal(net, calibration)
    pruning = method.begin(net, aim)
    loss = Loss(net)
    if taught:
        first = next(tiny.train.batches(32))
        loss = Teaching(net, build(Model("cnn")), KD(), first, targets=tiny.train.targets)
    fit(loss, tiny.train, replace(SHORT, **way), seed=0, augment=tiny.augment, hooks=[pruning])
    pruning.finish()
    assert 0.8 * aim.at_most <= left(net) <= aim.at_most + 1
    assert not net.training
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules())
    again = Files.of(net, network, classes=10, channels=1).module()
    assert torch.equal(logits(again, calibration), logits(net, calibration))


@inside
@ways
def test_the_same_training_gives_the_same_bits_even_interrupted(
    method: DuringTraining,
    way: dict[str, Any],
    recipe: Build,
    tiny: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _skip_unsuited(method, way)
    monkeypatch.setattr("compress.training.checkpoint.EVERY_SECONDS", 0.0)
    recovery = Recovery(replace(Training(3, batch_size=32), **way))
    if method.adaptive:
        kind: Any = type(method)
        wanted = recipe(Prune(kind(tolerance=0.99, rounds=2), recovery=recovery))
    else:
        wanted = recipe(Prune(method, 0.5, Exponential(2), recovery))

    def stop(what: str, done: int, of: int) -> None:
        if what.startswith("prune") and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Pipeline(tiny, Store(tmp_path / "one"), on_progress=stop).run(wanted))
    heard: list[tuple[str, int]] = []
    resumed = Pipeline(tiny, Store(tmp_path / "one"), on_progress=lambda what, done, of: heard.append((what[:5], done)))
    straight = Pipeline(tiny, Store(tmp_path / "other"))
    for one, other in zip(resumed.run(wanted), straight.run(wanted), strict=True):
        files = [(Path(point.path) / name).read_bytes() for point in (one, other) for name in ("model.safetensors",)]
        assert files[0] == files[1]
    assert heard == [("prune", 3), *[("prune", epoch) for epoch in (1, 2, 3)]]


@aimed_inside
def test_a_goal_out_of_reach_is_known_before_training(method: DuringTraining, calibration: Batch) -> None:
    net = build(NETWORKS[0])
    if method.granularity == "channel":
        with pytest.raises(RecipeError, match=r"still leaves \d+ of \d+ weights"):
            method.begin(net, goal(net, calibration, 0.9999))
        assert not any(m._forward_hooks for m in net.modules())


@inside
def test_the_classifier_alone_cannot_recover(method: DuringTraining) -> None:
    sentence = f"prune: {method.name} works while all weights train, so recovery scope must be all, got classifier"
    aim: dict[str, Any] = {} if method.adaptive else {"sparsity": 0.5, "schedule": OneShot()}
    with pytest.raises(RecipeError, match=sentence):
        Prune(method, recovery=Recovery(scope="classifier"), **aim)


@aimed
def test_costs_are_foreseen_exactly_or_closely_as_the_method_says(
    method: Pruner, pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    wanted = recipe(Prune(method, 0.6, Exponential(2), Recovery(Training(1, batch_size=32))))
    for guess, point in zip(predict(wanted, tiny), pipeline.run(wanted), strict=True):
        if method.predictable:
            assert vars(guess.costs) == {name: getattr(point.measured, name) for name in vars(guess.costs)}
            assert guess.size_bytes == point.measured.size_bytes
        else:
            assert guess.costs.params == pytest.approx(point.measured.params, rel=0.1)
