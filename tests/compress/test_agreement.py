"""Networks that compute the same and such that do not, told apart by their logits and by the first layer."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from compress.agreement import activations, changed_at, check_same, reloaded_differs
from compress.errors import RecipeError

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(96, 10))


def test_a_copy_agrees(net: nn.Module) -> None:
    assert reloaded_differs(net, copy.deepcopy(net), IMAGES) is None


@pytest.mark.parametrize("path", ["0", "2", "4"])
def test_a_difference_is_found_where_it_begins(net: nn.Module, path: str) -> None:
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.get_submodule(path).get_parameter("weight").mul_(1 + 1e-4)
    assert reloaded_differs(net, other, IMAGES) == path


def test_a_layer_that_the_other_has_not_makes_a_difference_without_a_name(net: nn.Module) -> None:
    assert reloaded_differs(net, nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), IMAGES) == "0"


def test_rounding_is_no_difference_in_a_cut_but_is_one_after_loading(net: nn.Module) -> None:
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.get_submodule("4").get_parameter("weight").mul_(1 + 3e-5)
    assert changed_at(activations(net, IMAGES), activations(other, IMAGES)) is None
    assert reloaded_differs(net, other, IMAGES) == "4"


def test_a_network_that_has_diverged_is_the_same_as_itself(net: nn.Module) -> None:
    with torch.no_grad():
        net.get_submodule("4").get_parameter("bias").fill_(float("nan"))
    assert reloaded_differs(net, copy.deepcopy(net), IMAGES) is None


def test_images_are_shown_as_a_copy() -> None:
    shown = IMAGES.clone()
    activations(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()), shown)
    assert torch.equal(shown, IMAGES)


def test_the_sentence_names_network_and_layer(net: nn.Module) -> None:
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.get_submodule("2").get_parameter("bias").add_(1.0)
    with pytest.raises(RecipeError, match=r"^mine:net after train: a network must compute the same .* 2 does not"):
        check_same("mine:net after train", net, other, IMAGES)
