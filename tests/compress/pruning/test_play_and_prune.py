"""Play and Prune: the controller by hand, candidates and penalty, the drop, the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.measure import accuracy
from compress.models import Model
from compress.pruning.during_training import Goal
from compress.pruning.play_and_prune import PlayAndPrune, Playing
from compress.pruning.pruner import weight_count, weighted_layers
from compress.training.loop import Loss, fit
from compress.training.settings import Training

SHORT = Training(epochs=4, lr=0.02, batch_size=32)


def sums(net: nn.Module, name: str) -> list[float]:
    """`sum abs(w)` of each filter, one weight after the other."""
    return [sum(abs(v) for v in row.flatten().tolist()) for row in weighted_layers(net)[name].weight.detach()]


def begin(
    net: nn.Module, method: PlayAndPrune, calibration: Batch, validate: Callable[[], float], unpruned: float = 0.9
) -> Playing:
    playing = method.begin(net, Goal(0.0, weight_count(net), calibration, SHORT.epochs, validate, unpruned))
    assert isinstance(playing, Playing)
    return playing


def saying(accuracies: Sequence[float]) -> Callable[[], float]:
    """What is heard, one after the other; the last for ever."""
    left = list(accuracies)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("now", "tolerance", "rate"),
    [(0.9, 0.02, 1), (0.91, 0.02, 1.5), (0.885, 0.02, 0.25), (0.88, 0.02, 0), (0.8, 0.02, 0), (0.9, 0.004, 0.4)],
)
def test_the_rate_is_how_far_accuracy_is_from_the_tolerance(now: float, tolerance: float, rate: float) -> None:
    assert PlayAndPrune(tolerance).rate(now, 0.9) == pytest.approx(rate, abs=1e-9)


def test_candidates_are_the_smallest_of_each_layer_that_are_left(net: nn.Module, calibration: Batch) -> None:
    playing = begin(net, PlayAndPrune(alpha=0.25), calibration, lambda: 0.9)
    for target, gone in zip(playing.targets.each, playing.gone, strict=True):
        worst = sorted(range(len(gone)), key=lambda row, name=target.name: sums(net, name)[row])  # type: ignore[misc]
        gone[worst[0]] = True
    for target, candidates in zip(playing.targets.each, playing._lowest(), strict=True):
        known = sums(net, target.name)
        left = sorted(range(len(known)), key=known.__getitem__)[1:]
        assert candidates.nonzero().flatten().tolist() == sorted(left[: round(0.25 * len(left))])


def test_the_penalty_acts_on_candidates_alone(net: nn.Module, calibration: Batch) -> None:
    playing = begin(net.double(), PlayAndPrune(0.02, l1=0.3), _wide(calibration), lambda: 0.9)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    playing.before_update(0, 10)
    for target, candidates in zip(playing.targets.each, playing.candidates, strict=True):
        weight, grad = target.layer.weight, target.layer.weight.grad
        assert grad is not None
        for row, chosen in enumerate(candidates.tolist()):
            for value, slope in zip(weight[row].flatten().tolist(), grad[row].flatten().tolist(), strict=True):
                penalty = 0.3 * (1 if value > 0 else -1) if chosen else 0.0  # T is 1: no loss
                assert slope == pytest.approx(1 + penalty, abs=1e-6)
    names = {f"{target.name}.weight" for target in playing.targets.each}
    assert all(bool((p.grad == 1).all()) for n, p in net.named_parameters() if n not in names and p.grad is not None)


def _wide(batch: Batch) -> Batch:
    return Batch(batch.images.double(), batch.targets, batch.index)


def test_the_first_threshold_spares_accuracy(trained: object, calibration: Batch, digits: Task) -> None:
    net: nn.Module = trained.module()  # type: ignore[attr-defined]
    whole = accuracy(net, digits.validation)
    playing = begin(net, PlayAndPrune(), calibration, lambda: accuracy(net, digits.validation), whole)
    for number, (target, base) in enumerate(zip(playing.targets.each, playing.base, strict=True)):
        known = sums(net, target.name)
        assert any(base == pytest.approx(value, rel=1e-5) for value in known)
        playing.gone[number] = torch.tensor([value < base * (1 - 1e-5) for value in known])
        assert accuracy(net, digits.validation) >= whole
        playing.gone[number] = torch.zeros_like(playing.gone[number])
    assert accuracy(net, digits.validation) == whole


def test_filters_under_the_threshold_go_and_none_while_accuracy_recovers(net: nn.Module, calibration: Batch) -> None:
    heard = [0.9, 0.895, 0.87, 0.885]
    playing = begin(net, PlayAndPrune(0.02, alpha=0.5, speed=2.0), calibration, lambda: 0.9)
    playing.goal = Goal(0.0, 0, calibration, 9, saying(heard), 0.9)
    playing.base = [sorted(sums(net, target.name))[3] / 4 for target in playing.targets.each]
    counts = []
    for epoch, said in enumerate(heard):
        candidates, before = [c.clone() for c in playing.candidates], [g.clone() for g in playing.gone]
        playing.after_epoch(epoch + 1, 9)
        rate = max(0.0, (said - 0.88) / 0.02)
        assert playing.rate == pytest.approx(rate, abs=1e-9)
        for number, target in enumerate(playing.targets.each):
            for row, value in enumerate(sums(net, target.name)):
                under = bool(candidates[number][row]) and value < 2.0 * rate * playing.base[number]
                assert bool(playing.gone[number][row]) == (bool(before[number][row]) or under)
        counts.append(sum(int(gone.sum()) for gone in playing.gone))
    assert counts[0] > 0
    assert counts[2] == counts[1]  # under the tolerance: a pause


def test_nothing_is_dropped_that_no_epoch_follows(net: nn.Module, calibration: Batch) -> None:
    playing = begin(net, PlayAndPrune(0.1, alpha=0.5), calibration, lambda: 0.9)
    playing.base = [1e6] * len(playing.base)
    playing.after_epoch(4, 4)
    assert not any(gone.any() for gone in playing.gone)
    playing.after_epoch(3, 4)
    assert all(gone.any() and not gone.all() for gone in playing.gone)


def test_the_last_drop_is_rolled_back_if_accuracy_stays_away(net: nn.Module, calibration: Batch) -> None:
    playing = begin(net, PlayAndPrune(0.02, alpha=0.5), calibration, lambda: 0.9)
    playing.base = [1e6] * len(playing.base)
    for epoch, said in enumerate((0.89, 0.885, 0.87, 0.86)):
        playing.goal = Goal(0.0, 0, calibration, 4, saying([said]), 0.9)
        if epoch == 1:
            gone = [g.clone() for g in playing.gone]
            shown = net(calibration.images).detach()
        playing.after_epoch(epoch + 1, 4)
        with torch.no_grad():
            net.get_parameter("stage2.0.weight").mul_(0.5)  # what training might do
    playing.finish()
    kept = {t.name: int((~g).sum()) for t, g in zip(playing.targets.each, gone, strict=True)}
    assert {name: weighted_layers(net)[name].weight.shape[0] for name in kept} == kept
    torch.testing.assert_close(net(calibration.images), shown, rtol=1e-5, atol=1e-5)


def test_a_training_that_never_comes_back_leaves_the_network_as_it_was(net: nn.Module, calibration: Batch) -> None:
    known = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    playing = begin(net, PlayAndPrune(0.02), calibration, lambda: 0.5)
    nn.init.zeros_(net.get_parameter("stage1.0.weight"))
    playing.after_epoch(1, 4)
    playing.finish()
    assert all(torch.equal(tensor, known[name]) for name, tensor in net.state_dict().items())


def test_accuracy_stays_within_the_tolerance_and_weights_go(
    trained: object, calibration: Batch, digits: Task, tmp_path: Path
) -> None:
    net: nn.Module = trained.module()  # type: ignore[attr-defined]
    whole, full = accuracy(net, digits.validation), weight_count(net)
    method = PlayAndPrune(tolerance=0.03, alpha=0.3)
    playing = begin(net, method, calibration, lambda: accuracy(net, digits.validation), whole)
    fit(Loss(net), digits.train, replace(SHORT, epochs=8), seed=0, augment=digits.augment, hooks=[playing])
    playing.finish()
    assert accuracy(net, digits.validation) >= whole - 0.03
    assert weight_count(net) < 0.9 * full
    assert not any(module._forward_hooks for module in net.modules())


class Interrupted(Exception):
    """A node that was lost."""


def test_an_interrupted_game_goes_on_with_the_same_bits(
    trained: object, calibration: Batch, digits: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.training.checkpoint.EVERY_SECONDS", 0.0)

    def play(checkpoint: Path | None, until: int = 9) -> dict[str, Tensor]:
        net: nn.Module = trained.module()  # type: ignore[attr-defined]

        def told(done: int, of: int) -> None:
            if done == until:
                raise Interrupted

        method = PlayAndPrune(tolerance=0.03, alpha=0.3)
        playing = begin(net, method, calibration, lambda: accuracy(net, digits.validation), 0.97)
        fit(
            Loss(net),
            digits.train,
            SHORT,
            seed=0,
            augment=None,
            hooks=[playing],
            checkpoint=checkpoint,
            on_progress=told,
        )
        playing.finish()
        return net.state_dict()

    with pytest.raises(Interrupted):
        play(tmp_path / "key.pt", until=3)
    resumed, straight = play(tmp_path / "key.pt"), play(None)
    assert all(torch.equal(resumed[name], straight[name]) for name in straight)


def test_shortcuts_keep_their_width(calibration: Batch) -> None:
    net = Model("resnet20", 0.25).build(10, 1)
    playing = begin(net, PlayAndPrune(0.1, alpha=0.5), calibration, lambda: 0.9)
    playing.base = [1e6] * len(playing.base)
    before = {name: layer.weight.shape[0] for name, layer in weighted_layers(net).items()}
    playing.after_epoch(1, 4)
    playing.finish()
    for name, layer in weighted_layers(net).items():
        assert (layer.weight.shape[0] < before[name]) == name.endswith("conv1")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tolerance": 1.0}, r"play-and-prune: tolerance must be in \[0, 1\), got 1.0"),
        ({"rounds": 0}, "play-and-prune: rounds must be a whole number of at least 1, got 0"),
        ({"alpha": 0.0}, r"play-and-prune: alpha must be in \[1e-06, 1\), got 0.0"),
        ({"l1": -1.0}, "play-and-prune: l1 must be at least 0, got -1.0"),
        ({"speed": 0.0}, "play-and-prune: speed must be above 0, got 0.0"),
    ],
)
def test_wrong_settings_are_a_sentence(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        PlayAndPrune(**settings)  # type: ignore[arg-type]
