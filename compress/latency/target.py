"""The target of a latency: the form of the exported model, the device, the threads and the images of a pass."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from compress.errors import RecipeError, check_known

ONNX, TORCH = "onnx", "torch"
FORMS = {ONNX: ("cpu",), TORCH: ("cpu", "cuda")}
"""Devices by form: a model as ONNX run by onnxruntime, or as a program of `torch.export` run by torch."""
MOST_THREADS, MOST_IMAGES = 1024, 4096


@dataclass(frozen=True)
class Target:
    """Where and how a model is run; `str` and `parse` are of the written form `onnx:cpu:1` or `torch:cpu:4:8`.

    `threads` of the device `cpu`, in [1, 1024]; `batch` images a pass, in [1, 4096].
    """

    form: str = ONNX
    device: str = "cpu"
    threads: int = 1
    batch: int = 1

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target of a text FORM:DEVICE:THREADS:BATCH, all but FORM with defaults; RecipeError for others."""
        form, *rest = text.split(":")
        check_known("target: form", form, FORMS)
        device = rest[0] if rest else "cpu"
        if device not in FORMS[form]:
            raise RecipeError(f"target: device of {form} must be {' or '.join(FORMS[form])}, got {device!r}")
        if len(rest) > 3:
            raise RecipeError(f"target: expected FORM:DEVICE:THREADS:BATCH such as onnx:cpu:1, got {text!r}")
        return cls(form, device, _count("threads", rest[1:2], MOST_THREADS), _count("batch", rest[2:3], MOST_IMAGES))

    def __str__(self) -> str:
        batch = f":{self.batch}" if self.batch > 1 else ""
        return f"{self.form}:{self.device}:{self.threads}{batch}"

    def check_here(self) -> None:
        """Raise ExportError or RecipeError where a package or a GPU of the target is missing on this machine."""
        import torch

        from compress.export.onnx_export import check_onnx

        if self.form == ONNX:
            check_onnx("target")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RecipeError(f"target: {self} needs a GPU on this machine, there is none")


def default_target() -> Target:
    """Return onnxruntime on one thread of the CPU where the package is installed, else torch's program there."""
    from compress.export.onnx_export import NEEDED

    return Target(ONNX if all(map(find_spec, NEEDED)) else TORCH)


def _count(name: str, given: list[str], most: int) -> int:
    text = given[0] if given else "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise RecipeError(f"target: {name} must be a whole number from 1 to {most:,}, got {text!r}")
    return int(text)
