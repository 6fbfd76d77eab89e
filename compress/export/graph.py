"""A module as a graph of torch's own operations: a program of `torch.export`, and the program's graph as plain JSON.

Notes on source lines are removed from the operations: they name folders of the exporting machine. Operations that only
assert are removed too: an assertion may demand the weights on the device of the export.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import Node

from compress.errors import said
from compress.export.standalone import DEVICE, IMAGES, NAMES, OPERATIONS

CHECKS = ("aten._assert", "aten.sym_constrain")
"""Beginnings of the names of operations that only assert."""


class ExportFailed(RuntimeError):
    """A network without a form of a requested format."""


def program(model: nn.Module, shape: tuple[int, int, int]) -> ExportedProgram:
    """Trace the model in eval mode, for images `(B, *shape)`, any B; ExportFailed if torch cannot trace the model."""
    images = (torch.zeros(2, *shape, device=next(model.parameters()).device),)
    try:
        with _silent():
            made = torch.export.export(model.eval(), images, dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # the tracer runs a user's own code
        raise ExportFailed(
            f"export: torch.export cannot trace this network: {said(error)}; forward must not branch on the values "
            "of a tensor or on the size of the batch, and compute with torch's operations alone"
        ) from error
    for node in list(made.graph.nodes):
        node.meta.pop("stack_trace", None)
        if str(node.target).startswith(CHECKS) and not node.users:
            made.graph.erase_node(node)
    made.graph_module.recompile()
    return made


@contextmanager
def _silent() -> Iterator[None]:
    """Silence the tracer's prints and logs: the exception of a failed trace says the same."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)


def unexported(model: nn.Module, shape: tuple[int, int, int]) -> str:
    """Return why an export of the network would lack a format or fail, else ""; `model` is in eval mode afterwards."""
    try:
        graph(program(model, shape))
    except ExportFailed as error:
        return str(error)
    return ""


def graph(made: ExportedProgram) -> dict[str, Any]:
    """Return the program as JSON for `compress/export/standalone.py` to run.

    `constants` are `[name, dtype, values]` of tensors missing in the weights file. `steps` are `[name, operation,
    arguments, named arguments, names needed no more]`; the last step gives the logits. An argument `{"of": name}` is an
    earlier result, a tensor of the weights, the images, or the images' `DEVICE`; an argument `{"torch": name}` is a
    dtype, layout or memory format. ExportFailed for an operation `standalone.py` does not run.
    """
    inputs = made.graph_signature
    targets = {**inputs.inputs_to_parameters, **inputs.inputs_to_buffers, **inputs.inputs_to_lifted_tensor_constants}
    tensors = {target: made.constants[target] for target in targets.values() if target in made.constants}
    names = {node: targets.get(node.name, IMAGES) for node in made.graph.nodes if node.op == "placeholder"}
    steps: list[list[Any]] = []
    for node in made.graph.nodes:
        if node.op == "call_function":
            names[node] = f"{len(steps)} {node.name}"  # no module's path begins with a digit and a space
            named = {key: _plain(value, names) for key, value in node.kwargs.items()}
            steps.append([names[node], _operation(node.target), _plain(list(node.args), names), named, []])
    given = made.graph.output_node().args[0]
    if not steps or _read(_plain(given, names)) != [steps[-1][0]]:
        raise ExportFailed("export: the network's last operation must give its logits, and nothing else be returned")
    _mark_unneeded(steps)
    used = {target for node, target in names.items() if node.users}
    constants = [[name, _dtype(t), t.tolist()] for name, t in tensors.items() if name in used]
    return {"constants": constants, "steps": steps}


def _operation(target: object) -> str:
    """Return an operation's name in `torch.ops` or Python's `operator`; ExportFailed unless `load.py` runs it."""
    name = str(target) if isinstance(target, torch._ops.OpOverload) else getattr(target, "__name__", "")
    ours = isinstance(target, torch._ops.OpOverload) or getattr(operator, name, None) is target
    if not ours or name not in OPERATIONS:
        raise ExportFailed(
            f"export: {name or target} is none of the operations that load.py runs, so the network has no safetensors "
            "form; ask for --format pt2"
        )
    return name


def _plain(value: object, names: Mapping[Node, str]) -> object:
    if isinstance(value, Node):
        return {"of": names[value]}
    if isinstance(value, list | tuple):
        return [_plain(item, names) for item in value]
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format) and str(value)[6:] in NAMES:
        return {"torch": str(value)[6:]}
    if isinstance(value, torch.device):
        return {"of": DEVICE}
    if value is None or (isinstance(value, bool | int | float | str) and value == value):
        return value
    raise ExportFailed(f"export: an argument {value!r} of an operation has no safetensors form; ask for --format pt2")


def _mark_unneeded(steps: list[list[Any]]) -> None:
    """Add to each step the names of results no later step reads, in place: their memory can be freed."""
    last: dict[str, int] = {}
    for place, (name, _, args, named, _) in enumerate(steps):
        for read in (name, *_read(args), *_read(list(named.values()))):
            last[read] = place
    made = {step[0] for step in steps[:-1]}
    for name, place in last.items():
        if name in made:
            steps[place][4].append(name)


def _read(arg: object) -> list[str]:
    if isinstance(arg, list):
        return [name for item in arg for name in _read(item)]
    return [arg["of"]] if isinstance(arg, dict) and "of" in arg else []


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
