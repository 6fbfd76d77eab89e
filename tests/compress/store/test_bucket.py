"""A store in a bucket: what one machine has put, another gets, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
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


def status(code: int, words: str) -> Exception:
    """As Azure's library raises."""
    error = Exception(words)
    error.status_code = code  # type: ignore[attr-defined]
    return error


def protocol(store: RemoteStore) -> str:
    return store.url.partition("://")[0]


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
    with pytest.raises(DiskError, match=f"store: {here.url}: ConnectionError: no route to host"):
        here.get(KEY)
    nowhere = f"{protocol(here)}://of-nobody/store"
    missing = {"abfs": "ResourceNotFoundError"}.get(protocol(here), "FileNotFoundError")
    with pytest.raises(DiskError, match=f"store: {nowhere}: {missing}"):
        Bucket(nowhere).write("x", b"")  # at once: not after ten minutes


@pytest.mark.parametrize("denied", [PermissionError("no"), OSError("Forbidden: http://x\nno"), status(403, "no\nId:1")])
def test_a_bucket_that_denies_is_not_asked_again(
    here: RemoteStore, monkeypatch: pytest.MonkeyPatch, denied: Exception
) -> None:
    """The errors of s3fs, gcsfs and adlfs."""

    def deny(*of: object, **how: object) -> None:
        raise denied

    monkeypatch.setattr(here.bucket.files, "pipe_file", deny, raising=False)
    with pytest.raises(DiskError, match=r"^store: \S+: \w+: .*\bno\b"):
        here.bucket.write("x", b"")
    with pytest.raises(ValueError, match=rf"^store must be writable, got {here.url}: .*\bno\b"):
        here.check()


@pytest.mark.filterwarnings("ignore:Sending a large body")  # aiohttp: it holds up other calls of the process
@pytest.mark.parametrize("size", [0, 3, 60 * 2**20])
def test_an_object_is_created_once_whatever_its_size(here: RemoteStore, size: int) -> None:
    here.bucket.patience, first = 0.0, bytes(size)
    assert here.bucket.create("x", first)
    assert not here.bucket.create("x", b"1" + first)
    assert here.bucket.read("x") == first


def test_of_many_that_create_an_object_at_once_one_does(here: RemoteStore) -> None:
    begin = threading.Barrier(8)

    def create(number: int) -> bool:
        bucket = Bucket(here.url)
        begin.wait()
        return bucket.create("x", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(8)))
    assert sum(created) == 1
    assert here.bucket.read("x") == str(created.index(True)).encode()


def test_what_another_process_does_is_seen(here: RemoteStore) -> None:
    program = "import sys; from compress.store.objects import Bucket; b = Bucket(sys.argv[1]); "

    def elsewhere(act: str) -> None:
        subprocess.run([sys.executable, "-c", program + act, here.url], check=True)

    assert not here.bucket.has("x")
    elsewhere("b.create('x', b'1')")
    assert here.bucket.has("x")
    assert not here.bucket.create("x", b"2")
    elsewhere("b.write('x', b'3')")
    assert here.bucket.read("x") == b"3"
    elsewhere("b.remove('x')")
    assert here.bucket.read("x") is None
    assert not here.bucket.has("x")


def test_a_write_beside_anothers_is_one_that_was_too_late(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*of: object, **how: object) -> None:
        raise OSError(5, "An error occurred (ConditionalRequestConflict) when calling the PutObject operation")

    monkeypatch.setattr(here.bucket.files, "pipe_file", conflict, raising=False)
    assert not here.bucket.create("x", b"")


def test_a_place_to_write_to_is_checked(here: RemoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    here.check()
    assert here.bucket.files.find(here.bucket.base) == []
    nowhere = f"{protocol(here)}://of-nobody"
    with pytest.raises(ValueError, match=f"store must be writable, got {nowhere}: .*does not exist"):
        RemoteStore(nowhere).check()
    monkeypatch.setattr(here.bucket.files, "pipe_file", lambda path, data, mode, **how: None, raising=False)
    monkeypatch.setattr(here.bucket.files, "rm_file", lambda path: None, raising=False)
    with pytest.raises(ValueError, match=f"must refuse to write an object twice, got {here.url}"):
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
