"""What is kept of a decoded folder: found again by another process, decoded anew where it is damaged or old."""

from __future__ import annotations

import errno
import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compress.data import tasks
from compress.data.folder import decoding
from compress.data.folder import parts as folder_parts
from compress.data.folder.images import Files, Picture
from compress.data.folder.pixel_cache import FolderCache
from compress.data.splits import StreamSplit, TensorSplit
from compress.data.tasks import load_task
from tests.compress.data.folder.test_listing import digit_folder, everything, write


def count_decodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    tasks._load.cache_clear()
    decode, seen = Files.decode, []

    def counted(files: Files, path: str, **options: bool) -> Picture:
        seen.append(path)
        return decode(files, path, **options)

    monkeypatch.setattr(Files, "decode", counted)
    return seen


def test_a_cached_folder_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    first = load_task(name, cache_dir=cache)
    seen = count_decodes(monkeypatch)
    again = load_task(name, cache_dir=cache)
    assert seen == []
    assert again is not first
    assert again.fingerprint == first.fingerprint


@pytest.mark.parametrize("held_first", [True, False])
def test_a_streamed_folder_is_looked_through_once(
    held_first: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    first = load_task(name, cache_dir=cache, stream=not held_first)
    seen = count_decodes(monkeypatch)
    again = load_task(name, cache_dir=cache, stream=True)
    assert seen == []
    assert (again.fingerprint, again.mean, again.std) == (first.fingerprint, first.mean, first.std)
    assert (again.summary, again.notes) == (
        first.summary.replace("as they are,", "as they are, decoded as needed,") if held_first else first.summary,
        first.notes,
    )
    assert np.array_equal(everything(again), everything(first))


def test_a_look_that_takes_long_says_for_how_long_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (("PATIENCE_S", 0.0), ("LONG_S", 0.0), ("_BLOCK", 10)):
        monkeypatch.setattr(decoding, name, value)
    load_task(f"folder:{digit_folder(tmp_path)}", stream=False)
    assert [record.getMessage() for record in caplog.records] == [
        "images: 50 are looked through once, for about 0 min more"
    ]


def look_through(name: str, cache: Path, log: Path) -> None:
    """In a process of its own: load the task, a line in `log` for every image decoded."""
    tasks._load.cache_clear()
    decode = Files.decode

    def counted(files: Files, path: str, **options: bool) -> Picture:
        with log.open("a") as lines:
            lines.write(f"{path}\n")
        return decode(files, path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Files, "decode", counted)
        load_task(name, cache_dir=cache)


def test_processes_that_begin_together_look_through_a_folder_once(tmp_path: Path) -> None:
    name, log = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "log"
    fork = multiprocessing.get_context("fork")
    crowd = [fork.Process(target=look_through, args=(name, tmp_path / "cache", log)) for _ in range(3)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert [one.exitcode for one in crowd] == [0, 0, 0]
    assert len(log.read_text().splitlines()) == 50


def test_a_folder_that_was_moved_is_not_decoded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = load_task(f"folder:{digit_folder(tmp_path / 'data')}", cache_dir=tmp_path / "cache")
    (tmp_path / "data").rename(tmp_path / "moved")
    seen = count_decodes(monkeypatch)
    assert load_task(f"folder:{tmp_path / 'moved'}", cache_dir=tmp_path / "cache").fingerprint == first.fingerprint
    assert seen == []


def cut_short(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-100])


def flip_a_bit(entry: Path) -> None:
    whole = bytearray(entry.read_bytes())
    whole[-5] ^= 1
    entry.write_bytes(whole)


def empty(entry: Path) -> None:
    entry.write_bytes(b"")


def other_fields(entry: Path) -> None:
    entry.write_text(json.dumps({"mean": [1.0], "std": [1.0]}))


@pytest.mark.parametrize(
    ("suffix", "hurt"),
    [
        ("npy", cut_short),
        ("npy", flip_a_bit),
        ("npy", empty),
        ("npy", Path.unlink),
        ("json", cut_short),
        ("json", empty),
        ("json", other_fields),
        ("json", Path.unlink),
    ],
)
def test_a_damaged_cache_is_built_anew(
    suffix: str, hurt: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    first = load_task(name, cache_dir=cache)
    (entry,) = cache.glob(f"*.{suffix}")
    whole = entry.read_bytes()
    hurt(entry)
    seen = count_decodes(monkeypatch)
    assert load_task(name, cache_dir=cache).fingerprint == first.fingerprint
    assert len(seen) == 50
    assert entry.read_bytes() == whole


def test_a_folder_decoded_before_images_were_turned_is_decoded_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    load_task(name, cache_dir=cache)
    monkeypatch.setattr("compress.data.folder.pixel_cache.DECODING", 3)
    seen = count_decodes(monkeypatch)
    load_task(name, cache_dir=cache)
    assert len(seen) == 50


def test_training_leaves_the_kept_pixels_as_they_are(tmp_path: Path) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    load_task(name, cache_dir=cache)
    (entry,) = cache.glob("*.npy")
    whole = entry.read_bytes()
    tasks._load.cache_clear()
    mapped = load_task(name, cache_dir=cache).train
    assert isinstance(mapped, TensorSplit)
    mapped.images.zero_()
    assert entry.read_bytes() == whole


def test_a_folder_is_listed_again_when_asked(tmp_path: Path) -> None:
    name = f"folder:{digit_folder(tmp_path)}"
    first = load_task(name)
    (tmp_path / "train" / "eight" / "000.png").unlink()
    assert load_task(name) is first
    assert len(load_task(name, again=True).train) == len(first.train) - 1


def test_a_changed_image_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    root, cache = digit_folder(tmp_path / "data"), tmp_path / "cache"
    first = load_task(f"folder:{root}", cache_dir=cache)
    write(root / "train" / "eight" / "000.png", np.full((16, 16), 3, dtype=np.uint8))
    tasks._load.cache_clear()
    assert load_task(f"folder:{root}", cache_dir=cache).fingerprint != first.fingerprint


def test_the_cache_folder_is_paretune_cache_unless_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARETUNE_CACHE", str(tmp_path / "cache"))
    load_task(f"folder:{digit_folder(tmp_path / 'data')}")
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".npy", ".json"}


def test_a_set_larger_than_memory_is_decoded_once_and_mapped_where_the_disk_has_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    held = load_task(name)
    monkeypatch.setattr(folder_parts, "fits", lambda size: False)
    monkeypatch.setattr(folder_parts, "WHOLE_BYTES", 0)
    seen = count_decodes(monkeypatch)
    mapped = load_task(name, cache_dir=cache)
    assert len(seen) == 50
    assert isinstance(mapped.train, TensorSplit)
    assert (mapped.fingerprint, mapped.mean, mapped.std) == (held.fingerprint, held.mean, held.std)
    assert np.array_equal(everything(mapped), everything(held))
    tasks._load.cache_clear()
    again = load_task(name, cache_dir=cache)
    assert len(seen) == 50, "the second start decodes nothing"
    assert np.array_equal(everything(again), everything(held))
    (entry,) = cache.glob("*.npy")
    flip_a_bit(entry)
    tasks._load.cache_clear()
    assert np.array_equal(everything(load_task(name, cache_dir=cache)), everything(held)), "damage in the sample"
    assert len(seen) == 100


def test_a_set_larger_than_memory_and_disk_is_decoded_as_needed_until_there_is_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    monkeypatch.setattr(folder_parts, "fits", lambda size: False)
    monkeypatch.setattr(folder_parts, "ROOM", 0.0)
    seen = count_decodes(monkeypatch)
    assert isinstance(load_task(name, cache_dir=cache).train, StreamSplit)
    assert len(seen) == 50, "looked through once, for mean and fingerprint"
    tasks._load.cache_clear()
    assert isinstance(load_task(name, cache_dir=cache).train, StreamSplit)
    assert len(seen) == 50
    monkeypatch.setattr(folder_parts, "ROOM", 0.5)
    tasks._load.cache_clear()
    assert isinstance(load_task(name, cache_dir=cache).train, TensorSplit)


def test_a_small_set_is_held_in_memory_where_the_disk_is_nearly_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(FolderCache, "has_room", lambda *_: False)
    task = load_task(f"folder:{digit_folder(tmp_path / 'data')}", cache_dir=tmp_path / "cache")
    assert isinstance(task.train, TensorSplit)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("fits", [True, False], ids=["held", "streamed"])
def test_a_disk_that_fills_up_while_pixels_are_kept_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fits: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    monkeypatch.setattr(folder_parts, "fits", lambda size: fits)
    task = load_task(f"folder:{digit_folder(tmp_path / 'data')}", cache_dir=tmp_path / "cache")
    assert isinstance(task.train, TensorSplit if fits else StreamSplit)
    assert not [*(tmp_path / "cache").glob("*.npy*")]


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    name, cache = f"folder:{digit_folder(tmp_path / 'data')}", tmp_path / "cache"
    load_task(name, cache_dir=cache)
    (entry,) = cache.glob("*.npy")
    left = entry.with_name(f"{entry.name}.abc.tmp")
    left.write_bytes(b"half")
    entry.unlink()
    tasks._load.cache_clear()
    load_task(name, cache_dir=cache)
    assert not left.exists()
    assert entry.exists()


def test_a_failed_write_leaves_nothing_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(OSError, match="disk full"):
        load_task(f"folder:{digit_folder(tmp_path / 'data')}", cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
