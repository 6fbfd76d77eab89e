"""Robustness: the quality of a network on corrupted test images, whatever the goal."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compress.corruptions import CORRUPTIONS
from compress.data.make_task import make_task
from compress.data.tasks import Task, load_task
from compress.errors import RecipeError
from compress.goals import Segmentation
from compress.inspection.robustness import robustness
from compress.measure import accuracy
from compress.store.files import Files


def test_a_network_loses_more_the_more_the_images_are_corrupted(trained: Files, digits: Task) -> None:
    model = trained.module()
    mild, hard = (robustness(model, digits, tuple(CORRUPTIONS), severity) for severity in (1, 5))
    assert mild["clean"] == hard["clean"] == accuracy(model, digits.test)
    assert all(mild["clean"] >= mild["corrupted"][name] > hard["corrupted"][name] for name in CORRUPTIONS)
    assert (mild["quality"], mild["unit"], mild["images"], mild["severity"]) == ("accuracy", "", 359, 1)


def test_an_error_is_told_in_its_own_unit() -> None:
    torch.manual_seed(0)
    found = robustness(nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), load_task("digits-angle"), ["brightness"], 5)
    assert (found["quality"], found["unit"]) == ("mae", "degrees")
    assert found["corrupted"]["brightness"] != found["clean"] > 1


def test_maps_of_classes_stay_where_they_are() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(40, 1, 12, 12, generator=generator)
    bright = (images[:, 0] > 0.5).long()
    task = make_task(Segmentation(("dark", "bright")), (images, bright), test=(images, bright), normalise=False)

    def network(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - images, images - 0.5], 1)

    found = robustness(network, task, ["occlusion"], 5)
    assert found["clean"] == pytest.approx(1)
    assert 0.3 < found["corrupted"]["occlusion"] < 0.95


def test_an_unknown_corruption_is_refused_before_anything_is_measured(digits: Task) -> None:
    with pytest.raises(RecipeError, match="corrupt: unknown 'fog'"):
        robustness(lambda images: 1 / 0, digits, ["occlusion", "fog"])  # type: ignore[arg-type, return-value]
