"""Find the operation that follows a layer along its channels: trace the network by torch.fx, then walk the graph.

Channels keep their identity through BN, ReLU, addition, dropout and pooling alone. Behind a flatten, a concatenation or
the next layer the channels are others, and the walk ends. A module called twice has two nodes, so the two uses of a
residual block's shared ReLU are told apart.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Collection
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from compress.errors import RecipeError, said
from compress.opaque import cuttable
from compress.pruning.pruner import in_eval_mode, weighted_layers

NORMS = frozenset({nn.BatchNorm1d, nn.BatchNorm2d})
RELUS = frozenset({nn.ReLU, nn.ReLU6, functional.relu, functional.relu6, torch.relu, "relu", "relu_"})
_SUMS = frozenset({operator.add, operator.iadd, torch.add, "add", "add_"})
_POOLS = frozenset({nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d})
_PASSED = NORMS | RELUS | _SUMS | _POOLS | {nn.Identity, nn.Dropout, nn.Dropout2d}


class Following:
    """The calls of a model, which is only read. RecipeError for a model that torch.fx cannot trace."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        try:
            with in_eval_mode(model):  # branches for training only are not traced
                self.graph = _Tracer().trace(model)
        except Exception as error:  # a user's own forward raises anything
            raise RecipeError(
                "channel pruning: torch.fx must be able to follow the network from layer to layer, got "
                f"{said(error)}; a forward that branches on its images cannot be followed: use "
                "l1-filter, l2-filter, taylor, fpgm or another method that reads no layer's follower"
            ) from error

    def calls(self) -> dict[str, list[fx.Node]]:
        """Return the nodes that call each convolution and linear layer, by the layer's name, from input to output."""
        calls: dict[str, list[fx.Node]] = {name: [] for name in weighted_layers(self.model)}
        for node in self.graph.nodes:
            if node.op == "call_module" and node.target in calls:
                calls[node.target].append(node)
        return calls

    def nearest(self, start: fx.Node, wanted: Collection[Any]) -> fx.Node | None:
        """Return the first node of a `wanted` kind on the way of the channels of `start`; None without one."""
        queue, seen = deque(start.users), set(start.users)
        while queue:
            node = queue.popleft()
            kind = self._kind(node)
            if kind in wanted:
                return node
            if kind in _PASSED:
                new = [user for user in node.users if user not in seen]
                queue.extend(new)
                seen.update(new)
        return None

    def _kind(self, node: fx.Node) -> Any:
        """Return a module's class, else the function or the method's name."""
        return type(self.model.get_submodule(str(node.target))) if node.op == "call_module" else node.target


class _Tracer(fx.Tracer):
    """Treats modules without children and norms as leaves: a norm may branch on its input."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = next(m.children(), None) is None or cuttable(m) is not None
        return whole or super().is_leaf_module(m, module_qualified_name)
