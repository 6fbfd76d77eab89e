"""The store: entries whole or not at all, damage set aside, one maker at a time."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import compress.store.folder
from compress.errors import StoreError
from compress.measurement import Measurement
from compress.models import Model
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import RECORD, VERSION, Store

KEY = "ab" * 16
MADE_FROM = {"stage": "train", "level": 0.5}


@pytest.fixture
def entry(store: Store, files: Files, measurement: Measurement) -> Path:
    """The folder of a sound entry."""
    return store.put(KEY, files, measurement, MADE_FROM).path


def test_what_is_put_is_got(store: Store, files: Files, measurement: Measurement) -> None:
    put = store.put(KEY, files, measurement, MADE_FROM)
    got = store.get(KEY)
    assert got == put
    assert got is not None
    assert (got.files(), got.measured, got.made_from) == (files, measurement, MADE_FROM)


def test_an_entry_is_seen_by_another_store_on_the_same_folder(store: Store, entry: Path) -> None:
    assert Store(store.root).get(KEY) == store.get(KEY)


def test_what_was_never_put_is_none(store: Store) -> None:
    assert store.get(KEY) is None


def test_size_is_that_of_the_file(store: Store, files: Files, entry: Path) -> None:
    assert (entry / WEIGHTS).stat().st_size == files.size_bytes
    assert sorted(file.name for file in entry.iterdir()) == [WEIGHTS, RECORD, STRUCTURE]


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def rewrite(entry: Path, **changes: object) -> None:
    record = json.loads((entry / RECORD).read_text())
    (entry / RECORD).write_text(json.dumps({**record, **changes}))


def figures(entry: Path, **changes: object) -> dict[str, object]:
    return {**json.loads((entry / RECORD).read_text())["measured"], **changes}


DAMAGE: dict[str, Callable[[Path], object]] = {
    "weights truncated": lambda entry: os.truncate(entry / WEIGHTS, 100),
    "weights empty": lambda entry: os.truncate(entry / WEIGHTS, 0),
    "weights flipped": lambda entry: flip(entry / WEIGHTS),
    "structure flipped": lambda entry: flip(entry / STRUCTURE),
    "structure gone": lambda entry: (entry / STRUCTURE).unlink(),
    "record gone": lambda entry: (entry / RECORD).unlink(),
    "record truncated": lambda entry: os.truncate(entry / RECORD, 40),
    "record a list": lambda entry: (entry / RECORD).write_text("[1, 2]"),
    "record foreign": lambda entry: (entry / RECORD).write_text('{"name": "something else"}'),
    "unknown figure": lambda entry: rewrite(entry, measured={"accuracy": 1.0}),
    "better figure": lambda entry: rewrite(entry, measured=figures(entry, score_test=1.0)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_entry_is_set_aside(
    damage: Callable[[Path], object], store: Store, entry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(entry)
    with caplog.at_level(logging.WARNING):
        assert store.get(KEY) is None
    (aside,) = (store.root / "damaged").iterdir()
    assert aside.name.startswith(KEY)
    assert f"entry {KEY} is damaged" in caplog.text
    assert str(aside) in caplog.text
    assert not entry.exists()


def test_an_entry_of_a_newer_version_is_refused_and_left_where_it_is(
    store: Store, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(compress.store.folder, "VERSION", VERSION + 1)
        store.put(KEY, files, measurement, MADE_FROM)
    with pytest.raises(StoreError, match=f"written by a newer version, {VERSION + 1}; this one reads {VERSION}"):
        store.get(KEY)
    assert (store.path(KEY) / "record.json").exists()


def test_an_entry_in_the_place_of_another_is_set_aside(
    store: Store, entry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = "cd" * 16
    shutil.copytree(entry, store.path(other))
    assert store.get(other) is None
    assert store.get(KEY) is not None


def test_a_damaged_entry_can_be_made_again(
    store: Store, entry: Path, files: Files, measurement: Measurement, caplog: pytest.LogCaptureFixture
) -> None:
    flip(entry / WEIGHTS)
    assert store.get(KEY) is None
    assert store.put(KEY, files, measurement, MADE_FROM) == store.get(KEY)


def test_damage_that_another_process_has_set_aside_is_none(
    store: Store, entry: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flip(entry / WEIGHTS)
    rename = os.rename

    def late(source: Path, target: Path) -> None:
        rename(source, store.root / "theirs")
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert store.get(KEY) is None


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    store: Store, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Files, folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(self.weights[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Files, "write", full)
    with pytest.raises(StoreError, match=rf"^store: cannot write .*{KEY}: No space left on device"):
        store.put(KEY, files, measurement, MADE_FROM)
    assert store.get(KEY) is None
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
    assert list((store.root / "partial").iterdir()) == []


def test_an_entry_that_fails_to_be_replaced_is_still_there(
    store: Store, entry: Path, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Files, folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Files, "write", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put(KEY, files, measurement, MADE_FROM)
    assert store.get(KEY) is not None


def test_drop_frees_the_model_and_keeps_the_record(store: Store, entry: Path, files: Files) -> None:
    assert store.drop(KEY) == len(files.weights) + len(files.structure)
    assert [file.name for file in entry.iterdir()] == [RECORD]
    assert store.get(KEY) is None
    assert store.drop(KEY) == 0
    assert not (store.root / "damaged").exists()


def test_a_dropped_entry_can_be_made_again(store: Store, entry: Path, files: Files, measurement: Measurement) -> None:
    store.drop(KEY)
    assert store.put(KEY, files, measurement, MADE_FROM) == store.get(KEY)


def test_the_entry_that_a_successor_has_made_stays(store: Store, entry: Path, measurement: Measurement) -> None:
    late = Files.of(Model("cnn", 0.25).build(10, 1), Model("cnn", 0.25), classes=10, channels=1)
    there = store.get(KEY)
    assert there is not None
    assert store.put(KEY, late, replace(measurement, seconds=9.0), MADE_FROM) == there == store.get(KEY)
    assert list((store.root / "partial").iterdir()) == []


def test_what_dead_processes_left_is_taken_away_and_nothing_else(store: Store, entry: Path) -> None:
    code = (
        "import os, socket, sys; from pathlib import Path; from compress.store.folder import Store\n"
        "store = Store(Path(sys.argv[1])); store.lock('dead').acquire(timeout=0)\n"
        "mine = f'{socket.gethostname()}-{os.getpid()}'\n"
        "(store.root / 'partial' / f'dead.{mine}').mkdir()\n"
        "(store.root / 'partial' / f'dead.pt.{mine}').touch()\n"
        "(store.root / 'partial' / f'new.pt.{mine}').touch()\n"
        "[os.utime(path, (0, 0)) for path in (store.root / 'partial').glob('dead*')]\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    partial = store.root / "partial"
    (new,) = partial.glob("new*")
    assert len(list(partial.iterdir())) == 3
    alive = f"{socket.gethostname()}-{os.getpid()}"
    kept = {f"key.{alive}", f"key.pt.{alive}", "key.pt", "key.elsewhere-999999"}
    for name in kept:
        (partial / name).touch()
        os.utime(partial / name, (0, 0))
    (store.root / "locks" / "odd.lease").write_text("elsewhere")
    held = store.lock("alive")
    held.acquire(timeout=0)
    store.tidy()
    assert {path.name for path in partial.iterdir()} == {*kept, new.name}
    assert {path.name for path in (store.root / "locks").iterdir()} == {"alive.lease", "odd.lease"}
    held.release()
    assert store.get(KEY) is not None
