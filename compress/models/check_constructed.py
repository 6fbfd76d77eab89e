"""Check a user's network before its first run: no wrappers, trainable tensors, no seed set by its function."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from compress.errors import RecipeError


def check_plain(path: str, module: nn.Module) -> None:
    """Raise RecipeError for a wrapper around the network or a layer: no layer inside a wrapper could be cut."""
    for name, layer in module.named_modules():
        if isinstance(layer, torch.jit.ScriptModule):
            raise RecipeError(
                f"{path}: must be the plain network, got {name or 'it'} as TorchScript; return the module before "
                "torch.jit.script or torch.jit.trace"
            )
        compiled = hasattr(layer, "_orig_mod") or getattr(layer, "_compiled_call_impl", None) is not None
        if compiled or isinstance(layer, nn.DataParallel):
            how = "torch.compile" if compiled else "nn.DataParallel"
            raise RecipeError(f"{path}: must be the plain network, got {name or 'it'} in {how}; leave that to a search")


def check_tensors(path: str, module: nn.Module) -> None:
    """Raise RecipeError unless all tensors have values and are dense, and weights are finite float32.

    Buffers may hold infinities but no NaN. All convolutions, linear layers and batch norms must be trainable. The error
    names the tensor or layer.
    """
    weights = dict(module.named_parameters())
    for name, tensor in chain(weights.items(), module.named_buffers()):
        if is_lazy(tensor) or tensor.is_meta:
            raise RecipeError(f"{path}: {name} must have values, got none; run the network once before returning it")
        if tensor.layout != torch.strided:
            got = str(tensor.layout).removeprefix("torch.")
            raise RecipeError(f"{path}: its tensors must be dense, got {got} in {name}; hold it as .to_dense()")
        if name in weights and tensor.dtype != torch.float32:
            got = str(tensor.dtype).removeprefix("torch.")
            how = "hold torch.view_as_real of it" if tensor.is_complex() else "return it as .float()"
            raise RecipeError(f"{path}: its weights must be float32, as the images are, got {got} in {name}; {how}")
        broken = tensor[~tensor.isfinite() if name in weights else tensor.isnan()]  # a mask may hold infinities
        if len(broken):
            raise RecipeError(f"{path}: its weights must be finite, got {broken[0].item()} in {name}")
    for name, layer in module.named_modules():
        frozen = [weight for weight in layer.parameters(recurse=False) if not weight.requires_grad]
        if frozen and isinstance(layer, _ConvNd | nn.Linear | _BatchNorm):
            raise RecipeError(f"{path}: every layer must be trainable, got layer {name} frozen; set requires_grad")
    if not any(weight.requires_grad for weight in weights.values()):
        raise RecipeError(f"{path}: must have weights to train, got none that require a gradient")


def check_chance(path: str, make: Callable[[], object]) -> None:
    """Raise RecipeError if `make` sets torch's seed: trials of all seeds would start from the same weights."""
    states = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        make()
        states.append(torch.get_rng_state())
    if torch.equal(*states):
        raise RecipeError(
            f"{path}: must leave torch's seed to the search, it sets the seed; take torch.manual_seed out"
        )
