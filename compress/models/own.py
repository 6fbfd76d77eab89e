"""A user's own network by its function, `FILE.py:function` or `package.module:function`: import, call, check.

The function is called as `function(classes, channels)`, or with the width as a third argument if the function has a
parameter `width`. A subclass of `nn.Module` is a function too. The module returned may have `taps` and `head` like
models of the zoo; a missing attribute is found.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from compress.errors import MissingModel, RecipeError, check_whole, said
from compress.models.check_constructed import check_plain
from compress.models.family import Family
from compress.own_code import FILE, FORM, call, guarding_settings, import_module, source, split_path


def is_own(name: str) -> bool:
    """Whether a model's name is the path of a function; RecipeError for a name with a colon but no such form."""
    if ":" in name and not FORM.fullmatch(name):
        raise RecipeError(
            f"model: a network of your own must be named as package.module:function or FILE.py:function, got {name!r}"
        )
    return ":" in name


@lru_cache(maxsize=64)
def own_family(path: str) -> Family:
    """Import a function as a family, once a process; MissingModel if impossible, RecipeError if no function."""
    function, fingerprint = load_function(path)
    scales = _takes_width(function)

    def make(classes: int, channels: int, width: float) -> nn.Module:
        return make_own(path, function, (classes, channels, width) if scales else (classes, channels))

    return Family(make, "a network of the user's", "", fixed=not scales, fingerprint=fingerprint)


def load_function(path: str) -> tuple[Callable[..., object], str]:
    """Import a user's function; return the function and the sha256 of its source.

    MissingModel if the import is impossible, RecipeError for anything but a function or a class of Python's.
    """
    place, name = split_path("model", path)
    module = import_module(path, place)
    function = getattr(module, name, None)
    if function is None and place.endswith(FILE):
        raise MissingModel(f"{path}: {place} must have a function {name}, it has none")
    if function is None:
        file = getattr(module, "__file__", None) or "Python's own"
        raise MissingModel(
            f"{path}: {place} must have a function {name}, {file} has none{_meant(module, name)}; if that is no "
            f"file of yours, the name {place.partition('.')[0]} is taken: rename your module"
        )
    if not callable(function) or inspect.isbuiltin(function):
        raise RecipeError(f"{path}: must be a function of Python's, got {type(function).__name__}")
    defined_in = sys.modules.get(str(getattr(function, "__module__", "")), module)
    return function, source(module, defined_in)


def _meant(module: ModuleType, name: str) -> str:
    near = get_close_matches(name, [one for one in vars(module) if callable(getattr(module, one))], 1)
    return f", {near[0]} is meant, perhaps" if near else ""


def name_taps(module: nn.Module, images: Tensor) -> None:
    """Find the stages of a module without `taps`, by a run on images `(B, C, H, W)`; set them as `taps_at`, maybe {}.

    Children of the module are grouped by the size of their maps. The last child of a group is a stage, if a child of
    the group has a convolution. Children run more than once are ignored. If only a single child has convolutions,
    the search continues among its children.
    """
    if isinstance(getattr(module, "taps", None), Mapping) or hasattr(module, "taps_at"):
        return
    holder, prefix = module, ""
    while len(inner := [(n, c) for n, c in holder.named_children() if _convolves(c)]) == 1:
        if not any(_convolves(child) for child in inner[0][1].children()):
            break
        holder, prefix = inner[0][1], f"{prefix}{inner[0][0]}."
    last: dict[tuple[int, ...], str] = {}
    convolved = set()
    for path, size in maps_of(module, [prefix + name for name, _ in holder.named_children()], images):
        last[size] = path
        if _convolves(module.get_submodule(path)):
            convolved.add(size)
    found: Any = module
    found.taps_at = {path: path for size, path in last.items() if size in convolved}


def maps_of(module: nn.Module, paths: Iterable[str], images: Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Return every submodule of `paths` run exactly once and giving maps `(B, C, H, W)`, in order of running.

    An item is the path and the maps' (height, width). `images` are run in eval mode; the module's mode is restored.
    """
    calls: list[tuple[str, object]] = []
    hooks = [
        module.get_submodule(path).register_forward_hook(lambda *io, path=path: calls.append((path, io[-1])))
        for path in dict.fromkeys(paths)
    ]
    trains = module.training
    try:
        with torch.no_grad():
            module.eval()(images)
    finally:
        module.train(trains)
        for hook in hooks:
            hook.remove()
    names = [path for path, _ in calls]
    return [
        (path, tuple(out.shape[2:]))
        for path, out in calls
        if names.count(path) == 1 and isinstance(out, Tensor) and out.dim() == 4
    ]


def make_own(path: str, function: Callable[..., object], given: tuple[Any, ...]) -> nn.Module:
    """Call a function for a network, check its result and name the head; RecipeError for anything but a network.

    `given` are classes, channels and, if the function takes a width, the width.
    """
    for name, value in zip(("classes", "channels"), given, strict=False):  # both may come from a file
        check_whole(f"{path}: {name}", value, 1)
    try:
        with guarding_settings(path):
            made = call(function, given)
        if isinstance(made, nn.Module) and not any(tensor.is_meta for tensor in made.parameters()):
            made = made.cpu()  # a search moves the network to its device
    except RecipeError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        called = ", ".join(map(str, given))
        with_width = isinstance(error, TypeError) and len(given) > 2
        remedy = "; width is a float: round what it is multiplied by" if with_width else ""
        rule = f"{path}: must make a network when called with ({called})"
        raise RecipeError(f"{rule}, got {said(error)}{remedy}") from error
    if not isinstance(made, nn.Module):
        raise RecipeError(f"{path}: must return an nn.Module, got a {type(made).__name__}")
    check_plain(path, made)
    _name_head(path, made, given[0])
    return made


def _name_head(path: str, made: Any, classes: int) -> None:
    """Set the classifier's path as `head`, or as `head_at` if the module uses `head` for a layer, in place."""
    layers = {name: layer for name, layer in made.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)}
    fits = [name for name, layer in layers.items() if _outputs(layer) == classes]
    fits = [name for name in fits if isinstance(layers[name], nn.Linear)] or fits  # a convolution only without others
    given = getattr(made, "head", None)
    if isinstance(given, str) and _outputs(layers.get(given)) != classes:
        raise RecipeError(
            f"{path}: head must be the path of an nn.Linear or nn.Conv2d of {classes} outputs, got {given!r}"
        )
    if not fits:
        linear = {name: layer for name, layer in layers.items() if isinstance(layer, nn.Linear)} or layers
        got = ", ".join(f"{name or 'itself'} of {_outputs(layer)}" for name, layer in [*linear.items()][-3:])
        raise RecipeError(
            f"{path}: must end in a classifier, an nn.Linear or nn.Conv2d of {classes} outputs, got {got or 'neither'}"
        )
    if given is None:
        made.head = fits[-1]
    elif not isinstance(given, str):
        made.head_at = next((name for name, layer in layers.items() if layer is given), fits[-1])


def _outputs(layer: nn.Module | None) -> int | None:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.out_channels if isinstance(layer, nn.Conv2d) else None


def _takes_width(function: Callable[..., object]) -> bool:
    try:
        return "width" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function without a readable signature
        return False


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(layer, nn.Conv2d) for layer in module.modules())
