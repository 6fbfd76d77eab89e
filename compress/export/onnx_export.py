"""A module as ONNX, and what onnxruntime makes of it. Both are an extra: nothing is imported until it is needed.

Layers with int8 weights become ONNX's own form of them: weights stored as int8 with a scale a channel, the input of the
layer quantized to uint8 and back (QuantizeLinear, DequantizeLinear). Whether a layer is then multiplied in integers is
the runtime's to decide; `integer_layers` says what onnxruntime decides here.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from compress.errors import ExportError, said
from compress.export.graph import ExportFailed, program
from compress.export.standalone import IMAGES, MOST_VALUES
from compress.quantize.int8 import Int8Conv2d, Int8Linear

NEEDED = ("onnx", "onnxruntime", "onnxscript")
LOGITS = "logits"
LARGEST = torch.ops.aten.adaptive_max_pool2d.default
INTEGERS = ("QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat")
"""Onnxruntime's layers that multiply integers."""


def check_onnx(who: str) -> None:
    """ExportError unless all that ONNX needs is installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ExportError(f"{who}: onnx needs {', '.join(missing)}, get it by pip install 'paretune[onnx]'")


def write_onnx(model: nn.Module, shape: tuple[int, int, int], file: Path) -> None:
    """Write the model in eval mode as one file, for images `(batch, *shape)` of any batch.

    The int8 layers of `model` compute in ONNX's own form from then on. ExportFailed where there is no such form.
    """
    import onnx

    for layer in model.modules():
        if isinstance(layer, Int8Conv2d | Int8Linear):
            layer.floats = MethodType(_standard, layer)  # type: ignore[method-assign]
    traced = program(model, shape)
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's own, about torch
            if any(node.target == LARGEST for node in traced.graph.nodes):  # it takes as long as all the rest
                traced = traced.run_decompositions({LARGEST: _largest})
            found = torch.onnx.export(
                traced, dynamo=True, verbose=False, input_names=[IMAGES], output_names=[LOGITS], external_data=False
            )
        assert found is not None
        proto = found.model_proto
        _bare(proto)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the converter has no error of its own for what it cannot do
        raise ExportFailed(
            f"export: this network has no ONNX form ({_first(error)}); leave onnx out of --format"
        ) from error
    file.write_bytes(proto.SerializeToString())


def _first(error: BaseException) -> str:
    """What was wrong at first, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return said(error)


def _standard(layer: Int8Conv2d | Int8Linear, x: Tensor) -> tuple[Tensor, Tensor]:
    """In place of `floats`: the same numbers by ONNX's own operations."""
    zero = layer.input_zero.to(torch.uint8)
    steps = _symbol("QuantizeLinear", (x, layer.input_scale, zero), torch.uint8, x)
    even = torch.zeros_like(layer.weight_scale, dtype=torch.int8)
    weight = _symbol("DequantizeLinear", (layer.weight, layer.weight_scale, even), x.dtype, layer.weight, axis=0)
    return _symbol("DequantizeLinear", (steps, layer.input_scale, zero), x.dtype, x), weight


def _symbol(name: str, given: tuple[Tensor, ...], dtype: torch.dtype, like: Tensor, axis: int | None = None) -> Tensor:
    return torch.onnx.ops.symbolic(name, given, {} if axis is None else {"axis": axis}, dtype=dtype, shape=like.shape)


def _largest(maps: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling, for which torch's exporter knows no ONNX; where the largest values are it does not say."""
    for dim, cells in zip((-2, -1), size, strict=True):
        of = maps.shape[dim]
        cuts = [(i * of // cells, -(-(i + 1) * of // cells)) for i in range(cells)]
        maps = torch.cat([maps.narrow(dim, a, b - a).amax(dim, keepdim=True) for a, b in cuts], dim)
    return maps, torch.zeros_like(maps, dtype=torch.int64)


def _bare(proto: Any) -> None:
    """Drop what the exporter notes of where each operation came from: source lines, folders."""
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.value_info):
        part.ClearField("metadata_props")
    for part in (*proto.graph.output, *proto.graph.initializer):
        part.ClearField("metadata_props")


def _check_closed(held: Any) -> None:
    """ValueError for what no export of ours has: weights in other files, operations of others, loops, huge results."""
    import onnx

    if len(held.functions) or any(one.domain not in ("", "ai.onnx") for one in held.graph.node):
        raise ValueError("it must have ONNX's own operations alone")
    if {"Loop", "Scan", "If", "SequenceMap"} & {one.op_type for one in held.graph.node}:
        raise ValueError("it must be a plain graph, without loops and branches")
    attributes = [one.t for node in held.graph.node for one in node.attribute if one.HasField("t")]
    if any(tensor.external_data or tensor.data_location for tensor in (*held.graph.initializer, *attributes)):
        raise ValueError("its weights must lie in itself, not in another file")
    if len(held.graph.sparse_initializer):
        raise ValueError("its weights must be plain tensors")
    inferred = onnx.shape_inference.infer_shapes(held, strict_mode=True, data_prop=True)
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        if prod(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim) > MOST_VALUES:
            raise ValueError(f"{value.name} must not have more than {MOST_VALUES:,} values")


@dataclass(frozen=True)
class Session:
    """A file as onnxruntime runs it on the CPU: images `(B, C, H, W)` in, logits `(B, classes)` out."""

    run: Callable[[Tensor], Tensor]
    opset: int
    runtime: str
    int8_layers: int
    """Layers whose weights the file holds as int8."""
    integer_layers: int
    """Layers that onnxruntime multiplies in integers."""


def open_onnx(file: Path) -> Session:
    """With as many threads as torch has; ExportError when the file is no ONNX model."""
    check_onnx("evaluate")
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        held = onnx.load_model_from_string(file.read_bytes())
        _check_closed(held)
        (opset,) = [one.version for one in held.opset_import if one.domain == ""]
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
            session = onnxruntime.InferenceSession(
                held.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            ran = onnx.load(options.optimized_model_filepath)
    except Exception as error:  # a torn file can fail anywhere in the reader
        line = str(error).strip().partition("\n")[0]
        raise ExportError(f"evaluate: {file} cannot be loaded: {line or type(error).__name__}") from error
    given = session.get_inputs()[0].name

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {given: images.numpy()})[0])

    small = sum(tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1 for tensor in held.graph.initializer)
    whole = sum(node.op_type in INTEGERS for node in ran.graph.node)
    return Session(run, opset, onnxruntime.__version__, small, whole)
