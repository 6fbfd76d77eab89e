"""A user's own transform: seeded from the epoch's generator, tried before any training, targets moved with images."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from compress.data.augmentation import Augment, Augmentation, AugmentError, Transform
from compress.data.splits import Batch, TensorSplit
from compress.machine.vision import import_torchvision


def split(targets: Tensor | None = None) -> TensorSplit:
    images = torch.randint(256, (12, 1, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return TensorSplit(torch.arange(12) if targets is None else targets, (0.0,), (1.0,), images)


def epoch(part: TensorSplit, augment: Augmentation, size: int = 12) -> list[Batch]:
    return list(part.batches(size, torch.Generator().manual_seed(3), augment))


def noisy(images: Tensor) -> Tensor:
    return images + torch.rand(1) + random.random() + float(np.random.rand())


def drawn(images: Tensor, generator: torch.Generator) -> Tensor:
    return images + torch.rand(images.shape, generator=generator)


@pytest.mark.parametrize("function", [noisy, drawn])
def test_an_epoch_is_repeated_from_the_generators_state(function: Callable[..., Any]) -> None:
    first, again = epoch(split(), Transform(function)), epoch(split(), Transform(function))
    assert torch.equal(first[0].images, again[0].images)
    assert not torch.equal(first[0].images, split().images[first[0].index].float())
    assert first[0].view is None


def test_global_random_states_are_left_alone() -> None:
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    epoch(split(), Transform(noisy))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert before[2] == str(np.random.get_state())


def test_a_transform_of_torchvisions_changes_each_image_on_its_own_for_any_batch_size() -> None:
    import_torchvision()
    from torchvision.transforms import v2

    flip = Transform(v2.RandomHorizontalFlip())
    whole, parts = epoch(split(), flip), epoch(split(), flip, 5)
    assert torch.equal(whole[0].images, torch.cat([batch.images for batch in parts]))
    plain = split().images[whole[0].index].float()
    turned = [torch.equal(shown, one.flip(-1)) for shown, one in zip(whole[0].images, plain, strict=True)]
    assert 0 < sum(turned) < 12


@pytest.mark.parametrize("padding", [0, 1])
def test_targets_of_pixels_are_cropped_and_flipped_with_the_image(padding: int) -> None:
    part = split(split().images[:, 0].long())
    for batch in epoch(part, Augment(padding, True, ignored=0)):
        assert torch.equal(batch.images[:, 0].long(), batch.targets)


def test_the_border_of_targets_is_ignored() -> None:
    targets = torch.zeros(1, 4, 6, dtype=torch.int64)
    _, moved = Augment(1, False, ignored=255).show(torch.zeros(1, 1, 4, 6), targets, torch.tensor([0]))
    assert (moved[0, 0] == 255).all()
    assert (moved[0, 1:, 1:] == 0).all()


def test_masks_go_through_torchvisions_transforms_with_their_images() -> None:
    import_torchvision()
    from torchvision.transforms import v2

    part = split(split().images[:, 0].long())
    (batch,) = epoch(part, Transform(v2.RandomHorizontalFlip(), masks=True))
    assert torch.equal(batch.images[:, 0].long(), batch.targets)
    assert batch.targets.dtype == torch.int64


def test_a_function_of_images_and_targets_returns_both() -> None:
    def shifted(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return images, targets + 100

    (batch,) = epoch(split(), Transform(shifted))
    assert torch.equal(batch.targets, batch.index + 100)


def one_too_few(images: Tensor, targets: Tensor) -> Tensor:
    return images


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda images: images[:, :, 1:], r"must return images \(2, 1, 4, 6\), got \(2, 1, 3, 6\)"),
        (lambda images: None, r"must return images \(2, 1, 4, 6\), got a NoneType"),
        (lambda images: images / 255, r"must keep the images' scale, 0 to 255, got values up to "),
        (lambda images: images / 0, "must return finite images, got "),
        (lambda: None, r"must take images \(2, 1, 4, 6\), got TypeError"),
        (one_too_few, "must return images and targets, got a Tensor"),
    ],
)
def test_a_transform_that_breaks_a_rule_is_refused(function: Callable[..., Any], sentence: str) -> None:
    with pytest.raises(AugmentError, match=f"augment .*{sentence}"):
        Transform(function).check(split().images[:2], torch.zeros(2))
