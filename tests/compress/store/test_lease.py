"""Who makes an entry holds its lease: the same in a folder and in a bucket, whose processes are real ones."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import Timeout

from compress.store.bucket import RemoteStore, open_store
from compress.store.folder import Lock, Store
from compress.store.objects import PROTOCOLS, Bucket

KEY = "ab" * 16
LEASE = 2.0
PROGRAM = """
import socket, sys, time
where, key, host, seconds = sys.argv[1:]
socket.gethostname = lambda: host
from compress.store.bucket import open_store
from compress.store.folder import Store
Store.lease_s = %s
lock = open_store(where).lock(key)
print("ready", flush=True)
sys.stdin.readline()
lock.acquire(timeout=60)
print(time.monotonic(), flush=True)
time.sleep(float(seconds))
print(time.monotonic(), flush=True)
lock.release()
"""


@pytest.fixture(params=["folder", *PROTOCOLS])
def where(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_bucket: Callable[[str], str],
) -> str:
    """Where the store is, without any entry."""
    monkeypatch.setattr(Store, "lease_s", LEASE)
    return str(tmp_path / "store") if request.param == "folder" else new_bucket(request.param)


def leases(where: str) -> list[str]:
    """Those that are held, or were and not given back."""
    store = open_store(where)
    if isinstance(store, RemoteStore):
        return list(store.bucket.files.glob(f"{store.bucket.base}/locks/*", refresh=True))
    return [str(path) for path in (store.root / "locks").iterdir()]


class Process:
    """Another process, on this or another host, that takes the lease of `KEY` when told to."""

    def __init__(self, where: str, host: str, seconds: float = 600.0) -> None:
        command = [sys.executable, "-c", PROGRAM % LEASE, where, KEY, host, str(seconds)]
        self.running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.running.stdout is not None
        return self.running.stdout.readline().strip()

    def take(self) -> None:
        assert self.running.stdin is not None
        self.running.stdin.write("\n")
        self.running.stdin.flush()

    def kill(self) -> None:
        self.running.kill()
        self.running.communicate()


@pytest.fixture
def process(where: str) -> Iterator[Callable[..., Process]]:
    """Starts processes, `process(host, seconds)`; those that still run afterwards are killed."""
    started: list[Process] = []

    def start(host: str, seconds: float = 600.0) -> Process:
        started.append(Process(where, host, seconds))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def held(process: Process) -> Process:
    process.take()
    assert float(process.line()) > 0
    return process


def wait_in_steps(lock: Lock, seconds: float) -> float:
    """As a pipeline waits: in one object, again and again; how long it took in s."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        with suppress(Timeout):
            lock.acquire(timeout=0.3)
            return time.monotonic() - started
    raise Timeout(str(lock))


def test_a_lease_is_waited_for_and_given_up_at_once_by_a_killed_holder_of_this_host(
    where: str, process: Callable[..., Process]
) -> None:
    holder = held(process(socket.gethostname()))
    with pytest.raises(Timeout):
        open_store(where).lock(KEY).acquire(timeout=0.2)
    for key, seconds in (("cd" * 16, 0.2), (KEY, LEASE / 2)):  # of another entry: free
        lock = open_store(where).lock(key)
        lock.acquire(timeout=seconds)
        lock.release()
        holder.kill()
    assert leases(where) == []


def test_a_lease_of_another_host_is_kept_while_its_holder_lives_and_expires_after_it(
    where: str, process: Callable[..., Process]
) -> None:
    holder = held(process("elsewhere"))
    with pytest.raises(Timeout):
        wait_in_steps(open_store(where).lock(KEY), 1.5 * LEASE)
    holder.kill()
    lock = open_store(where).lock(KEY)
    assert wait_in_steps(lock, 10 * LEASE) >= LEASE
    lock.release()
    assert leases(where) == []


def test_of_two_that_want_an_expired_lease_one_waits_for_the_other(where: str, process: Callable[..., Process]) -> None:
    held(process("lost")).kill()
    other = process("another", 0.4)
    other.take()
    lock = open_store(where).lock(KEY)
    wait_in_steps(lock, 20 * LEASE)
    begun = time.monotonic()
    time.sleep(0.4)
    ended = time.monotonic()
    lock.release()
    (_, first_ended), (next_begun, _) = sorted([(begun, ended), (float(other.line()), float(other.line()))])
    assert first_ended <= next_begun or "://" in where, "in a bucket both may have seen the same dead one at once"


def test_a_holder_that_was_taken_for_dead_leaves_its_successor_the_lease(bucket: str) -> None:
    store = RemoteStore(bucket)
    late = store.lock(KEY)
    late.acquire(timeout=0)
    store.bucket.write(late.name, b'{"token": "of another"}')
    late.release()
    assert store.bucket.read(late.name) == b'{"token": "of another"}'


def test_a_claim_that_was_made_but_not_answered_is_ours(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = RemoteStore(bucket).lock(KEY)
    create = Bucket.create

    def unanswered(self: Bucket, name: str, data: bytes) -> bool:
        create(self, name, data)
        return False

    monkeypatch.setattr(Bucket, "create", unanswered)
    lock.acquire(timeout=0)
    lock.release()
    assert leases(bucket) == []


def test_a_lease_that_cannot_be_given_back_is_said(
    bucket: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lock = RemoteStore(bucket).lock(KEY)
    lock.acquire(timeout=0)

    def denied(*of: object, **how: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(lock.bucket.files, "rm_file", denied, raising=False)
    lock.release()
    assert "PermissionError: not yours; the lease locks/" in caplog.text
