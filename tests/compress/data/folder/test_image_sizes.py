"""Rectangles stay rectangles where images share their aspect; a study of squares keeps squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data.augmentation import Augment
from compress.data.folder.image_sizes import Size, common_size
from compress.data.splits import TensorSplit
from compress.data.tasks import load_task
from tests.compress.data.folder.test_listing import write


def files(tmp_path: Path, *sizes: tuple[int, int]) -> list[str]:
    paths = [tmp_path / f"{number}.png" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        write(path, np.zeros(size, dtype=np.uint8))
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("sizes", "common"),
    [
        ([(48, 64), (48, 64)], Size(48, 64)),
        ([(48, 64), (96, 128), (24, 32)], Size(48, 64)),
        ([(480, 640)], Size(224, 299)),
        ([(30, 300)], Size(30, 300)),
        ([(100, 1000)], Size(44, 440)),
        ([(64, 48), (48, 64)], Size(48, 48)),
        ([(32, 32), (64, 64)], Size(32, 32)),
        ([(300, 300)], Size(224, 224)),
        ([], Size(1, 1)),
    ],
)
def test_one_aspect_makes_a_rectangle_and_several_make_a_square(
    sizes: list[tuple[int, int]], common: Size, tmp_path: Path
) -> None:
    assert common_size(files(tmp_path, *sizes)) == common


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_the_size_is_that_of_upright_images(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (64, 48)).save(tmp_path / f"x.{suffix}", exif=exif)
    assert common_size([str(tmp_path / f"x.{suffix}")]) == Size(64, 48)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A folder of 2 classes, 12 x 16 greyscale noise: 10 and 4 of a class."""
    random = np.random.RandomState(0)
    for number in range(14):
        for name in ("a", "b"):
            path = tmp_path / "wide" / ("train" if number < 10 else "test") / name / f"{number}.png"
            write(path, random.randint(256, size=(12, 16)).astype(np.uint8))
    return tmp_path / "wide"


def test_a_folder_of_rectangles_comes_as_it_is(wide: Path) -> None:
    task = load_task(f"folder:{wide}")
    assert (task.shape, task.augment) == ((1, 12, 16), Augment(1, True))
    assert "1 x 12 x 16 as they are" in task.summary
    assert isinstance(task.test, TensorSplit)
    written = np.asarray(Image.open(wide / "test" / "a" / "10.png"))
    assert np.array_equal(task.test.images[0, 0].numpy(), written)


SQUARES = "8fc28f02405323f526c32639d76c2b63c298392019d677eddf13def459aa434f"
"""Fingerprint of the folder of rectangles in versions that cropped squares."""


def test_a_study_of_squares_gets_squares_by_fingerprint_and_an_export_by_shape(wide: Path, tmp_path: Path) -> None:
    name, cache = f"folder:{wide}", tmp_path / "cache"
    for cache_dir in (None, cache, cache):
        squares = load_task(name, cache_dir=cache_dir, begun=SQUARES)
        assert (squares.shape, squares.fingerprint) == ((1, 12, 12), SQUARES)
        assert "with the shorter side resized to 12 and the centre cropped" in squares.summary
        assert load_task(name, cache_dir=cache_dir, begun=(1, 12, 12)).fingerprint == SQUARES
        assert load_task(name, cache_dir=cache_dir).shape == (1, 12, 16)


def test_a_fingerprint_of_neither_leaves_the_rectangles(wide: Path) -> None:
    assert load_task(f"folder:{wide}", begun="0" * 64).shape == (1, 12, 16)
