"""A target is read from a text, and written as the same text."""

from __future__ import annotations

import pytest

from compress.latency.target import Target, default_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("onnx", Target("onnx", "cpu", 1, 1)),
        ("torch:cuda", Target("torch", "cuda", 1, 1)),
        ("torch:cpu:4", Target("torch", "cpu", 4, 1)),
        ("onnx:cpu:2:8", Target("onnx", "cpu", 2, 8)),
    ],
)
def test_a_text_gives_a_target_and_the_target_the_text_back(text: str, target: Target) -> None:
    assert Target.parse(text) == target
    assert Target.parse(str(target)) == target
    assert str(target).startswith(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "target: form: unknown '', known are onnx, torch"),
        ("tflite:cpu", "target: form: unknown 'tflite'"),
        ("onnx:cuda", "target: device of onnx must be cpu, got 'cuda'"),
        ("torch:tpu", "target: device of torch must be cpu or cuda, got 'tpu'"),
        ("onnx:cpu:0", "target: threads must be a whole number from 1 to 1,024, got '0'"),
        ("onnx:cpu:x", "target: threads must be a whole number from 1 to 1,024, got 'x'"),
        ("onnx:cpu:1:-1", "target: batch must be a whole number from 1 to 4,096, got '-1'"),
        ("onnx:cpu:1:1:1", "target: expected FORM:DEVICE:THREADS:BATCH such as onnx:cpu:1, got 'onnx:cpu:1:1:1'"),
    ],
)
def test_anything_else_is_refused_with_what_it_must_be(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="target") as raised:
        Target.parse(text)
    assert sentence in str(raised.value)


def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match="target: torch:cuda:1 needs a GPU on this machine, there is none"):
        Target("torch", "cuda").check_here()


def test_the_default_is_one_thread_of_the_cpu() -> None:
    assert default_target() == Target("onnx", "cpu", 1, 1)
