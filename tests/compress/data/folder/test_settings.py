"""`task.toml` and `labels.csv` of a folder: what they say is done; a broken rule is told with the known words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from compress.data.augmentation import Augment
from compress.data.splits import DataError, TensorSplit
from compress.data.tasks import Task, load_task
from compress.goals import Classification, MultiLabel, Regression
from tests.compress.data.folder.test_listing import write

CLASSES = ("bad", "good")


def noise(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.RandomState(seed).randint(256, size=(12, 16)).astype(np.uint8)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of 12 x 16 noise: 6 good and 3 bad in `train/`, 2 of each in `val/` and `test/`."""
    for part, counts in {"train": (3, 6), "val": (2, 2), "test": (2, 2)}.items():
        for name, count in zip(CLASSES, counts, strict=True):
            for number in range(count):
                write(tmp_path / "parts" / part / name / f"{number}.png", noise(number + 10 * len(part) + len(name)))
    return tmp_path / "parts"


def read(root: Path, text: str) -> Task:
    (root / "task.toml").write_text(text)
    return load_task(f"folder:{root}", again=True)


def test_a_folder_is_prepared_as_its_file_says(parts: Path) -> None:
    task = read(
        parts,
        'size = [6, 8]\nfit = "resize"\nmean = 100\nstd = 50\naugment = {crop = 2}\nvalidation = "val"\n'
        'quality = "f1"\nweights = {bad = 3}\n',
    )
    assert (task.shape, task.mean, task.std, task.augment) == ((1, 6, 8), (100.0,), (50.0,), Augment(2, False))
    assert (len(task.train), len(task.validation), len(task.test)) == (9, 4, 4)
    assert task.goal == Classification(CLASSES, "f1", (3.0, 1.0))
    assert task.pixels == "grey from 0 to 255, upright, resized to 6 x 8 pixels (bilinear)"
    assert not task.notes
    assert isinstance(task.test, TensorSplit)
    first = Image.open(parts / "test/bad/0.png").resize((8, 6), Image.Resampling.BILINEAR)
    assert np.array_equal(task.test.images[0, 0].numpy(), np.asarray(first))


def test_padding_keeps_the_whole_image_on_black(parts: Path) -> None:
    task = read(parts, 'size = 16\nfit = "pad"\naugment = "none"\nnormalise = false\n')
    assert isinstance(task.test, TensorSplit)
    assert torch.equal(task.test.images[0, 0, 2:14], torch.from_numpy(np.array(Image.open(parts / "test/bad/0.png"))))
    assert task.test.images[:, :, :2].max() == 0
    assert "resized to fit, on black, not normalised, not augmented" in task.summary


def test_balanced_weights_are_those_of_scikit_learn(parts: Path) -> None:
    goal = read(parts, 'weights = "balanced"\n').goal
    assert isinstance(goal, Classification)
    assert goal.weights == (9 / (2 * 3), 9 / (2 * 6))


def test_a_file_that_says_nothing_new_is_the_folder_itself(parts: Path) -> None:
    plain = load_task(f"folder:{parts}")
    assert read(parts, "# nothing\n").fingerprint == plain.fingerprint
    assert read(parts, "size = [12, 16]\naugment = {crop = 1, flip = true}\n").fingerprint == plain.fingerprint


@pytest.mark.parametrize("text", ['fit = "pad"', 'quality = "f1"', 'augment = "none"', "mean = 1\nstd = 2", "size = 8"])
def test_what_the_file_changes_changes_the_fingerprint(text: str, parts: Path) -> None:
    assert load_task(f"folder:{parts}").fingerprint != read(parts, text).fingerprint


def test_settings_share_a_cache_without_taking_each_others_images(parts: Path, tmp_path: Path) -> None:
    name, found = f"folder:{parts}", []
    for text in ("size = 8", "size = 6", "size = 8"):
        (parts / "task.toml").write_text(text)
        found.append(load_task(name, cache_dir=tmp_path / "cache", again=True))
    assert [task.shape for task in found] == [(1, 8, 8), (1, 6, 6), (1, 8, 8)]
    assert found[0].fingerprint == found[2].fingerprint


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sise = 8", "unknown key 'sise', known are size, fit, .*; size is meant, perhaps"),
        ("size = ", "must be a file of TOML, got TOMLDecodeError"),
        (
            "size = [1, 2, 3]",
            r"size must be \[height, width\], or one number for both, from 1 to 4096, got \[1, 2, 3\]",
        ),
        ("size = 0", "size must be .*, got 0"),
        ("size = true", "size must be .*, got True"),
        ("size = 5000", "size must be .*, got 5000"),
        ('fit = "stretch"', "fit: unknown 'stretch', known are crop, resize, pad"),
        ('mean = "dark"', "mean must be a number, or a list of one a channel, got 'dark'"),
        ("mean = 1", "mean and std must both be given, got mean alone"),
        ("mean = 0.5\nstd = 0.25", r"std must be on the images' scale, 0 to 255, got \[0.25\]; multiply by 255"),
        ("mean = 1\nstd = 0", r"std must be above 0, got \[0.0\]"),
        ("mean = [1, 2]\nstd = [1, 2]", r"mean and std must be a number, or 1 for these images, got \[1.0, 2.0\]"),
        ("normalise = 1", "normalise must be true or false, got 1"),
        ('augment = "rotate"', "augment must be 'none', or a table such as {crop = 4, flip = true}, got 'rotate'"),
        ("augment = {crop = -1}", "augment: crop must be a whole number of pixels, got -1"),
        ("augment = {flip = 1}", "augment: flip must be true or false, got 1"),
        ('validation = "../val"', "validation must be the name of a folder beside train/ and test/"),
        ('validation = "valid"', "a folder valid/ with one folder a class must be there, got none"),
        ('goal = "regress"', "goal: unknown 'regress', known are classification, regression, multilabel"),
        ('goal = "regression"', "labels.csv must be a readable file in UTF-8, got FileNotFoundError"),
        ('columns = ["a"]', r"columns must be left out for a classification, got \('a',\)"),
        ('quality = "beauty"', "quality: unknown 'beauty', known are accuracy, balanced-accuracy, f1"),
        ("weights = {ugly = 2}", "weights: unknown 'ugly', known are bad, good"),
        ("weights = 3", "weights must be 'balanced', or a number of at least 0 by class, got 3"),
        ("smoothing = 1", r"classification: smoothing must be in \[0, 1\), got 1"),
    ],
)
def test_a_wrong_file_is_refused(text: str, sentence: str, parts: Path) -> None:
    with pytest.raises(DataError, match=f"folder:.*parts: .*{sentence}"):
        read(parts, text)


@pytest.fixture
def angles(tmp_path: Path) -> Path:
    """A folder of 6 images for training, 3 for test, each with an angle and two labels."""
    rows = ["image,yaw,left,right"]
    for part, count in (("train", 6), ("test", 3)):
        for number in range(count):
            write(tmp_path / "angles" / part / f"{number}.png", noise(number + 10 * len(part)))
            rows.append(f"{part}/{number}.png,{number / 2},{number % 2},1")
    (tmp_path / "angles" / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "angles"


def test_labels_make_a_regression_of_chosen_columns(angles: Path) -> None:
    task = read(angles, 'goal = "regression"\ncolumns = ["yaw"]\nunit = "degrees"\nquality = "rmse"\n')
    assert isinstance(task.goal, Regression)
    assert (task.goal.names, task.goal.unit, task.goal.quality) == (("yaw",), "degrees", "rmse")
    assert task.test.targets.tolist() == [[0.0], [0.5], [1.0]]
    assert (len(task.train), len(task.validation)) == (5, 1)
    assert task.goal.scale == pytest.approx((task.train.targets.std(correction=0).item(),))
    assert task.shape == (1, 12, 16)


def test_labels_make_several_labels(angles: Path) -> None:
    task = read(angles, 'goal = "multilabel"\ncolumns = ["left", "right"]\nweights = {left = 2}\n')
    assert task.goal == MultiLabel(("left", "right"), positive_weights=(2.0, 1.0))
    assert task.test.targets.tolist() == [[0, 1], [1, 1], [0, 1]]


def test_rows_and_images_that_are_not_used_are_said(angles: Path) -> None:
    write(angles / "train" / "more.png", noise(99))
    with (angles / "labels.csv").open("a") as rows:
        rows.write("val/0.png,1,1,1\n")
    notes = read(angles, 'goal = "regression"\n').notes
    assert notes == ("passed over: 1 rows of other folders (val/), 1 images without a row (more.png)",)


@pytest.mark.parametrize(
    ("row", "settings", "sentence"),
    [
        ("train/9.png,1,1,1", "", "line 11 must name an image below train/, got 'train/9.png'"),
        ("train/0.png,1,1,1", "", "an image must have one row, got 'train/0.png' again in line 11"),
        ("val/0.png,1,1", "", "line 11 must have 4 cells like the first, got 3"),
        ("val/0.png,nan,1,1", "", "line 11: yaw must be a finite number, got 'nan'"),
        ("val/0.png,much,1,1", "", "line 11: yaw must be a finite number, got 'much'"),
        ("", 'columns = ["roll"]', "a column must be named once in the first line, got 'roll', known are yaw, left"),
        ("", 'validation = "val"', "a folder val/ must be there, got none"),
        ("", 'loss = "huber"', "loss: unknown 'huber', known are mse, smooth-l1, l1"),
        ("", "weights = {yaw = 1}", "weights must be left out for a regression"),
    ],
)
def test_wrong_labels_are_refused(row: str, settings: str, sentence: str, angles: Path) -> None:
    with (angles / "labels.csv").open("a") as rows:
        rows.write(row)
    with pytest.raises(DataError, match=f"folder:.*angles: .*{sentence}"):
        read(angles, f'goal = "regression"\n{settings}\n')


def test_values_of_labels_must_be_0_or_1(angles: Path) -> None:
    with pytest.raises(DataError, match=r"folder:.*angles: train: targets must be 0 or 1, got 0.5"):
        read(angles, 'goal = "multilabel"\n')


def test_labels_without_a_goal_are_hinted_at(angles: Path) -> None:
    with pytest.raises(DataError, match=r"labels.csv is read where task.toml says goal = 'regression' or 'multilabel'"):
        load_task(f"folder:{angles}")
