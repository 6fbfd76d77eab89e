"""A model's structure as plain JSON, and the module back from it.

A cut model no longer fits its constructor. What it takes to build it again is the zoo's name for where it came from
and the present shape of every convolution, linear and BN layer. A layer that became two is two layers under its old
path. A projector stands where a pooling stood, and what is inside it is written after it as it is now. No pickle
anywhere; a user's own network is made by the function it names, which must be importable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from compress.codec import decode, encode
from compress.distill.projector import Projector
from compress.errors import MissingModel, StoreError
from compress.models import Model
from compress.models.weights import COUNTER
from compress.quantize.int8 import Int8Conv2d, Int8Linear

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
_NORM = ("num_features", "eps", "momentum")
_LINEAR = ("in_features", "out_features", "bias")
_LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "Conv2d": (nn.Conv2d, _CONV),
    "Linear": (nn.Linear, _LINEAR),
    "BatchNorm2d": (nn.BatchNorm2d, _NORM),
    "BatchNorm1d": (nn.BatchNorm1d, _NORM),
    "Int8Conv2d": (Int8Conv2d, _CONV),
    "Int8Linear": (Int8Linear, _LINEAR),
    "Projector": (Projector, ("widths", "size")),
}


def describe(module: nn.Module, model: Model, classes: int, channels: int) -> dict[str, object]:
    """What `rebuild` needs, JSON-ready."""
    layers: dict[str, object] = {}
    for path, layer in module.named_modules():
        kind = type(layer).__name__
        if kind in _LAYERS and type(layer) is _LAYERS[kind][0]:
            layers[path] = {"type": kind, **{name: _setting(layer, name) for name in _LAYERS[kind][1]}}
    return {
        "model": encode(model.bare),
        "classes": classes,
        "channels": channels,
        "layers": layers,
        "tensors": tensors(module),
    }


def rebuild(structure: Mapping[str, Any]) -> nn.Module:
    """An untrained module of that structure, in eval mode; StoreError when the structure is not one.

    MissingModel when it is of a user's own network whose function cannot be imported here.
    """
    try:
        module: nn.Module = decode(structure["model"]).build(structure["classes"], structure["channels"])
        for path, record in structure["layers"].items():
            kind, names = _LAYERS[record["type"]]
            settings = {name: _tuple(record[name]) for name in names}
            if _settings_at(module, path, kind, names) != settings:
                _place(module, path, kind(**settings))
    except MissingModel:
        raise  # nothing is wrong with the structure
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StoreError(f"structure: not a model's structure ({type(error).__name__}: {error})") from error
    return module.eval()


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Everything worth storing: one flat tensor a dtype, on the CPU, in the order of `tensors`.

    One tensor, not one a parameter: a header entry takes some 80 bytes, which for a network cut to a few thousand
    parameters would be a third of the file.
    """
    flat: dict[str, list[torch.Tensor]] = {}
    for tensor in _stored(module).values():
        flat.setdefault(_name(tensor), []).append(tensor.detach().flatten().cpu())
    return {name: torch.cat(parts) for name, parts in flat.items()}


def tensors(module: nn.Module) -> list[list[object]]:
    """What `weights` holds: `[name, dtype, shape]` of every tensor, in order."""
    return [[name, _name(t), list(t.shape)] for name, t in _stored(module).items()]


def load_weights(module: nn.Module, flat: Mapping[str, torch.Tensor]) -> nn.Module:
    """Fill the module in place with what `weights` gave; StoreError when the two do not fit exactly."""
    wanted: dict[str, int] = {}
    for tensor in _stored(module).values():
        wanted[_name(tensor)] = wanted.get(_name(tensor), 0) + tensor.numel()
    found = {name: tensor.numel() for name, tensor in flat.items()}
    if wanted != found:
        raise StoreError(f"weights: the structure needs {wanted} values, the file holds {found}")
    places = dict.fromkeys(flat, 0)
    with torch.no_grad():
        for tensor in _stored(module).values():
            start = places[_name(tensor)]
            places[_name(tensor)] = start + tensor.numel()
            tensor.copy_(flat[_name(tensor)][start : start + tensor.numel()].reshape(tensor.shape))
    return module


def _stored(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: t for name, t in module.state_dict().items() if not name.endswith(COUNTER)}


def _name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _setting(layer: nn.Module, name: str) -> object:
    value = layer.bias is not None if name == "bias" else getattr(layer, name)
    return list(value) if isinstance(value, tuple) else value


def _tuple(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _settings_at(module: nn.Module, path: str, kind: type[nn.Module], names: tuple[str, ...]) -> object:
    try:
        layer = module.get_submodule(path)
    except AttributeError:
        return None
    return {n: _tuple(_setting(layer, n)) for n in names} if type(layer) is kind else None


def _place(module: nn.Module, path: str, layer: nn.Module) -> None:
    """Put a layer at its path; a layer that stood where a pair must stand makes room for a sequence."""
    parent, _, name = path.rpartition(".")
    holder = module.get_submodule(parent)
    if type(holder).__name__ in _LAYERS and not isinstance(holder, Projector):
        holder = nn.Sequential()
        module.set_submodule(parent, holder)
    holder.add_module(name, layer)
