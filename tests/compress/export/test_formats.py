"""Export: what is taken away is what was measured, in every form; what lies in the way is left alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from compress.data.splits import Batch
from compress.data.tasks import Task
from compress.errors import ExportError
from compress.export.evaluate_export import evaluate
from compress.export.formats import (
    CARD,
    FORMATS,
    LOADER,
    ONNX,
    OURS,
    PROGRAM,
    READABLE,
    check_formats,
    export,
    place,
    read_card,
    write_card,
)
from compress.export.graph import ExportFailed, graph, program
from compress.export.onnx_export import open_onnx, write_onnx
from compress.export.standalone import load
from compress.goals import Classification
from compress.lowrank import SVD, factorize
from compress.measure import measure
from compress.models import Model
from compress.pruning import L1Filter, L1Unstructured
from compress.pruning.channels import cut_channels
from compress.pruning.masks import mask_weights
from compress.quantize import Int8
from compress.store.files import STRUCTURE, WEIGHTS, Files

CHANGES: dict[str, Callable[[Files, Batch], torch.nn.Module]] = {
    "float": lambda files, shown: files.module(),
    "cut": lambda files, shown: cut_channels(files.module(), L1Filter(), 9000, shown),
    "masked": lambda files, shown: mask_weights(files.module(), L1Unstructured(), 0.9, shown),
    "factorized": lambda files, shown: factorize(files.module(), SVD(), 0.5),
    "int8": lambda files, shown: Int8().convert(files.module(), shown.images),
}


@pytest.fixture(scope="module", params=list(CHANGES))
def files(request: pytest.FixtureRequest, trained: Files, calibration: Batch) -> Files:
    changed = CHANGES[request.param](trained, calibration)
    return Files.of(changed, Model("cnn"), classes=10, channels=1)


@pytest.fixture(scope="module")
def folder(files: Files, tiny: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(files, tiny, tmp_path_factory.mktemp("export") / "new" / "best", {"about": "p1"}, FORMATS)


@pytest.fixture(scope="module")
def whole(trained: Files, tiny: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of the trained network in all forms, to be put in place elsewhere."""
    return export(trained, tiny, tmp_path_factory.mktemp("whole"), {"about": "whole"}, FORMATS)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_an_export_measures_as_the_model_did(folder: Path, files: Files, tiny: Task) -> None:
    found = evaluate(folder, tiny)
    model = measure(files.module(), tiny, files)
    for name in ("params", "nonzero_params", "macs", "size_bytes"):
        assert found[name] == getattr(model, name)
    assert found["accuracy"] == {"validation": model.score_validation, "test": model.score_test}
    assert set(found["formats"]) == set(FORMATS)
    for form, figures in found["formats"].items():
        assert figures["images"] == 64
        rounds = form == "onnx" and figures["int8_layers"] > 0
        assert figures["agreement"] >= (0.99 if rounds else 1.0)
        assert figures["difference"] <= (0.1 if rounds else 1e-4)
        assert [row["batch"] for row in figures["latency"]] == [1, 64]
        assert all(0 < row["median_ms"] <= row["p95_ms"] for row in figures["latency"])


@pytest.mark.parametrize("batch", [1, 7])
def test_every_form_takes_any_batch(batch: int, folder: Path, files: Files, images: Tensor) -> None:
    shown = images[:batch]
    program = torch.export.load(folder / PROGRAM).module()
    with torch.no_grad():
        wanted = files.module()(shown)
        torch.testing.assert_close(program(shown), wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(load(folder)(shown), wanted)
    assert open_onnx(folder / ONNX).run(shown).shape == wanted.shape


def test_the_weights_are_safetensors_and_json_and_as_large_as_recorded(folder: Path, files: Files) -> None:
    assert names(folder) == OURS
    assert Files.read(folder).weights == files.weights
    assert not zipfile.is_zipfile(folder / WEIGHTS)
    assert json.loads((folder / STRUCTURE).read_text())["model"]["family"] == "cnn"


def test_plain_torch_rebuilds_the_model_without_this_project(
    trained: Files, whole: Path, images: Tensor, tmp_path: Path
) -> None:
    torch.save(images[:5], tmp_path / "images.pt")
    code = (
        f"import sys; sys.path.append({str(whole)!r})\n"
        "import torch; from load import load\n"
        f"torch.save(load({str(whole)!r})(torch.load('images.pt')), 'logits.pt')\n"
        "print([name for name in ('compress', 'paretune', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    with torch.no_grad():
        torch.testing.assert_close(
            torch.load(tmp_path / "logits.pt"), trained.module()(images[:5]), rtol=1e-5, atol=1e-5
        )


def test_the_code_of_the_card_runs_as_pasted(whole: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (whole / READABLE).read_text(), re.DOTALL)
    assert len(blocks) == 3
    code = "\n".join(blocks) + "\nimport sys\nassert not {'compress', 'paretune'} & sys.modules.keys()"
    bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=whole, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.split()
    assert len(said) == 3
    assert len(set(said)) == 1


def test_nothing_in_an_export_names_a_folder_of_this_machine(whole: Path) -> None:
    with zipfile.ZipFile(whole / PROGRAM) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts |= {file.name: file.read_bytes() for file in whole.iterdir()}
    for where in (str(Path(__file__).parents[3]), "site-packages", str(Path.home())):
        assert [name for name, content in parts.items() if where.encode() in content] == []


def test_an_int8_network_keeps_its_int8_weights_in_onnx(trained: Files, calibration: Batch, tmp_path: Path) -> None:
    import onnx

    int8 = Int8().convert(trained.module(), calibration.images)
    write_onnx(int8, (1, 8, 8), tmp_path / ONNX)
    graph = onnx.load(tmp_path / ONNX).graph
    shapes = {tuple(t.dims) for t in graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1}
    assert (10, 64) in shapes
    assert sum(node.op_type == "QuantizeLinear" for node in graph.node) == 4
    assert open_onnx(tmp_path / ONNX).int8_layers == 4


def test_the_card_says_what_goes_in_and_what_is_claimed(folder: Path, tiny: Task) -> None:
    card = read_card(folder)
    assert card["about"] == "p1"
    assert card["input"] == {
        "channels": 1,
        "height": 8,
        "width": 8,
        "size": 8,
        "mean": list(tiny.mean),
        "std": list(tiny.std),
        "pixels": "grey from 0 to 16",
        "classes": [str(k) for k in range(10)],
    }
    assert set(card["files"]) == OURS - {CARD}
    assert card["files"][WEIGHTS]["bytes"] == (folder / WEIGHTS).stat().st_size


@pytest.mark.parametrize("form", FORMATS)
def test_the_chosen_formats_alone_are_put_in_place_and_measured(
    form: str, whole: Path, tiny: Task, trained: Files, tmp_path: Path
) -> None:
    place(whole, tmp_path / "a" / "b", [form])
    assert names(tmp_path / "a" / "b") == {*FORMATS[form], CARD, READABLE}
    found = evaluate(tmp_path / "a" / "b", tiny)
    assert list(found["formats"]) == [form]
    assert found["accuracy"]["test"] == measure(trained.module(), tiny, trained).score_test


def test_the_card_speaks_of_the_formats_that_were_put_in_place_alone(whole: Path, tiny: Task, tmp_path: Path) -> None:
    staged = Path(shutil.copytree(whole, tmp_path / "staged"))
    facts = {key: value for key, value in read_card(staged).items() if key != "files"}
    write_card(staged, {**facts, "measured": evaluate(staged, tiny)})
    place(staged, tmp_path / "out", ["onnx"])
    assert list(read_card(tmp_path / "out")["measured"]["formats"]) == ["onnx"]
    said = (tmp_path / "out" / READABLE).read_text()
    assert "- `onnx`: the same class" in said
    assert "pt2" not in said


@pytest.mark.parametrize("form", FORMATS)
def test_a_task_of_other_images_or_classes_is_refused(form: str, whole: Path, tiny: Task, tmp_path: Path) -> None:
    place(whole, tmp_path, [form])
    for other in ({"goal": Classification(("a", "b", "c"))}, {"shape": (1, 32, 32)}, {"shape": (3, 8, 8)}):
        with pytest.raises(
            ExportError, match=r"is for images 1 x 8 x 8 of 10 classes \(0, 1, 2, \.\.\.\), .* has images"
        ):
            evaluate(tmp_path, replace(tiny, **other))


def test_images_are_normalised_as_the_model_learned_them(whole: Path, tiny: Task) -> None:
    parts = {name: replace(getattr(tiny, name), mean=(9.0,), std=(0.1,)) for name in ("train", "validation", "test")}
    other = replace(tiny, mean=(9.0,), std=(0.1,), **parts)
    assert evaluate(whole, other)["accuracy"] == evaluate(whole, tiny)["accuracy"]


def test_an_earlier_export_is_replaced_and_others_files_stay(whole: Path, tmp_path: Path) -> None:
    place(whole, tmp_path, FORMATS)
    (tmp_path / "notes.txt").write_text("mine")
    place(whole, tmp_path, ["pt2"])
    assert names(tmp_path) == {PROGRAM, CARD, READABLE, "notes.txt"}
    assert set(read_card(tmp_path)["files"]) == {PROGRAM, READABLE}


@pytest.mark.parametrize("name", [LOADER, READABLE, ONNX])
def test_a_file_that_was_changed_or_is_somebody_elses_is_not_replaced(name: str, whole: Path, tmp_path: Path) -> None:
    place(whole, tmp_path, ["pt2", "safetensors"])
    (tmp_path / name).write_text("mine")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ExportError, match=f"{name} must be as the card there says, it is another file"):
        place(whole, tmp_path, FORMATS)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_nothing_takes_the_place_of_a_folder_or_of_a_link_to_nowhere(whole: Path, tmp_path: Path) -> None:
    place(whole, tmp_path, ["pt2"])
    (tmp_path / LOADER).mkdir()
    (tmp_path / ONNX).symlink_to("nowhere")
    for form in ("safetensors", "onnx"):
        with pytest.raises(ExportError, match=r"must be as the card there says, it is another file"):
            place(whole, tmp_path, [form])
    assert names(tmp_path) == {PROGRAM, CARD, READABLE, LOADER, ONNX}


def test_a_card_of_somebody_elses_is_left_alone(whole: Path, tmp_path: Path) -> None:
    (tmp_path / CARD).write_text('{"mine": 1}')
    with pytest.raises(ExportError, match="must be empty or an earlier export, it holds other files"):
        place(whole, tmp_path, FORMATS)
    assert (tmp_path / CARD).read_text() == '{"mine": 1}'


def test_a_folder_with_other_files_is_refused_and_left_alone(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ExportError, match="must be empty or an earlier export, it holds other files"):
        place(whole, tmp_path, FORMATS)
    assert names(tmp_path) == {"thesis.tex"}


def test_a_file_in_the_place_of_the_folder_is_refused(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "best").write_text("mine")
    with pytest.raises(ExportError, match="best must be a folder, it is a file"):
        place(whole, tmp_path / "best", FORMATS)


def test_a_disk_that_is_full_leaves_the_earlier_export(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(whole, tmp_path / "old", ["pt2"])
    before = {file: file.read_bytes() for file in (tmp_path / "old").iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compress.export.formats.shutil.copyfile", full)
    for folder in (tmp_path / "old", tmp_path / "new" / "one"):
        with pytest.raises(RuntimeError, match="cannot be written: No space left on device"):
            place(whole, folder, FORMATS)
    assert {file: file.read_bytes() for file in (tmp_path / "old").iterdir()} == before
    assert names(tmp_path) == {"old"}


@pytest.mark.parametrize("formats", [("tflite",), (), ("pt2", "")])
def test_an_unknown_format_is_a_sentence(formats: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"format: unknown '.*', known are onnx, pt2, safetensors"):
        check_formats(formats)


def test_what_onnx_needs_is_named_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.export.onnx_export.find_spec", lambda name: None if name == "onnxscript" else 1)
    assert check_formats(["pt2"]) == ("pt2",)
    with pytest.raises(ExportError, match=r"format: onnx needs onnxscript, get it by pip install 'paretune\[onnx\]'"):
        check_formats(["onnx"])


@pytest.mark.parametrize("text", [None, "not json", "[]", "{}"], ids=["missing", "no-json", "a-list", "empty"])
def test_a_folder_that_is_no_export_is_a_sentence(text: str | None, tmp_path: Path, tiny: Task) -> None:
    if text is not None:
        (tmp_path / CARD).write_text(text)
    with pytest.raises(ExportError, match=r"is not an exported model|must hold a JSON object"):
        evaluate(tmp_path, tiny)


@pytest.mark.parametrize("name", [PROGRAM, ONNX, WEIGHTS, STRUCTURE])
def test_a_damaged_export_is_a_sentence(name: str, whole: Path, tiny: Task, tmp_path: Path) -> None:
    place(whole, tmp_path, FORMATS)
    content = (tmp_path / name).read_bytes()
    for left in (content[: len(content) // 2], b"", None):
        (tmp_path / name).unlink() if left is None else (tmp_path / name).write_bytes(left)
        with pytest.raises(ExportError, match=r"is damaged|cannot be loaded"):
            evaluate(tmp_path, tiny)


def test_the_program_is_the_model_in_eval_mode(trained: Files, images: Tensor) -> None:
    model = trained.module()
    graph = program(model.train(), (1, 8, 8)).module()
    with torch.no_grad():
        torch.testing.assert_close(graph(images[:3]), trained.module()(images[:3]), rtol=1e-4, atol=1e-4)


class Odd(nn.Module):
    """What no network of the zoo does: a number that is not stored, arithmetic on sizes, halves, a dtype, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bent", torch.tensor([[0.5, -2.0, 3.25]]), persistent=False)
        self.add = nn.Parameter(torch.tensor(0.25))
        self.fc = nn.Linear(64, 6)

    def forward(self, images: Tensor) -> Tensor:
        flat = images.reshape(images.shape[0], images.shape[2] * 8)
        one, other = self.fc(torch.relu_(flat + self.add)).chunk(2, dim=1)
        logits: Tensor = (one * self.bent + other.to(torch.float64).to(one.dtype)) / images.shape[0]
        return logits


def test_plain_torch_does_what_no_network_of_the_zoo_does(images: Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Odd().eval()
    files = Files.of(model, Model("cnn"), classes=3, channels=1)
    files.write(tmp_path)
    whole = {**json.loads(files.structure), **graph(program(model, (1, 8, 8)))}
    (tmp_path / STRUCTURE).write_text(json.dumps(whole))
    with torch.no_grad():
        assert torch.equal(load(tmp_path)(images[:5]), model(images[:5]))


class Placed(nn.Module):
    """Makes a tensor on the device that the images are on, which a graph made on the CPU must not put there."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(images.flatten(1)) + torch.arange(3, device=images.device)
        return logits


def test_programs_follow_the_images_to_another_device(tmp_path: Path) -> None:
    """Of the devices that are not the CPU `meta` is everywhere: it has shapes and no values."""
    model = Placed().eval()
    made = program(model, (1, 8, 8))
    files = Files.of(model, Model("cnn"), classes=3, channels=1)
    files.write(tmp_path)
    (tmp_path / STRUCTURE).write_text(json.dumps({**json.loads(files.structure), **graph(made)}))
    torch.export.save(made, tmp_path / PROGRAM)
    images = torch.zeros(5, 1, 8, 8, device="meta")
    moved = move_to_device_pass(torch.export.load(tmp_path / PROGRAM), "meta").module()
    for run in (load(tmp_path, "meta"), moved):
        logits = run(images)
        assert (logits.device.type, logits.shape) == ("meta", (5, 3))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(images.flatten(1))
        return logits if logits.sum() > 0 else -logits


def test_a_network_that_cannot_be_traced_is_a_sentence() -> None:
    with pytest.raises(ExportFailed, match=r"export: torch\.export cannot trace this network: "):
        program(Branching(), (1, 8, 8))


class Airy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(torch.special.airy_ai(images.flatten(1)))
        return logits


def test_a_network_that_onnx_has_no_words_for_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match=r"no ONNX form \(DispatchError: No ONNX f.*; leave onnx out of --format$"):
        write_onnx(Airy(), (1, 8, 8), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


class Twofold(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.fc(images.flatten(1))
        return logits, logits.exp()


def test_a_network_that_gives_more_than_logits_has_no_plain_form() -> None:
    with pytest.raises(ExportFailed, match="must give its logits, and nothing else be returned"):
        graph(program(Twofold(), (1, 8, 8)))
