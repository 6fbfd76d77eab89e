"""Batches: what comes out is what is said, always the same, and what a slow plain loop would give."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from compress.data.splits import Augment, Batch, DataError, TensorSplit, fits, free_bytes
from compress.machine.vision import import_torchvision


def random_split(count: int = 20, size: int = 6) -> TensorSplit:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    return TensorSplit(torch.arange(count) % 3, (100.0, 120.0, 140.0), (50.0, 60.0, 70.0), images)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def epoch(split: TensorSplit, batch_size: int, seed: int, augment: Augment | None) -> Batch:
    batches = list(split.batches(batch_size, seeded(seed), augment))
    views = [batch.view for batch in batches if batch.view is not None]
    return Batch(
        torch.cat([batch.images for batch in batches]),
        torch.cat([batch.targets for batch in batches]),
        torch.cat([batch.index for batch in batches]),
        torch.cat(views) if views else None,
    )


def plain_view(image: Tensor, view: int, augment: Augment) -> Tensor:
    padding, span, size = augment.padding, 2 * augment.padding + 1, image.shape[-1]
    place, flipped = (view // 2, view % 2 == 1) if augment.flip else (view, False)
    bordered = torch.zeros(image.shape[0], size + 2 * padding, size + 2 * padding, dtype=image.dtype)
    bordered[:, padding : padding + size, padding : padding + size] = image
    top, left = place // span, place % span
    crop = bordered[:, top : top + size, left : left + size]
    return torch.flip(crop, [-1]) if flipped else crop


@pytest.mark.parametrize("augment", [Augment(2, True), Augment(1, False), Augment(0, True), Augment(0, False)])
def test_every_view_is_the_crop_and_flip_a_plain_loop_gives(augment: Augment) -> None:
    image = random_split(1).images[0]
    views = torch.arange(augment.views)
    shown = augment.apply(image.expand(len(views), -1, -1, -1), views)
    for view in range(augment.views):
        assert torch.equal(shown[view], plain_view(image, view, augment))


def test_the_views_of_an_image_are_all_different_and_162_at_padding_4() -> None:
    augment = Augment(4, True)
    image = random_split(1, size=8).images
    shown = augment.apply(image.expand(augment.views, -1, -1, -1), torch.arange(augment.views))
    assert augment.views == 162
    assert len(torch.unique(shown, dim=0)) == 162


def test_a_view_is_torchvisions_crop_of_the_padded_image() -> None:
    functional = import_torchvision().transforms.functional
    image, augment = random_split(1).images[0], Augment(2, True)
    expected = functional.hflip(functional.crop(functional.pad(image, [2]), 3, 1, 6, 6))
    view = torch.tensor([(3 * 5 + 1) * 2 + 1])
    assert torch.equal(augment.apply(image[None], view)[0], expected)


def test_an_augmented_batch_says_which_images_and_views_it_shows() -> None:
    split, augment = random_split(), Augment(2, True)
    seen = epoch(split, 7, 0, augment)
    assert seen.view is not None
    raw = augment.apply(split.images[seen.index], seen.view)
    mean, std = torch.tensor(split.mean).view(3, 1, 1), torch.tensor(split.std).view(3, 1, 1)
    assert torch.equal(seen.images, (raw.float() - mean) / std)
    assert torch.equal(seen.targets, split.targets[seen.index])


def test_the_border_is_black_before_normalising() -> None:
    split = random_split(1)
    corner = Augment(2, False).apply(split.images, torch.tensor([0]))
    assert (corner[0, :, :2] == 0).all()


def test_the_same_generator_state_gives_the_same_epoch_bit_for_bit() -> None:
    first, again = (epoch(random_split(), 8, 5, Augment(2, True)) for _ in range(2))
    other = epoch(random_split(), 8, 6, Augment(2, True))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_two_epochs_of_one_generator_differ() -> None:
    generator, split = seeded(), random_split()
    first, second = (torch.cat([b.index for b in split.batches(8, generator)]) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_batch_size_takes_no_part_in_the_draw() -> None:
    small, large = (epoch(random_split(), size, 1, Augment(2, True)) for size in (3, 20))
    assert torch.equal(small.images, large.images)


def test_the_generator_is_drawn_from_before_the_first_batch_is_taken() -> None:
    generator, split = seeded(), random_split()
    batches = split.batches(20, generator)
    torch.rand(5, generator=generator)
    assert torch.equal(next(batches).index, torch.randperm(20, generator=seeded()))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    epoch(random_split(), 8, 0, Augment(2, True))
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_shows_every_image_once() -> None:
    seen = epoch(random_split(), 6, 0, None)
    assert seen.index.sort().values.tolist() == list(range(20))


def test_without_a_generator_images_come_in_order_and_as_they_are() -> None:
    split = random_split()
    batches = list(split.batches(8, augment=Augment(2, True)))
    assert [len(batch.targets) for batch in batches] == [8, 8, 4]
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(20))
    assert all(batch.view is None for batch in batches)
    mean, std = torch.tensor(split.mean).view(3, 1, 1), torch.tensor(split.std).view(3, 1, 1)
    assert torch.equal(torch.cat([b.images for b in batches]), (split.images.float() - mean) / std)


@pytest.mark.parametrize(("asked", "shown"), [(3, 3), (20, 20), (50, 20)])
def test_the_first_images_are_those_of_an_epoch_in_order(asked: int, shown: int) -> None:
    split = random_split()
    whole = next(iter(split.batches(len(split))))
    first = split.first(asked)
    assert first.index.tolist() == list(range(shown))
    assert torch.equal(first.images, whole.images[:shown])


@pytest.mark.parametrize(("asked", "shown"), [(7, 7), (50, 20)])
def test_some_images_are_the_first_of_a_shuffled_epoch(asked: int, shown: int) -> None:
    split = random_split()
    some, epoch = split.some(asked, seed=3), next(iter(split.batches(asked, seeded(3))))
    assert len(some.targets) == shown
    assert torch.equal(some.index, epoch.index)
    assert torch.equal(some.images, epoch.images)
    assert some.view is None


def test_drop_last_leaves_out_the_smaller_batch() -> None:
    assert [len(b.targets) for b in random_split().batches(8, seeded(), drop_last=True)] == [8, 8]
    assert list(random_split().batches(32, drop_last=True)) == []


def test_a_batch_size_below_one_is_refused_at_once() -> None:
    with pytest.raises(DataError, match="batch_size must be at least 1, got 0"):
        random_split().batches(0)


def test_batches_do_not_change_the_stored_images() -> None:
    split = random_split()
    kept = split.images.clone()
    epoch(split, 8, 0, Augment(2, True))
    assert torch.equal(split.images, kept)


def test_a_set_fits_if_it_takes_less_than_a_quarter_of_what_is_free() -> None:
    assert fits(1000)
    assert not fits(free_bytes())
