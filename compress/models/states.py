"""Read all state dicts of a file of weights, as tensors, without unpickling objects.

The checkpoint of a training has its weights under a key or two (`model`, `state_dict_ema`), beside the optimizer's
state. `torch.compile` and `nn.DataParallel` add `_orig_mod` and `module` to the names of tensors; `renamed` ignores
both.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from compress.errors import RecipeError, said

State = dict[str, Tensor]
Place = tuple[str, ...]
"""Keys leading to a state dict in a file; () if the file itself is the state dict."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".bin", ".ckpt", ".pth.tar")
DEEPEST = 4
"""Number of keys beyond which no state dict is searched for."""
WRAPPERS = ("module", "_orig_mod")
AVERAGED = "n_averaged"
"""Name of the counter in torch's `AveragedModel`."""


def read_states(family: str, file: Path) -> dict[Place, State]:
    """Return the state dicts of a file by their place; RecipeError for an unreadable file, or without a state dict."""
    try:
        with file.open("rb"), warnings.catch_warnings(action="ignore"):  # torch warns about old file formats
            content: Any = (
                load_file(file)
                if file.name.lower().endswith(".safetensors")
                else torch.load(file, map_location="cpu", weights_only=True)
            )
    except OSError as error:
        raise unreadable(family, file, error) from error
    except pickle.UnpicklingError as error:
        raise RecipeError(
            f"{family}: {file} must hold a state dict and nothing else, for no code in it is ever run; "
            "save model.state_dict()"
        ) from error
    except Exception as error:  # a torn file can fail anywhere in the reader
        if "TorchScript" in str(error):
            raise RecipeError(
                f"{family}: {file} must hold a state dict, got a TorchScript archive; save model.state_dict()"
            ) from error
        raise RecipeError(
            f"{family}: {file} must hold a state dict, got no file that can be read as one ({said(error)}); save "
            "model.state_dict() anew"
        ) from error
    found: dict[Place, State] = {(): {}} if content == {} else dict(_states(content, ()))
    if not found:
        raise RecipeError(f"{family}: {file} must hold a state dict, tensors by name, got something else")
    return found


def renamed(state: Mapping[str, Tensor], wanted: Mapping[str, object]) -> State:
    """Return a state dict under the tensor names of `wanted`; names are equal if they differ in `WRAPPERS` alone."""
    own, theirs = ({plain_name(name): name for name in names} for names in (wanted, state))
    if all(name in wanted for name in state) or len(own) < len(wanted) or len(theirs) < len(state):
        return dict(state)
    return {own.get(plain, name): state[name] for plain, name in theirs.items() if plain != AVERAGED}


def plain_name(name: str) -> str:
    """Return a tensor's name without `WRAPPERS`."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def written(place: Place) -> str:
    """Return a place as typed in Python, like `['model']`; "" for the file itself."""
    return "".join(f"[{key!r}]" for key in place)


def unreadable(family: str, file: Path, error: OSError | ValueError) -> RecipeError:
    """Return the error for an unreadable file of weights."""
    why = getattr(error, "strerror", None) or error
    return RecipeError(f"{family}: its weights {file} must be readable, on every node that runs trials, got {why}")


def _states(content: object, place: Place) -> Iterator[tuple[Place, State]]:
    if not isinstance(content, dict) or not content or len(place) > DEEPEST:
        return
    if all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()):
        yield place, dict(content)
    else:
        for key, value in content.items():
            if isinstance(key, str):
                yield from _states(value, (*place, key))
