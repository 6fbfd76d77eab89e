"""Image folders: files read, files refused, and the same batches when streamed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from compress.data.folder import parts
from compress.data.folder.image_sizes import channels_of, typical_size
from compress.data.folder.listing import list_images
from compress.data.splits import Augment, DataError, StreamSplit, TensorSplit
from compress.data.tasks import Task, load_task


def write(path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def digit_folder(root: Path, classes: Sequence[str] = ("eight", "nine"), train: int = 20) -> Path:
    """Write digits 8 and 9, 16 x 16 greyscale PNGs: `train` and 5 of a class."""
    bunch = load_digits()
    for digit, name in zip((8, 9), classes, strict=True):
        large = np.kron(bunch.images[bunch.target == digit], np.ones((2, 2))) * 15
        for number in range(train + 5):
            part = "train" if number < train else "test"
            write(root / part / name / f"{number:03}.png", large[number].astype(np.uint8))
    return root


def everything(task: Task) -> torch.Tensor:
    return torch.cat([b.images for part in (task.train, task.validation, task.test) for b in part.batches(16)])


def test_a_folder_becomes_a_task_with_its_classes_and_three_splits(tmp_path: Path) -> None:
    task = load_task(f"folder:{digit_folder(tmp_path)}")
    assert task.classes == ("eight", "nine")
    assert (task.shape, task.augment) == ((1, 16, 16), Augment(2, True))
    assert (len(task.train), len(task.validation), len(task.test)) == (36, 4, 10)
    assert task.summary.endswith(
        ": 2 classes, 36 / 4 / 10 images, 1 x 16 x 16 as they are, normalised by (74.1, 90.8), "
        "augmented by crop 2 and flip; validation: one image is 25.00 points"
    )


def test_png_pixels_come_back_as_they_were_written(tmp_path: Path) -> None:
    task = load_task(f"folder:{digit_folder(tmp_path)}")
    written = np.asarray(Image.open(tmp_path / "test" / "nine" / "022.png"))
    assert isinstance(task.test, TensorSplit)
    assert np.array_equal(task.test.images[7, 0].numpy(), written)
    assert task.test.targets[7] == 1


def test_validation_is_cut_from_every_class_and_shares_no_image_with_train(tmp_path: Path) -> None:
    task = load_task(f"folder:{digit_folder(tmp_path)}")
    assert torch.bincount(task.validation.targets).tolist() == [2, 2]
    assert isinstance(task.train, TensorSplit)
    assert isinstance(task.validation, TensorSplit)
    both = torch.cat([task.train.images, task.validation.images])
    assert len(torch.unique(both, dim=0)) == 40


def test_mean_and_std_are_those_of_the_training_images(tmp_path: Path) -> None:
    task = load_task(f"folder:{digit_folder(tmp_path)}")
    assert isinstance(task.train, TensorSplit)
    assert task.mean[0] == pytest.approx(task.train.images.double().mean().item())
    assert task.std[0] == pytest.approx(task.train.images.double().std(correction=0).item())


def test_folders_with_the_same_content_share_a_fingerprint(tmp_path: Path) -> None:
    first = load_task(f"folder:{digit_folder(tmp_path / 'a')}")
    second = load_task(f"folder:{digit_folder(tmp_path / 'b')}")
    assert first.fingerprint == second.fingerprint


def test_fingerprints_are_those_of_before_images_were_turned_upright(tmp_path: Path) -> None:
    digits = load_task(f"folder:{digit_folder(tmp_path / 'a')}")
    assert digits.fingerprint == "5522dd218afe94bef1ecf7c880083d3ae1ff75b5b382de86e89ef969a673b2df"
    random = np.random.RandomState(0)
    for number in range(8):
        for place in ("train/b", "train/a", "test/b", "test/a"):
            path = tmp_path / "c" / place / ("deep" if number % 2 else "") / f"{number}.png"
            write(path, random.randint(256, size=(9, 9, 3)).astype(np.uint8))
    noise = load_task(f"folder:{tmp_path / 'c'}")
    assert noise.fingerprint == "9ce22bf9739502afb27d719edc8823c3266faf671d3ce75e6e08b9a5b5068d0d"
    assert (noise.mean[0], noise.std[2]) == (121.75661375661376, 75.24662358096751)


def test_one_changed_pixel_changes_the_fingerprint(tmp_path: Path) -> None:
    first = load_task(f"folder:{digit_folder(tmp_path / 'a')}")
    pixels = np.array(Image.open(digit_folder(tmp_path / "b") / "test" / "nine" / "020.png"))
    pixels[0, 0] ^= 1
    write(tmp_path / "b" / "test" / "nine" / "020.png", pixels)
    assert load_task(f"folder:{tmp_path / 'b'}").fingerprint != first.fingerprint


def test_a_moved_label_changes_the_fingerprint(tmp_path: Path) -> None:
    first = load_task(f"folder:{digit_folder(tmp_path / 'a')}")
    second = load_task(f"folder:{digit_folder(tmp_path / 'b', classes=('nine', 'eight'))}")
    assert second.fingerprint != first.fingerprint


def test_streaming_gives_the_same_task_and_the_same_images(tmp_path: Path) -> None:
    name = f"folder:{digit_folder(tmp_path)}"
    held, streamed = load_task(name, stream=False), load_task(name, stream=True)
    assert isinstance(held.train, TensorSplit)
    assert isinstance(streamed.train, StreamSplit)
    assert "decoded as needed" in streamed.summary
    assert (held.fingerprint, held.mean, held.std) == (streamed.fingerprint, streamed.mean, streamed.std)
    assert torch.equal(everything(held), everything(streamed))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_streamed_epoch_equals_a_held_one_bit_for_bit(workers: int, tmp_path: Path) -> None:
    name = f"folder:{digit_folder(tmp_path)}"
    streamed = load_task(name, stream=True).train
    assert isinstance(streamed, StreamSplit)
    pairs = zip(
        load_task(name).train.batches(10, torch.Generator().manual_seed(3), Augment(2, True)),
        replace(streamed, workers=workers).batches(10, torch.Generator().manual_seed(3), Augment(2, True)),
        strict=True,
    )
    for held, read in pairs:
        assert torch.equal(held.images, read.images)
        assert torch.equal(held.targets, read.targets)


def test_streaming_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    task = load_task(f"folder:{digit_folder(tmp_path)}", stream=True)
    before = torch.get_rng_state()
    list(task.to("cpu").test.batches(4))
    assert torch.equal(before, torch.get_rng_state())


def test_a_folder_too_large_for_the_memory_is_streamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(parts, "fits", lambda size_bytes: size_bytes < 50 * 16 * 16)
    assert isinstance(load_task(f"folder:{digit_folder(tmp_path)}").train, StreamSplit)


def test_one_colour_image_makes_the_folder_rgb(tmp_path: Path) -> None:
    write(digit_folder(tmp_path) / "test" / "nine" / "900.png", np.full((16, 16, 3), 7, dtype=np.uint8))
    task = load_task(f"folder:{tmp_path}")
    assert task.channels == 3
    assert len(task.mean) == 3


def test_larger_images_are_resized_to_the_first_ones_size_and_cropped_at_the_centre(tmp_path: Path) -> None:
    wide = np.arange(32 * 64, dtype=np.uint32).astype(np.uint8).reshape(32, 64)
    write(digit_folder(tmp_path) / "test" / "nine" / "900.png", wide)
    task = load_task(f"folder:{tmp_path}")
    assert isinstance(task.test, TensorSplit)
    expected = Image.fromarray(wide).resize((32, 16), Image.Resampling.BILINEAR).crop((8, 0, 24, 16))
    assert np.array_equal(task.test.images[-1, 0].numpy(), np.asarray(expected))


def test_size_is_the_median_of_the_shorter_sides_and_at_most_224(tmp_path: Path) -> None:
    sides = {"a": (30, 40), "b": (300, 400, 3), "c": (50, 20), "d": (32, 32)}
    for name, shape in sides.items():
        write(tmp_path / f"{name}.png", np.zeros(shape, dtype=np.uint8))
    (tmp_path / "e.png").write_bytes(b"")
    a, b, c, d, e = (str(tmp_path / f"{name}.png") for name in "abcde")
    assert [typical_size(some) for some in ([a, b, c, d, e], [a, b, c], [b, b, a], [e])] == [30, 30, 224, 1]


def test_only_greyscale_images_all_of_them_make_one_channel(tmp_path: Path) -> None:
    for mode in ("L", "LA", "1", "P", "CMYK"):
        Image.new(mode, (8, 8)).save(tmp_path / f"{mode}.{'tif' if mode == 'CMYK' else 'png'}")
    grey = str(tmp_path / "L.png")
    assert channels_of([grey, grey]) == 1
    assert all(channels_of([grey, str(path)]) == 3 for path in tmp_path.iterdir() if path.name != "L.png")


def test_a_sixteen_bit_image_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((16, 16), dtype=np.uint16)).save(digit_folder(tmp_path) / "test/nine/900.png")
    with pytest.raises(
        DataError, match=r"1 of 51 are not: .*900.png \(mode I;16 is not 8 bits a channel; save it with 8\)"
    ):
        load_task(f"folder:{tmp_path}")


def test_files_beside_the_images_are_passed_over(tmp_path: Path) -> None:
    root = digit_folder(tmp_path)
    (root / "train" / "nine" / "notes.txt").write_text("not an image")
    (root / "train" / ".hidden").mkdir()
    listing = list_images(root)
    assert (len(listing.paths), listing.classes) == (50, ("eight", "nine"))


@pytest.mark.parametrize("stream", [False, True])
def test_truncated_images_are_all_counted_and_five_are_named(stream: bool, tmp_path: Path) -> None:
    root, noise = digit_folder(tmp_path), np.random.RandomState(0).randint(256, size=(16, 16)).astype(np.uint8)
    for number in range(6):
        path = root / ("train" if number < 3 else "test") / "eight" / f"9{number}.jpg"
        write(path, noise)
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"images must be readable, 6 of 56 are not: .*truncated.*, \.\.\.$") as bad:
        load_task(f"folder:{root}", stream=stream)
    assert str(bad.value).count(".jpg") == 5


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (digit_folder(tmp_path) / "train" / "eight" / "000.png").write_text("hello")
    with pytest.raises(DataError, match=r"1 of 50 are not: .*000.png \(not an image\)"):
        load_task(f"folder:{tmp_path}")


def test_a_folder_without_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folder:.*: a folder train/ .* must be there, got none"):
        load_task(f"folder:{tmp_path}")


def test_a_folder_without_test_is_refused(tmp_path: Path) -> None:
    shutil.rmtree(digit_folder(tmp_path) / "test")
    with pytest.raises(DataError, match="a folder test/"):
        load_task(f"folder:{tmp_path}")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train" / "eight").mkdir(parents=True)
    with pytest.raises(DataError, match=r"train/CLASS/ must hold images .*, got none$"):
        load_task(f"folder:{tmp_path}")


def test_of_a_folder_without_images_it_is_said_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "train" / "eight").mkdir(parents=True)
    for name in ("1.gif", "2.GIF"):
        (tmp_path / "train" / "eight" / name).write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"\.webp\), got none, passed over are 2 of no known suffix \(\.gif\)$"):
        load_task(f"folder:{tmp_path}")


def test_a_class_that_is_only_in_test_is_refused(tmp_path: Path) -> None:
    write(digit_folder(tmp_path) / "test" / "ten" / "0.png", np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(DataError, match=r"every class of test/ must be in train/, got ten"):
        load_task(f"folder:{tmp_path}")


def test_a_class_with_one_training_image_is_refused(tmp_path: Path) -> None:
    write(digit_folder(tmp_path) / "train" / "ten" / "0.png", np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(DataError, match="at least 2 training images, got 1 of ten"):
        load_task(f"folder:{tmp_path}")


def see_through(path: Path, colour: tuple[int, int, int], mode: str, corner: int = 0) -> None:
    """An image of one colour whose upper left quarter has the alpha `corner`."""
    pixels = np.full((16, 16, 4), (*colour, 255), dtype=np.uint8)
    pixels[:8, :8, 3] = corner
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode == "RGBA" else image.convert(mode)).save(path)


@pytest.mark.parametrize(("mode", "corner", "said"), [("RGBA", 0, True), ("LA", 9, True), ("RGBA", 255, False)])
def test_transparency_that_is_left_out_is_said(mode: str, corner: int, said: bool, tmp_path: Path) -> None:
    for number in range(12):
        see_through(digit_folder(tmp_path / "f") / "train" / "eight" / f"x{number}.png", (9, 9, number), mode, corner)
    summary = load_task(f"folder:{tmp_path / 'f'}").summary
    assert ("transparency of 12 left out" in summary) is said


def test_images_that_show_nothing_are_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for number in range(4):
            see_through(tmp_path / part / "ab"[number % 2] / f"{number}.png", (0, 0, 0), "RGBA")
    with pytest.raises(
        DataError, match=r"must show something, .* same colour; their transparency is left out, so save"
    ):
        load_task(f"folder:{tmp_path}")
