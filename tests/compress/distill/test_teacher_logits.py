"""A teacher's logits, kept by view: what is there, what is not, and what a crash or a full disk leaves."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from compress.data.splits import Augment
from compress.data.tasks import Task
from compress.distill import KD
from compress.distill.teacher_logits import CHUNK, Views
from compress.distill.teaching import Teaching
from compress.machine.stopwatch import Stopwatch
from compress.models import Model
from compress.pipeline import Pipeline
from compress.plan import plan
from compress.recipe import Recipe
from compress.stages import Distill, Stage
from compress.step_runner import StepRunner
from compress.store.files import Files
from compress.store.folder import Store
from compress.training.settings import Training

IMAGES, VIEWS, CLASSES = 7, 18, 10


class Teacher:
    """Logits that depend on image and view alone; counts what it was asked."""

    def __init__(self, index: Tensor, view: Tensor | None) -> None:
        self.index, self.view, self.asked = index, view, list[int]()

    def __call__(self, positions: Tensor) -> Tensor:
        assert len(positions) == CHUNK
        self.asked = list(dict.fromkeys([*self.asked, *positions.tolist()]))
        return truth(self.index[positions], None if self.view is None else self.view[positions])


def truth(index: Tensor, view: Tensor | None) -> Tensor:
    shown = torch.zeros_like(index) if view is None else view
    return torch.sin((index * VIEWS + shown + 1).float()[:, None] * torch.arange(1, CLASSES + 1)) * 8


def show(views: Views, index: list[int], view: list[int] | None) -> tuple[Tensor, list[int]]:
    at, seen = torch.tensor(index), None if view is None else torch.tensor(view)
    teacher = Teacher(at, seen)
    return views.logits(at, seen, teacher), teacher.asked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "views" / "teacher.f16"


@pytest.fixture
def views(path: Path) -> Views:
    return Views(path, IMAGES, VIEWS, CLASSES)


def test_what_was_seen_is_not_computed_again_and_is_bitwise_the_same(views: Views, path: Path) -> None:
    first, asked = show(views, [3, 0, 6], [17, 0, 5])
    assert asked == [0, 1, 2]
    again, asked = show(Views(path, IMAGES, VIEWS, CLASSES), [6, 3, 6], [5, 17, 4])
    assert asked == [2], "another view of image 6 is another input"
    assert torch.equal(again[:2], first[[2, 0]])


def test_logits_are_right_to_half_precision(views: Views) -> None:
    index, view = torch.arange(IMAGES), torch.arange(IMAGES)
    found, _ = show(views, index.tolist(), view.tolist())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, truth(index, view), rtol=2**-11, atol=1e-7)


def test_without_augmentation_an_image_has_one_view(path: Path) -> None:
    views = Views(path, IMAGES, 1, CLASSES)
    first, _ = show(views, [2, 1], None)
    again, asked = show(views, [1, 2], None)
    assert asked == []
    assert torch.equal(again, first.flip(0))


def test_a_row_of_zeros_is_kept_too(views: Views) -> None:
    index, view = torch.tensor([1]), torch.tensor([1])
    views.logits(index, view, lambda positions: torch.zeros(len(positions), CLASSES))
    kept = views.logits(index, view, lambda positions: pytest.fail("it was kept"))
    assert not kept.any()


@pytest.mark.parametrize("byte", range(0, 2 * (CLASSES + 1), 3))
def test_a_row_that_was_cut_short_or_hurt_is_computed_again(views: Views, path: Path, byte: int) -> None:
    whole, _ = show(views, [4], [2])
    with path.open("r+b") as file:
        file.seek(2 * (CLASSES + 1) * (4 * VIEWS + 2) + byte)
        (was,) = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([was ^ 0x55]))
    again, asked = show(views, [4], [2])
    assert asked == [0]
    assert torch.equal(again, whole)


def test_a_row_that_belongs_elsewhere_is_computed_again(views: Views, path: Path) -> None:
    """As after a file was cut or glued at the border of rows."""
    whole, _ = show(views, [4, 5], [2, 3])
    size = 2 * (CLASSES + 1)
    one, other = (size * (image * VIEWS + view) for image, view in ((4, 2), (5, 3)))
    content = path.read_bytes()
    with path.open("r+b") as file:
        for source, target in ((one, other), (other, one)):
            file.seek(target)
            file.write(content[source : source + size])
    again, asked = show(views, [4, 5], [2, 3])
    assert asked == [0, 1]
    assert torch.equal(again, whole)


def test_a_hole_is_missing_at_every_place(path: Path) -> None:
    views = Views(path, 100_000, 1, 2)
    _, asked = show_all(views, 100_000)
    assert asked == 100_000


def show_all(views: Views, count: int) -> tuple[Tensor, int]:
    """Logits of all images, with the number of images computed."""
    missing: list[int] = []

    def compute(positions: Tensor) -> Tensor:
        missing.extend(positions.tolist())
        return torch.zeros(len(positions), 2)

    found = views.logits(torch.arange(count), None, compute)
    return found, len(set(missing))


def test_the_file_takes_the_space_of_what_it_has(tmp_path: Path) -> None:
    views = Views(tmp_path / "big.f16", 50_000, 162, 100)
    show_big = torch.zeros(1, 100)
    views.logits(torch.tensor([49_999]), torch.tensor([161]), lambda positions: show_big)
    said = (tmp_path / "big.f16").stat()
    assert said.st_size == 2 * 50_000 * 162 * 101
    assert said.st_blocks * 512 < 1e6


def test_a_full_disk_costs_the_cache_and_not_the_training(
    views: Views, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found, asked = show(views, [1, 2], [3, 4])
            assert asked == [0, 1]
    torch.testing.assert_close(found, truth(torch.tensor([1, 2]), torch.tensor([3, 4])), rtol=2**-11, atol=1e-7)
    assert [record.message for record in caplog.records] == [
        "views: a teacher's logits are not kept: No space left on device"
    ]


def taught(store: Store, task: Task, recipe: Recipe) -> list[str]:
    """Hashes of the recipe's models, made anew."""
    for entry in store.root.glob("??/*"):
        shutil.rmtree(entry)
    return [Files.read(Path(made.path)).sha256 for made in Pipeline(task, store).run(recipe)]


def test_a_student_is_bitwise_the_same_whoever_asked_its_teacher_before(tiny: Task, store: Store) -> None:
    once = Training(epochs=2, batch_size=48)
    recipe = Recipe("digits", Model("cnn", 0.25), (Distill(KD(), once),), Model("cnn", 0.5), once)
    cold = taught(store, tiny, recipe)
    assert [path.suffix for path in (store.root / "views").iterdir()] == [".f16"]
    taught(store, tiny, replace(recipe, seed=1, stages=(Distill(KD(), Training(epochs=5, batch_size=32)),)))
    assert taught(store, tiny, recipe) == cold


def test_a_teacher_that_was_asked_all_is_not_asked_again(tiny: Task, store: Store, path: Path) -> None:
    teacher, student = Model("cnn", 0.5).build(10, 1), Model("cnn", 0.25).build(10, 1)
    assert isinstance(tiny.augment, Augment)
    views = Views(path, len(tiny.train), tiny.augment.views, 10)
    first = next(tiny.train.batches(64))
    kept, plain = (Teaching(student, teacher, KD(), first, targets=tiny.train.targets, views=v) for v in (views, None))
    batch = next(tiny.train.batches(64, torch.Generator().manual_seed(0), tiny.augment))
    torch.testing.assert_close(kept(batch), plain(batch), rtol=1e-3, atol=1e-3)
    before = kept(batch)
    teacher.forward = lambda images: pytest.fail("it was asked")
    assert torch.equal(kept(batch), before)


def fill(path: Path, start: int) -> None:
    views = Views(path, IMAGES, VIEWS, CLASSES)
    for view in range(VIEWS):
        show(views, [(start + n) % IMAGES for n in range(IMAGES)], [view] * IMAGES)


def test_processes_that_write_at_once_leave_whole_rows(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=fill, args=(path, start)) for start in (0, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    views = Views(path, IMAGES, VIEWS, CLASSES)
    for view in range(VIEWS):
        found, asked = show(views, list(range(IMAGES)), [view] * IMAGES)
        assert asked == []
        torch.testing.assert_close(
            found, truth(torch.arange(IMAGES), torch.full((IMAGES,), view)), rtol=2**-11, atol=1e-7
        )


def kept(task: Task, store: Store, stage: Stage, pad: int = 1, images: int | None = None) -> bool:
    """Whether a teacher's logits are kept for a student of this stage, of images bordered by so many pixels."""
    task = replace(task, augment=Augment(pad, True))
    if images is not None:
        labels = torch.zeros(1, dtype=torch.long).expand(images)
        task = replace(task, train=replace(task.train, targets=labels))
    recipe = Recipe("digits", Model("cnn", 0.25), (stage,), Model("cnn", 0.5), Training(epochs=1))
    step = next(step for step in plan(recipe, "x") if step.teacher is not None)
    assert step.teacher is not None
    work = StepRunner(
        task, store, lambda step: pytest.fail("nothing is made"), pytest.fail, Stopwatch({}), lambda *_: None
    )
    return work._views(step, step.teacher) is not None


def test_logits_are_kept_only_where_views_come_again(tiny: Task, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(epochs: int) -> Distill:
        return Distill(KD(), Training(epochs=epochs))

    assert kept(tiny, store, shown(8), pad=4), "162 views, eight of them shown"
    assert not kept(tiny, store, shown(100), pad=28), "6,498 views of an image of 224 pixels"
    assert not kept(tiny, store, shown(100), images=10**10), "a file that no disk holds"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not kept(tiny, store, shown(100), pad=4)
    assert kept(tiny, store, shown(200), pad=4)
    assert sorted(path.suffix for path in (store.root / "views").iterdir()) == [".f16"] * 2
