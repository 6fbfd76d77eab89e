"""A model's structure as plain JSON, and the module back from it.

A cut model no longer fits its constructor. The structure names the constructor and the present shape of every layer
with channels to cut. `rebuild` reshapes the constructor's own layers, and so keeps everything else about them: padding
modes, hooks, a parent's forward, a subclass of a norm. A factorized layer becomes two layers under its old path. A
projector replaces a pooling, and its inner layers follow it in the list. No pickle anywhere. A user's own network is
made by the function named in the structure, which must be importable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf, prod
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from compress.codec import decode
from compress.distill.projector import Projector
from compress.encoding import encode
from compress.errors import MissingModel, RecipeError, StoreError, shortened
from compress.models import Model
from compress.models.weights import COUNTER
from compress.opaque import cuttable
from compress.quantize.int8 import Int8Conv2d, Int8Linear

FORM = 2
"""Version of the structure: 2 reshapes the constructor's own layers, 1 replaced them by new layers."""
_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
_NORM = ("num_features", "eps", "momentum")
_LINEAR = ("in_features", "out_features", "bias")
_LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "Conv2d": (nn.Conv2d, _CONV),
    "ConvTranspose2d": (nn.ConvTranspose2d, (*_CONV, "output_padding")),
    "Linear": (nn.Linear, _LINEAR),
    "BatchNorm2d": (nn.BatchNorm2d, _NORM),
    "BatchNorm1d": (nn.BatchNorm1d, _NORM),
    "InstanceNorm2d": (nn.InstanceNorm2d, (*_NORM, "affine", "track_running_stats")),
    "GroupNorm": (nn.GroupNorm, ("num_groups", "num_channels", "eps", "affine")),
    "LayerNorm": (nn.LayerNorm, ("normalized_shape", "eps", "elementwise_affine", "bias")),
    "PReLU": (nn.PReLU, ("num_parameters",)),
    "Int8Conv2d": (Int8Conv2d, _CONV),
    "Int8Linear": (Int8Linear, _LINEAR),
    "Projector": (Projector, ("widths", "size")),
}
_SIDES = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding"})
_UNUSUAL: dict[str, object] = {"padding_mode": "zeros", "affine": True, "track_running_stats": True}
"""Settings written down only where a layer has another value."""


def describe(module: nn.Module, model: Model, classes: int, channels: int) -> dict[str, object]:
    """Return the structure `rebuild` needs, ready for JSON; RecipeError if the module has state other than tensors."""
    layers: dict[str, object] = {}
    for path, layer in module.named_modules():
        kind = cuttable(layer) or type(layer)
        if kind.__name__ in _LAYERS and kind is _LAYERS[kind.__name__][0]:
            sub = {"subclass": type(layer).__name__} if type(layer) is not kind else {}
            layers[path] = {"type": kind.__name__, **sub, **_settings(layer, _LAYERS[kind.__name__][1])}
    frozen = list(_frozen(module))
    return {
        "form": FORM,
        "model": encode(model.bare),
        "classes": classes,
        "channels": channels,
        "layers": layers,
        "tensors": tensors(module),
        **({"frozen": frozen} if frozen else {}),
    }


def rebuild(structure: Mapping[str, Any]) -> nn.Module:
    """Build an untrained module of a structure, in eval mode; StoreError if the structure is damaged.

    No layer becomes larger than all `tensors` together. MissingModel if the function of a user's own network cannot be
    imported.
    """
    try:
        if structure.get("form", 1) > FORM:
            raise StoreError(f"structure: of a newer version, form {structure['form']}; this one reads {FORM}")
        most = sum(prod(shape) for _, _, shape in structure["tensors"]) if "tensors" in structure else None
        module: nn.Module = decode(structure["model"]).build(structure["classes"], structure["channels"])
        for path, record in structure["layers"].items():
            kind = _LAYERS[record["type"]][0]
            subclass = record.get("subclass", kind.__name__)
            wanted = {name: value for name, value in record.items() if name not in ("type", "subclass")}
            _check_settings(path, wanted)
            present = _layer_at(module, path, kind, subclass)
            if present is not None and {name: _settings(present, wanted)[name] for name in wanted} == wanted:
                continue
            settings = {name: tuple(v) if isinstance(v, list) else v for name, v in wanted.items()}
            if most is not None and _elements(settings) > most:
                raise StoreError(f"structure: {path} must be no larger than the weights file, got {settings}")
            made = Projector.unfilled(**settings) if kind is Projector else kind(**settings)
            if present is None or structure.get("form", 1) < FORM or not _reshape(present, made, settings):
                if subclass != kind.__name__:
                    raise StoreError(f"structure: the constructor must make the {subclass} at {path}, it does not")
                _place(module, path, made)
        for name in structure.get("frozen", ()):
            module.get_parameter(name).requires_grad_(False)
    except (MissingModel, StoreError):
        raise  # a function missing here is no damage of the structure
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise StoreError(f"structure: not a model's structure ({type(error).__name__}: {error})") from error
    return module.eval()


def _check_settings(path: str, settings: Mapping[str, object]) -> None:
    """Raise StoreError for an impossible value: torch takes some, and fails or computes nonsense on the first image."""
    for name, value in settings.items():
        if not _is_setting(name, value):
            raise StoreError(shortened(f"structure: {path}: {name} must be a setting of its layer, got {value!r}", 200))


def _is_setting(name: str, value: object) -> bool:
    if name == "padding" and isinstance(value, str):
        return value in ("same", "valid")
    if name in _SIDES:
        least = 0 if name.endswith("padding") else 1
        return isinstance(value, list) and len(value) == 2 and all(_is_count(side, least) for side in value)
    if name in ("eps", "momentum"):
        return value is None or (type(value) in (int, float) and 0 <= value < inf)  # type: ignore[operator]
    if name in ("bias", "affine", "track_running_stats", "elementwise_affine"):
        return type(value) is bool
    if name == "padding_mode":
        return value in ("zeros", "reflect", "replicate", "circular")
    if isinstance(value, list):
        return all(_is_count(size, 1) for size in value)
    return value is None or _is_count(value, 1)


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and least <= value < 2**31


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return all values to store: a flat tensor for every dtype, on the CPU, in the order of `tensors`.

    A tensor for every parameter would cost a header entry of some 80 bytes each: a third of the file for a network cut
    to a few thousand parameters.
    """
    flat: dict[str, list[torch.Tensor]] = {}
    for tensor in _stored(module).values():
        flat.setdefault(_name(tensor), []).append(tensor.detach().flatten().cpu())
    return {name: torch.cat(parts) for name, parts in flat.items()}


def tensors(module: nn.Module) -> list[list[object]]:
    """Return `[name, dtype, shape]` of every tensor in `weights`, in order."""
    return [[name, _name(t), list(t.shape)] for name, t in _stored(module).items()]


def load_weights(
    module: nn.Module, flat: Mapping[str, torch.Tensor], listed: list[tuple[str, str, list[int]]] | None = None
) -> nn.Module:
    """Fill the module in place with the result of `weights`; StoreError unless the two fit exactly.

    `listed` is the result of `tensors` when the model was stored; None for a structure without the list.
    """
    mine = _stored(module)
    if listed is not None:
        known = {name: (dtype, list(shape)) for name, dtype, shape in listed}
        odd = [n for n, t in mine.items() if known.get(n) != (_name(t), list(t.shape)) and not _may_lack(n, known)]
        odd += [name for name in known if name not in mine]
        if odd:
            raise StoreError(f"weights: {odd[0]} must be as it was stored, {known.get(odd[0], 'nowhere')}")
        mine = {name: mine[name] for name in known}
    wanted: dict[str, int] = {}
    for tensor in mine.values():
        wanted[_name(tensor)] = wanted.get(_name(tensor), 0) + tensor.numel()
    found = {name: tensor.numel() for name, tensor in flat.items()}
    if wanted != found:
        raise StoreError(f"weights: the structure needs {wanted} values, the file holds {found}")
    places = dict.fromkeys(flat, 0)
    with torch.no_grad():
        for tensor in mine.values():
            start = places[_name(tensor)]
            places[_name(tensor)] = start + tensor.numel()
            tensor.copy_(flat[_name(tensor)][start : start + tensor.numel()].reshape(tensor.shape))
    return module


def _may_lack(name: str, known: Mapping[str, object]) -> bool:
    """Whether a tensor may be missing from the file: earlier versions stored no step counter of BN."""
    return name.endswith(COUNTER) and name not in known


def _stored(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return all tensors by name, without the step counters of BN with a fixed momentum: BN never reads them."""
    unread = {
        f"{path}.{COUNTER}" if path else COUNTER
        for path, layer in module.named_modules(remove_duplicate=False)
        if isinstance(layer, _NormBase) and layer.momentum is not None
    }
    state = {name: value for name, value in module.state_dict().items() if name not in unread}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise RecipeError(
                f"{name}: state of a network must be tensors to be stored, got a {type(value).__name__}; "
                "register it as buffers in place of get_extra_state"
            )
    return state


def _frozen(module: nn.Module) -> Iterator[str]:
    """Yield the names of frozen weights, int8 layers aside: their weights are never trained."""
    for path, layer in module.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            if not parameter.requires_grad and not isinstance(layer, Int8Conv2d | Int8Linear):
                yield f"{path}.{name}" if path else name


def _name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _settings(layer: nn.Module, names: Iterable[str]) -> dict[str, object]:
    """Read a layer's settings by name, ready for JSON, and the unusual ones."""
    unusual = [name for name, usual in _UNUSUAL.items() if getattr(layer, name, usual) != usual]
    found: dict[str, object] = {}
    for name in dict.fromkeys((*names, *unusual)):
        value = layer.bias is not None if name == "bias" else getattr(layer, name)
        found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _elements(settings: Mapping[str, Any]) -> int:
    """Return roughly how many weights a layer of `settings` has; 0 for a projector, whose inner layers are listed."""
    if "widths" in settings:
        return 0
    if "kernel_size" in settings:
        across = settings["in_channels"] * settings["out_channels"] // max(1, settings["groups"])
        return int(across * prod(settings["kernel_size"]))
    shape = settings.get("normalized_shape", ())
    sizes = ("in_features", "out_features", "num_features", "num_channels", "num_parameters")
    return int(prod(shape) * prod(settings[name] for name in sizes if name in settings))


def _layer_at(module: nn.Module, path: str, kind: type[nn.Module], name: str) -> nn.Module | None:
    """Return the layer at a path if it is cut as a `kind` and its class is called `name`, else None."""
    try:
        layer = module.get_submodule(path)
    except AttributeError:
        return None
    return layer if (cuttable(layer) or type(layer)) is kind and type(layer).__name__ == name else None


def _reshape(layer: nn.Module, made: nn.Module, settings: Iterable[str]) -> bool:
    """Give the layer the `settings` of `made` and room for its weights; False unless both have the same weights."""
    parts = ("_parameters", "_buffers")
    mine, new = ([{n: t is None for n, t in getattr(each, part).items()} for part in parts] for each in (layer, made))
    if mine != new:
        return False
    for name, parameter in made.named_parameters(recurse=False):
        was = layer.get_parameter(name)
        layer._parameters[name] = nn.Parameter(parameter.detach().to(was.dtype), requires_grad=was.requires_grad)
    for name, buffer in made.named_buffers(recurse=False):
        layer._buffers[name] = buffer.to(layer.get_buffer(name).dtype)
    vars(layer).update({name: vars(made)[name] for name in settings if name in vars(made)})
    return True


def _place(module: nn.Module, path: str, layer: nn.Module) -> None:
    """Put a layer at its path; for a half of a factorized pair, replace the original layer by a sequence first."""
    parent, _, name = path.rpartition(".")
    holder = module.get_submodule(parent)
    if type(holder) in (kind for kind, _ in _LAYERS.values()) and not isinstance(holder, Projector):
        holder = nn.Sequential()
        module.set_submodule(parent, holder)
    holder.add_module(name, layer)
