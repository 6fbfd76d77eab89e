"""SimKD: the loss against a slow reading of its formula, and what ships: projector and teacher's classifier."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.costs import check, predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import SimKD
from compress.distill.distiller import Outputs
from compress.distill.projector import Projector
from compress.distill.teaching import Teaching, observe
from compress.errors import RecipeError, StoreError
from compress.export.graph import program
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pipeline import Made, Pipeline
from compress.pruning import Cubic, Exponential, L1Filter, L1Unstructured, OneShot
from compress.pruning.channels import cut_channels
from compress.pruning.pruner import weight_count
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Train
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.loop import fit
from compress.training.settings import Training

Array = NDArray[np.float64]
Agree = Callable[[Callable[[], Tensor], Callable[..., Any], list[Tensor]], None]
Build = Callable[..., Recipe]
BATCH, LABELS = 3, torch.tensor([1, 0, 3])
ONE = Training(epochs=1, lr=0.02, batch_size=64)
TAUGHT = {"teacher": Model("resnet20", 0.25), "schooling": ONE}
FROM = Recovery(ONE, distiller=SimKD(), teacher="teacher")
SELF = Recovery(ONE, distiller=SimKD())


def said(channels: int, height: int, width: int, seed: int) -> Outputs:
    maps = torch.randn(
        BATCH, channels, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return Outputs(torch.zeros(BATCH, 4), torch.arange(BATCH), last=maps.requires_grad_(seed == 0))


def last(outputs: Outputs) -> Tensor:
    assert outputs.last is not None
    return outputs.last


def pool(maps: Array, height: int, width: int) -> Array:
    """Means of blocks: block i of n out of m begins at floor(i m / n) and ends at ceil((i + 1) m / n)."""
    out = np.zeros((*maps.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        rows = slice(i * maps.shape[2] // height, -(-(i + 1) * maps.shape[2] // height))
        columns = slice(j * maps.shape[3] // width, -(-(j + 1) * maps.shape[3] // width))
        out[:, :, i, j] = maps[:, :, rows, columns].mean((2, 3))
    return out


def convolved(maps: Array, weight: Array) -> Array:
    """With as much padding as keeps the size."""
    side = weight.shape[2]
    padded = np.pad(maps, [(0, 0), (0, 0), (side // 2, side // 2), (side // 2, side // 2)])
    out = np.zeros((len(maps), len(weight), *maps.shape[2:]))
    for i, j in np.ndindex(*maps.shape[2:]):
        out[:, :, i, j] = np.einsum("bcyx,ocyx->bo", padded[:, :, i : i + side, j : j + side], weight)
    return out


def normed(maps: Array, scale: Array, shift: Array) -> Array:
    """Batch norm on the batch's own statistics, and ReLU."""
    mean, variance = maps.mean((0, 2, 3), keepdims=True), maps.var((0, 2, 3), keepdims=True)
    out: Array = (maps - mean) / np.sqrt(variance + 1e-5) * scale[:, None, None] + shift[:, None, None]
    return out * (out > 0)


SIZES = [((2, 2), (2, 2)), ((5, 4), (2, 2)), ((2, 2), (4, 5)), ((4, 2), (2, 3))]


@pytest.mark.parametrize(("mine", "theirs"), SIZES, ids=str)
def test_simkd_is_its_formula(mine: tuple[int, int], theirs: tuple[int, int], agree: Agree) -> None:
    torch.manual_seed(0)
    learning, knowing = said(3, *mine, seed=0), said(6, *theirs, seed=1)
    adapters = SimKD().adapters(learning, knowing, LABELS).double()
    smaller = min(mine[0], theirs[0]), min(mine[1], theirs[1])
    for parameter in adapters.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.5)

    def by_hand(maps: Array, *layers: Array) -> float:
        out = pool(maps, *smaller)
        for weight, scale, shift in zip(layers[::3], layers[1::3], layers[2::3], strict=True):
            out = normed(convolved(out, weight), scale, shift)
        return float(((out - pool(last(knowing).numpy(), *smaller)) ** 2).mean())

    shapes = [tuple(p.shape) for p in adapters.parameters()]
    assert shapes == [(3, 3, 1, 1), (3,), (3,), (3, 3, 3, 3), (3,), (3,), (6, 3, 1, 1), (6,), (6,)]
    inputs = [last(learning), *adapters.parameters()]
    agree(lambda: SimKD().loss(learning, knowing, LABELS, adapters), by_hand, inputs)


@pytest.mark.parametrize(("factor", "inside"), [(1, 6), (2, 3), (4, 1), (100, 1)])
def test_the_factor_divides_the_teachers_width(factor: int, inside: int) -> None:
    projector = SimKD(factor).adapters(said(4, 2, 2, 0), said(6, 2, 2, 1), LABELS)
    assert isinstance(projector, Projector)
    assert projector.widths == (4, inside, 6)


def test_through_the_identity_there_is_nothing_to_learn_of_the_same_map() -> None:
    maps = Outputs(torch.zeros(BATCH, 4), torch.arange(BATCH), last=last(said(4, 3, 3, 1)).abs())
    adapters = SimKD(factor=1).adapters(maps, maps, LABELS).double().eval()
    with torch.no_grad():
        for layer in adapters.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.zero_()[:, :, layer.padding[0], layer.padding[0]] = torch.eye(4)  # type: ignore[index]
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.fill_((1 + layer.eps) ** 0.5)
    assert SimKD().loss(maps, maps, LABELS, adapters).item() < 1e-12


def test_beta_weighs_the_loss() -> None:
    learning, knowing = said(4, 2, 2, 0), said(6, 2, 2, 1)
    adapters = SimKD().adapters(learning, knowing, LABELS).double().eval()
    one, four = (SimKD(beta=beta).loss(learning, knowing, LABELS, adapters) for beta in (1.0, 4.0))
    assert four.item() == pytest.approx(4 * one.item(), rel=1e-12) != 0


def test_labels_and_logits_play_no_part() -> None:
    learning, knowing = said(3, 2, 2, 0), said(6, 2, 2, 1)
    adapters = SimKD().adapters(learning, knowing, LABELS).double()
    other = replace(learning, logits=torch.randn(BATCH, 4))
    values = [SimKD().loss(one, knowing, y, adapters).item() for one, y in ((learning, LABELS), (other, LABELS * 0))]
    assert values[0] == values[1]


def taught(task: Task, student: Model, teacher: Model) -> tuple[Teaching, nn.Module]:
    torch.manual_seed(0)
    knowing = teacher.build(10, 1).eval()
    first = next(task.train.batches(64))
    loss = Teaching(student.build(10, 1), knowing, SimKD(), first, targets=task.train.targets)
    fit(loss, task.train, replace(ONE, weight_decay=0.1), seed=0, augment=None)
    return loss, knowing


PAIRS = [("cnn", "resnet20"), ("cnn", "vgg8"), ("vgg8", "wrn-16-1"), ("alexnet", "cnn")]
"""Student and teacher: last maps of equal size, of a larger and a smaller one of the student, 1x1 in two of three."""


@pytest.mark.parametrize(("student", "teacher"), PAIRS, ids=str)
def test_what_ships_is_encoder_projector_and_the_teachers_classifier(student: str, teacher: str, tiny: Task) -> None:
    loss, knowing = taught(tiny, Model(student, 0.25), Model(teacher, 0.25))
    batch = next(tiny.train.batches(16))
    loss.adapters.eval()
    with torch.no_grad():
        maps = last(observe(loss.model, SimKD(), batch))
        projected = loss.adapters.project(maps)  # type: ignore[operator]
        head = knowing.get_submodule(str(knowing.head))
        wanted = head(projected.mean((2, 3)))
        value = loss(batch)
        loss.ship()
        assert torch.allclose(loss.model(batch.images), wanted, atol=1e-5)
        shipped = last(observe(loss.model, SimKD(), batch))
        assert torch.equal(shipped, projected)
        known = nn.functional.adaptive_avg_pool2d(
            last(observe(knowing, SimKD(), batch)), (shipped.shape[2], shipped.shape[3])
        )
        assert float((shipped - known).square().mean()) == pytest.approx(float(value), rel=1e-5)
    assert loss.model.get_submodule(str(loss.model.head)) is not head


def test_the_stored_classifier_is_the_teachers_to_the_last_bit(pipeline: Pipeline, recipe: Build) -> None:
    (made,) = pipeline.run(recipe(**TAUGHT, stages=(Distill(SimKD(), replace(ONE, weight_decay=0.1)),)))
    (alone,) = pipeline.run(Recipe("digits", Model("resnet20", 0.25), (Train(ONE),)))
    one, other = (stored(pipeline, point).get_submodule("classifier").state_dict() for point in (made, alone))
    assert one["weight"].shape == (10, 16)
    assert all(torch.equal(one[name], other[name]) for name in ("weight", "bias"))


def stored(pipeline: Pipeline, point: Made) -> nn.Module:
    entry = pipeline.store.get(point.key)
    assert entry is not None
    return entry.files().module()


def test_an_interrupted_run_stores_the_same_bytes_with_the_teachers_classifier(
    tiny: Task, recipe: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.training.checkpoint.EVERY_SECONDS", 0.0)
    whole = recipe(**TAUGHT, stages=(Distill(SimKD(), replace(ONE, epochs=3, weight_decay=0.1)),))
    heard: list[int] = []

    def stop(what: str, done: int, of: int) -> None:
        if what.startswith("distill") and done == 2:
            raise KeyboardInterrupt

    broken, whole_run = Store(tmp_path / "broken"), Store(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        list(Pipeline(tiny, broken, on_progress=stop).run(whole))
    resumed = Pipeline(tiny, broken, on_progress=lambda what, done, of: heard.append(done))
    (again,), (straight,) = resumed.run(whole), Pipeline(tiny, whole_run).run(whole)
    assert heard == [2, 3]
    one, other = (store.get(straight.key) for store in (broken, whole_run))
    assert one is not None
    assert other is not None
    assert again.key == straight.key
    assert one.files() == other.files()


def points(pipeline: Pipeline, recipe: Recipe, task: Task, *, zeros: bool = True) -> list[Made]:
    """The recipe's points, each of which costs what was foreseen; without `zeros`, but for how many weights are 0."""
    predicted, made = predict(recipe, task), list(pipeline.run(recipe))
    for guess, point in zip(predicted, made, strict=True):
        assert (guess.costs.params, guess.costs.macs) == (point.measured.params, point.measured.macs)
        assert guess.size_bytes == point.measured.size_bytes
        if zeros and point.variant == "float":
            assert guess.costs.nonzero_params == point.measured.nonzero_params
    return made


@pytest.mark.parametrize(("student", "teacher"), PAIRS, ids=str)
def test_costs_of_what_ships_are_foreseen_exactly(
    student: str, teacher: str, pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    taught = {"teacher": Model(teacher, 0.25), "schooling": ONE, "student": Model(student, 0.25)}
    (made,) = points(pipeline, recipe(**taught, stages=(Distill(SimKD(), ONE),)), tiny)
    student_alone, teacher_alone = (
        predict(Recipe("digits", Model(name, 0.25), (Train(),)), tiny)[0].costs.params for name in (student, teacher)
    )
    assert student_alone < made.measured.params < student_alone + 2 * teacher_alone


def test_the_costs_of_the_published_pair_are_the_formulas() -> None:
    """ResNet8x4 taught by ResNet32x4, 256 channels each, 32x32 colours: encoder, P and a classifier for 100."""
    with torch.device("meta"):
        student = Model("resnet8x4").build(100, 3)
        projector = Projector((256, 128, 256), None)
    assert sum(p.numel() for p in student.parameters()) == 1_233_540
    convolutions, norms = 256 * 128 + 9 * 128 * 128 + 128 * 256, 2 * (128 + 128 + 256)
    assert sum(p.numel() for p in projector.parameters()) == convolutions + norms


AFTER: dict[str, tuple[Any, ...]] = {
    "prune": (Prune(L1Filter(), 0.6, Exponential(2), Recovery(ONE)), Quantize(Int8())),
    "rank": (Factorize(SVD("ratio"), 0.3, OneShot(1), Recovery(ONE)), Prune(L1Filter(), 0.3, OneShot(1), SELF)),
    "masks": (Prune(L1Unstructured(), 0.6, OneShot(1), Recovery(ONE)), Quantize(Int8())),
    "again": (Prune(L1Filter(), 0.6, OneShot(2), SELF), Factorize(SVD("ratio"), 0.3, Cubic(1), FROM)),
}


@pytest.mark.parametrize("stages", AFTER.values(), ids=list(AFTER))
def test_what_shipped_is_cut_factorized_and_quantized_as_any_other(
    stages: tuple[Any, ...], pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    made = points(pipeline, recipe(**TAUGHT, stages=(Distill(SimKD(), ONE), *stages)), tiny)
    shown = torch.randn(3, 1, 8, 8)
    for point in made:
        module = stored(pipeline, point)
        assert any(isinstance(layer, Projector) for layer in module.modules())
        with torch.no_grad():
            graph = program(module, (1, 8, 8)).module()
            torch.testing.assert_close(graph(shown), module(shown), rtol=1e-4, atol=1e-4)


def test_a_later_cut_goes_through_the_projector_too(pipeline: Pipeline, recipe: Build) -> None:
    cut = Prune(L1Filter(), 0.6, OneShot(1), Recovery(ONE))
    modules = [stored(pipeline, p) for p in pipeline.run(recipe(**TAUGHT, stages=(Distill(SimKD(), ONE), cut)))]
    before, after = ({n: p.numel() for n, p in module.named_parameters() if p.dim() > 1} for module in modules)
    assert before.keys() == after.keys()
    assert sum(name.startswith("mean.") for name in before) == 3
    assert all(after[name] < before[name] for name in before)


CUTS: dict[str, tuple[Any, bool]] = {
    "channels": (Prune(L1Filter(), 0.6, OneShot(2), FROM), True),
    "channels, original": (Prune(L1Filter(), 0.6, OneShot(2), SELF), True),
    "weights of each layer": (Prune(L1Unstructured(scope="layer"), 0.6, OneShot(2), FROM), True),
    "weights of all layers": (Prune(L1Unstructured(), 0.6, OneShot(2), SELF), False),
    "rank": (Factorize(SVD("ratio"), 0.4, Exponential(2), FROM), True),
}


@pytest.mark.parametrize(("stage", "zeros"), CUTS.values(), ids=list(CUTS))
def test_a_cut_network_recovers_and_ships_as_foreseen(
    stage: Any, zeros: bool, pipeline: Pipeline, recipe: Build, tiny: Task
) -> None:
    plain = replace(stage, recovery=Recovery(ONE))
    bare = list(pipeline.run(recipe(plain)))
    made = points(pipeline, recipe(stage, **TAUGHT), tiny, zeros=zeros)
    assert [p.sparsity for p in made] == [p.sparsity for p in bare]
    assert all(a.measured.params > b.measured.params for a, b in zip(made[1:], bare[1:], strict=True))


def test_masks_hold_under_simkd_and_the_projector_has_none(pipeline: Pipeline, recipe: Build) -> None:
    stage = Prune(L1Unstructured(scope="layer"), 0.5, OneShot(1), replace(FROM, training=replace(ONE, epochs=3)))
    _, made = pipeline.run(recipe(stage, **TAUGHT))
    weights = {n: p for n, p in stored(pipeline, made).named_parameters() if p.dim() > 1}
    zeros = {name: int((weight == 0).sum()) / weight.numel() for name, weight in weights.items()}
    assert {n: share for n, share in zeros.items() if n.startswith("stage")} == {
        name: pytest.approx(0.5, abs=0.02) for name in ("stage1.0.weight", "stage2.0.weight", "stage3.0.weight")
    }
    assert [share for name, share in zeros.items() if not name.startswith("stage")] == [0.0] * 4


def packed(model: nn.Module) -> Files:
    return Files.of(model, Model("cnn", 0.25), classes=10, channels=1)


def shipped(calibration: Batch, teacher: str = "vgg8") -> nn.Module:
    torch.manual_seed(0)
    student, knowing = Model("cnn", 0.25).build(10, 1), Model(teacher, 0.125).build(10, 1)
    loss = Teaching(student, knowing, SimKD(), calibration, targets=calibration.targets)
    loss.ship()
    return student.eval()


def test_a_projector_on_a_projector_comes_back(calibration: Batch) -> None:
    student, knowing = shipped(calibration), Model("resnet20", 0.25).build(10, 1)
    Teaching(student, knowing, SimKD(), calibration, targets=calibration.targets).ship()
    again = packed(student).module()
    assert isinstance(again.get_submodule("mean.pool"), Projector)
    with torch.no_grad():
        assert torch.equal(again(calibration.images), student(calibration.images))
    assert packed(again) == packed(student)


def test_a_factorized_teachers_classifier_is_taken_over_in_both_parts(calibration: Batch) -> None:
    student, knowing = Model("cnn", 0.25).build(10, 1), Model("cnn").build(10, 1)
    head = knowing.get_submodule("classifier")
    assert isinstance(head, nn.Linear)
    knowing.set_submodule("classifier", SVD().factors(head, 3))
    Teaching(student, knowing, SimKD(), calibration, targets=calibration.targets).ship()
    again = packed(student).module()
    for part in ("classifier.0.weight", "classifier.1.weight", "classifier.1.bias"):
        assert torch.equal(again.get_parameter(part), knowing.get_parameter(part))


def test_a_projector_that_is_none_is_a_sentence(calibration: Batch) -> None:
    files = packed(shipped(calibration))
    spoilt = replace(files, structure=files.structure.replace(b'"widths":[16,', b'"widths":[-1,'))
    assert spoilt != files
    with pytest.raises(StoreError, match=r"^structure: mean: widths must be a setting of its layer"):
        spoilt.module()


FLAT = Model("snn-1k")
REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: SimKD(factor=0), "simkd: factor must be a whole number of at least 1, got 0"),
    (lambda: SimKD(beta=0), "simkd: beta must be above 0, got 0"),
    (
        lambda: Prune(L1Filter(), 0.5, Exponential(2), FROM),
        "recovery: simkd ships layers, so every level must start from the full network; "
        "use the schedule one-shot, got exponential",
    ),
    (
        lambda: Prune(L1Unstructured(), 0.5, Cubic(2), FROM),
        "recovery: simkd ships layers, so every level must start from the full network; "
        "use the schedule one-shot, got cubic",
    ),
    (
        lambda: replace(FROM, scope="classifier"),
        "recovery: simkd brings its own classifier, so scope must be all, got classifier",
    ),
    (
        lambda: Recipe("digits", FLAT, (Distill(SimKD()),), Model("cnn"), ONE),
        "simkd: student and teacher must average their last map, got snn-1k, which flattens it",
    ),
    (
        lambda: Recipe("digits", Model("cnn"), (Distill(SimKD()),), FLAT, ONE),
        "simkd: student and teacher must average their last map, got snn-1k, which flattens it",
    ),
    (
        lambda: Recipe("digits", FLAT, (Train(), Prune(L1Filter(), 0.5, OneShot(), SELF))),
        "simkd: student and teacher must average their last map, got snn-1k, which flattens it",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_what_cannot_be_is_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError) as caught:
        make()
    assert str(caught.value) == sentence


def test_a_teacher_that_is_not_asked_may_flatten_its_maps() -> None:
    cut = Prune(L1Filter(), 0.5, OneShot(), SELF)
    assert Recipe("digits", Model("cnn"), (Train(), cut), FLAT, ONE).stages[1] == cut


def test_a_recipe_that_ships_passes_the_check(recipe: Build, tiny: Task) -> None:
    state = torch.get_rng_state()
    check(recipe(Prune(L1Filter(), 0.5, OneShot(3), FROM), **TAUGHT), tiny)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("student", "teacher"), [("resnet20", "resnet20"), ("vgg8", "cnn"), ("wrn-16-1", "vgg8")])
def test_a_projector_cut_below_its_widths_comes_back(student: str, teacher: str, calibration: Batch) -> None:
    """After the cut, the whole network has fewer weights than the projector before it."""
    model = Model(student, 0.25)
    net = model.build(10, 1)
    Teaching(net, Model(teacher, 2.0).build(10, 1), SimKD(), calibration, targets=calibration.targets).ship()
    (projector,) = (layer for layer in net.modules() if isinstance(layer, Projector))
    whole = sum(p.numel() for p in projector.parameters())
    cut_channels(net.eval(), L1Filter(), weight_count(net) // 20, calibration)
    assert sum(p.numel() for p in net.parameters()) < whole
    files = Files.of(net, model, classes=10, channels=1)
    again = files.module()
    with torch.no_grad():
        assert torch.equal(again(calibration.images), net(calibration.images))
    assert Files.of(again, model, classes=10, channels=1) == files
    quantized = Int8().convert(factorize(net, SVD(), 0.2), calibration.images)
    back = Files.of(quantized, model, classes=10, channels=1).module()
    with torch.no_grad():
        assert torch.equal(back(calibration.images), quantized(calibration.images))


def test_a_forged_projector_takes_no_memory(calibration: Batch) -> None:
    files = packed(shipped(calibration))
    listed = json.loads(files.structure)
    for huge in ([2**31 - 1] * 3, [1, 2**30, 1], [16] * 2, [0, 1, 1], "16", None):
        listed["layers"]["mean"]["widths"] = huge
        forged = replace(files, structure=json.dumps(listed).encode())
        if isinstance(huge, list) and huge[0] > 0 and len(huge) == 3:
            projector = forged.module().get_submodule("mean")  # of the layers that are listed, whatever the widths
            assert sum(p.numel() for p in projector.parameters()) < 10**5
        else:
            with pytest.raises(StoreError, match=r"^structure: "):
                forged.module()
    listed["layers"]["mean"]["widths"] = [16, 8, 16]
    listed["layers"]["mean.layers.3"]["out_channels"] = 2**31 - 1
    with pytest.raises(StoreError, match=r"mean\.layers\.3 must be no larger than the weights file"):
        replace(files, structure=json.dumps(listed).encode()).module()
