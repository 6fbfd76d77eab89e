"""A store in a bucket: what one machine has put, another gets, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import compress.store.folder
import compress.store.objects
from compress.errors import DiskError, StoreError
from compress.measurement import Measurement
from compress.models import Model
from compress.store.bucket import RemoteStore, absolute, open_store
from compress.store.files import Files
from compress.store.folder import Store
from compress.store.objects import Bucket

KEY = "ab" * 16
MADE_FROM = {"stage": "train", "level": 0.5}


@pytest.fixture
def here(bucket: str) -> RemoteStore:
    store = open_store(bucket)
    assert isinstance(store, RemoteStore)
    return store


@pytest.fixture
def there(here: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    """The same bucket from another machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    return RemoteStore(here.url)


def test_what_one_machine_puts_another_gets(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement
) -> None:
    assert there.get(KEY) is None
    put = here.put(KEY, files, measurement, MADE_FROM)
    got = there.get(KEY)
    assert got is not None
    assert got.path != put.path
    assert (got.files(), got.measured, got.made_from) == (files, measurement, MADE_FROM)
    assert here.get(KEY) == put


def test_what_was_got_once_is_not_asked_for_again(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.put(KEY, files, measurement, MADE_FROM)
    got = there.get(KEY)
    monkeypatch.setattr(there.bucket.files, "cat_file", lambda path: pytest.fail(f"asked for {path}"), raising=False)
    assert there.get(KEY) == got


def test_what_the_bucket_has_lost_comes_back_from_who_has_it(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement
) -> None:
    here.put(KEY, files, measurement, MADE_FROM)
    here.bucket.files.rm(here.bucket.base, recursive=True)
    assert there.get(KEY) is None
    again = RemoteStore(here.url)
    again.root = here.root
    assert again.get(KEY) is not None
    assert there.get(KEY) is not None


def test_of_two_that_put_one_entry_both_have_the_first(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement
) -> None:
    first = here.put(KEY, files, measurement, MADE_FROM)
    late = Files.of(Model("cnn", 0.25).build(10, 1), Model("cnn", 0.25), classes=10, channels=1)
    second = there.put(KEY, late, replace(measurement, seconds=9.0), MADE_FROM)
    assert (second.files(), second.measured) == (first.files(), first.measured)
    assert there.get(KEY) == second


@pytest.mark.parametrize("damage", ["cut short", "a bit flipped", "its head flipped", "empty"])
def test_a_damaged_object_is_set_aside_and_made_again(
    here: RemoteStore,
    there: RemoteStore,
    files: Files,
    measurement: Measurement,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here.put(KEY, files, measurement, MADE_FROM)
    path = f"{KEY[:2]}/{KEY}"
    whole = here.bucket.read(path)
    assert whole is not None

    def flipped(at: int) -> bytes:
        return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]

    damaged = {"cut short": whole[:-100], "empty": b"", "its head flipped": flipped(whole.rindex(b"PK\x01\x02") + 8)}
    here.bucket.write(path, damaged.get(damage, flipped(len(files.weights) // 2)))
    assert there.get(KEY) is None
    assert f"entry {KEY} is damaged" in caplog.text
    assert len(here.bucket.files.ls(f"{here.bucket.base}/damaged", refresh=True)) == 1
    assert there.put(KEY, files, measurement, MADE_FROM).files() == files
    assert here.bucket.has(path)


def test_an_entry_of_a_newer_version_is_refused_and_left_in_the_bucket(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(compress.store.folder, "VERSION", 99)
        here.put(KEY, files, measurement, MADE_FROM)
    with pytest.raises(StoreError, match="written by a newer version, 99"):
        there.get(KEY)
    assert here.bucket.has(f"{KEY[:2]}/{KEY}")


def test_what_is_damaged_on_this_machine_is_got_again(
    here: RemoteStore, files: Files, measurement: Measurement
) -> None:
    entry = here.put(KEY, files, measurement, MADE_FROM)
    (entry.path / "model.safetensors").write_bytes(b"nothing")
    assert here.get(KEY) == entry
    assert entry.files() == files


def failing(times: int, then: Any) -> Any:
    """What fails so many times, then does as it should."""
    left = [times]

    def act(*of: object, **how: object) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionError("no route to host")
        return then(*of, **how)

    return act


def test_a_bucket_that_is_away_for_a_while_is_asked_again(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.put(KEY, files, measurement, MADE_FROM)
    monkeypatch.setattr(compress.store.objects, "POLL_S", 0.01)
    cat = there.bucket.files.cat_file
    monkeypatch.setattr(there.bucket.files, "cat_file", failing(3, cat), raising=False)
    assert there.get(KEY) is not None


def test_a_bucket_that_stays_away_is_a_disk_that_refuses(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    here.bucket.patience = 0.0
    monkeypatch.setattr(here.bucket.files, "cat_file", failing(9, None), raising=False)
    with pytest.raises(DiskError, match=r"store: s3://.*: ConnectionError: no route to host"):
        here.get(KEY)
    with pytest.raises(DiskError, match=r"store: s3://of-nobody/store: FileNotFoundError"):
        Bucket("s3://of-nobody/store").write("x", b"")


def test_a_write_beside_anothers_is_one_that_was_too_late(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*of: object, **how: object) -> None:
        raise OSError(5, "An error occurred (ConditionalRequestConflict) when calling the PutObject operation")

    monkeypatch.setattr(here.bucket.files, "pipe_file", conflict, raising=False)
    assert not here.bucket.create("x", b"")


def test_a_place_to_write_to_is_checked(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    here.check()
    assert here.bucket.files.find(here.bucket.base) == []
    with pytest.raises(ValueError, match=r"store must be writable, got s3://of-nobody: .*does not exist"):
        RemoteStore("s3://of-nobody").check()
    monkeypatch.setattr(here.bucket.files, "pipe_file", lambda path, data, mode: None, raising=False)
    monkeypatch.setattr(here.bucket.files, "rm_file", lambda path: None, raising=False)
    with pytest.raises(ValueError, match="must refuse to write an object twice, got s3://"):
        here.check()


@pytest.mark.parametrize("url", ["foo://bar", "memory://bar", "s3://", "://"])
def test_a_url_of_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=f"store must be a folder or BUCKET/PREFIX at s3, gs, abfs://, got {url}"):
        open_store(url)


def test_one_place_has_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spellings = ("s3://b/p/", "file:///x/", "x", "~/x")
    assert [absolute(one) for one in spellings] == ["s3://b/p", "/x", f"{tmp_path}/x", f"{tmp_path}/~/x"]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_a_plain_store(tmp_path: Path, form: str) -> None:
    store = open_store(form.format(tmp_path / "store"))
    assert type(store) is Store
    assert store.root == tmp_path / "store"
