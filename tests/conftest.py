"""What several tests share: the default task, a small trained network, an empty store. One thread, for equal bits."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from compress.data.splits import Batch, Split, TensorSplit
from compress.data.tasks import Task, load_task
from compress.measurement import Measurement
from compress.models import Model
from compress.models.own import own_family
from compress.pipeline import Pipeline
from compress.recipe import Recipe
from compress.stages import Stage, Train
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.loop import Loss, fit
from compress.training.settings import Training
from search.tracking import client
from search.uri import database
from tests.buckets import SERVERS

if TYPE_CHECKING:
    from mlflow import MlflowClient


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _no_width() -> None:
    """Started commands write whole lines: readline, which pytest imports, puts COLUMNS where `os.environ` is not."""
    os.environ.pop("COLUMNS", None)
    os.unsetenv("COLUMNS")


@pytest.fixture(scope="session", autouse=True)
def _schemas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new MLflow database of this process is a copy of its first: MLflow makes a schema for seconds."""
    first, connect, one = tmp_path_factory.mktemp("schema") / "mlflow.db", client.connect, threading.Lock()

    def copied(uri: str) -> MlflowClient:
        if uri.startswith("sqlite:///") and not database(uri).exists():
            with one:
                if not first.exists():
                    connect(f"sqlite:///{first}").search_experiments(max_results=1)
            with suppress(OSError):
                shutil.copy(first, database(uri))
        return connect(uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "connect", copied)
        yield


@pytest.fixture(scope="session")
def digits() -> Task:
    """The default task: 1 x 8 x 8, ten classes."""
    return load_task("digits")


@pytest.fixture(scope="session")
def tiny(digits: Task) -> Task:
    """The first 128 training, 64 validation and 64 test images of digits."""
    train, validation, test = (_first(digits.train, 128), _first(digits.validation, 64), _first(digits.test, 64))
    return replace(digits, train=train, validation=validation, test=test)


def _first(split: Split, count: int) -> Split:
    assert isinstance(split, TensorSplit)
    return replace(split, images=split.images[:count], targets=split.targets[:count])


@pytest.fixture(scope="session")
def calibration(digits: Task) -> Batch:
    """256 training images `(256, 1, 8, 8)` with their labels."""
    return next(digits.train.batches(256))


@pytest.fixture(scope="session")
def images(calibration: Batch) -> Tensor:
    """The images of `calibration`, normalised."""
    return calibration.images


@pytest.fixture(scope="session")
def trained(digits: Task) -> Files:
    """A small CNN after eight epochs on digits, about 97 % right; `module()` gives a fresh copy."""
    torch.manual_seed(0)
    model = Model("cnn").build(10, 1)
    fit(Loss(model), digits.train, Training(epochs=8), seed=0, augment=digits.augment)
    return Files.of(model, Model("cnn"), classes=10, channels=1)


@pytest.fixture
def net() -> nn.Module:
    """An untrained small CNN whose BN statistics and biases are not the ones it was built with."""
    torch.manual_seed(1)
    model = Model("cnn", 0.5).build(10, 1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.bias):
                assert tensor is not None
                nn.init.normal_(tensor, std=0.1)
    return model.eval()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


@pytest.fixture
def pipeline(tiny: Task, store: Store) -> Pipeline:
    """On the tiny task, in the empty store."""
    return Pipeline(tiny, store)


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """A recipe for a narrow CNN trained for one epoch, then the given stages."""

    def build(*stages: Stage, **fields: object) -> Recipe:
        wanted = {"task": "digits", "student": Model("cnn", 0.25), "stages": (Train(Training(epochs=1)), *stages)}
        return Recipe(**{**wanted, **fields})  # type: ignore[arg-type]

    return build


@pytest.fixture
def source(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], None]]:
    """Writes `source("package/file.py", text)` into the current folder; forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name: str, text: str) -> None:
        forget()
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def forget() -> None:
        own_family.cache_clear()
        for name, module in list(sys.modules.items()):
            folders = getattr(module, "__path__", []) if type(module) is ModuleType else []  # of one without a file
            places = map(str, (getattr(module, "__file__", None), *folders))
            if any(place.startswith(str(tmp_path_factory.getbasetemp())) for place in places):
                del sys.modules[name]
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)  # of a source of the same second and length

    forget()
    yield write
    forget()


@pytest.fixture
def measurement() -> Measurement:
    """Made-up figures."""
    return Measurement(0.5, 0.4, 10, 9, 100, 1000, 900, 1.0, 2.0, "cpu", 1, 3.0)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Callable[[str], dict[str, str]]]:
    """Starts the server that stands in for a cloud's buckets, once; gives the variables by which it is found."""
    with ExitStack() as held:
        yield cache(lambda protocol: held.enter_context(SERVERS[protocol]()))


@pytest.fixture
def new_bucket(
    cloud: Callable[[str], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """Gives the URL of an empty place in a bucket, which this process and those it starts can write to."""

    def make(protocol: str) -> str:
        import fsspec

        for name, value in {**cloud(protocol), "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
            monkeypatch.setenv(name, value)
        files = fsspec.filesystem(protocol)
        if not files.exists("models"):
            files.mkdir("models")
        return f"{protocol}://models/{uuid.uuid4().hex}"

    return make


@pytest.fixture
def bucket(new_bucket: Callable[[str], str]) -> str:
    """A place in a bucket of S3."""
    return new_bucket("s3")
