"""Tasks by name: their splits, what they are when files are missing, and the late import of torchvision."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compress.data import published
from compress.data.assembly import hold_out
from compress.data.splits import Augment, DataError, TensorSplit
from compress.data.tasks import TASKS, load_task, shown
from compress.machine.vision import import_torchvision


def test_digits_has_1797_images_in_three_disjoint_splits() -> None:
    task = load_task("digits")
    assert (len(task.train), len(task.validation), len(task.test)) == (1079, 359, 359)
    assert (task.shape, task.augment) == ((1, 8, 8), Augment(1, False))
    assert task.classes == tuple("0123456789")


def test_every_split_of_digits_holds_every_class_in_proportion() -> None:
    task = load_task("digits")
    whole = torch.bincount(torch.cat([part.targets for part in (task.train, task.validation, task.test)]))
    for part, share in ((task.train, 0.6), (task.validation, 0.2), (task.test, 0.2)):
        assert (torch.bincount(part.targets) - share * whole).abs().max() <= 1


def test_digits_is_normalised_over_its_training_images() -> None:
    images = torch.cat([batch.images for batch in load_task("digits").train.batches(500)])
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.fixture(scope="module")
def another_process() -> list[str]:
    code = (
        "import sys; from compress.data.tasks import load_task; "
        "print(load_task('digits').fingerprint, 'torchvision' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_digits_is_the_same_in_another_process(another_process: list[str]) -> None:
    assert another_process[0] == load_task("digits").fingerprint


def test_loading_digits_does_not_import_torchvision(another_process: list[str]) -> None:
    assert another_process[1] == "False"


def test_a_task_is_loaded_once_a_process() -> None:
    assert load_task("digits") is load_task("digits")


def test_a_task_moves_with_all_its_splits() -> None:
    task = load_task("digits").to("cpu")
    assert {part.device.type for part in (task.train, task.validation, task.test)} == {"cpu"}
    assert task.fingerprint == load_task("digits").fingerprint


def test_what_is_held_out_is_disjoint_stratified_and_always_the_same() -> None:
    labels = np.repeat(np.arange(3), [50, 20, 2])
    kept, held = hold_out(labels, 0.1)
    assert sorted([*kept, *held]) == list(range(72))
    assert np.bincount(labels[held]).tolist() == [5, 2, 1]
    assert np.array_equal(held, hold_out(labels, 0.1)[1])


def test_an_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(
        DataError, match=r"unknown 'mnist', known are cifar10, .*digits.*, folder:PATH and FILE.py:NAME"
    ):
        load_task("mnist")


class Stored:
    """Stands for a data set class of torchvision whose files are there."""

    classes = ("cat", "dog")

    def __init__(self, root: Path, train: bool, download: bool = False) -> None:
        count = 40 if train else 8
        self.data = np.arange(count * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(count, 32, 32, 3)
        self.targets = [i % 2 for i in range(count)]


class Missing:
    """Stands for one whose files are not there, on a machine without a network."""

    def __init__(self, root: Path, train: bool, download: bool = False) -> None:
        raise RuntimeError("no network" if download else "Dataset not found")


def test_a_tenth_of_cifars_training_images_validates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = SimpleNamespace(datasets=SimpleNamespace(CIFAR10=Stored))
    monkeypatch.setattr(published, "import_torchvision", lambda: stand_in)
    task = load_task("cifar10", tmp_path)
    assert (len(task.train), len(task.validation), len(task.test)) == (36, 4, 8)
    assert (task.classes, task.augment) == (("cat", "dog"), Augment(4, True))
    pixels = Stored(tmp_path, train=False).data[0].transpose(2, 0, 1)
    assert isinstance(task.test, TensorSplit)
    assert np.array_equal(task.test.images[0].numpy(), pixels)


@pytest.mark.parametrize(
    ("name", "dataset", "file"),
    [
        ("cifar10", "CIFAR10", "cifar-10-python.tar.gz"),
        ("cifar100", "CIFAR100", "cifar-100-python.tar.gz"),
        ("fashion-mnist", "FashionMNIST", "FashionMNIST/raw/"),
    ],
)
def test_a_missing_download_says_which_files_belong_where(
    name: str, dataset: str, file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = SimpleNamespace(datasets=SimpleNamespace(**{dataset: Missing}))
    monkeypatch.setattr(published, "import_torchvision", lambda: stand_in)
    with pytest.raises(DataError, match=r"must lie in .*, got none that is whole, .*\(no network\)") as refused:
        load_task(name, tmp_path)
    assert file in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_the_data_folder_is_paretune_data_unless_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = SimpleNamespace(datasets=SimpleNamespace(CIFAR10=Missing))
    monkeypatch.setattr(published, "import_torchvision", lambda: stand_in)
    monkeypatch.setenv("PARETUNE_DATA", str(tmp_path / "shared"))
    with pytest.raises(DataError, match="shared"):
        load_task("cifar10")
    assert list(tmp_path.iterdir()) == [], "what a failed download made is gone"


def test_torchvision_gives_models_data_sets_and_transforms_beside_any_torch() -> None:
    torchvision = import_torchvision()
    parts = (torchvision.models.resnet18, torchvision.datasets.CIFAR10, torchvision.transforms.RandomCrop)
    assert all(callable(part) for part in parts)
    assert import_torchvision() is torchvision


def test_another_error_of_torchvisions_import_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(f"{name}: wrong CUDA")

    monkeypatch.setattr("compress.machine.vision.importlib.import_module", broken)
    with pytest.raises(RuntimeError, match="torchvision: wrong CUDA"):
        import_torchvision()


def test_a_shown_task_does_not_say_where_the_images_lay() -> None:
    assert shown("folder:/home/me/cats") == "folder:cats"
    assert shown("first:500:folder:/home/me/cats") == "first:500:folder:cats"
    assert shown("first:500:digits") == "first:500:digits"
    assert shown("digits") == "digits"


def test_every_task_of_the_registry_is_described() -> None:
    assert all(load.__doc__ for load in TASKS.values())
