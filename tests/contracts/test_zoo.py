"""What every model of the zoo gives, and every method on every model: changed by half it learns, reloads, exports."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch
from compress.distill import DISTILLERS, Distiller
from compress.distill.projector import pooling
from compress.distill.teaching import Teaching, tapped
from compress.errors import RecipeError
from compress.export.graph import graph, program
from compress.export.onnx_export import open_onnx, write_onnx
from compress.export.standalone import load
from compress.lowrank import FACTORIZERS
from compress.models import MODELS, Model
from compress.pruning import PRUNERS, DuringTraining, OneShot
from compress.pruning.pruner import weight_count, weighted_layers
from compress.quantize import QUANTIZERS
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize
from compress.store.files import STRUCTURE, Files
from compress.training.settings import Training
from tests.unfilled import unfilled

DEEP = 24
HEAVY = 300_000
"""Models with more layers, or more weights as `build` makes them, are slow to try."""
SIZES = [(8, 1), (28, 1), (32, 3), (8, 3)]
Change = Prune | Factorize | Quantize
SHRINKING: list[Change] = [
    *(Prune(kind(), *(() if kind.adaptive else (0.5, OneShot()))) for kind in PRUNERS.values()),
    *(Factorize(kind(), 0.5, OneShot()) for kind in FACTORIZERS.values()),
]
FIRST: list[Change] = [
    Prune(next(kind for kind in PRUNERS.values() if kind.granularity == "channel")(), 0.5, OneShot()),
    Factorize(next(iter(FACTORIZERS.values()))(), 0.5, OneShot()),
    Quantize(next(iter(QUANTIZERS.values()))()),
]
"""Of each kind of method the first that gives layers another shape or type."""
SHIPPING = {name: kind() for name, kind in DISTILLERS.items() if kind.ships_adapter}
CHANGES: list[Change] = [*SHRINKING, *(Quantize(kind()) for kind in QUANTIZERS.values())]


def is_slow(name: str) -> bool:
    model = unfilled(narrow(name))
    return len(weighted_layers(model)) > DEEP or weight_count(model) > HEAVY


def narrow(name: str) -> Model:
    """At width 1/4, where the family has widths."""
    return Model(name, 1.0 if MODELS[name].fixed else 0.25)


def side(name: str) -> int:
    return max(8, MODELS[name].least)


def build(name: str, channels: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return narrow(name).build(10, channels)


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if name in SLOW else []


SLOW = {name for name in MODELS if is_slow(name)}
every_model = pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in MODELS])


def exchanged(name: str, stage: Change) -> list[pytest.MarkDecorator]:
    """ONNX takes a second or more to make, so but for one model in each kind of layers it is slow."""
    return [] if name == next(iter(MODELS)) and stage in FIRST else [pytest.mark.slow]


def cases(
    stages: list[Change], marks: Callable[[str, Change], list[pytest.MarkDecorator]] = lambda name, _: marks(name)
) -> list[object]:
    """The shrinking ones first, so that a case has the same number in all lists and is changed only once."""
    return [pytest.param((n, s), id=f"{s.method.name}-{n}", marks=marks(n, s)) for s in stages for n in MODELS]


every_change = pytest.mark.parametrize("changed", cases(CHANGES), indirect=True, scope="module")
every_exchange = pytest.mark.parametrize("changed", cases(CHANGES, exchanged), indirect=True, scope="module")
shrinking = pytest.mark.parametrize("changed", cases(SHRINKING), indirect=True, scope="module")


@dataclass(frozen=True)
class Changed:
    """A model with moved BN statistics, changed to sparsity one half; shown to many tests, so copied for each."""

    name: str
    made: nn.Module
    adaptive: bool
    inside: bool

    def module(self) -> nn.Module:
        return copy.deepcopy(self.made)

    def images(self, count: int) -> Tensor:
        return torch.randn(count, 1, side(self.name), side(self.name))


@pytest.fixture(scope="module")
def changed(request: pytest.FixtureRequest) -> Changed:
    name, stage = request.param
    model = build(name)
    shown = Batch(torch.randn(8, 1, side(name), side(name)), torch.arange(8), torch.arange(8))
    model(shown.images)
    made = stage.change(model, 0.5, full=weight_count(model), calibration=shown).eval()
    adaptive = isinstance(stage, Prune) and stage.method.adaptive
    return Changed(name, made, adaptive, isinstance(stage.method, DuringTraining))


@every_model
@pytest.mark.parametrize(("size", "channels"), SIZES, ids=str)
def test_a_model_learns_at_every_size_or_refuses_it(name: str, size: int, channels: int) -> None:
    model = build(name, channels)
    if size < MODELS[name].least:
        least = MODELS[name].least
        with pytest.raises(RecipeError, match=f"{name}: images must be at least {least}x{least}, got {size}x{size}"):
            model(torch.randn(2, channels, size, size))
        return
    logits = model(torch.randn(2, channels, size, size))
    assert logits.shape == (2, 10)
    logits.logsumexp(1).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@every_model
def test_taps_are_maps_from_input_to_output(name: str) -> None:
    model = build(name).eval()
    taps = tuple(model.taps)  # type: ignore[arg-type]
    with torch.no_grad(), tapped(model, taps) as maps:
        model(torch.randn(3, 1, 32, 32))
    assert tuple(maps) == taps
    assert [m.dim() for m in maps.values()] == [4] * len(taps)
    sides = [m.shape[2] for m in maps.values()]
    assert sides == sorted(sides, reverse=True)


@every_model
def test_the_head_is_the_last_linear_layer(name: str) -> None:
    model = build(name)
    head = model.get_submodule(str(model.head))
    assert isinstance(head, nn.Linear)
    assert head.out_features == 10
    assert list(weighted_layers(model))[-1] == model.head


@every_model
def test_the_pooling_gives_the_head_the_mean_of_the_last_map_unless_there_is_none(name: str) -> None:
    model = build(name).eval()
    assert hasattr(model, "pooling") != MODELS[name].flat
    if MODELS[name].flat:
        return
    given: dict[str, Tensor] = {}
    for path in (pooling(model), str(model.head)):
        layer = model.get_submodule(path)
        layer.register_forward_pre_hook(lambda _, inputs, path=path: given.update({path: inputs[0].clone()}))
    with torch.no_grad():
        model(torch.randn(3, 1, 32, 32))
    maps, features = given[pooling(model)], given[str(model.head)]
    torch.testing.assert_close(maps.mean((2, 3)), features)


@every_model
@pytest.mark.parametrize("method", SHIPPING.values(), ids=list(SHIPPING))
def test_a_model_with_what_a_method_ships_is_cut_stored_and_taken_away(
    name: str, method: Distiller, tmp_path: Path
) -> None:
    if MODELS[name].flat:
        with pytest.raises(RecipeError, match=f"{method.name}: .*got {name} x0.25, which flattens it"):
            Recipe("digits", narrow(name), (Distill(method),), Model("cnn"), Training())
        return
    model, shown = build(name), torch.randn(4, 1, side(name), side(name))
    batch = Batch(shown, torch.arange(4), torch.arange(4))
    loss = Teaching(model, build("resnet20"), method, batch, targets=batch.targets)
    loss.ship()
    for stage in (None, *FIRST):
        full = weight_count(model)
        made = stage.change(copy.deepcopy(model), 0.5, full=full, calibration=batch) if stage else model
        made.eval()
        with torch.no_grad():
            files = Files.of(made, narrow(name), classes=10, channels=1)
            assert torch.equal(files.module()(shown), made(shown))
            if stage is None:
                assert_taken_away(files, shown, tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_width_scales_every_layer(name: str) -> None:
    """Halved, where channels need not be multiples of more; then a third or so of the weights is left."""
    if MODELS[name].fixed:
        with pytest.raises(RecipeError, match=f"{name}: width must be 1.*got 0.5"):
            Model(name, 0.5)
        return
    halved, full = (unfilled(Model(name, width)) for width in (0.5, 1.0))
    narrow, wide = weighted_layers(halved), weighted_layers(full)
    assert list(narrow) == list(wide)
    if MODELS[name].multiple > 1:
        assert 0.2 * weight_count(full) < weight_count(halved) < 0.4 * weight_count(full)
        return
    for path in list(wide)[:-1]:
        assert narrow[path].weight.shape[0] == wide[path].weight.shape[0] / 2


@every_model
def test_the_same_seed_builds_the_same_weights(name: str) -> None:
    one, other = (build(name).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


@shrinking
def test_half_the_weights_go(changed: Changed) -> None:
    full = weight_count(unfilled(narrow(changed.name)))
    kept = [layer.weight.count_nonzero() for layer in weighted_layers(changed.made).values()]
    if changed.adaptive:  # as much as it likes, and if it does so in training, nothing without
        assert (weight_count(changed.made) == full) == changed.inside
    else:
        assert 0.3 * full <= sum(kept) <= 0.5 * full + 1


@shrinking
def test_what_is_left_learns(changed: Changed) -> None:
    model = changed.module().train()
    model(changed.images(4)).logsumexp(1).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@every_change
def test_what_is_stored_gives_the_same_logits(changed: Changed) -> None:
    model, shown = changed.module(), changed.images(5)
    files = Files.of(model, narrow(changed.name), classes=10, channels=1)
    with torch.no_grad():
        assert torch.equal(files.module()(shown), model(shown))


@every_change
def test_program_and_plain_torch_give_the_same_logits(changed: Changed, tmp_path: Path) -> None:
    model, shown = changed.module(), changed.images(5)
    files = Files.of(model, narrow(changed.name), classes=10, channels=1)
    assert_taken_away(files, shown, tmp_path)


@every_exchange
def test_onnx_gives_the_same_logits(changed: Changed, tmp_path: Path) -> None:
    assert_exchanged(changed.module(), changed.images(5), tmp_path)


def assert_taken_away(files: Files, shown: Tensor, folder: Path) -> None:
    """Bit for bit, from files that say nothing of the machine they were made on."""
    made = program(files.module(), (1, *shown.shape[2:]))
    files.write(folder)
    (folder / STRUCTURE).write_text(json.dumps({**json.loads(files.structure), **graph(made)}))
    with torch.no_grad():
        wanted = files.module()(shown)
        torch.testing.assert_close(made.module()(shown), wanted, rtol=1e-4, atol=1e-4)
        assert torch.equal(load(folder)(shown), wanted)


def assert_exchanged(model: nn.Module, shown: Tensor, folder: Path) -> None:
    """To 1e-4; in int8 a sum in another order may round to the next step, so to a few steps."""
    with torch.no_grad():
        wanted = model(shown)
    write_onnx(model, (1, *shown.shape[2:]), folder / "model.onnx")
    session = open_onnx(folder / "model.onnx")
    near = 0.05 * float(wanted.abs().amax()) if session.int8_layers else 1e-4
    torch.testing.assert_close(session.run(shown), wanted, rtol=1e-4, atol=near)
