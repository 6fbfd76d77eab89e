"""Images as a camera stores them: on their side, with damaged metadata, in odd modes. Their pixels come upright."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compress.data.folder.images import Files
from compress.data.tasks import load_task

STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an image that is upright lies in a file of each orientation."""


def upright() -> Image.Image:
    """Four quarters of different colours."""
    quarters = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [240, 240, 240]]], dtype=np.uint8)
    return Image.fromarray(quarters.repeat(16, 0).repeat(16, 1))


def save(image: Image.Image, path: Path, **more: Any) -> Path:
    options: dict[str, dict[str, Any]] = {".jpg": {"quality": 95, "subsampling": 0}, ".webp": {"lossless": True}}
    image.save(path, **options.get(path.suffix, {}), **more)
    return path


def decoded(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return Files((str(path),), 3, 32, 32).decode(str(path)).pixels.transpose(1, 2, 0)


def oriented(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = upright()
    stored = image.transpose(STORED[orientation]) if orientation in STORED else image
    return save(stored, path, exif=exif)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(orientation: int, suffix: str, tmp_path: Path) -> None:
    pixels = decoded(oriented(tmp_path / f"x.{suffix}", orientation))
    assert np.abs(pixels.astype(int) - np.asarray(upright())).max() < (8 if suffix == "jpg" else 1)


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0garbage", b"", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"\0" * 60000],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_damaged_metadata_spoil_no_image(exif: bytes, suffix: str, tmp_path: Path) -> None:
    path = save(upright(), tmp_path / f"x.{suffix}", exif=exif)
    assert np.abs(decoded(path).astype(int) - np.asarray(upright())).max() < 8


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_turns_nothing(orientation: int, tmp_path: Path) -> None:
    assert np.array_equal(decoded(oriented(tmp_path / "x.png", orientation)), np.asarray(upright()))


def test_an_orientation_in_xmp_counts_too(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    path = save(upright().transpose(STORED[6]), tmp_path / "x.jpg", xmp=xmp)
    assert np.abs(decoded(path).astype(int) - np.asarray(upright())).max() < 8


def test_turned_and_resized_images_are_counted(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("test", 2)):
        for name in "ab":
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                oriented(tmp_path / part / name / f"{number}.png", 6 if number == 0 else 1)
    upright().resize((40, 64)).save(tmp_path / "train/a/9.png")
    assert (
        "3 x 32 x 32 with the shorter side resized to 32 and the centre cropped (but 12 that are so), 4 turned upright"
        in load_task(f"folder:{tmp_path}").summary
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_an_image_of_any_8_bit_mode_comes_as_rgb(mode: str, tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 32), (200, 100, 50, 128))
    converted = image.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "LAB") else image.convert(mode)
    path = save(converted, tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr", "LAB") else "x.png"))
    colour = decoded(path)[0, 0].astype(int)
    grey = mode in ("1", "L", "LA")
    assert grey == (len(set(colour.tolist())) == 1)
    assert grey or np.abs(colour - [200, 100, 50]).max() < 30


def test_a_palette_with_transparency_warns_nobody(tmp_path: Path) -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 9, 99, 199])
    image.save(tmp_path / "x.png", transparency=bytes([0, 128]))
    assert decoded(tmp_path / "x.png")[0, 0].tolist() == [9, 99, 199]


def test_an_image_that_pillow_finds_too_large_is_read_up_to_twice_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(upright(), tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    assert np.array_equal(decoded(path), np.asarray(upright()))


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path: Path) -> None:
    other = Image.new("RGB", (32, 32))
    for suffix in ("tif", "webp", "png"):
        path = save(upright(), tmp_path / f"x.{suffix}", save_all=True, append_images=[other])
        assert np.array_equal(decoded(path), np.asarray(upright()))
    stream = io.BytesIO()
    upright().save(stream, format="MPO", save_all=True, append_images=[other])
    (tmp_path / "x.jpg").write_bytes(stream.getvalue())
    assert np.abs(decoded(tmp_path / "x.jpg").astype(int) - np.asarray(upright())).mean() < 8
