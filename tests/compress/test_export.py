"""Export: what is taken away is what was measured."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from compress.data import Batch
from compress.errors import ExportError
from compress.export import CARD, PROGRAM, evaluate, export, program, read_card
from compress.files import STRUCTURE, WEIGHTS, Files
from compress.lowrank import SVD, factorize
from compress.measure import measure
from compress.models import Model
from compress.pruning import L1Filter
from compress.pruning.channels import cut_channels
from compress.quantize import Int8
from compress.tasks import Task

CHANGES: dict[str, Callable[[Files, Batch], torch.nn.Module]] = {
    "float": lambda files, shown: files.module(),
    "cut": lambda files, shown: cut_channels(files.module(), L1Filter(), 9000, shown),
    "factorized": lambda files, shown: factorize(files.module(), SVD(), 0.5),
    "int8": lambda files, shown: Int8().convert(files.module(), shown.images),
}


@pytest.fixture(scope="module", params=list(CHANGES))
def files(request: pytest.FixtureRequest, trained: Files, calibration: Batch) -> Files:
    changed = CHANGES[request.param](trained, calibration)
    return Files.of(changed, Model("cnn"), classes=10, channels=1)


@pytest.fixture(scope="module")
def folder(files: Files, tiny: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(files, tiny, tmp_path_factory.mktemp("export") / "new" / "best", {"point": "p1"})


def test_an_export_measures_as_the_model_did(folder: Path, files: Files, tiny: Task) -> None:
    found, of_program = evaluate(folder, tiny)
    model = measure(files.module(), tiny, files)
    for name in ("accuracy_validation", "accuracy_test", "params", "nonzero_params", "macs", "size_bytes"):
        assert getattr(found, name) == getattr(model, name)
    assert of_program["agreement"] == 1.0
    assert 0 < of_program["latency_ms"] <= of_program["latency_p95_ms"]


@pytest.mark.parametrize("batch", [1, 7])
def test_the_program_takes_any_batch(batch: int, folder: Path, files: Files, images: Tensor) -> None:
    loaded = torch.export.load(folder / PROGRAM).module()
    with torch.no_grad():
        torch.testing.assert_close(loaded(images[:batch]), files.module()(images[:batch]), rtol=1e-4, atol=1e-4)


def test_the_weights_are_safetensors_and_json(folder: Path, files: Files) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [CARD, PROGRAM, WEIGHTS, STRUCTURE]
    assert Files.read(folder) == files
    assert not zipfile.is_zipfile(folder / WEIGHTS)
    assert json.loads((folder / STRUCTURE).read_text())["model"]["family"] == "cnn"


def test_the_card_says_what_goes_in_and_what_is_claimed(folder: Path, tiny: Task) -> None:
    card = read_card(folder)
    assert card["point"] == "p1"
    assert card["input"] == {
        "channels": 1,
        "size": 8,
        "mean": list(tiny.mean),
        "std": list(tiny.std),
        "classes": [str(k) for k in range(10)],
    }


def test_a_folder_with_other_files_is_refused_and_left_alone(trained: Files, tiny: Task, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ExportError, match="must be empty or an earlier export, it holds other files"):
        export(trained, tiny, tmp_path, {})
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(trained: Files, tiny: Task, tmp_path: Path) -> None:
    (tmp_path / "best").write_text("mine")
    with pytest.raises(ExportError, match="best must be a folder, it is a file"):
        export(trained, tiny, tmp_path / "best", {})


def test_an_earlier_export_is_replaced(trained: Files, tiny: Task, tmp_path: Path) -> None:
    for name in ("first", "second"):
        export(trained, tiny, tmp_path, {"point": name})
    assert read_card(tmp_path)["point"] == "second"


@pytest.mark.parametrize("text", [None, "not json", "[]"], ids=["missing", "no-json", "a-list"])
def test_a_folder_that_is_no_export_is_a_sentence(text: str | None, tmp_path: Path, tiny: Task) -> None:
    if text is not None:
        (tmp_path / CARD).write_text(text)
    with pytest.raises(ExportError, match=r"is not an exported model|must hold a JSON object"):
        evaluate(tmp_path, tiny)


def test_a_damaged_export_is_a_sentence(trained: Files, tiny: Task, tmp_path: Path) -> None:
    export(trained, tiny, tmp_path, {})
    (tmp_path / WEIGHTS).write_bytes(trained.weights[:-1])
    with pytest.raises(ExportError, match="is damaged: model files"):
        evaluate(tmp_path, tiny)


def test_a_torn_program_is_a_sentence(trained: Files, tiny: Task, tmp_path: Path) -> None:
    export(trained, tiny, tmp_path, {})
    (tmp_path / PROGRAM).write_bytes((tmp_path / PROGRAM).read_bytes()[:1000])
    with pytest.raises(ExportError, match=r"model\.pt2 cannot be loaded: "):
        evaluate(tmp_path, tiny)


def test_the_program_is_the_model_in_eval_mode(trained: Files, images: Tensor) -> None:
    model = trained.module()
    graph = program(model.train(), (1, 8, 8)).module()
    with torch.no_grad():
        torch.testing.assert_close(graph(images[:3]), trained.module()(images[:3]), rtol=1e-4, atol=1e-4)
