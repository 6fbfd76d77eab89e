"""Attention maps: the formula of attention transfer, scaled up to the images, at a stage or a module."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.inspection.attention import attention_maps, middle, path_of
from compress.models import Model
from compress.models.family import taps_of


def test_the_map_is_the_mean_of_squares_divided_by_its_largest_value() -> None:
    images = torch.tensor([[[[1.0, 2.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 3.0]]]])
    found = attention_maps(nn.Sequential(nn.Identity()), images, "0")
    assert torch.allclose(found, torch.tensor([[[1.0, 2.0], [0.0, 9.0]]]) / 9)


def test_a_small_map_is_scaled_up_to_the_image_and_an_idle_one_is_zero() -> None:
    images = torch.zeros(2, 1, 8, 8)
    images[0, 0, :4, :4] = 1
    found = attention_maps(nn.Sequential(nn.AvgPool2d(4)), images, "0")
    assert found.shape == (2, 8, 8)
    assert found[0, 0, 0] == found.max() == 1
    assert found[0, 7, 7] == found[1].max() == 0


def test_the_middle_is_the_middle_stage(images: Tensor) -> None:
    model = Model("resnet20", 0.25).build(10, 1)
    assert middle(model, images[:1]) == taps_of(model)["stage2"]


def test_without_stages_the_middle_is_the_middle_convolution_by_running() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.second, self.first = (nn.Conv2d(1, 1, 1) for _ in range(3))

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.last(self.second(self.first(images)))
            return found

    assert middle(Own(), torch.zeros(1, 1, 2, 2)) == "second"


def test_a_tap_is_a_stage_by_name_or_a_module_by_path(images: Tensor) -> None:
    model = Model("resnet20", 0.25).build(10, 1)
    assert path_of(model, "stage3", images[:1]) == taps_of(model)["stage3"]
    path = next(path for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d))
    assert path_of(model, path, images[:1]) == path


@pytest.mark.parametrize("tap", ["", "stage9", "classifier"])
def test_a_tap_without_maps_is_refused_with_the_known_ones(images: Tensor, tap: str) -> None:
    with pytest.raises(RecipeError, match=rf"attention: tap must give maps \(B, C, H, W\), once, got '{tap}'; known"):
        path_of(Model("cnn", 0.25).build(10, 1), tap, images[:1])


def test_a_network_without_convolutions_has_no_map() -> None:
    with pytest.raises(RecipeError, match="attention: the network must have a convolution that runs once"):
        path_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), None, torch.zeros(1, 1, 2, 2))
