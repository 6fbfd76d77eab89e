"""A module as a graph of torch's own operations: the program that `torch.export` makes, and that graph as plain JSON.

What an operation remembers of the source line it came from is taken out: it names folders of the machine that exports.
So are operations that only watch the others: one of them wants the weights on the device they were exported on.
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
"""Operations that only watch the others."""


class ExportFailed(RuntimeError):
    """A network that cannot be given in a form that was asked for."""


def program(model: nn.Module, shape: tuple[int, int, int]) -> ExportedProgram:
    """The model in eval mode as a graph of torch operations, for images `(B, *shape)`, any B. ExportFailed if none."""
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
    """Keep what the tracer prints and logs about a network it cannot trace from the user: its exception says it."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        logging.disable(before)


def unexported(model: nn.Module, shape: tuple[int, int, int]) -> str:
    """Return why an export of the network would lack a format or fail, "" where it would not; `model` is in eval mode
    afterwards.
    """
    try:
        graph(program(model, shape))
    except ExportFailed as error:
        return str(error)
    return ""


def graph(made: ExportedProgram) -> dict[str, Any]:
    """The program as JSON that `compress/plain.py` carries out.

    `constants` are `[name, dtype, values]` of tensors that are in no weights file, `steps` are `[name, operation,
    arguments, named arguments, names needed no more]`; the last one gives the logits. An argument `{"of": name}` stands
    for an earlier result, a tensor of the weights by its own name, the images, or the `DEVICE` that these are on;
    `{"torch": name}` for a dtype.
    ExportFailed where an operation is none of torch's own.
    """
    inputs = made.graph_signature
    places = {**inputs.inputs_to_parameters, **inputs.inputs_to_buffers, **inputs.inputs_to_lifted_tensor_constants}
    held = {target: made.constants[target] for target in places.values() if target in made.constants}
    names = {node: places.get(node.name, IMAGES) for node in made.graph.nodes if node.op == "placeholder"}
    steps: list[list[Any]] = []
    for node in made.graph.nodes:
        if node.op == "call_function":
            names[node] = f"{len(steps)} {node.name}"  # no module's path begins with a digit and a space
            named = {key: _plain(value, names) for key, value in node.kwargs.items()}
            steps.append([names[node], _operation(node.target), _plain(list(node.args), names), named, []])
    given = made.graph.output_node().args[0]
    if not steps or _read(_plain(given, names)) != [steps[-1][0]]:
        raise ExportFailed("export: the network's last operation must give its logits, and nothing else be returned")
    _forget(steps)
    used = {target for node, target in names.items() if node.users}
    constants = [[name, _dtype(t), t.tolist()] for name, t in held.items() if name in used]
    return {"constants": constants, "steps": steps}


def _operation(target: object) -> str:
    """Its name below `torch.ops`, or in Python's `operator`; ExportFailed unless `load.py` runs it."""
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
        return [_plain(one, names) for one in value]
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format) and str(value)[6:] in NAMES:
        return {"torch": str(value)[6:]}
    if isinstance(value, torch.device):
        return {"of": DEVICE}
    if value is None or (isinstance(value, bool | int | float | str) and value == value):
        return value
    raise ExportFailed(f"export: an argument {value!r} of an operation has no safetensors form; ask for --format pt2")


def _forget(steps: list[list[Any]]) -> None:
    """Write into each step which results no later one reads, so that they need not be kept."""
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
        return [name for one in arg for name in _read(one)]
    return [arg["of"]] if isinstance(arg, dict) and "of" in arg else []


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
