"""Find the layers that must be kept whole, neither cut nor factorized nor quantized, and the reason for each.

A cut, a factorization or int8 rebuilds a layer from its recorded settings and would silently lose everything else: a
forward method of a subclass, a hook, a parametrization, a weight shared with another layer. Layers are therefore
recognised by exact type. A subclass of a norm may still be cut in place: the object keeps its class, and every cut is
compared with the network before.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain

import torch
from torch import nn

CUTTABLE: frozenset[type[nn.Module]] = frozenset(
    {
        nn.Conv2d,
        nn.ConvTranspose2d,
        nn.Linear,
        nn.BatchNorm1d,
        nn.BatchNorm2d,
        nn.GroupNorm,
        nn.InstanceNorm2d,
        nn.LayerNorm,
        nn.PReLU,
    }
)
"""Types whose channels can be cut, matched exactly: a subclass may compute something else."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)
"""Norms over single channels; their subclasses, such as timm's BN with an activation, may be cut too."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def opaque_layers(model: nn.Module) -> dict[str, str]:
    """Return the reason by path for every module with own tensors that must be kept whole, from input to output.

    Modules without parameters and buffers are left out: a comparison of the logits shows their effect.
    """
    shared = sharing(model)
    found = {}
    for path, module in model.named_modules():
        reason = _reason(module) or shared.get(path, "")
        if reason and (module._parameters or module._buffers):
            found[path] = reason
    return found


def doubly_named(model: nn.Module) -> dict[str, str]:
    """Return the reason by path for every module with more than one name: `set_submodule` would replace only one."""
    names: dict[nn.Module, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(path)
    return {path: f"stands under {len(all_)} names" for all_ in names.values() if len(all_) > 1 for path in all_}


def cuttable(module: nn.Module) -> type[nn.Module] | None:
    """Return the type by whose rule the module's channels are cut; None if they cannot be cut.

    For a subclass of a norm over single channels return the norm, if the tensors have the norm's names and shapes.
    """
    if type(module) in CUTTABLE:
        return type(module)
    if not isinstance(module, _NORMS):
        return None
    kind = next(norm for norm in _NORMS if isinstance(module, norm))
    affine, running = module.affine, module.track_running_stats
    plain = kind(module.num_features, affine=affine, track_running_stats=running, device="meta")
    return kind if _shapes(module) == _shapes(plain) else None


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of all parameters and buffers by name, including those of inner modules."""
    return {name: tensor.shape for name, tensor in chain(module.named_parameters(), module.named_buffers())}


def sentence(opaque: dict[str, str]) -> str:
    """Name the first three layers that are kept whole, for the end of a message; "" without any."""
    shown = [f"{path or 'the network itself'} ({reason})" for path, reason in list(opaque.items())[:3]]
    more = ", ..." if len(opaque) > 3 else ""
    return f"; kept whole are {', '.join(shown)}{more}" if opaque else ""


def _reason(module: nn.Module) -> str:
    """Return the reason why the module itself must be kept whole; "" without a reason."""
    if cuttable(module) is None:
        return f"a {type(module).__name__}"
    if any(getattr(module, hooks) for hooks in _HOOKS):
        return "has a hook"
    if "forward" in vars(module):
        return "has a forward of its own"
    if "weight" not in module._parameters:  # torch's old weight_norm and spectral_norm remove it
        return "computes its weight"
    if isinstance(module, nn.InstanceNorm2d) and module.track_running_stats:
        return "an InstanceNorm2d with running statistics"
    return ""


def sharing(model: nn.Module) -> dict[str, str]:
    """Return the reason by path for every module that shares a parameter with another module."""
    owners = {
        path: [id(p) for p in module._parameters.values() if p is not None] for path, module in model.named_modules()
    }
    count = Counter(owned for ids in owners.values() for owned in ids)
    return {path: "shares its weights" for path, ids in owners.items() if any(count[owned] > 1 for owned in ids)}
