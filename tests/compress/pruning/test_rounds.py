"""Methods that find their own sparsity, in rounds, and the student narrowed at the shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.costs import predict
from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.distill import Cosine
from compress.errors import RecipeError
from compress.models import Model
from compress.pipeline import Made, Pipeline
from compress.plan import plan
from compress.pruning import APoZ, APoZRounds, OneShot
from compress.pruning.channels import Channels, cut_round
from compress.pruning.narrow import narrow
from compress.pruning.pruner import weight_count, weighted_layers
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Narrow, Prune, Quantize, Recovery, Train
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.settings import Training

BRIEF = Training(epochs=2, lr=0.02, batch_size=32)
RESNET = Model("resnet20", 0.25)
Build = Callable[..., Recipe]


def module(point: Made) -> nn.Module:
    return Files.read(Path(point.path)).module()


def rounds(tolerance: float, training: Training = BRIEF, **settings: float) -> Prune:
    return Prune(APoZRounds(tolerance=tolerance, **settings), recovery=Recovery(training))  # type: ignore[arg-type]


@pytest.mark.parametrize("deviations", [0.0, 1.0, 2.0])
def test_channels_far_below_the_mean_are_removed(deviations: float) -> None:
    scores = [0.9, 0.8, 0.1, 0.7, 0.75, 0.5]
    mean = sum(scores) / 6
    deviation = (sum((s - mean) ** 2 for s in scores) / 6) ** 0.5
    removed = APoZRounds(deviations=deviations).removed(torch.tensor(scores)).tolist()
    assert removed == [s < mean - deviations * deviation for s in scores]
    assert (sum(removed) > 0) == (deviations < 2 or mean - 2 * deviation > 0.1)


def test_channels_that_are_all_alike_stay() -> None:
    assert not APoZRounds().removed(torch.full((8,), 0.4)).any()


def test_a_round_removes_exactly_the_removed_channels(calibration: Batch) -> None:
    torch.manual_seed(3)
    model = RESNET.build(10, 1).eval()
    method = APoZRounds()
    scores = method.scores(model, calibration)
    channels = Channels(model, calibration.images[:1], spare_shortcuts=True)
    stay = {g.root: g.channels - int(method.removed(scores[g.root]).sum()) for g in channels.groups}
    before = {name: layer.weight.shape[0] for name, layer in weighted_layers(model).items()}
    cut_round(model, method, calibration)
    after = {name: layer.weight.shape[0] for name, layer in weighted_layers(model).items()}
    assert after == {name: stay.get(name, count) for name, count in before.items()}
    assert after != before


@pytest.fixture
def made(pipeline: Pipeline, recipe: Build) -> list[Made]:
    """A curve whose tolerance allows everything."""
    return list(pipeline.run(recipe(rounds(0.99, rounds=3), student=Model("cnn", 0.5))))


def test_each_round_starts_from_the_one_before(made: list[Made]) -> None:
    assert len(made) == 4
    params = [point.measured.params for point in made]
    assert params == sorted(params, reverse=True)
    assert len(set(params)) == 4


def test_the_sparsity_of_a_round_is_what_was_removed(made: list[Made]) -> None:
    full = weight_count(module(made[0]))
    assert [point.sparsity for point in made] == [round(1 - weight_count(module(p)) / full, 6) for p in made]


def test_a_round_beyond_the_tolerance_is_taken_back_and_the_last(pipeline: Pipeline) -> None:
    """Hardly recovered, a network from which many channels go falls further with each round."""
    first, none = Train(replace(BRIEF, epochs=12, lr=0.1)), replace(BRIEF, lr=1e-9)

    def curve(tolerance: float) -> list[Made]:
        harsh = rounds(tolerance, none, rounds=3, deviations=0.0)
        return list(pipeline.run(Recipe("digits", Model("cnn", 0.5), (first, harsh, Quantize(Int8())))))

    free, strict = curve(0.99), curve(0.1)
    floats = [[p.measured.score_validation for p in points if p.variant == "float"] for points in (free, strict)]
    assert floats[0][0] - floats[0][-1] > 0.3
    assert len(floats[0]) == 4 > len(floats[1])
    assert all(accuracy >= floats[1][0] - 0.1 for accuracy in floats[1])
    assert [p.sparsity for p in strict if p.variant == "int8"] == [p.sparsity for p in strict if p.variant == "float"]


def test_a_round_that_finds_nothing_to_remove_is_the_last(pipeline: Pipeline, recipe: Build) -> None:
    found = list(pipeline.run(recipe(rounds(0.99, deviations=50.0))))
    assert [point.sparsity for point in found] == [0.0]


def test_a_known_curve_trains_nothing(tiny: Task, store: Store, recipe: Build, made: list[Made]) -> None:
    again = Pipeline(tiny, store)
    points = list(again.run(recipe(rounds(0.99, rounds=3), student=Model("cnn", 0.5))))
    assert [p.key for p in points] == [p.key for p in made]
    assert "train" not in again.spent
    assert all(point.known for point in points)


def test_the_store_says_which_rounds_were_taken_back(pipeline: Pipeline, recipe: Build, made: list[Made]) -> None:
    harmless = recipe(rounds(0.99, rounds=2, deviations=50.0))
    list(pipeline.run(harmless))
    steps = plan(harmless, pipeline.task.fingerprint)
    assert [pipeline.entry(step).taken_back for step in steps] == [None, True, True]
    kept = [pipeline.store.get(point.key) for point in made]
    assert [entry and entry.taken_back for entry in kept] == [None, False, False, False]


@pytest.mark.parametrize("deviations", [1.0, 50.0])
def test_of_a_round_that_an_earlier_version_stored_the_files_are_compared(
    deviations: float, pipeline: Pipeline, recipe: Build, tiny: Task, tmp_path: Path
) -> None:
    wanted = recipe(rounds(0.99, rounds=2, deviations=deviations), student=Model("cnn", 0.5))
    points = list(pipeline.run(wanted))
    old = Store(tmp_path / "old")
    for entry in map(pipeline.entry, plan(wanted, tiny.fingerprint)):
        assert old.put(entry.key, entry.files(), entry.measured, entry.made_from).taken_back is None
    again = Pipeline(tiny, old)
    assert [point.key for point in again.run(wanted)] == [point.key for point in points]
    assert "train" not in again.spent


@pytest.mark.parametrize(("width", "left"), [(0.5, (2, 4, 8)), (0.03125, (1, 1, 1))])
def test_narrowing_changes_the_shortcuts_alone(width: float, left: tuple[int, int, int], images: torch.Tensor) -> None:
    model = RESNET.build(10, 1).eval()
    inside = {n: layer.weight.shape[0] for n, layer in weighted_layers(model).items() if n.endswith("conv1")}
    narrow(model, width, images[:1])
    assert tuple(model.get_submodule(f"stage{s}.2.conv2").weight.shape[0] for s in (1, 2, 3)) == left  # type: ignore[index]
    assert {n: model.get_parameter(f"{n}.weight").shape[0] for n in inside} == inside
    assert model(images[:3]).shape == (3, 10)


def test_a_narrowed_network_is_drawn_anew(images: torch.Tensor) -> None:
    model = RESNET.build(10, 1).eval()
    for tensor in model.state_dict().values():
        tensor.fill_(7)
    torch.manual_seed(0)
    narrow(model, 0.5, images[:1])
    assert not any(bool((tensor == 7).any()) for tensor in model.state_dict().values())


def test_a_network_without_shortcuts_is_not_narrowed(tiny: Task, recipe: Build) -> None:
    with pytest.raises(RecipeError, match="narrow: the model must have channels that a shortcut fixes"):
        predict(recipe(Narrow(Cosine(), 0.5, BRIEF)), tiny)


def test_aghli_and_ribeiro_are_one_recipe(pipeline: Pipeline, tiny: Task) -> None:
    """Rounds of APoZ inside the branches, then half of the shortcuts, taught by the pruned network."""
    stages = (Train(BRIEF), rounds(0.99, rounds=2), Narrow(Cosine(), 0.5, BRIEF), Quantize(Int8()))
    wanted = Recipe("digits", RESNET, stages)
    points = list(pipeline.run(wanted))
    assert [p.variant for p in points] == ["float", "int8"] * 4
    floats, ints = points[::2], points[1::2]
    pruned, student = module(floats[2]), module(floats[3])
    inside, outside = "stage2.1.conv1.weight", "stage2.1.conv2.weight"
    assert student.get_parameter(inside).shape[0] == pruned.get_parameter(inside).shape[0] < 8
    assert student.get_parameter(outside).shape[0] * 2 == pruned.get_parameter(outside).shape[0] == 8
    sparsities = [p.sparsity for p in floats]
    assert sparsities == sorted(sparsities) == [p.sparsity for p in ints]
    step = plan(wanted, tiny.fingerprint)[6]
    assert step.teacher is not None
    assert (step.key, step.teacher.key) == (floats[3].key, floats[2].key)


def test_the_narrowed_student_depends_on_the_rounds_before(pipeline: Pipeline) -> None:
    """The last round is taken back, so the student is that of the round before, by the same name of its own."""
    student = Narrow(Cosine(), 0.5, BRIEF)
    none = replace(BRIEF, lr=1e-9)
    stages = (Train(BRIEF), rounds(0.0, none, rounds=2, deviations=0.0), student)
    points = list(pipeline.run(Recipe("digits", RESNET, stages)))
    assert len(points) == 2
    full, narrowed = (module(point) for point in points)
    assert narrowed.get_parameter("stage2.1.conv1.weight").shape == (8, 4, 3, 3)
    assert full.get_parameter("stage2.1.conv1.weight").shape == (8, 8, 3, 3)


def test_the_same_student_trains_from_scratch_without_a_method(pipeline: Pipeline, tiny: Task) -> None:
    taught, alone = (Recipe("digits", RESNET, (Train(BRIEF), Narrow(how, 0.5, BRIEF))) for how in (Cosine(), None))
    assert Recipe.from_json(alone.as_json()) == alone
    assert plan(alone, tiny.fingerprint)[1].teacher is None
    points = [list(pipeline.run(recipe))[1] for recipe in (taught, alone)]
    shapes = [[tuple(p.shape) for p in module(point).parameters()] for point in points]
    assert shapes[0] == shapes[1]
    assert points[0].key != points[1].key
    assert "trained on labels: 2 epochs" in alone.stages[1].sentence(None, None)


def test_costs_of_rounds_are_foreseen_roughly(tiny: Task) -> None:
    stages = (Train(BRIEF), rounds(0.01), Narrow(Cosine(), 0.5, BRIEF))
    points = predict(Recipe("digits", RESNET, stages), tiny)
    params = [point.costs.params for point in points]
    assert len(params) == 8
    assert params == sorted(params, reverse=True)
    assert points[0].sparsity == 0
    assert {point.sparsity for point in points[1:]} == {None}


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Prune(APoZRounds(), 0.5, OneShot()), "apoz-rounds finds its sparsity by itself.*got 0.5 and OneShot"),
        (lambda: Prune(APoZ()), "prune: schedule must be a Schedule, got None"),
        (lambda: Prune(APoZ(), schedule=OneShot()), r"prune: sparsity must be in \[1e-06, 1\), got None"),
        (lambda: APoZRounds(tolerance=1.0), r"apoz-rounds: tolerance must be in \[0, 1\), got 1.0"),
        (lambda: APoZRounds(rounds=0), "apoz-rounds: rounds must be a whole number of at least 1, got 0"),
        (lambda: APoZRounds(deviations=-1), "apoz-rounds: deviations must be at least 0, got -1"),
        (lambda: Narrow(Cosine(), 1.0), r"narrow: width must be in \[1e-06, 1\), got 1.0"),
        (lambda: Narrow(APoZ()), "narrow: method must be a Distiller or nothing, got APoZ"),  # type: ignore[arg-type]
        (lambda: Narrow(training=Training(epochs=0)), "narrow: training: epochs must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_a_sentence(build: Callable[[], object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        build()
