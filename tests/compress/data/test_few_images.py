"""A task of few images: always the same, under a name and fingerprint of its own."""

from __future__ import annotations

import pytest
import torch

from compress.data.few_images import named, split_name
from compress.data.splits import DataError
from compress.data.tasks import load_task
from search.settings import whole_task
from spaces.space import effort


def test_every_split_is_cut_to_the_same_images() -> None:
    whole, few = load_task("digits"), load_task("first:100:digits")
    assert [len(part) for part in (few.train, few.validation, few.test)] == [100, 100, 100]
    again = load_task(named("digits", 100))
    assert torch.equal(few.train.first(100).images, again.train.first(100).images)
    assert (few.mean, few.std, few.goal) == (whole.mean, whole.std, whole.goal)
    assert few.fingerprint == again.fingerprint
    assert few.fingerprint not in (whole.fingerprint, load_task("first:101:digits").fingerprint)


def test_a_smaller_split_stays_whole() -> None:
    few, whole = load_task("first:1000:digits"), load_task("digits")
    assert (len(few.train), len(few.test)) == (1000, len(whole.test))


def test_names_of_the_whole_task_count() -> None:
    assert split_name("first:16:folder:/x:y") == (16, "folder:/x:y")
    assert split_name("digits") == (None, "digits")
    assert effort("first:100:digits") == effort("digits")
    assert whole_task("first:20:folder:/a/../b") == "first:20:folder:/b"


@pytest.mark.parametrize("name", ["first:", "first:digits", "first:3:digits", "first:x:digits", "first:20:"])
def test_a_name_that_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="first:COUNT:TASK"):
        load_task(name)
