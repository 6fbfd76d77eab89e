"""An export of a library's network runs where the library is not installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from compress.data.tasks import Task
from compress.export.evaluate_export import evaluate
from compress.export.formats import export
from compress.models import Model
from compress.store.files import Files

STUDENT = Model("torchvision:shufflenet_v2_x0_5")


@pytest.fixture(scope="module")
def exported(tiny: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = Files.of(STUDENT.build(10, 1), STUDENT, classes=10, channels=1)
    return export(files, tiny, tmp_path_factory.mktemp("export") / "out", {"task": "digits"})


def test_with_the_library_all_figures_are_measured(exported: Path, tiny: Task) -> None:
    found = evaluate(exported, tiny)
    assert found["params"] == sum(p.numel() for p in STUDENT.build(10, 1).parameters())


def test_without_the_library_the_forms_are_measured(
    exported: Path, tiny: Task, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    found = evaluate(exported, tiny)
    assert "params" not in found
    assert {form: figures["agreement"] for form, figures in found["formats"].items()} == {"pt2": 1, "safetensors": 1}
    assert "note: params, MACs and bytes are not measured: torchvision:shufflenet_v2_x0_5: torchvision must be" in (
        caplog.text
    )
