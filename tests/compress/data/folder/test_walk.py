"""Folders as people really have them: links, hidden and tool folders, odd names. Every file once, or a sentence."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.data.folder.listing import list_images
from compress.data.splits import DataError
from compress.data.tasks import load_task


def fill(root: Path, classes: tuple[str, ...] = ("a", "b")) -> Path:
    """Four training and two test images of each class, all different."""
    random = np.random.RandomState(0)
    for name in classes:
        for number in range(6):
            path = root / ("train" if number < 4 else "test") / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.randint(256, size=(8, 8, 3)).astype(np.uint8)).save(path)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A set of two classes, and a folder `more` of two more images beside it."""
    (tmp_path / "more").mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8), (number, 7, 7)).save(tmp_path / "more" / f"new{number}.png")
    return fill(tmp_path / "images")


def carry_out(root: Path, *steps: str) -> None:
    """`a -> b` makes a link, `a = b` a second name, `a < b` renames b, `a/` a folder, `!a` removes one; in `root`."""
    for step in steps:
        path, sign, target = step.replace("ROOT", str(root)).replace("MORE", str(root / "../more")).partition(" ")
        if path.startswith("!"):
            shutil.rmtree(root / path[1:])
        elif not sign:
            (root / path).mkdir(parents=True)
        elif target.startswith("-> "):
            (root / path).symlink_to(target[3:])
        elif target.startswith("= "):
            os.link(root / target[2:], root / path)
        else:
            (root / target[2:]).rename(root / path)


LINKS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "to the folder above": (("train/a/up -> ..",), 12, "1 linked to a folder above (up)"),
    "to itself": (("train/a/self -> .",), 12, "1 linked to a folder above (self)"),
    "to the whole set": (("train/a/all -> ROOT",), 12, "1 linked to a folder above (all)"),
    "to what holds the set": (("test/b/disk -> ROOT/..",), 12, "1 linked to a folder above (disk)"),
    "a class that is all classes": (("train/c -> .",), 12, "1 linked to a folder above (c)"),
    "to nothing": (("train/a/gone -> nowhere",), 12, "1 linked to nothing (gone)"),
    "to itself by name": (("train/a/loop -> loop",), 12, "1 linked to nothing (loop)"),
    "two that are each other": (("train/a/x -> y", "train/a/y -> x"), 12, "2 linked to nothing (x, y)"),
    "to a file of the class": (("train/a/9.png -> 0.png",), 12, "1 of a file that is read already (9.png)"),
    "a second name of a file": (("train/a/9.png = train/a/0.png",), 12, "1 of a file that is read already (9.png)"),
    "to a folder elsewhere": (("train/a/more -> MORE",), 14, ""),
    "a chain to a folder elsewhere": (("train/a/.1 -> MORE", "train/a/more -> .1"), 14, "1 hidden"),
    "twice to a folder": (
        ("train/a/x -> MORE", "train/a/y -> MORE"),
        14,
        "1 linked to a folder that is read already (y)",
    ),
    "to a file elsewhere": (("train/a/9.png -> MORE/new0.png",), 13, ""),
    "out and back": (("train/a/out -> MORE", "../more/back -> ROOT/train"), 14, "1 linked to a folder above (back)"),
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_link_is_read_once_or_passed_over_and_noted(kind: str, root: Path) -> None:
    steps, count, note = LINKS[kind]
    carry_out(root, *steps)
    listing = list_images(root)
    assert (len(listing.paths), listing.classes) == (count, ("a", "b"))
    assert note in " ".join(listing.notes)
    assert bool(note) == bool(listing.notes)


def test_links_change_no_fingerprint(root: Path, tmp_path: Path) -> None:
    plain = load_task(f"folder:{fill(tmp_path / 'plain')}").fingerprint
    carry_out(root, "train/a/up -> ..", "train/a/.git/", "train/a/00.png -> 0.png", "../by-link -> ROOT")
    assert load_task(f"folder:{root}").fingerprint == plain
    assert load_task(f"folder:{tmp_path / 'by-link'}").fingerprint == plain


def test_a_class_may_be_a_link_to_a_folder_elsewhere(root: Path) -> None:
    carry_out(root, "train/c -> MORE", "test/c/")
    listing = list_images(root)
    assert (listing.classes, listing.train_count) == (("a", "b", "c"), 10)
    assert listing.notes == ("not in test/: c",)


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "one file in both parts": (
        ("test/a/x.png = train/a/0.png",),
        "in train/ or in test/, not in both, got one file as train/a/0.png and test/a/x.png",
    ),
    "one file in two classes": (
        ("train/b/x.png -> ../a/0.png",),
        "of one class, got one file as train/a/0.png and train/b/x.png",
    ),
    "a class that is another": (
        ("train/c -> a",),
        r"of one class, got one file as train/a/0.png and train/c/0.png \(4 such\)",
    ),
    "a class inside another": (
        ("train/b/deep -> ../a",),
        "of one class, got one file as train/a/0.png and train/b/deep/0.png",
    ),
    "two classes linked to one folder": (
        ("train/c -> MORE", "train/d -> MORE"),
        "of one class, got one file as train/c/new0.png and train/d/new0.png",
    ),
    "test is train": (
        ("!test", "test -> train"),
        r"not in both, got one file as train/a/0.png and test/a/0.png \(8 such\)",
    ),
    "train is everything": (
        ("x < train", "train -> ."),
        "every class of test/ must be in train/, got a, b",
    ),
    "an image linked to nothing": (
        ("train/a/x.jpg -> gone.jpg",),
        "all of it must be readable, got train/a/x.jpg: No such file or directory, it is a link to gone.jpg",
    ),
    "one class": (("!train/b", "!test/b"), "at least 2 classes, got 1: a"),
    "an empty class": (("train/c/",), "at least 2 training images, got 0 of c"),
    "train in capitals": (("Train < train",), "a folder train/ .* must be there, got Train/"),
    "val for test": (("val < test",), "a folder test/ .* must be there, got val/"),
    "a class in capitals": (("test/A < test/a",), "every class of test/ must be in train/, got A; rename A to a"),
    "a class not in UTF-8": (
        (os.fsdecode(b"train/caf\xe9 < train/a"),),
        r"a name in UTF-8 without control characters, got train/caf\\xe9; rename",
    ),
    "a class of two lines": (("train/a\nb < train/a",), r"without control characters, got train/a\\nb"),
    "one name composed in two ways": (
        ("train/\u00e9/", "train/e\u0301/"),
        r"a class must have one folder in train/, got 'e\\u0301' and '\\xe9'",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_contradicts_itself_is_refused_in_a_sentence(kind: str, root: Path) -> None:
    steps, sentence = REFUSED[kind]
    carry_out(root, *steps)
    with pytest.raises(DataError, match=sentence) as refused:
        list_images(root)
    assert str(refused.value).isprintable()


def test_hidden_and_tool_folders_are_passed_over_at_every_depth_and_counted(root: Path) -> None:
    image = root / "train/a/0.png"
    for place in (".git", "@eaDir", "__MACOSX", ".ipynb_checkpoints", "deep/@eaDir", "deep/er/.thumbnails"):
        (root / "train/a" / place).mkdir(parents=True)
        shutil.copy(image, root / "train/a" / place / "copy.png")
    for name in ("._0.png", "Thumbs.db", "deep/.x.jpg"):
        shutil.copy(image, root / "train/a" / name)
    (root / "train" / ".hidden").mkdir()
    listing = list_images(root)
    assert len(listing.paths) == 12
    assert listing.notes == ("passed over: 10 hidden or of a tool (@eaDir, ._0.png, .git, ...)",)


def test_what_is_no_image_or_lies_beside_the_classes_is_noted(root: Path) -> None:
    for name in ("train/a/x.gif", "train/a/y.GIF", "test/b/notes.txt", "train/stray.png", "train/a/README"):
        (root / name).touch()
    os.mkfifo(root / "train/a/pipe.jpg")
    for name in ("val", ".git"):
        (root / name).mkdir()
    assert list_images(root).notes == (
        "not read: val/",
        "passed over: 4 of no known suffix (.gif, .txt, README), 1 neither file nor folder (pipe.jpg), "
        "1 in no class (stray.png)",
    )


def test_a_class_composed_in_two_ways_in_train_and_test_is_one_class(tmp_path: Path) -> None:
    root = fill(tmp_path, ("a", unicodedata.normalize("NFC", "é")))
    (root / "test" / "é").rename(root / "test" / unicodedata.normalize("NFD", "é"))
    assert list_images(root).classes == ("a", "é")
    assert not list_images(root).notes


def test_classes_that_differ_in_capitals_are_two(tmp_path: Path) -> None:
    assert list_images(fill(tmp_path, ("a", "A"))).classes == ("A", "a")


def test_a_file_may_have_any_name(root: Path) -> None:
    odd = [os.fsdecode(b"caf\xe9.png"), "new\nline.png", "\x1b[31m.png"]
    for name, number in zip(odd, range(3), strict=True):
        (root / f"train/a/{number}.png").rename(root / "train/a" / name)
    assert len(load_task(f"folder:{root}", cache_dir=root.parent / "cache").train) == 6
    (root / "train/a" / odd[0]).write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 12 are not: .*caf\\xe9.png \(not an image\)"):
        load_task(f"folder:{root}", stream=True)


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataError, match=r"caf\\xe9: the path must be UTF-8"):
        list_images(root)


@pytest.fixture
def shut() -> Iterator[Path]:
    """A set that somebody without any rights looks at."""
    folder = tempfile.mkdtemp()
    Path(folder).chmod(0o755)
    me = os.geteuid()
    yield fill(Path(folder) / "images")
    os.seteuid(me)
    for below in (Path(folder), *Path(folder).rglob("*")):
        below.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("closed", "sentence"),
    [
        ("train/a", "all of it must be readable, got train/a: Permission denied"),
        ("train", "all of it must be readable, got train: Permission denied"),
        (".", "train/ must be readable, got Permission denied"),
        ("test/b/5.png", r"1 of 12 are not: .*test/b/5.png \(Permission denied\)"),
    ],
)
def test_what_may_not_be_read_is_named(closed: str, sentence: str, shut: Path) -> None:
    (shut / closed).chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(DataError, match=re.compile(sentence)):
        load_task(f"folder:{shut}")
