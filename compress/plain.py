"""Plain torch: the model of `model.safetensors` and `structure.json`, rebuilt without the project that made it.

In an exported folder this file is `load.py`: `logits = load(".")(images)`, normalised images `(B, C, H, W)`, logits
`(B, classes)`. Only torch's own operations run, one after the other as `structure.json` lists them.
"""

import json
import operator
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


def load(folder: str | Path, device: str = "cpu") -> Callable[[Tensor], Tensor]:
    """The model as a function of images on `device`."""
    structure = json.loads(Path(folder, "structure.json").read_text())
    stored = load_file(Path(folder, "model.safetensors"))  # one tensor a dtype, all of them in a row
    flat = {dtype: tensor.to(device) for dtype, tensor in stored.items()}
    known = {n: torch.tensor(v, dtype=getattr(torch, d), device=device) for n, d, v in structure["constants"]}
    for name, dtype, shape in structure["tensors"]:
        known[name], flat[dtype] = flat[dtype][: prod(shape)].reshape(shape).clone(), flat[dtype][prod(shape) :]

    def value(arg: Any, at: dict[str, Any]) -> Any:
        if isinstance(arg, dict):
            return at[arg["of"]] if "of" in arg else getattr(torch, arg["torch"])
        return [value(one, at) for one in arg] if isinstance(arg, list) else arg

    def model(images: Tensor) -> Tensor:
        at: dict[str, Any] = {**known, "images": images, "- device": images.device}
        for name, operation, args, named, unneeded in structure["steps"]:
            run = operator.attrgetter(operation)(torch.ops if "." in operation else operator)
            at[name] = run(*value(args, at), **{key: value(arg, at) for key, arg in named.items()})
            for gone in unneeded:
                del at[gone]
        logits: Tensor = at[structure["steps"][-1][0]]
        return logits

    return model
