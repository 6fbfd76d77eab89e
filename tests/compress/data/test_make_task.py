"""A task of a user's data: tensors, arrays and data sets become splits; what breaks a rule is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from compress.data.augmentation import Augment
from compress.data.make_task import make_task
from compress.data.splits import DataError, StreamSplit, TensorSplit
from compress.data.tasks import Task
from compress.goals import Classification, MultiLabel, Regression, Segmentation

LABELS = Classification(("good", "bad"))


def images(count: int = 20, shape: tuple[int, ...] = (1, 4, 6), seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.RandomState(seed).randint(256, size=(count, *shape)).astype(np.uint8)


def labels(count: int = 20) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.arange(count) % 2


def pair(count: int = 20, seed: int = 0) -> tuple[Any, Any]:
    return images(count, seed=seed), labels(count)


def task(**more: Any) -> Task:
    return make_task(LABELS, **{"train": pair(), "validation": pair(6, 1), "test": pair(8, 2), **more})


class Pictures(Dataset[tuple[Image.Image, int]]):
    """Items as torchvision's folders give them."""

    def __init__(self, count: int = 20) -> None:
        self.pixels = images(count, (4, 6, 3))

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(self.pixels[index]), index % 2


def test_arrays_become_three_splits_and_a_line() -> None:
    made = task(augment=Augment(1, True), name="parts")
    assert (len(made.train), len(made.validation), len(made.test), made.shape) == (20, 6, 8, (1, 4, 6))
    assert made.summary == (
        f"parts: 2 classes, 20 / 6 / 8 images, 1 x 4 x 6 as they are, normalised by ({made.mean[0]:.1f}, "
        f"{made.std[0]:.1f}), augmented by crop 1 and flip; validation: one image is 16.67 points"
    )


def test_mean_and_deviation_are_those_of_the_training_images() -> None:
    made = task()
    assert made.mean[0] == pytest.approx(images().mean())
    assert made.std[0] == pytest.approx(images().std())


def test_floats_stay_floats_without_normalisation() -> None:
    given = torch.from_numpy(images()).float() / 7
    made = task(
        train=(given, labels()), validation=(given[:6], labels(6)), test=(given[:4], labels(4)), normalise=False
    )
    assert torch.equal(made.test.first(4).images, given[:4])
    assert "not normalised" in made.summary


@pytest.mark.parametrize("stream", [False, True])
def test_a_data_set_of_pillows_images_is_held_or_streamed(stream: bool) -> None:
    made = make_task(LABELS, Pictures(), Pictures(6), Pictures(8), stream=stream)
    assert isinstance(made.train, StreamSplit if stream else TensorSplit)
    assert made.shape == (3, 4, 6)
    expected = torch.from_numpy(images(8, (4, 6, 3))).movedim(-1, 1).float()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (made.mean, made.std))
    (batch,) = made.test.batches(8)
    assert torch.equal(batch.images, (expected - mean) / std)
    assert batch.targets.tolist() == [0, 1] * 4


def test_streamed_and_held_data_are_the_same_task_in_all_but_memory() -> None:
    held, streamed = (make_task(LABELS, Pictures(), Pictures(6), Pictures(8), stream=s) for s in (False, True))
    assert (held.fingerprint, held.mean, held.std) == (streamed.fingerprint, streamed.mean, streamed.std)


def test_a_large_streamed_set_says_how_it_is_identified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress.data.identity.SAMPLE", 5)
    made = make_task(LABELS, Pictures(), stream=True)
    assert "the data are identified by all targets and 5 images of each split" in made.notes


def test_what_is_left_out_is_held_out_of_every_class_and_said() -> None:
    made = make_task(LABELS, pair(40))
    assert (len(made.train), len(made.validation), len(made.test)) == (28, 4, 8)
    assert torch.bincount(made.test.targets).tolist() == [4, 4]
    assert made.notes == ("test: 8 of 40 images held out of train, of every class",)
    assert make_task(LABELS, pair(40)).fingerprint == made.fingerprint


def test_a_regression_gets_columns_of_floats_and_its_scale() -> None:
    made = make_task(Regression(("angle",), "degrees"), (images(), np.arange(20)), (images(6), np.arange(6)))
    assert made.train.targets.shape[1:] == (1,)
    assert made.train.targets.dtype == torch.float32
    assert isinstance(made.goal, Regression)
    assert made.goal.scale == pytest.approx((made.train.targets.std(correction=0).item(),))


def test_labels_and_maps_keep_their_shape() -> None:
    several = make_task(MultiLabel(("a", "b")), (images(), np.eye(2, dtype=int)[labels()]))
    assert several.train.targets.dtype == torch.float32
    maps = np.zeros((20, 1, 4, 6), np.uint8)
    dense = make_task(Segmentation(("a", "b")), (images(), maps), augment=Augment(1, True))
    assert dense.train.targets.shape[1:] == (4, 6)
    assert dense.augment == Augment(1, True, ignored=255)


@pytest.mark.parametrize(
    ("classes", "ignored", "kept", "known"),
    [
        (2, 255, torch.uint8, "5159e6f2"),
        (255, 255, torch.uint8, "14382c27"),
        (256, 255, torch.int16, "90872879"),
        (3, -1, torch.int8, "39eee4af"),
        (300, -100, torch.int16, "97ebf1da"),
    ],
)
@pytest.mark.parametrize("given", [np.int32, np.int64])
def test_targets_of_a_segmentation_are_small_in_memory_int64_in_batches_and_known_as_they_were(
    classes: int, ignored: int, kept: torch.dtype, known: str, given: type
) -> None:
    maps: Any = (np.arange(20 * 4 * 6) * 7 % classes).reshape(20, 4, 6).astype(given)
    maps[:, 0] = ignored
    made = make_task(Segmentation(tuple(map(str, range(classes))), ignored=ignored), (images(), maps))
    assert {split.targets.dtype for split in (made.train, made.validation, made.test)} == {kept}
    whole = torch.cat([next(split.batches(20)).targets for split in (made.train, made.validation, made.test)])
    assert whole.dtype == torch.int64
    assert set(whole.flatten().tolist()) == set(maps.flatten().tolist())
    assert made.fingerprint[:8] == known, "that of a version that kept int64"


def test_maps_of_bytes_and_labels_of_bytes_are_taken_as_others_are() -> None:
    maps = np.arange(20 * 4 * 6).reshape(20, 4, 6) % 2
    goal = Segmentation(("a", "b"))
    assert (
        make_task(goal, (images(), maps.astype(np.uint8))).fingerprint == make_task(goal, (images(), maps)).fingerprint
    )
    bytes_ = make_task(LABELS, (images(), labels().astype(np.uint8)))
    assert bytes_.train.targets.dtype == torch.int64
    assert bytes_.fingerprint == make_task(LABELS, (images(), labels())).fingerprint
    with pytest.raises(DataError, match=r"train: targets must be in \[0, 2\), or 255 to be ignored, got 254"):
        make_task(goal, (images(), np.full((20, 4, 6), 254, np.uint8)))
    with pytest.raises(DataError, match=r"train: targets must be in \[0, 2\), or 255 to be ignored, got 511"):
        make_task(goal, (images(), np.full((20, 4, 6), 511)))


@pytest.mark.parametrize(
    "other",
    [
        {"augment": Augment(1, False)},
        {"augment": lambda images: images.flip(-1)},
        {"mean": 5.0, "std": 50.0},
        {"normalise": False},
        {"test": pair(8, 5)},
        {"fingerprint": "photographs of May"},
    ],
)
def test_the_fingerprint_changes_with_all_that_trains_another_network(other: dict[str, Any]) -> None:
    assert task(**other).fingerprint != task().fingerprint


def test_the_fingerprint_changes_with_the_goal_and_not_with_the_name() -> None:
    weighted = make_task(Classification(("good", "bad"), weights=(1, 5)), pair(), pair(6, 1), pair(8, 2))
    assert weighted.fingerprint != task().fingerprint
    assert task(name="other").fingerprint == task().fingerprint


def test_equal_images_in_two_splits_are_said() -> None:
    assert task(test=pair()).notes == ("20 of 20 test images are in train too",)


class Wrong(Dataset[Any]):
    def __init__(self, item: Callable[[int], Any], count: int = 4) -> None:
        self.item, self.count = item, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return self.item(index)


def raises(index: int) -> Any:
    raise OSError("disk gone")


WHOLE = images(1)[0]
GIVEN = (images(), labels())


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"train": 5}, r"train: must be \(images, targets\), or a Dataset .* got a int"),
        ({"train": (images(), labels(3))}, "train: each image must have a target, got 20 images, 3 targets"),
        ({"train": (images(0), labels(0))}, "train: must have images, got none"),
        ({"train": (images(1), labels(1))}, "train: must have at least 2 images, got 1"),
        ({"train": (images(20, (4,)), labels())}, r"images must be \(N, C, H, W\), or grey \(N, H, W\), got \(20, 4\)"),
        ({"train": ("cat", labels())}, "train: images must be a tensor or an array of numbers, got TypeError"),
        ({"train": (images(), ["cat"] * 20)}, "train: targets must be numbers"),
        ({"train": (images(), labels() + 1)}, r"train: targets must be in \[0, 2\), numbers of classes from 0, got 2"),
        ({"train": (images(), labels() * np.nan)}, r"train: targets of a classification must be whole numbers \(N,\)"),
        ({"train": (np.where(images() > 250, np.nan, images()), labels())}, "train: images must be finite, got nan in"),
        ({"test": (images(8, (1, 6, 4)), labels(8))}, "test: images must have the shape .* 1 x 4 x 6, got 1 x 6 x 4"),
        ({"test": Wrong(raises)}, "test: item 0 must be readable, got OSError: disk gone"),
        ({"test": Wrong(lambda i: WHOLE)}, r"test: an item must be \(image, target\), got a ndarray for item 0"),
        (
            {"test": Wrong(lambda i: (WHOLE[:, i:], 0))},
            "test: all images must have one shape, 1 x 4 x 6, got 1 x 3 x 6",
        ),
        ({"test": Wrong(lambda i: (WHOLE, "cat"))}, "test: the target of item 0 must be numbers, got 'cat'"),
        ({"test": Wrong(lambda i: (np.random.rand(1, 4, 6), 0))}, "test: an item must be the same every time"),
        ({"mean": 1.0}, "mean and std: both must be given, or neither, got mean alone"),
        ({"mean": (0.5, 0.5), "std": 1.0}, "mean: must be a number, or 1, one a channel"),
        ({"mean": 0.5, "std": 0.25}, "std: must be on the images' scale, 0 to 255, got 0.25; multiply"),
        ({"mean": 0.5, "std": 0.0}, "std: must be above 0, got 0"),
        ({"augment": 3}, "augment: must be an Augment, a transform or a function of a batch, got 3"),
        ({"augment": lambda images: 3}, "augment .*: must return images"),
        ({"name": "a b"}, "name: must be letters, digits, dots and dashes, got 'a b'"),
    ],
)
def test_data_that_break_a_rule_are_refused(more: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        task(**more)


def test_a_goal_must_be_a_goal() -> None:
    with pytest.raises(DataError, match="goal: must be a goal such as Classification"):
        make_task("classification", GIVEN)  # type: ignore[arg-type]


def test_a_data_sets_own_list_of_targets_is_used_only_where_items_agree() -> None:
    items = Wrong(lambda i: (WHOLE, i % 2), 20)
    items.targets = [1] * 20  # type: ignore[attr-defined]
    streamed = make_task(LABELS, items, TensorDataset(torch.zeros(2, 1, 4, 6), torch.tensor([0, 1])), stream=True)
    assert torch.bincount(streamed.train.targets).tolist() == [8, 8]
