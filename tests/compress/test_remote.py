"""A store in a bucket: what one machine has put, another gets, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from compress.errors import DiskError
from compress.files import Files
from compress.measurement import Measurement
from compress.models import Model
from compress.remote import RemoteStore, open_store
from compress.store import Store

KEY = "ab" * 16
MADE_FROM = {"stage": "train", "level": 0.5}


@pytest.fixture
def files(net: nn.Module) -> Files:
    return Files.of(net, Model("cnn", 0.5), classes=10, channels=1)


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
    monkeypatch.setattr(there.files, "cat_file", lambda path: pytest.fail(f"asked for {path}"), raising=False)
    assert there.get(KEY) == got


def test_of_two_that_put_one_entry_both_have_the_first(
    here: RemoteStore, there: RemoteStore, files: Files, measurement: Measurement
) -> None:
    first = here.put(KEY, files, measurement, MADE_FROM)
    late = Files.of(Model("cnn", 0.25).build(10, 1), Model("cnn", 0.25), classes=10, channels=1)
    second = there.put(KEY, late, replace(measurement, seconds=9.0), MADE_FROM)
    assert (second.files(), second.measured) == (first.files(), first.measured)
    assert there.get(KEY) == second


@pytest.mark.parametrize("damage", ["cut short", "a bit flipped"])
def test_a_damaged_object_is_set_aside_and_made_again(
    here: RemoteStore,
    there: RemoteStore,
    files: Files,
    measurement: Measurement,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    here.put(KEY, files, measurement, MADE_FROM)
    path = f"{here.base}/{KEY[:2]}/{KEY}"
    whole = here.files.cat_file(path)
    at = len(files.weights) // 2
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    here.files.pipe_file(path, whole[:-100] if damage == "cut short" else flipped)
    assert there.get(KEY) is None
    assert f"entry {KEY} is damaged" in caplog.text
    assert len(here.files.ls(f"{here.base}/damaged", refresh=True)) == 1
    assert there.put(KEY, files, measurement, MADE_FROM).files() == files
    assert here.files.exists(path)


def test_what_is_damaged_on_this_machine_is_got_again(
    here: RemoteStore, files: Files, measurement: Measurement
) -> None:
    entry = here.put(KEY, files, measurement, MADE_FROM)
    (entry.path / "model.safetensors").write_bytes(b"nothing")
    assert here.get(KEY) == entry
    assert entry.files() == files


def test_cleaning_leaves_the_bucket_as_it_is(here: RemoteStore, files: Files, measurement: Measurement) -> None:
    entry = here.put(KEY, files, measurement, MADE_FROM)
    assert here.drop(KEY) > 0
    assert here.get(KEY) == entry


def test_a_bucket_that_goes_away_is_a_disk_that_refuses(
    here: RemoteStore, files: Files, measurement: Measurement, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = RemoteStore("s3://of-nobody/store")
    with pytest.raises(DiskError, match=r"store: s3://of-nobody/store: FileNotFoundError"):
        gone.put(KEY, files, measurement, MADE_FROM)

    def unreachable(*of: object, **how: object) -> bytes:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(here.files, "cat_file", unreachable, raising=False)
    with pytest.raises(DiskError, match="ConnectionError: no route to host"):
        here.get(KEY)


def test_a_place_to_write_to_is_checked(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    here.check()
    assert here.files.find(here.base) == []
    with pytest.raises(ValueError, match=r"store must be writable, got s3://of-nobody: .*does not exist"):
        RemoteStore("s3://of-nobody").check()
    monkeypatch.setattr(here.files, "pipe_file", lambda path, data, mode: None, raising=False)
    monkeypatch.setattr(here.files, "rm_file", lambda path: None, raising=False)
    with pytest.raises(ValueError, match="must refuse to write an object twice, got s3://"):
        here.check()


@pytest.mark.parametrize("url", ["foo://bar", "memory://bar", "s3://", "s3:///", "://"])
def test_a_url_of_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=f"store must be a folder or BUCKET/PREFIX at s3, gs, abfs://, got {url}"):
        open_store(url)


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_a_plain_store(tmp_path: Path, form: str) -> None:
    store = open_store(form.format(tmp_path / "store"))
    assert type(store) is Store
    assert store.root == tmp_path / "store"
