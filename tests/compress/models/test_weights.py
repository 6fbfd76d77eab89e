"""Weights that a network begins with: read, fitted exactly or refused, part of a step's name, taken as they are."""

from __future__ import annotations

import json
import logging
import os
import pickle
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import Tensor, nn

from compress.codec import decode
from compress.costs import check
from compress.data.tasks import Task
from compress.distill import KD
from compress.encoding import encode
from compress.errors import RecipeError
from compress.machine.vision import import_torchvision
from compress.measure import accuracy
from compress.models import Model
from compress.models.imagenet import PRETRAINED
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Stage, Train
from compress.store.files import Files
from compress.training.settings import Training

State = dict[str, Tensor]
AS_IT_IS = Train(Training(epochs=0))
ONCE = Training(epochs=1, lr=0.02)


@pytest.fixture
def state(trained: Files) -> State:
    """Of a trained CNN."""
    return dict(trained.module().state_dict())


def given(path: Path) -> Model:
    return Model("cnn", weights=str(path))


def safe(state: State, path: Path, metadata: dict[str, str] | None = None) -> Path:
    save_file(state, path, metadata)
    return path


def torch_saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def prefixed(state: State, *parts: str) -> State:
    return {".".join((*parts, name)): tensor for name, tensor in state.items()}


def inside(state: State, layer: str, part: str) -> State:
    """As if the layer's module had been wrapped."""
    return {name.replace(f"{layer}.", f"{layer}.{part}."): tensor for name, tensor in state.items()}


def trainings(state: State, **others: object) -> dict[str, object]:
    """A checkpoint as trainings leave them: counters, settings, an optimizer's tensors by number."""
    moments = {0: {"exp_avg": torch.ones(3), "step": torch.ones(())}}
    return {"epoch": 3, "args": {"lr": 0.1}, "optimizer": {"state": moments, "param_groups": []}, **others}


WRITERS: dict[str, Callable[[State, Path], Path]] = {
    "w.safetensors": safe,
    "told.safetensors": lambda state, path: safe(state, path, {"format": "pt"}),
    "bits.safetensors": lambda state, path: safe({n: t.double() for n, t in state.items()}, path),
    **dict.fromkeys(("w.pt", "w.pth", "w.th", "w.bin", "w.ckpt", "w.pth.tar", "W.PT"), torch_saved),
    "nested.pt": lambda state, path: torch_saved({"state_dict": state, "epoch": 3}, path),
    **{
        f"{key}.pt": lambda state, path, key=key: torch_saved(trainings(state, **{key: state}), path)  # type: ignore[misc]
        for key in ("model", "state_dict_ema", "model_state_dict", "net", "module")
    },
    "deep.ckpt": lambda state, path: torch_saved({"trainer": {"model": trainings(state, weights=state)}}, path),
    "other.pt": lambda state, path: torch_saved({"model": state, "discriminator": {"a.weight": torch.ones(2)}}, path),
    "twice.pt": lambda state, path: torch_saved({"model": state, "state_dict": dict(state)}, path),
    "parallel.pt": lambda state, path: torch_saved(prefixed(state, "module"), path),
    "compiled.pt": lambda state, path: torch_saved(prefixed(state, "_orig_mod"), path),
    "both.pt": lambda state, path: torch_saved(prefixed(state, "module", "_orig_mod"), path),
    "both.safetensors": lambda state, path: safe(prefixed(state, "_orig_mod", "module"), path),
    "part.pt": lambda state, path: torch_saved(inside(state, "stage2", "_orig_mod"), path),
    "deep.pt": lambda state, path: torch_saved({"model": inside(prefixed(state, "module"), "stage1", "module")}, path),
    "averaged.pt": lambda state, path: torch_saved({"n_averaged": torch.tensor(7)} | prefixed(state, "module"), path),
    "old.pt": lambda state, path: torch_saved({n: t for n, t in state.items() if "num_batches" not in n}, path),
    "double.pt": lambda state, path: torch_saved({name: t.double() for name, t in state.items()}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_network_starts_from_its_weights(name: str, state: State, tmp_path: Path) -> None:
    started = given(WRITERS[name](state, tmp_path / name)).start(10, 1)
    assert all(torch.equal(t, state[n]) for n, t in started.state_dict().items() if "num_batches" not in n)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_as_it_is(kind: torch.dtype, state: State, tmp_path: Path) -> None:
    half = {name: tensor.to(kind) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    started = given(safe(half, tmp_path / "w.safetensors")).start(10, 1).state_dict()
    assert all(torch.equal(started[n], t.to(started[n].dtype)) for n, t in half.items() if "num_batches" not in n)


def without(state: State, *names: str) -> State:
    return {name: tensor for name, tensor in state.items() if name not in names}


SOMETHING_ELSE = "must hold a state dict, tensors by name, got something else"
FAULTS: list[tuple[Callable[[State], object], str]] = [
    (lambda s: without(s, "classifier.bias"), r"got 1 missing \(classifier.bias\)$"),
    (lambda s: {**s, "extra": torch.ones(1)}, r"got 1 unexpected \(extra\)$"),
    (lambda s: {**s, "classifier.bias": torch.ones(7)}, r"got 1 of another shape \(classifier.bias 7 for 10\)$"),
    (lambda s: {}, r"got \d\d missing \(stage1.0.weight, stage1.1.weight, stage1.1.bias, ...\)$"),
    (
        lambda s: prefixed(s, "net"),
        r"missing \(.*\); \d\d unexpected \(net.stage1.0.weight, .*\); they fit once net. is taken off their names$",
    ),
    (
        lambda s: prefixed(s, "a", "b"),
        r"missing \(.*\); \d\d unexpected \(a.b.stage1.0.weight, a.b.+, \.\.\.\)$",
    ),
    (
        lambda s: {"epoch": 1, "model": without(s, "classifier.bias")},
        r"\['model'\] must be its own, got 1 missing \(cl",
    ),
    (
        lambda s: trainings(s, gan={"x": torch.ones(1)}, model=without(s, "classifier.bias")),
        r"under \['model'\] must be its own, got 1 missing \(classifier.bias\)$",
    ),
    (
        lambda s: {"state_dict": s, "state_dict_ema": {n: t + 1 for n, t in s.items()}},
        r"must hold one state dict that fits, got \['state_dict'\] and \['state_dict_ema'\]; save the wanted one "
        r"alone, with torch.save\(torch.load\('w.pt'\)\['state_dict'\], 'wanted.pt'\)$",
    ),
    (
        lambda s: {"a": {"model": s, "ema": {**s, "classifier.bias": torch.ones(10)}}},
        r"got \['a'\]\['model'\] and \['a'\]\['ema'\]; .*\['a'\]\['model'\], 'wanted.pt'\)$",
    ),
    (
        lambda s: {"a": {"b": {"c": {"d": {"e": {"f": s}}}}}},
        SOMETHING_ELSE,
    ),
    (lambda s: {**s, "classifier.bias": torch.full((10,), torch.nan)}, "classifier.bias must be finite, got nan$"),
    (
        lambda s: {**s, "classifier.weight": s["classifier.weight"] / 0},
        "classifier.weight must be finite, got (-?inf|nan)",
    ),
    (
        lambda s: {**s, "stage1.1.running_var": s["stage1.1.running_var"] * torch.nan},
        "running_var must be finite, got",
    ),
    (
        lambda s: {**s, "classifier.bias": torch.full((10,), 0.1, dtype=torch.float64)},
        "classifier.bias must fit into float32, got float64 that it would round; save it as float32$",
    ),
    (lambda s: {**s, "classifier.bias": torch.ones(10).int()}, "classifier.bias must hold float32 numbers, got int32$"),
    (
        lambda s: {**s, "classifier.bias": torch.ones(10) * 1j},
        "classifier.bias must hold float32 numbers, got compl",
    ),
    (lambda s: {**s, "classifier.bias": torch.ones(10).to_sparse()}, "classifier.bias must hold float32 numbers, got"),
    (
        lambda s: {**s, "classifier.bias": torch.ones(10, device="meta")},
        "classifier.bias must hold float32 .*got none$",
    ),
    (lambda s: list(s.values()), SOMETHING_ELSE),
    (lambda s: 5, SOMETHING_ELSE),
    (
        lambda s: {"args": Namespace(lr=0.1), "model": s},
        "must hold a state dict and nothing else, for no code in",
    ),
    (lambda s: {**s, "epoch": 3}, SOMETHING_ELSE),
    (
        lambda s: nn.Linear(2, 2),
        "must hold a state dict and nothing else, for no code in it is ever run; save model.st",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), FAULTS, ids=[sentence[-40:] for _, sentence in FAULTS])
def test_weights_that_do_not_fit_are_one_sentence(
    change: Callable[[State], object], sentence: str, state: State, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        given(torch_saved(change(state), tmp_path / "w.pt")).check(10, (1, 8, 8))
    assert str(caught.value).startswith("cnn: ")
    assert str(tmp_path / "w.pt") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_a_file_that_is_none_is_one_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(RecipeError, match=r"cnn: .* must hold a state dict") as caught:
        given(tmp_path / name).check(10, (1, 8, 8))
    assert "\n" not in str(caught.value)


def test_a_pickle_among_the_weights_is_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.write_text, (tmp_path / "sprung", "x"))

    with pytest.raises(RecipeError, match="no code in it is ever run"):
        given(torch_saved({"a": Trap()}, tmp_path / "w.pt")).check(10, (1, 8, 8))
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(RecipeError, match="must hold a state dict"):
        given(tmp_path / "bare.pt").check(10, (1, 8, 8))
    assert not (tmp_path / "sprung").exists()


def test_a_traced_network_is_no_state_dict(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "w.pt")
    with pytest.raises(RecipeError, match=r"cnn: .*w.pt must hold a state dict, got a TorchScript archive; save model"):
        given(tmp_path / "w.pt").check(10, (1, 8, 8))


def test_a_pipe_is_no_file_of_weights(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pt")
    with pytest.raises(RecipeError, match=r"its weights .*w.pt must be readable, .* got something that is no file"):
        given(tmp_path / "w.pt").check(10, (1, 8, 8))


TIED = """
from torch import nn
class Tied(nn.Module):
    def __init__(self, k, c):
        super().__init__()
        self.flat, self.one, self.other = nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64)
        self.last = nn.Linear(64, k)
        self.other.weight = self.one.weight
    def forward(self, x): return self.last(self.other(self.one(self.flat(x))))
class Wrapped(Tied):
    def __init__(self, k, c): super().__init__(k, c); self.module = nn.Linear(64, 64)
    def forward(self, x): return self.last(self.module(self.one(self.flat(x))))
class Grumpy(Tied):
    def _load_from_state_dict(self, *args): raise KeyError("no weights for me")
"""


def test_a_tied_weight_may_be_in_a_file_once_and_must_be_the_same_twice(
    source: Callable[[str, str], None], tmp_path: Path
) -> None:
    source("tied.py", TIED)
    net = Model("tied:Tied").build(10, 1)
    save_model(net, str(tmp_path / "w.safetensors"))  # drops a name
    started = Model("tied:Tied", weights=str(tmp_path / "w.safetensors")).start(10, 1)
    assert all(torch.equal(tensor, started.state_dict()[name]) for name, tensor in net.state_dict().items())
    torch_saved({**net.state_dict(), "other.weight": torch.ones(64, 64)}, tmp_path / "w.pt")
    with pytest.raises(RecipeError, match=r"w.pt: one.weight and other.weight are one tensor in the network, they d"):
        Model("tied:Tied", weights=str(tmp_path / "w.pt")).check(10, (1, 8, 8))


def test_a_layer_that_is_called_module_is_no_wrapper(source: Callable[[str, str], None], tmp_path: Path) -> None:
    source("tied.py", TIED)
    state = Model("tied:Wrapped").build(10, 1).state_dict()
    for place, saved in (("w.pt", state), ("p.pt", prefixed(state, "module"))):
        started = Model("tied:Wrapped", weights=str(torch_saved(saved, tmp_path / place))).start(10, 1)
        assert torch.equal(started.get_parameter("module.weight"), state["module.weight"])


def test_a_network_that_will_not_be_filled_is_one_sentence(source: Callable[[str, str], None], tmp_path: Path) -> None:
    source("tied.py", TIED)
    path = torch_saved(Model("tied:Grumpy").build(10, 1).state_dict(), tmp_path / "w.pt")
    with pytest.raises(RecipeError, match=r"its load_state_dict must take .*w.pt, got KeyError: 'no weights"):
        Model("tied:Grumpy", weights=str(path)).check(10, (1, 8, 8))


def test_weights_that_cannot_be_read_are_one_sentence_that_speaks_of_nodes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"its weights .*w.pt must be readable, on every node .*, got No such file"):
        given(tmp_path / "w.pt").check(10, (1, 8, 8))


@pytest.mark.parametrize("weights", ["w.h5", "w.tar", ".pt", "", "w", "torchvision:IMAGENET1K_V1"])
def test_weights_of_an_unknown_kind_are_refused_at_once(weights: str) -> None:
    with pytest.raises(RecipeError, match=r"cnn: (weights must be a file|torchvision has no weights for it)"):
        Model("cnn", weights=weights)


def test_a_model_is_read_from_its_name_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Model.parse("cnn") == Model("cnn")
    assert Model.parse("cnn@a/w.pt") == Model("cnn", weights=str(tmp_path / "a" / "w.pt"))
    assert Model.parse("a.b:c@/x/w@1.pt") == Model("a.b:c", weights="/x/w@1.pt")
    assert Model.parse("resnet18@torchvision:V").weights == "torchvision:V"
    assert str(Model.parse("cnn@a/w.pt")) == "cnn@w.pt"


def test_weights_survive_json_and_none_are_not_in_it() -> None:
    assert decode(json.loads(json.dumps(encode(given(Path("/w.pt")))))) == given(Path("/w.pt"))
    assert encode(Model("cnn")) == {"type": "model", "family": "cnn", "width": 1.0}


def keys(model: Model) -> list[str]:
    cut = Prune(L1Filter(), 0.5, OneShot(), Recovery(ONCE))
    return [step.key for step in plan(Recipe("digits", model, (Train(ONCE), cut)), "data")]


def test_weights_name_a_step_by_their_bytes_and_not_by_their_place(state: State, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    one = keys(given(safe(state, tmp_path / "w.safetensors")))
    same = keys(given(safe(state, tmp_path / "below" / "other.safetensors")))
    other = keys(given(safe({**state, "classifier.bias": torch.ones(10)}, tmp_path / "other.safetensors")))
    assert one == same
    assert not set(one) & {*other, *keys(Model("cnn"))}


def test_a_file_that_changes_names_another_step(state: State, tmp_path: Path) -> None:
    path = safe(state, tmp_path / "w.safetensors")
    before = keys(given(path))
    safe({**state, "extra": torch.ones(3)}, path)
    assert keys(given(path)) != before


def test_no_epochs_take_a_network_as_it_is(state: State, tmp_path: Path, digits: Task, pipeline: Pipeline) -> None:
    pipeline = Pipeline(digits, pipeline.store)
    model = given(safe(state, tmp_path / "w.safetensors"))
    (made,) = pipeline.run(Recipe("digits", model, (AS_IT_IS,)))
    entry = pipeline.store.get(made.key)
    assert entry is not None
    stored = entry.files().module()
    assert all(torch.equal(t, state[n]) for n, t in stored.state_dict().items() if "num_batches" not in n)
    assert made.measured.score_test == accuracy(stored, digits.test) > 0.9
    assert entry.files().origin() == Model("cnn")  # loads without the file


def test_a_first_stage_goes_on_from_the_weights(state: State, tmp_path: Path, digits: Task, pipeline: Pipeline) -> None:
    pipeline = Pipeline(digits, pipeline.store)
    model = given(safe(state, tmp_path / "w.safetensors"))
    stages: list[Stage] = [Train(ONCE), Distill(KD(), ONCE)]
    taught = [Recipe("digits", m, (s,), model, Training(epochs=0)) for m in (model, Model("cnn")) for s in stages]
    found = [next(pipeline.run(recipe)).measured.score_validation for recipe in taught]
    assert min(found[:2]) > 0.9 > max(found[2:])


def test_a_teacher_with_weights_is_taken_as_it_is(state: State, tmp_path: Path, pipeline: Pipeline) -> None:
    teacher = given(safe(state, tmp_path / "w.safetensors"))
    recipe = Recipe("digits", Model("cnn", 0.25), (Distill(KD(), ONCE),), teacher, Training(epochs=0))
    next(pipeline.run(recipe))
    taught_by = plan(recipe, pipeline.task.fingerprint)[0].teacher
    assert taught_by is not None
    stored = pipeline.entry(taught_by).files().module()
    assert torch.equal(stored.get_parameter("classifier.weight"), state["classifier.weight"])


@pytest.mark.parametrize(
    "made",
    [
        lambda: Recipe("digits", Model("cnn"), (AS_IT_IS,)),
        lambda: Recipe("digits", Model("cnn"), (Distill(KD(), ONCE),), Model("cnn"), Training(epochs=0)),
    ],
)
def test_no_epochs_without_weights_are_refused(made: Callable[[], Recipe]) -> None:
    with pytest.raises(RecipeError, match="epochs must be at least 1 for cnn, which has no initial weights"):
        made()


@pytest.mark.parametrize("made", [lambda t: Distill(KD(), t), lambda t: Recovery(t)], ids=["distill", "recovery"])
def test_no_epochs_are_for_plain_training_alone(made: Callable[[Training], object]) -> None:
    with pytest.raises(RecipeError, match="training: epochs must be a whole number of at least 1, got 0"):
        made(Training(epochs=0))


def test_weights_that_do_not_fit_stop_before_the_teacher_trains(tmp_path: Path, pipeline: Pipeline) -> None:
    student = given(torch_saved({}, tmp_path / "w.pt"))
    recipe = Recipe("digits", student, (Distill(KD(), ONCE),), Model("cnn"), ONCE)
    for refused in (lambda: check(recipe, pipeline.task), lambda: next(pipeline.run(recipe))):
        with pytest.raises(RecipeError, match=r"the tensors in .* must be its own"):
            refused()
    assert pipeline.spent.get("train", 0.0) == 0.0


V1 = "torchvision:IMAGENET1K_V1"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], State]:
    """Puts an untrained network's weights where torchvision's would lie; the weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def put(family: str, **changes: Tensor) -> State:
        models = import_torchvision().models
        torch.manual_seed(3)
        state = dict(models.get_model(PRETRAINED[family]).state_dict())
        url = models.get_model_weights(PRETRAINED[family])["IMAGENET1K_V1"].url
        path = tmp_path / "hub" / "checkpoints" / Path(url).name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**state, **changes}, path)
        return state

    return put


@pytest.mark.parametrize(
    ("family", "classes", "left"),
    [
        ("resnet18", 10, ("conv1", "fc")),
        ("resnet18", 1000, ("conv1",)),
        ("mobilenetv2", 10, ("features.0.0", "classifier.1")),
    ],
)
def test_torchvisions_weights_leave_stem_and_classifier_if_they_differ(
    cached: Callable[[str], State], family: str, classes: int, left: tuple[str, ...]
) -> None:
    state, model = cached(family), Model(family, weights=V1)
    assert model.check(classes, (1, 8, 8)) == left
    for name, tensor in model.start(classes, 1).state_dict().items():
        assert torch.equal(tensor, state[name]) == (name.rpartition(".")[0] not in left), name


def test_of_colour_images_torchvisions_stem_fits_where_its_size_is_ours(cached: Callable[[str], State]) -> None:
    cached("mobilenetv2")
    assert Model("mobilenetv2", weights=V1).check(10, (3, 8, 8)) == ("classifier.1",)


def test_torchvisions_old_names_in_densenets_are_read(cached: Callable[[str], State], tmp_path: Path) -> None:
    state = cached("densenet121")
    (path,) = (tmp_path / "hub" / "checkpoints").iterdir()
    for kind in ("norm", "conv"):
        state = {
            name.replace(f".{kind}1.", f".{kind}.1.").replace(f".{kind}2.", f".{kind}.2.")
            if "denselayer" in name
            else name: tensor
            for name, tensor in state.items()
            if "num_batches" not in name
        }
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    torch.save(state, path)
    assert Model("densenet121", weights=V1).check(10, (3, 8, 8)) == ("features.conv0", "classifier")


def test_other_layers_must_be_torchvisions_own(cached: Callable[..., State]) -> None:
    cached("resnet18", **{"layer1.0.conv1.weight": torch.zeros(64, 64, 5, 5)})
    with pytest.raises(RecipeError, match=r"got 1 of another shape \(layer1.0.conv1.weight 64x64x5x5 for 64x64x3x3\)$"):
        Model("resnet18", weights=V1).check(10, (1, 8, 8))


def test_weights_that_are_not_in_the_cache_are_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    with pytest.raises(RecipeError, match=rf"must lie in {file}, .*; get it at https://.*/resnet18-f37072fd.pth$"):
        Model("resnet18", weights=V1).check(10, (1, 8, 8))
    assert list(tmp_path.iterdir()) == []


def test_weights_that_torchvision_does_not_have_are_refused_with_those_it_has() -> None:
    with pytest.raises(
        RecipeError, match="resnet50: torchvision's weights must be one of IMAGENET1K_V1, IMAGENET1K_V2"
    ):
        Model("resnet50", weights="torchvision:BEST").check(10, (1, 8, 8))


def test_every_network_of_torchvisions_has_weights_by_name() -> None:
    assert set(PRETRAINED.values()) <= set(import_torchvision().models.list_models())


def test_nothing_is_logged_of_weights_that_fit(state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert given(safe(state, tmp_path / "w.safetensors")).check(10, (1, 8, 8)) == ()
    assert caplog.records == []


COMPLEX = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, k, c):
        super().__init__(); self.fc = nn.Linear(3, k); self.register_buffer("waves", torch.ones(3, dtype=torch.cfloat))
    def forward(self, x): return self.fc(x.mean((1, 2, 3))[:, None] * self.waves.real)
"""


def test_a_complex_buffer_comes_from_a_file_as_it_is(source: Callable[[str, str], None], tmp_path: Path) -> None:
    source("mine.py", COMPLEX)
    torch.save({**Model("mine:Net").build(10, 1).state_dict(), "waves": torch.full((3,), 2 + 1j)}, tmp_path / "w.pt")
    model = Model("mine:Net", weights=str(tmp_path / "w.pt"))
    assert model.start(10, 1).get_buffer("waves").tolist() == [2 + 1j] * 3
    torch.save({**model.start(10, 1).state_dict(), "waves": torch.ones(3)}, tmp_path / "w.pt")
    with pytest.raises(RecipeError, match="waves must hold complex64 numbers, got float32"):
        model.start(10, 1)
