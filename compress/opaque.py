"""Layers that must be kept whole, and why: neither cut, nor factorized, nor quantized.

A move changes a layer by its recorded settings. Anything else the layer carries would be lost in silence: a forward
method of a subclass, a hook, a parametrization, a weight shared with another layer. Layers are therefore known by their
exact type. A subclass of a norm may still be cut, in place: it keeps its class, and every cut is compared.
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
"""Types whose channels can be cut, exactly these: a subclass may compute something else."""
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.InstanceNorm2d)
"""Norms of each channel by itself, of which a subclass, such as timm's BN with an activation, may be cut too."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def opaque_layers(model: nn.Module) -> dict[str, str]:
    """Return the reason by path for every module with tensors of its own that must be kept whole, from input to output.

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
    """Return the reason by path for every module that stands under more than one name: `set_submodule` reaches one."""
    names: dict[nn.Module, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(path)
    return {path: f"stands under {len(all_)} names" for all_ in names.values() if len(all_) > 1 for path in all_}


def cuttable(module: nn.Module) -> type[nn.Module] | None:
    """Return the type by whose rule the module's channels are cut; None if they cannot be.

    For a subclass of a norm of each channel that is the norm, if the tensors in it are the norm's by name and shape.
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
    """The shapes of all parameters and buffers by name, of the inner modules too."""
    return {name: one.shape for name, one in chain(module.named_parameters(), module.named_buffers())}


def sentence(opaque: dict[str, str]) -> str:
    """Name the first few layers that are kept whole, for the end of a complaint; "" when there are none."""
    shown = [f"{path or 'the network itself'} ({reason})" for path, reason in list(opaque.items())[:3]]
    more = ", ..." if len(opaque) > 3 else ""
    return f"; kept whole are {', '.join(shown)}{more}" if opaque else ""


def _reason(module: nn.Module) -> str:
    """Why a module must be kept whole by itself; "" when it need not be."""
    if cuttable(module) is None:
        return f"a {type(module).__name__}"
    if any(getattr(module, hooks) for hooks in _HOOKS):
        return "has a hook"
    if "forward" in vars(module):
        return "has a forward of its own"
    if "weight" not in module._parameters:  # torch's old weight_norm and spectral_norm take it out
        return "computes its weight"
    if isinstance(module, nn.InstanceNorm2d) and module.track_running_stats:
        return "an InstanceNorm2d with running statistics"
    return ""


def sharing(model: nn.Module) -> dict[str, str]:
    """Return the reason by path for every module that owns a parameter together with another module."""
    owners = {
        path: [id(p) for p in module._parameters.values() if p is not None] for path, module in model.named_modules()
    }
    count = Counter(one for ids in owners.values() for one in ids)
    return {path: "shares its weights" for path, ids in owners.items() if any(count[one] > 1 for one in ids)}
