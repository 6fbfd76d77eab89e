"""Weights that a network begins with: a file of the user's, or torchvision's own out of the local cache.

A file is `.safetensors`, or `.pt` and `.pth` with a state dict: read as tensors, never unpickled. A state dict inside
`{"state_dict": ...}` is taken out, and a prefix `module.` that all names have is taken off; nothing else is guessed.
Names and shapes must be the network's; only BN's step counters may be missing.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.models.family import head_of
from compress.models.imagenet import PRETRAINED
from compress.vision import import_torchvision

TORCHVISION = "torchvision:"
SUFFIXES = (".safetensors", ".pt", ".pth")
COUNTER = "num_batches_tracked"
"""BN's step counter: not used with a fixed momentum, so not stored."""
_NAMED = 3
"""So many names are listed in a complaint."""
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..+)")


def check_form(family: str, weights: str) -> None:
    """RecipeError unless `weights` is a file by its suffix or, for a network of torchvision's, `torchvision:NAME`."""
    if weights.startswith(TORCHVISION):
        if family not in PRETRAINED:
            raise RecipeError(f"{family}: torchvision has no weights for it, only for {', '.join(PRETRAINED)}")
    elif Path(weights).suffix not in SUFFIXES:
        raise RecipeError(
            f"{family}: weights must be a file {', '.join(SUFFIXES)} or torchvision:NAME, got {weights!r}"
        )


def digest(family: str, weights: str) -> str:
    """Sha256 of the file, in hexadecimal; RecipeError when it cannot be read."""
    file = _file(family, weights)
    try:
        status = os.stat(file)
        return _digest(file, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError) as error:  # the latter of a path that cannot be
        raise _unreadable(family, file, error) from error


def load_weights(family: str, weights: str, module: nn.Module) -> tuple[str, ...]:
    """Fill the module in place; the layers that stay as they were initialised, which only torchvision's weights leave.

    Those may leave the first convolution and the classifier, made for other images and classes. RecipeError, which
    names the first few, for missing and unexpected tensors and other shapes; the module is untouched then.
    """
    file = _file(family, weights)
    state, wanted, may_differ = _read(family, file), module.state_dict(), list[str]()
    if weights.startswith(TORCHVISION):
        state = {_OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items()}
        first = next(name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d))
        may_differ = [first, head_of(module)]
    differs = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    left = [layer for layer in may_differ if any(_layer(name) == layer for name in differs)]
    differs = [name for name in differs if _layer(name) not in left]
    state = {name: wanted[name] if _layer(name) in left and name in wanted else t for name, t in state.items()}
    faults = [
        _listed("missing", [n for n in wanted if n not in state and not n.endswith(COUNTER)]),
        _listed("unexpected", [n for n in state if n not in wanted]),
        _listed("of another shape", [f"{n} {_sides(state[n])} for {_sides(wanted[n])}" for n in differs]),
    ]
    if any(faults):
        raise RecipeError(f"{family}: the tensors in {file} must be its own, got {'; '.join(filter(None, faults))}")
    module.load_state_dict({**wanted, **state})
    return tuple(left)


def _file(family: str, weights: str) -> Path:
    """Where the weights lie; RecipeError, with the address, when torchvision's are not in the cache."""
    if not weights.startswith(TORCHVISION):
        return Path(weights)
    known: Any = import_torchvision().models.get_model_weights(PRETRAINED[family]).__members__
    name = weights.removeprefix(TORCHVISION)
    if name not in known:
        raise RecipeError(f"{family}: torchvision's weights must be one of {', '.join(known)}, got {name!r}")
    url = str(known[name].url)
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not file.exists():
        raise RecipeError(
            f"{family}: torchvision's {name} must lie in {file}, for nothing is downloaded; get it at {url}"
        )
    return file


@lru_cache(maxsize=64)
def _digest(file: Path, size: int, changed_ns: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(family: str, file: Path) -> dict[str, Tensor]:
    try:
        with file.open("rb"):
            pass
        state: Any
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _unreadable(family, file, error) from error
    except pickle.UnpicklingError as error:
        raise RecipeError(
            f"{family}: {file} must hold a state dict and nothing else, for no code in it is ever run; "
            "save model.state_dict()"
        ) from error
    except Exception as error:  # a torn file can fail anywhere in the reader
        line = str(error).partition("\n")[0]
        raise RecipeError(f"{family}: {file} must hold a state dict, got {type(error).__name__}: {line}") from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(n, str) and isinstance(t, Tensor) for n, t in state.items()):
        raise RecipeError(f"{family}: {file} must hold a state dict, tensors by name, got something else")
    wrapped = all(name.startswith("module.") for name in state)
    return {name.removeprefix("module.") if wrapped else name: tensor for name, tensor in state.items()}


def _unreadable(family: str, file: Path, error: OSError | ValueError) -> RecipeError:
    why = getattr(error, "strerror", None) or error
    return RecipeError(f"{family}: its weights {file} must be readable, on every node that runs trials, got {why}")


def _layer(tensor: str) -> str:
    return tensor.rpartition(".")[0]


def _sides(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _listed(what: str, names: Collection[str]) -> str:
    """How many and the first few; "" for none."""
    shown = ", ".join(list(names)[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {what} ({shown})" if names else ""
