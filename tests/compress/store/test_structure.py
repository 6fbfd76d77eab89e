"""A model in two files: the same logits back, whatever was done to it, and a sentence when they are no model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import nn

from compress.data.splits import Batch
from compress.errors import StoreError
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pruning import L1Filter, L1Unstructured
from compress.pruning.channels import Channels, cut_channels
from compress.pruning.masks import mask_weights
from compress.quantize import Int8
from compress.store.files import STRUCTURE, WEIGHTS, Files

MODEL = Model("cnn", 0.5)


def pack(net: nn.Module) -> Files:
    return Files.of(net, MODEL, classes=10, channels=1)


def cut(net: nn.Module, calibration: Batch) -> nn.Module:
    return cut_channels(net, L1Filter(), 2000, calibration)


CHANGES: dict[str, Callable[[nn.Module, Batch], nn.Module]] = {
    "as built": lambda net, shown: net,
    "cut": cut,
    "masked": lambda net, shown: mask_weights(net, L1Unstructured(), 0.9, shown),
    "factorized": lambda net, shown: factorize(net, SVD(), 0.5),
    "quantized": lambda net, shown: Int8().convert(net, shown.images),
    "cut, factorized": lambda net, shown: factorize(cut(net, shown), SVD(), 0.3),
    "factorized, cut": lambda net, shown: cut(factorize(net, SVD(), 0.3), shown),
    "cut, factorized, quantized": lambda net, shown: Int8().convert(
        factorize(cut(net, shown), SVD(), 0.3), shown.images
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_the_same_logits_come_back(
    change: Callable[[nn.Module, Batch], nn.Module], net: nn.Module, calibration: Batch
) -> None:
    changed = change(net, calibration).eval()
    again = pack(changed).module()
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again(calibration.images), changed(calibration.images))


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_packing_again_gives_the_same_bytes(
    change: Callable[[nn.Module, Batch], nn.Module], net: nn.Module, calibration: Batch
) -> None:
    files = pack(change(net, calibration))
    assert pack(files.module()) == files


def test_batch_norm_keeps_its_settings(net: nn.Module) -> None:
    norm = net.get_submodule("stage2.1")
    assert isinstance(norm, nn.BatchNorm2d)
    norm.eps, norm.momentum = 1e-3, 0.03
    again = pack(net).module().get_submodule("stage2.1")
    assert isinstance(again, nn.BatchNorm2d)
    assert (again.eps, again.momentum) == (1e-3, 0.03)


def test_size_is_that_of_the_file_on_disk(net: nn.Module, tmp_path: Path) -> None:
    files = pack(net)
    files.write(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [WEIGHTS, STRUCTURE]
    assert (tmp_path / WEIGHTS).stat().st_size == files.size_bytes
    assert Files.read(tmp_path) == files


def test_the_file_is_hardly_larger_than_its_numbers(net: nn.Module) -> None:
    numbers = sum(t.numel() for name, t in net.state_dict().items() if not name.endswith("tracked"))
    assert 4 * numbers <= pack(net).size_bytes <= 4 * numbers + 128


def test_zeros_are_worth_something_once_deflated(net: nn.Module, calibration: Batch) -> None:
    before = pack(net).compressed_bytes
    mask_weights(net, L1Unstructured(), 0.9, calibration)
    assert pack(net).compressed_bytes < before / 2


def test_the_origin_is_the_model_of_the_zoo(net: nn.Module, calibration: Batch) -> None:
    assert pack(cut(net, calibration)).origin() == MODEL


def test_a_cut_network_is_loaded_without_the_weights_it_lost(net: nn.Module, calibration: Batch) -> None:
    changed = cut(net, calibration)
    shapes = {name: p.shape for name, p in changed.named_parameters()}
    assert {name: p.shape for name, p in pack(changed).module().named_parameters()} == shapes


def structure(files: Files, **changes: Any) -> Files:
    return replace(files, structure=json.dumps({**json.loads(files.structure), **changes}).encode())


WRONG: dict[str, Callable[[Files], Files]] = {
    "weights cut short": lambda files: replace(files, weights=files.weights[:-7]),
    "no weights": lambda files: replace(files, weights=b""),
    "other weights": lambda files: replace(files, weights=save({"float32": torch.zeros(3)})),
    "structure cut short": lambda files: replace(files, structure=files.structure[:-7]),
    "structure not text": lambda files: replace(files, structure=b"\xff\xfe"),
    "structure a list": lambda files: replace(files, structure=b"[]"),
    "structure empty": lambda files: replace(files, structure=b"{}"),
    "unknown model": lambda files: structure(files, model={"type": "model", "family": "vgg99"}),
    "not a model": lambda files: structure(files, model={"type": "int8"}),
    "minus one class": lambda files: structure(files, classes=-1),
    "unknown layer": lambda files: structure(files, layers={"stage1.0": {"type": "Lambda"}}),
    "layer nowhere": lambda files: structure(files, layers={"a.b": {"type": "BatchNorm2d"}}),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=list(WRONG))
def test_files_that_are_no_model_are_a_sentence(spoil: Callable[[Files], Files], net: nn.Module) -> None:
    with pytest.raises(StoreError, match=r"^(model files|structure|weights): "):
        spoil(pack(net)).module()


def test_a_missing_file_is_a_sentence(net: nn.Module, tmp_path: Path) -> None:
    pack(net).write(tmp_path)
    (tmp_path / STRUCTURE).unlink()
    with pytest.raises(StoreError, match="No such file"):
        Files.read(tmp_path)


@pytest.mark.parametrize("family", ["resnet20", "resnet8x4", "resnet164", "vgg8", "wrn-16-2", "mobilenetv2"])
def test_a_network_cut_as_deep_as_can_be_comes_back(family: str, calibration: Batch) -> None:
    model = Model(family, 0.25)
    net = model.build(10, 1).eval()
    channels = Channels(net, calibration.images[:4])
    left = channels.cut({g.root: g.left(0.999) for g in channels.groups}, L1Filter().scores(net, calibration))
    again = Files.of(left, model, classes=10, channels=1).module()
    with torch.no_grad():
        assert torch.equal(again(calibration.images), left(calibration.images))
