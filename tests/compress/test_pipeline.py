"""Recipes carried out: curves, shared beginnings, figures that can be measured again."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from compress.data.tasks import Task
from compress.distill import KD
from compress.errors import RecipeError
from compress.lowrank import SVD
from compress.measure import measure
from compress.models import Model
from compress.pipeline import Made, Pipeline
from compress.plan import plan
from compress.pruning import Exponential, L1Filter, L1Unstructured, OneShot, PlayAndPrune, Pruner, Schedule
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import Store
from compress.training.settings import Training

Build = Callable[..., Recipe]
ONE = Training(epochs=1, lr=0.02, batch_size=64)
INT8 = Quantize(Int8())


def prune(method: Pruner, schedule: Schedule, sparsity: float = 0.6, **recovery: object) -> Prune:
    return Prune(method, sparsity, schedule, Recovery(ONE, **recovery))  # type: ignore[arg-type]


CUT, MASK = prune(L1Filter(), Exponential(3)), prune(L1Unstructured(), Exponential(3))
RANK = Factorize(SVD(), 0.4, OneShot(2), Recovery(ONE))
CHAINS = {
    "cut": (CUT,),
    "cut-one-shot": (prune(L1Filter(), OneShot(3)),),
    "mask": (MASK,),
    "rank": (RANK,),
    "cut-rank": (CUT, RANK),
    "rank-cut": (RANK, CUT),
    "cut-int8": (CUT, INT8),
    "mask-int8": (MASK, INT8),
    "rank-int8": (RANK, INT8),
}
chains = pytest.mark.parametrize("stages", CHAINS.values(), ids=list(CHAINS))


def weights(store: Store, made: list[Made]) -> list[bytes]:
    return [(store.path(point.key) / name).read_bytes() for point in made for name in (WEIGHTS, STRUCTURE)]


def test_a_curve_has_a_point_at_every_level(pipeline: Pipeline, recipe: Build) -> None:
    made = list(pipeline.run(recipe(prune(L1Filter(), OneShot(3), 0.6))))
    assert [(point.sparsity, point.variant) for point in made] == [
        (0.0, "float"),
        (0.2, "float"),
        (0.4, "float"),
        (0.6, "float"),
    ]
    params = [point.measured.params for point in made]
    assert params == sorted(set(params), reverse=True)


def test_sparsities_of_two_stages_multiply(pipeline: Pipeline, recipe: Build) -> None:
    made = list(pipeline.run(recipe(prune(L1Filter(), OneShot(1), 0.5), RANK)))
    assert [point.sparsity for point in made] == pytest.approx([0.0, 0.5, 1 - 0.5 * 0.8, 1 - 0.5 * 0.6])


def test_quantizing_gives_every_point_a_smaller_variant(pipeline: Pipeline, recipe: Build) -> None:
    made = list(pipeline.run(recipe(CUT, INT8)))
    floats, ints = made[::2], made[1::2]
    assert [point.variant for point in made] == ["float", "int8"] * 4
    assert [point.sparsity for point in ints] == [point.sparsity for point in floats]
    assert all(small.measured.size_bytes < big.measured.size_bytes for small, big in zip(ints, floats, strict=True))


@chains
def test_figures_are_those_of_the_reloaded_model(
    stages: tuple[Stage, ...], pipeline: Pipeline, recipe: Build, tiny: Task, store: Store
) -> None:
    for point in pipeline.run(recipe(*stages)):
        entry = store.get(point.key)
        assert entry is not None
        again = measure(entry.files().module(), tiny, entry.files())
        timed = {"latency_ms", "latency_p95_ms", "seconds"}
        assert {k: v for k, v in asdict(again).items() if k not in timed} == {
            k: v for k, v in asdict(point.measured).items() if k not in timed
        }
        assert point.measured.size_bytes == (Path(point.path) / WEIGHTS).stat().st_size


@chains
def test_the_same_recipe_gives_the_same_bytes(
    stages: tuple[Stage, ...], pipeline: Pipeline, recipe: Build, tiny: Task, tmp_path: Path
) -> None:
    other = Pipeline(tiny, Store(tmp_path / "other"))
    torch.manual_seed(99)  # the global generator's state is not to matter
    here, there = (list(one.run(recipe(*stages))) for one in (pipeline, other))
    assert [point.key for point in here] == [point.key for point in there]
    assert weights(pipeline.store, here) == weights(other.store, there)


def test_another_seed_gives_other_models(pipeline: Pipeline, recipe: Build) -> None:
    one, other = (list(pipeline.run(recipe(seed=seed))) for seed in (0, 1))
    assert one[0].key != other[0].key
    assert weights(pipeline.store, one) != weights(pipeline.store, other)


def test_a_second_run_trains_nothing(pipeline: Pipeline, recipe: Build, tiny: Task) -> None:
    first = list(pipeline.run(recipe(CUT, INT8)))
    again = Pipeline(tiny, pipeline.store)
    second = list(again.run(recipe(CUT, INT8)))
    assert [point.known for point in first] == [False] * 8
    assert second == [replace(point, known=True) for point in first]
    assert "train" not in again.spent


def test_a_shared_beginning_is_made_once(pipeline: Pipeline, recipe: Build) -> None:
    short, long = recipe(prune(L1Filter(), OneShot(2), 0.4)), recipe(prune(L1Filter(), OneShot(3), 0.6), INT8)
    first, second = list(pipeline.run(short)), list(pipeline.run(long))
    floats = second[::2]
    assert [point.key for point in floats[:3]] == [point.key for point in first]
    assert [point.known for point in floats] == [True, True, True, False]


def test_a_teacher_is_trained_once_for_all_students(pipeline: Pipeline, recipe: Build) -> None:
    heard: list[str] = []
    pipeline.on_progress = lambda what, done, of: heard.append(what)
    for width in (0.25, 0.5):
        taught = {"teacher": Model("cnn", 0.75), "schooling": ONE, "student": Model("cnn", width)}
        list(pipeline.run(recipe(**taught, stages=(Distill(KD(), ONE),))))
    assert [what for what in heard if "x0.75" in what] == ["train cnn x0.75"]
    assert len(heard) == 3


def test_recovery_can_learn_from_the_unpruned_original(pipeline: Pipeline, recipe: Build) -> None:
    plain, taught = prune(L1Filter(), Exponential(2)), prune(L1Filter(), Exponential(2), distiller=KD())
    steps = plan(recipe(taught), "data")
    assert [step.teacher for step in steps[1:]] == [steps[0], steps[0]]
    one, other = list(pipeline.run(recipe(plain))), list(pipeline.run(recipe(taught)))
    assert [point.known for point in other] == [True, False, False]
    assert one[-1].measured.params == other[-1].measured.params
    assert weights(pipeline.store, one[1:]) != weights(pipeline.store, other[1:])


def test_recovery_of_the_classifier_leaves_the_other_weights(pipeline: Pipeline, recipe: Build, store: Store) -> None:
    made = list(pipeline.run(recipe(prune(L1Unstructured(), OneShot(1), scope="classifier"))))
    entries = [store.get(point.key) for point in made]
    before, after = (entry.files().module().state_dict() for entry in entries if entry is not None)
    kept = after["stage2.0.weight"] != 0
    assert torch.equal(after["stage2.0.weight"][kept], before["stage2.0.weight"][kept])
    assert torch.equal(after["stage2.1.running_mean"], before["stage2.1.running_mean"])
    assert not torch.equal(after["classifier.bias"], before["classifier.bias"])


def test_zeros_of_pruning_are_there_after_recovery(pipeline: Pipeline, recipe: Build) -> None:
    whole, *pruned = pipeline.run(recipe(MASK))
    scored = 36 + 288 + 1152 + 160  # weights of the three convolutions and the classifier at width 1/4
    for point in pruned:
        assert point.measured.params == whole.measured.params
        gone = whole.measured.params - point.measured.nonzero_params
        assert gone == pytest.approx(point.sparsity * scored, abs=2)


def test_a_damaged_middle_entry_is_made_again(
    pipeline: Pipeline, recipe: Build, caplog: pytest.LogCaptureFixture
) -> None:
    made = list(pipeline.run(recipe(CUT)))
    before = weights(pipeline.store, made)
    (pipeline.store.path(made[2].key) / WEIGHTS).write_bytes(b"rubbish")
    with caplog.at_level(logging.WARNING):
        again = list(pipeline.run(recipe(CUT)))
    assert [point.known for point in again] == [True, True, False, True]
    assert weights(pipeline.store, again) == before
    assert made[2].key in caplog.text


def test_a_dropped_model_is_made_again_with_the_same_bytes(pipeline: Pipeline, recipe: Build) -> None:
    made = list(pipeline.run(recipe(CUT)))
    before = weights(pipeline.store, made)
    for point in made:
        pipeline.store.drop(point.key)
    assert weights(pipeline.store, list(pipeline.run(recipe(CUT)))) == before


def test_a_lost_training_goes_on_where_it_was(
    pipeline: Pipeline, recipe: Build, tiny: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress.training.checkpoint.EVERY_SECONDS", 0.0)
    wanted = recipe(Prune(L1Unstructured(), 0.5, OneShot(1), Recovery(Training(3))))

    def stop(what: str, done: int, of: int) -> None:
        if what.startswith("prune") and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Pipeline(tiny, pipeline.store, on_progress=stop).run(wanted))
    heard: list[int] = []
    pipeline.on_progress = lambda what, done, of: heard.append(done)
    resumed = list(pipeline.run(wanted))
    assert heard == [3]
    straight = Pipeline(tiny, Store(tmp_path / "straight"))
    assert weights(pipeline.store, resumed) == weights(straight.store, list(straight.run(wanted)))


RACER = """
import json, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.store.folder import Store
from compress.data.tasks import load_task
folder, me, other = Path(sys.argv[1]), *sys.argv[2:4]
pipeline = Pipeline(load_task("digits"), Store(folder / "store"))
(folder / me).touch()
while not (folder / other).exists():
    time.sleep(0.005)
made = list(pipeline.run(Recipe.from_json(json.loads((folder / "recipe.json").read_text()))))
print(json.dumps([[point.key, point.known] for point in made]))
"""


def test_two_processes_make_every_model_once(recipe: Build, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps(recipe(CUT, INT8).as_json()))
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, str(tmp_path), *names], stdout=subprocess.PIPE, text=True)
        for names in (("a", "b"), ("b", "a"))
    ]
    one, other = (json.loads(racer.communicate(timeout=120)[0]) for racer in racers)
    assert [key for key, _ in one] == [key for key, _ in other]
    assert [known + also for (_, known), (_, also) in zip(one, other, strict=True)] == [1] * 8
    assert len(list((tmp_path / "store").glob("??/*/record.json"))) == 8


def test_importing_the_pipeline_loads_torch_alone() -> None:
    code = (
        "import sys, compress.pipeline, json; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(found.stdout))
    assert "torch" in loaded
    unwanted = {"ray", "mlflow", "optuna", "plotly", "pandas", "torchvision", "torchao", "sklearn", "search", "spaces"}
    assert not loaded & unwanted


def test_a_model_that_is_not_what_was_trained_once_it_is_loaded_is_never_stored(
    pipeline: Pipeline, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Files.module

    def module(files: Files) -> torch.nn.Module:
        made = read(files)
        with torch.no_grad():
            next(made.parameters()).mul_(1 + 1e-3)
        return made

    monkeypatch.setattr(Files, "module", module)
    with pytest.raises(RecipeError, match=r"after .*: a network must compute the same once it is stored and loaded"):
        next(pipeline.run(recipe(CUT)))
    assert not list(pipeline.store.root.glob(f"??/*/{WEIGHTS}"))


def test_a_pipeline_that_is_over_lets_go_of_its_data_at_once(tiny: Task, store: Store, recipe: Build) -> None:
    gc.disable()
    try:
        made = Pipeline(tiny, store)
        list(made.run(recipe(CUT)))
        gone = weakref.ref(made)
        del made
        assert gone() is None
    finally:
        gc.enable()


def test_the_first_batch_tells_what_is_trained_long_before_the_first_epoch_ends(
    pipeline: Pipeline, recipe: Build
) -> None:
    heard: list[tuple[str, float, int]] = []
    pipeline.on_batch = lambda what, done, of: heard.append((what, done, of)) if of else None
    list(pipeline.run(recipe(stages=(Train(replace(ONE, epochs=2, batch_size=8)),))))
    shares = [done for _, done, _ in heard]
    assert {(what, of) for what, _, of in heard} == {(heard[0][0], 2)}
    assert heard[0][0].startswith("train cnn")
    assert 0 < shares[0] < 1
    assert shares == sorted(shares)
    assert shares[-1] == 2


def test_cuts_measurements_and_validations_are_told_for_they_can_take_minutes(
    pipeline: Pipeline, recipe: Build
) -> None:
    heard: list[tuple[str, int]] = []
    pipeline.on_batch = lambda what, done, of: heard.append((what, of))
    list(pipeline.run(recipe(prune(L1Filter(), OneShot(1), 0.4))))
    told = list(dict.fromkeys(what for what, of in heard if not of))
    assert [what.split()[0] for what in told] == ["train", "train", "prune", "prune"]
    assert [what.rpartition(", ")[2] for what in told[1:]] == ["measuring", "cutting", "measuring"]
    heard.clear()
    play = Prune(PlayAndPrune(tolerance=0.5, rounds=1), None, None, Recovery(ONE))
    list(pipeline.run(recipe(play)))
    assert any(what.endswith(", validating") and not of for what, of in heard)
