"""Write a module as ONNX, and run an ONNX file by onnxruntime. Both packages are an extra, imported only when used.

Layers with int8 weights take ONNX's own form: int8 weights with a scale for every channel, and the layer's input
quantized to uint8 and back (QuantizeLinear, DequantizeLinear). The runtime decides whether to multiply a layer in
integers; `integer_layers` counts the layers onnxruntime does.
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
"""Onnxruntime's operations on integers."""


def check_onnx(who: str) -> None:
    """Raise ExportError unless all packages for ONNX are installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ExportError(f"{who}: onnx needs {', '.join(missing)}, get it by pip install 'paretune[onnx]'")


def write_onnx(model: nn.Module, shape: tuple[int, int, int], file: Path) -> None:
    """Write the model in eval mode as a single file, for images `(batch, *shape)` of any batch.

    The int8 layers of `model` are changed in place, and compute in ONNX's own form afterwards. ExportFailed if the
    network has no ONNX form.
    """
    import onnx

    for layer in model.modules():
        if isinstance(layer, Int8Conv2d | Int8Linear):
            layer.floats = MethodType(_standard, layer)  # type: ignore[method-assign]
    traced = program(model, shape)
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns about torch
            if any(node.target == LARGEST for node in traced.graph.nodes):  # takes as long as all other work here
                traced = traced.run_decompositions({LARGEST: _largest})
            found = torch.onnx.export(
                traced, dynamo=True, verbose=False, input_names=[IMAGES], output_names=[LOGITS], external_data=False
            )
        assert found is not None
        proto = found.model_proto
        _bare(proto)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the converter has no error class for impossible networks
        raise ExportFailed(
            f"export: this network has no ONNX form ({_first(error)}); leave onnx out of --format"
        ) from error
    file.write_bytes(proto.SerializeToString())


def _first(error: BaseException) -> str:
    """Return the first error of a chain of causes, in a single line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return said(error)


def _standard(layer: Int8Conv2d | Int8Linear, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the same as the layer's `floats`, by ONNX's own operations."""
    zero = layer.input_zero.to(torch.uint8)
    steps = _symbol("QuantizeLinear", (x, layer.input_scale, zero), torch.uint8, x)
    even = torch.zeros_like(layer.weight_scale, dtype=torch.int8)
    weight = _symbol("DequantizeLinear", (layer.weight, layer.weight_scale, even), x.dtype, layer.weight, axis=0)
    return _symbol("DequantizeLinear", (steps, layer.input_scale, zero), x.dtype, x), weight


def _symbol(name: str, given: tuple[Tensor, ...], dtype: torch.dtype, like: Tensor, axis: int | None = None) -> Tensor:
    return torch.onnx.ops.symbolic(name, given, {} if axis is None else {"axis": axis}, dtype=dtype, shape=like.shape)


def _largest(maps: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling in operations known to torch's exporter; the indices returned are all zero."""
    for dim, cells in zip((-2, -1), size, strict=True):
        of = maps.shape[dim]
        cuts = [(i * of // cells, -(-(i + 1) * of // cells)) for i in range(cells)]
        maps = torch.cat([maps.narrow(dim, a, b - a).amax(dim, keepdim=True) for a, b in cuts], dim)
    return maps, torch.zeros_like(maps, dtype=torch.int64)


def _bare(proto: Any) -> None:
    """Drop the exporter's notes on the origin of each operation, in place: source lines, folders."""
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.input, *proto.graph.value_info):
        part.ClearField("metadata_props")
    for part in (*proto.graph.output, *proto.graph.initializer):
        part.ClearField("metadata_props")


def _check_closed(proto: Any) -> None:
    """Raise ValueError for weights in other files, custom operations, loops or huge results: no export has any."""
    import onnx

    if len(proto.functions) or any(node.domain not in ("", "ai.onnx") for node in proto.graph.node):
        raise ValueError("it must have ONNX's own operations alone")
    if {"Loop", "Scan", "If", "SequenceMap"} & {node.op_type for node in proto.graph.node}:
        raise ValueError("it must be a plain graph, without loops and branches")
    attributes = [value.t for node in proto.graph.node for value in node.attribute if value.HasField("t")]
    if any(tensor.external_data or tensor.data_location for tensor in (*proto.graph.initializer, *attributes)):
        raise ValueError("its weights must lie in the file itself, not in another")
    if len(proto.graph.sparse_initializer):
        raise ValueError("its weights must be plain tensors")
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        if prod(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim) > MOST_VALUES:
            raise ValueError(f"{value.name} must not have more than {MOST_VALUES:,} values")


@dataclass(frozen=True)
class Session:
    """An ONNX file opened by onnxruntime on the CPU: `run` maps images `(B, C, H, W)` to logits `(B, classes)`."""

    run: Callable[[Tensor], Tensor]
    opset: int
    runtime: str
    int8_layers: int
    """Layers with int8 weights in the file."""
    integer_layers: int
    """Layers multiplied in integers by onnxruntime."""


def open_onnx(file: Path) -> Session:
    """Open an ONNX file, with as many threads as torch has; ExportError unless the file is an ONNX model."""
    check_onnx("evaluate")
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        proto = onnx.load_model_from_string(file.read_bytes())
        _check_closed(proto)
        (opset,) = [entry.version for entry in proto.opset_import if entry.domain == ""]
        with tempfile.TemporaryDirectory() as folder:
            options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
            session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            optimized = onnx.load(options.optimized_model_filepath)
    except Exception as error:  # a torn file can fail anywhere in the reader
        line = str(error).strip().partition("\n")[0]
        raise ExportError(f"evaluate: {file} cannot be loaded: {line or type(error).__name__}") from error
    given = session.get_inputs()[0].name

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {given: images.numpy()})[0])

    int8 = sum(tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1 for tensor in proto.graph.initializer)
    integer = sum(node.op_type in INTEGERS for node in optimized.graph.node)
    return Session(run, opset, onnxruntime.__version__, int8, integer)
