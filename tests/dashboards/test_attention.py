"""The picture of attention maps: colours, texts and images."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from compress.data.tasks import Task, load_task
from compress.models import Model
from compress.store.files import Files
from dashboards import theme
from dashboards.attention import AttentionMaps, attention_page, picture

EVIL = "<script>&"


@pytest.fixture(scope="module")
def found(trained: Files, digits: Task) -> AttentionMaps:
    models = {"a" * 32: trained.module(), "b" * 32: Model("cnn", 0.25).build(10, 1)}
    return AttentionMaps.of(models, digits, 4, None, {key: f"{key[0]} {EVIL}" for key in models})


def shown(text: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)\"", text)]


def test_a_row_has_the_image_and_a_map_of_each_network_at_the_size_of_the_image(found: AttentionMaps) -> None:
    pictures = shown(picture(found))
    assert [(one.mode, one.size) for one in pictures] == [("L", (8, 8)), ("RGB", (8, 8)), ("RGB", (8, 8))] * 4
    assert (np.asarray(pictures[0]) == np.rint(255 * found.images[0, 0])).all()


def test_the_largest_value_has_the_last_colour_and_zero_the_first(found: AttentionMaps) -> None:
    values = np.zeros((4, 8, 8), dtype=np.float32)
    values[:, 0, 0] = 1
    heat = shown(picture(replace(found, maps={"a" * 32: values})))[1]
    first, last = (
        tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5)) for colour in (theme.HEAT[0], theme.HEAT[-1])
    )
    assert heat.getpixel((0, 0)) == last
    assert heat.getpixel((5, 5)) == first


def test_raw_images_are_shown_as_they_are(found: AttentionMaps, digits: Task) -> None:
    raw = next(iter(digits.test.read([torch.tensor(found.index)])))
    assert np.allclose(found.images, raw.numpy() / 16, atol=1e-6)


def test_answers_that_are_wrong_are_marked(found: AttentionMaps) -> None:
    right = replace(found, answers=dict.fromkeys(found.maps, found.labels))
    wrong = replace(found, answers={**right.answers, "b" * 32: ("none",) * 4})
    assert picture(right).count("class=wrong") == 0
    assert picture(wrong).count("class=wrong") == 4


def test_a_task_without_classes_has_no_answers() -> None:
    task = load_task("digits-angle")
    found = AttentionMaps.of({"a" * 32: Model("cnn", 0.25).build(1, 1)}, task, 2, None, {"a" * 32: "cnn"})
    assert found.labels == ()
    assert "answer" not in attention_page("s", found)


def test_names_are_escaped_and_images_in_colour_are_shown_in_colour(found: AttentionMaps) -> None:
    colour = replace(found, images=np.repeat(found.images, 3, axis=1))
    text = attention_page(EVIL, colour)
    assert EVIL not in text
    assert "a &lt;script&gt;&amp;" in text
    assert shown(text)[0].mode == "RGB"
