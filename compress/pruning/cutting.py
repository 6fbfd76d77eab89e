"""Cut channels, and compare the result with the network before, with zeros in the removed channels.

Nothing else may change. A cut is refused where a slice, a view, a mean over channels or a hook depends on the number of
channels. GroupNorm and LayerNorm compute statistics over all channels, so a cut changes their output by design: the
comparison leaves both out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from compress.agreement import Activations, activations, changed_at
from compress.errors import RecipeError, said

_timm = sys.modules.get("timm")
sys.modules["timm"] = None  # type: ignore[assignment]  # Torch-Pruning would register timm's operations, or fail on a folder named timm
try:
    import torch_pruning
finally:
    del sys.modules["timm"]
    if _timm is not None:
        sys.modules["timm"] = _timm

REMEDY = "use a method that leaves channels alone: l1-unstructured, gradual, svd or int8"
_MIXING = (nn.GroupNorm, nn.LayerNorm)


def traced(model: nn.Module, example: Tensor) -> Any:
    """Return Torch-Pruning's graph of the model, traced by autograd on one image; RecipeError where tracing fails."""
    grad = {p: p.requires_grad for p in model.parameters()}
    for parameter in grad:
        parameter.requires_grad_(parameter.is_floating_point())
    try:
        with torch.enable_grad():
            return torch_pruning.DependencyGraph().build_dependency(
                model, example.clone(), forward_fn=lambda network, image: network(image), verbose=False
            )
    except Exception as error:  # Torch-Pruning and a user's own forward raise anything
        raise RecipeError(
            "channel pruning: Torch-Pruning must be able to follow the network from layer to layer, got "
            f"{said(error)}; {REMEDY}"
        ) from error
    finally:
        for parameter, wanted in grad.items():
            parameter.requires_grad_(wanted)


class Cutter:
    """Cuts a model by its dependency graph; `names` maps the layers with weights to names for messages."""

    def __init__(self, model: nn.Module, graph: Any, names: Mapping[nn.Module, str]) -> None:
        self.model, self.graph, self.names = model, graph, names

    def cut(self, gone: Mapping[nn.Module, Sequence[int]], images: Tensor) -> None:
        """Remove output channels by layer, and everything coupled to them, in place.

        RecipeError if the cut changes the rest of the network's outputs on images `(B, C, H, W)`.
        """
        grad = {name: parameter.requires_grad for name, parameter in self.model.named_parameters()}
        unread, lost, mixing = self._consequences(gone)
        with _passed_by(mixing):
            with _muted(unread):
                wanted = activations(self.model, images, self.names.values())
            try:
                for layer, channels in gone.items():
                    self._group(layer, channels).prune()
                got = activations(self.model, images, self.names.values())
            except Exception as error:  # Torch-Pruning and a user's own forward raise anything
                raise _refusal(self._first(gone), "the network does not run any more", error) from error
        for name, parameter in self.model.named_parameters():  # Torch-Pruning makes new ones
            parameter.requires_grad_(grad[name])
        left = {name: _without(output, lost.get(name, set())) for name, output in wanted.outputs.items()}
        at = changed_at(Activations(wanted.logits, left), got)
        if at is not None:
            raise _refusal(self._first(gone), f"{at or 'the network'} computes something else")

    def _group(self, layer: nn.Module, channels: Sequence[int]) -> Any:
        handler = self.graph.get_pruner_of_module(layer).prune_out_channels
        return self.graph.get_pruning_group(layer, handler, list(channels))

    def _consequences(
        self, gone: Mapping[nn.Module, Sequence[int]]
    ) -> tuple[dict[nn.Module, set[int]], dict[str, set[int]], set[nn.Module]]:
        """Return the input channels cut by layer, the output channels cut by name, and the layers that mix channels."""
        unread: dict[nn.Module, set[int]] = defaultdict(set)
        lost: dict[str, set[int]] = defaultdict(set)
        mixing: set[nn.Module] = set()
        for layer, channels in gone.items():
            for dependency, indices in self._group(layer, channels):
                module, handler = dependency.target.module, dependency.handler
                if isinstance(module, _MIXING):
                    mixing.add(module)
                elif self.graph.is_out_channel_pruning_fn(handler):
                    lost[self.names.get(module, "")] |= set(indices)
                elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                    unread[module] |= set(indices)
        return unread, lost, mixing

    def _first(self, gone: Mapping[nn.Module, Sequence[int]]) -> str:
        return next((self.names[layer] for layer in gone), "")


@contextmanager
def _muted(unread: Mapping[nn.Module, Set[int]]) -> Iterator[None]:
    """Give the layers zeros in place of their unread input channels while the context lasts."""
    with ExitStack() as hooks:
        for layer, channels in unread.items():
            at = -1 if isinstance(layer, nn.Linear) else 1
            index = torch.tensor(sorted(channels))

            def mute(_: nn.Module, given: tuple[Tensor, ...], at: int = at, index: Tensor = index) -> Tensor:
                return given[0].index_fill(at, index.to(given[0].device), 0.0)

            hooks.callback(layer.register_forward_pre_hook(mute).remove)
        yield


@contextmanager
def _passed_by(layers: Set[nn.Module]) -> Iterator[None]:
    """Replace the layers by the identity while the context lasts."""
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_hook(lambda _, given, out: given[0]).remove)
        yield


def _without(summary: Tensor, channels: Set[int]) -> Tensor:
    """Drop channels from a layer's summary `(2, C)`."""
    kept = [channel for channel in range(summary.shape[1]) if channel not in channels]
    return summary[:, torch.tensor(kept, dtype=torch.long, device=summary.device)]


def _refusal(layer: str, what: str, error: Exception | None = None) -> RecipeError:
    why = f" ({said(error)})" if error is not None else ""
    return RecipeError(
        f"channel pruning: a cut must change nothing but what is read of the channels; once {layer} is cut, "
        f"{what}{why}: a slice, a view, a mean over channels or a hook may depend on how many there are; {REMEDY}"
    )
