"""BN behind low-rank pairs: many more layers without a norm train badly. SlimNets 2018, section 2.2."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from compress.errors import RecipeError, said
from compress.pruning.folding import moments
from compress.pruning.following import Following


def without_norm(who: str, model: nn.Module) -> set[str]:
    """Return the convolutions whose output no BN reads, by name; RecipeError for a model torch.fx cannot trace."""
    try:
        following = Following(model)
    except RecipeError as error:
        raise RecipeError(
            f"{who}: with batch_norm torch.fx must be able to follow the network from layer to layer, "
            f"got {said(error.__cause__ or error)}; leave batch_norm out"
        ) from error

    def is_read_by_norm(calls: list[fx.Node]) -> bool:
        readers = [str(reader.target) for call in calls for reader in call.users if reader.op == "call_module"]
        return any(isinstance(model.get_submodule(reader), _BatchNorm) for reader in readers)

    calls = {n: each for n, each in following.calls().items() if isinstance(model.get_submodule(n), nn.Conv2d)}
    return {name for name, each in calls.items() if not is_read_by_norm(each)}


def append_norms(model: nn.Module, pairs: Mapping[str, nn.Sequential], images: Tensor | None) -> None:
    """Append a BN to each pair, in place, such that the model in eval mode computes the same but for rounding.

    A BN starts with the mean and variance of the pair's outputs on `images` `(B, C, H, W)`, in training mode too hardly
    a change. Without images mean 0 and variance 1 are assumed. Scale and shift undo both, and the shift takes over the
    bias of the second convolution.
    """
    known = None if images is None else moments(model, list(pairs.values()), images)
    for number, pair in enumerate(pairs.values()):
        second = pair[-1]
        assert isinstance(second, nn.Conv2d)
        norm = nn.BatchNorm2d(second.out_channels).to(second.weight)
        bias = norm.bias.detach() if second.bias is None else second.bias.detach()
        mean, variance = (bias, torch.ones_like(bias)) if known is None else known[number]
        with torch.no_grad():
            norm.running_mean.copy_(mean - bias)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean)
        second.register_parameter("bias", None)
        pair.append(norm.requires_grad_(second.weight.requires_grad).train(model.training))
