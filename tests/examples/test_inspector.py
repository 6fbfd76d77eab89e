"""The inspector's page as typed: trained outside, met to the last image, cut, exported as ONNX."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from tests.examples.conftest import ROOT, Typed, commands

TRAIN, SEARCH, SELECT = commands("inspector")[:3]
QUICK = "--recovery-epochs 1 --only int8=false"


@dataclass(frozen=True)
class Inspected:
    """The example as a module, the network trained outside, and the folder with the study."""

    module: ModuleType
    network: nn.Module
    folder: Path


@pytest.fixture(scope="module")
def inspected(typed: Typed) -> Inspected:
    folder = Path(typed("pwd").strip())
    typed(TRAIN, "--epochs 10")
    typed(SEARCH, f"{QUICK} --trials 2")
    spec = importlib.util.spec_from_file_location("inspector_example", ROOT / "examples" / "inspector.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.Net(2, 1)
    network.load_state_dict(torch.load(folder / "inspector.pt"))
    return Inspected(module, network.eval(), folder)


def test_the_untouched_network_has_the_f1_from_outside_to_the_last_image(inspected: Inspected, typed: Typed) -> None:
    teacher, *_ = json.loads(typed(".venv/bin/paretune trials inspector --json"))
    (point,) = teacher["points"]
    for part in ("validation", "test"):
        outside = inspected.module.f1(inspected.network, part)
        assert point["f1-positive"][part] == pytest.approx(outside, abs=1e-6)
        assert 0.3 < outside < 0.99, "a figure that images could move"


def test_a_cut_network_within_a_latency_is_an_onnx_with_the_f1_on_the_card(inspected: Inspected, typed: Typed) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    found = json.loads(typed(SELECT, "--max-latency-ms 1000 --quality 0 --json"))
    assert found["best"]["params"] < sum(weight.numel() for weight in inspected.network.parameters()) / 2
    session = onnxruntime.InferenceSession(inspected.folder / "out" / "model.onnx")

    class Exported(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    shipped = inspected.module.f1(Exported(), "test")
    assert shipped == pytest.approx(found["export"]["f1-positive"]["test"], abs=1e-6)
