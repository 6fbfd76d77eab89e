"""Models stored by the code of earlier versions: they load, and compute what they did then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from benchmarks.block_matrix import drawn
from compress.data.splits import Batch
from compress.errors import StoreError
from compress.models import Model
from compress.pruning.channels import Channels
from compress.pruning.l1_filter import L1Filter
from compress.store.files import Files
from compress.store.structure import FORM

FIRST = Path(__file__).parent.parent.parent / "fixtures" / "structure-1"
"""`logits.safetensors` holds four images, and the logits that each model of these folders gave when it was stored."""


@pytest.mark.parametrize("name", sorted(folder.name for folder in FIRST.iterdir() if folder.is_dir()))
def test_a_model_stored_in_the_first_form_computes_what_it_did(name: str) -> None:
    kept = load_file(FIRST / "logits.safetensors")
    with torch.no_grad():
        logits = Files.read(FIRST / name).module()(kept["images"])
    torch.testing.assert_close(logits, kept[name], rtol=1e-5, atol=1e-6)


def test_the_first_form_put_new_layers_in_place_and_the_present_one_keeps_what_a_layer_carries() -> None:
    old = Files.read(FIRST / "circular-cut")
    new = replace(old, structure=json.dumps({**json.loads(old.structure), "form": FORM}).encode())
    modes = [files.module().get_submodule("block.0").padding_mode for files in (old, new)]
    assert modes == ["zeros", "circular"]


def test_the_step_counter_of_a_norm_is_stored_where_it_is_read() -> None:
    model = Model("benchmarks.blocks:norm_cumulative")
    net = model.build(10, 1).train()
    net(torch.randn(4, 1, 8, 8))
    back = Files.of(net.eval(), model, classes=10, channels=1).module()
    norm = back.get_submodule("block.1")
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.num_batches_tracked == 1


def test_frozen_weights_are_frozen_when_they_come_back() -> None:
    model = Model("benchmarks.blocks:frozen")
    back = Files.of(model.build(10, 1), model, classes=10, channels=1).module()
    assert [name for name, p in back.named_parameters() if not p.requires_grad] == ["block.0.weight", "block.0.bias"]


def test_a_subclass_of_a_norm_is_cut_in_place_and_comes_back_of_its_class() -> None:
    model = Model("benchmarks.blocks:norm_active")
    net = drawn(model.build(10, 1))
    images = torch.randn(4, 1, 8, 8)
    channels = Channels(net, images)
    channels.cut(dict.fromkeys(channels.keep(10**6), 3), L1Filter().scores(net, Batch(images, images, images)))
    back = Files.of(net, model, classes=10, channels=1).module()
    norms = [norm for norm in back.modules() if type(norm).__name__ == "_Active"]
    assert [norm.num_features for norm in norms] == [3, 3, 3]
    assert torch.equal(back(images), net(images))


def test_a_constructor_that_no_longer_makes_the_subclass_is_no_structure() -> None:
    model = Model("benchmarks.blocks:norm_active")
    stored = Files.of(model.build(10, 1), model, classes=10, channels=1)
    other = replace(stored, structure=stored.structure.replace(b'"_Active"', b'"_Lively"'))
    with pytest.raises(StoreError, match=r"the constructor must make the _Lively at block\.1, it does not"):
        other.module()
