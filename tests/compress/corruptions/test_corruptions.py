"""Corruptions: what they do to a pixel, on every scale of images, and that all networks see the same images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from compress.corruptions import CORRUPTIONS, SEVERITY, corrupted_test, corruptions
from compress.corruptions.brightness import Brightness
from compress.corruptions.corruption import CorruptedSplit, Corruption, Scale, published_size
from compress.corruptions.motion_blur import MotionBlur
from compress.corruptions.occlusion import Occlusion
from compress.data.splits import TensorSplit
from compress.data.tasks import Task
from compress.errors import RecipeError
from paretune.options import view as view_options

EVERY = [CORRUPTIONS[name](severity) for name in CORRUPTIONS for severity in (1, 2, 3, 4, 5)]


def split_of(images: Tensor) -> TensorSplit:
    channels = images.shape[1]
    return TensorSplit(torch.zeros(len(images), dtype=torch.long), (0.0,) * channels, (1.0,) * channels, images)


def seen(clean: TensorSplit, corruption: Corruption) -> Tensor:
    """The corrupted images, raw."""
    split = CorruptedSplit.of(clean, corruption, Scale.of(clean))
    return torch.cat(list(split.read(torch.split(torch.arange(len(clean)), 3))))


@pytest.fixture
def photos() -> TensorSplit:
    """Eight colour images of bytes, 24 x 32."""
    return split_of(torch.randint(256, (8, 3, 24, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8))


@pytest.mark.parametrize("corruption", EVERY, ids=str)
def test_images_stay_on_their_scale_and_are_changed(digits: Task, corruption: Corruption) -> None:
    test = digits.test
    assert isinstance(test, TensorSplit)
    changed = seen(test, corruption)
    assert changed.dtype == torch.uint8
    assert changed.max() <= 16
    assert (changed != test.images).flatten(1).any(1).float().mean() > 0.9


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_bytes_and_the_same_floats_are_corrupted_alike(photos: TensorSplit, name: str) -> None:
    photos.images[0, 0, 0, :2] = torch.tensor([0, 255])
    floats = split_of(photos.images.float() / 127.5 - 1)
    found = (seen(floats, CORRUPTIONS[name](3)) + 1) * 127.5
    assert (found - seen(photos, CORRUPTIONS[name](3))).abs().max() <= 0.51


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_the_same_in_every_batch_and_the_clean_one_stays(photos: TensorSplit, name: str) -> None:
    before, whole = photos.images.clone(), seen(photos, CORRUPTIONS[name](3))
    split = CorruptedSplit.of(photos, CORRUPTIONS[name](3), Scale.of(photos))
    for at in (5, 2):
        assert torch.equal(next(iter(split.read([torch.tensor([at])])))[0], whole[at])
    assert torch.equal(photos.images, before)


def test_a_black_image_with_a_white_pixel_is_smeared_along_a_line_and_keeps_its_light() -> None:
    images = torch.zeros(1, 1, 65, 65)
    images[..., 32, 32] = 1
    blurred = MotionBlur(3).apply(images, torch.full((1, 1), 0.5), torch.zeros(1))[0, 0]
    weights = torch.exp(-(torch.arange(21.0) ** 2) / (2 * 2.0**2))
    assert torch.allclose(blurred[32, 12:33].flip(0), weights / weights.sum(), atol=1e-6)
    assert blurred.sum() == pytest.approx(1)
    assert blurred[:32].sum() == blurred[33:].sum() == 0


def test_lengths_are_published_ones_and_grow_beyond_the_largest_size() -> None:
    assert [published_size(torch.zeros(1, 1, side, side + 9)) for side in (8, 32, 64, 96, 224, 900)] == [
        *(32, 32, 64),
        *(64, 224, 224),
    ]
    edge = torch.zeros(1, 1, 448, 448)
    edge[..., 224:] = 1
    small = MotionBlur(1).apply(edge[..., ::2, ::2], torch.full((1, 1), 0.5), torch.zeros(1))
    large = MotionBlur(1).apply(edge, torch.full((1, 1), 0.5), torch.zeros(1))
    assert (small[0, 0, 9, 104] - large[0, 0, 9, 208]).abs().max() < 0.1
    assert (small[0, 0, 9, 110] - large[0, 0, 9, 220]).abs().max() < 0.1


def test_a_square_of_the_mean_colour_hides_its_share() -> None:
    images, colour = torch.ones(50, 2, 20, 30), torch.tensor([0.25, 0.5])
    hidden = Occlusion(4).apply(images, torch.rand(50, 2, generator=torch.Generator().manual_seed(0)), colour)
    assert (hidden != 1).sum((1, 2, 3)).tolist() == [2 * 10 * 10] * 50
    assert set(hidden[:, 0].flatten().tolist()) == {0.25, 1}
    assert len({tuple(row.tolist()) for row in (hidden[:, 0] != 1).flatten(1)}) > 40


def test_brightness_keeps_the_hue_and_ends_at_white() -> None:
    images = torch.tensor([[0.4, 0.2, 0.0], [0.9, 0.45, 0.0], [0.0, 0.0, 0.0]]).view(3, 3, 1, 1)
    found = Brightness(5).apply(images, torch.zeros(3, 0), torch.zeros(3)).view(3, 3)
    wanted = torch.tensor([[0.7, 0.35, 0.0], [1.0, 0.5, 0.0], [0.3, 0.3, 0.3]])
    assert torch.allclose(found, wanted)
    grey = Brightness(5).apply(torch.tensor([[[[0.9, 0.1]]]]), torch.zeros(1, 0), torch.zeros(1))
    assert grey.flatten().tolist() == pytest.approx([1.0, 0.4])


def test_the_scale_is_read_from_the_training_images(digits: Task, photos: TensorSplit) -> None:
    assert (Scale.of(digits.train).black, Scale.of(digits.train).white) == (0, 16)
    assert (Scale.of(photos).black, Scale.of(photos).white) == (0, 255)
    constant = Scale.of(split_of(torch.full((3, 1, 2, 2), 7.0)))
    assert (constant.black, constant.white) == (7, 8)


def test_targets_and_normalisation_are_those_of_the_test_split(digits: Task) -> None:
    other = replace(digits, test=replace(digits.test, mean=(1.0,), std=(2.0,)))
    split = corrupted_test(other, corruptions(["brightness"]))["brightness"]
    batch = split.first(4)
    assert torch.equal(batch.targets, digits.test.targets[:4])
    raw = next(iter(split.read([torch.arange(4)])))
    assert torch.equal(batch.images, (raw.float() - 1) / 2)
    assert torch.equal(split.to("cpu").first(4).images, batch.images)


@pytest.mark.parametrize(
    ("names", "severity", "sentence"),
    [
        ((), 3, "corrupt: must name one or more of motion-blur, occlusion, brightness"),
        ("occlusion", 3, "corrupt: must name one or more of"),
        (("fog",), 3, "corrupt: unknown 'fog', known are brightness, motion-blur, occlusion"),
        (("occlusion",), 6, "occlusion: severity must be a whole number from 1 to 5, got 6"),
        (("occlusion",), 2.5, "occlusion: severity must be a whole number from 1 to 5, got 2.5"),
        (("occlusion",), True, "occlusion: severity must be a whole number from 1 to 5, got True"),
    ],
)
def test_impossible_corruptions_are_refused(names: tuple[str, ...], severity: int, sentence: str) -> None:
    with pytest.raises(RecipeError) as told:
        corruptions(names, severity)
    assert sentence in str(told.value)


def test_the_command_names_the_same_corruptions() -> None:
    assert tuple(CORRUPTIONS) == view_options.CORRUPTIONS
    assert view_options.SEVERITY == SEVERITY
