"""Published weights from the libraries' caches; the caches are made up."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from compress.errors import RecipeError
from compress.models import Model
from compress.models.library import LIBRARIES

needs_timm = pytest.mark.skipif(find_spec("timm") is None, reason="needs timm")
SMALL = "torchvision:shufflenet_v2_x0_5"
FILE = "shufflenetv2_x0.5-f707e7126e.pth"
TINY = "timm:test_resnet"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def hub(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's cache with a repository for `test_resnet`; the folder of its files, empty."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    repository = tmp_path / "hf" / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    files = repository / "snapshots" / "abc"
    files.mkdir(parents=True)
    return files


def timm_network(classes: int = 1000, channels: int = 3) -> nn.Module:
    torch.manual_seed(1)
    made: nn.Module = LIBRARIES["timm"].make(TINY, classes, channels)
    return made


def test_the_preferred_weights_are_named_as_they_are() -> None:
    assert Model.parse(f"{SMALL}@pretrained") == Model(SMALL, weights="torchvision:IMAGENET1K_V1")
    assert Model.parse("resnet50@pretrained") == Model("resnet50", weights="torchvision:IMAGENET1K_V2")


def test_torchvisions_weights_fill_all_but_what_is_for_other_images(cache: Path) -> None:
    torch.manual_seed(1)
    published = LIBRARIES["torchvision"].make(SMALL, 1000, 3)
    torch.save(published.state_dict(), cache / FILE)
    model = Model.parse(f"{SMALL}@pretrained")
    assert model.check(10, (1, 16, 16)) == ("conv1.0", "fc")
    assert model.check(1000, (3, 16, 16)) == ()
    started = model.start(10, 1).state_dict()
    assert torch.equal(started["conv5.0.weight"], published.state_dict()["conv5.0.weight"])
    assert set(model.fingerprints) == {"version", "weights"}


def test_weights_that_are_not_in_the_cache_are_told_where_to_get(cache: Path) -> None:
    sentence = f"torchvision's IMAGENET1K_V1 must lie in {cache / FILE}, for nothing is downloaded; get it at https://"
    with pytest.raises(RecipeError, match=sentence):
        Model.parse(f"{SMALL}@pretrained").check(10, (1, 16, 16))


def test_a_network_without_published_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LIBRARIES["torchvision"], "default_weights", lambda name: "")
    with pytest.raises(RecipeError, match="torchvision must have weights for it, it has none; name a file"):
        Model.parse(f"{SMALL}@pretrained")


@needs_timm
def test_timms_preferred_weights_are_named_as_they_are() -> None:
    assert Model.parse(f"{TINY}@pretrained") == Model(TINY, weights="timm:r160_in1k")


@needs_timm
def test_timms_weights_are_loaded_as_timm_loads_them(hub: Path) -> None:
    published = timm_network()
    save_file(published.state_dict(), hub / "model.safetensors")
    model = Model.parse(f"{TINY}@pretrained")
    assert model.check(10, (1, 32, 32)) == ("fc",)
    assert model.check(1000, (3, 32, 32)) == ()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.start(1000, 3).eval()(images), published.eval()(images))
    grey: Any = model.start(10, 1)
    assert torch.allclose(grey.conv1[0].weight, published.state_dict()["conv1.0.weight"].sum(1, keepdim=True))


@needs_timm
def test_a_file_that_is_not_the_networks_is_refused(hub: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, hub / "model.safetensors")
    with pytest.raises(RecipeError, match=r"the tensors in .*model\.safetensors must be its own, got "):
        Model(TINY, weights="timm:r160_in1k").start(10, 1)


@needs_timm
def test_no_code_in_a_file_of_timms_is_run(hub: Path) -> None:
    torch.save({"state_dict": timm_network(), "epoch": 1}, hub / "pytorch_model.bin")
    with pytest.raises(RecipeError, match="must hold a state dict and nothing else, for no code in it is ever run"):
        Model(TINY, weights="timm:r160_in1k").start(10, 1)


@needs_timm
def test_weights_of_timm_that_are_not_in_the_cache_are_told_how_to_get(hub: Path) -> None:
    sentence = (
        "must lie here, for nothing is downloaded, in Hugging Face's cache; get it by hf download timm/test_resnet"
    )
    with pytest.raises(RecipeError, match=sentence):
        Model(TINY, weights="timm:r160_in1k").check(10, (1, 32, 32))


@needs_timm
def test_an_unknown_tag_is_refused_with_the_known() -> None:
    with pytest.raises(RecipeError, match=r"timm's weights must be one of .*a1_in1k.*, got 'a9_in1k'"):
        Model("timm:resnet18", weights="timm:a9_in1k").check(10, (1, 32, 32))
