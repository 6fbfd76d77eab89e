"""A foreign `torch.export` program, checked before torch reads the file.

Torch's reader unpickles objects of a program file, looks operations up by attribute, and compiles text of the file as
Python. A foreign program is therefore read as data first: known names of records, weights as plain bytes, a graph of
known fields, operations on tensors and numbers only. Torch reads a repacked copy of the checked parts, without the
records no run needs.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import torch

from compress.export.standalone import MOST_VALUES, OPERATIONS

_RECORD = re.compile(
    r"(archive_format|archive_version|byteorder|\.data/(serialization_id|version)|models/model\.json"
    r"|data/sample_inputs/model\.pt|data/(weights|constants)/(model_(weights|constants)_config\.json|(weight|tensor)_\d+))"
)
_DROPPED = "data/sample_inputs/model.pt"
_FIELDS = """
graph_module graph inputs outputs nodes target name arg kind hint expr_str is_hop_single_tensor_return
is_single_tensor_return tensor_values sym_int_values sym_bool_values sym_float_values custom_obj_values
as_none as_tensor as_tensors as_int as_ints as_float as_floats as_string as_bool as_bools as_name as_expr as_sym_int
as_sym_ints as_sym_float as_sym_bool as_scalar_type as_memory_format as_layout as_device as_optional_tensor
as_optional_tensors signature input_specs output_specs parameter parameter_name buffer buffer_name persistent
tensor_constant tensor_constant_name user_input user_output user_input_mutation user_input_name module_call_graph
fqn in_spec out_spec forward_arg_names treespec_namedtuple_fields opset_version range_constraints min_val max_val
schema_version major minor verifiers torch_version guards_code dtype sizes requires_grad device type index strides
storage_offset layout path_name is_param use_pickle tensor_meta metadata
"""
_KNOWN = frozenset(_FIELDS.split())
_MAPS = frozenset({"tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"})
_MAPS |= {"opset_version", "range_constraints"}
_EMPTY = frozenset({"guards_code", "custom_obj_values", "treespec_namedtuple_fields"})
_IMAGES: list[dict[str, object]] = [{"type": None, "context": None, "children_spec": []}]
_IN = [
    {"type": "builtins.tuple", "context": "null", "children_spec": _IMAGES},
    {"type": "builtins.dict", "context": "[]", "children_spec": []},
]
_SPECS: dict[str, object] = {
    "in_spec": [1, {"type": "builtins.tuple", "context": "null", "children_spec": _IN}],
    "out_spec": [1, _IMAGES[0]],
}
"""The only input and output accepted: a tensor of images in, a tensor of logits out."""
_TEXT = re.compile(r"[\w .:,>+-]{0,200}")
_NAME = re.compile(r"[A-Za-z_]\w{0,199}")
_SYMBOL = r"[a-z]\d{1,9}"
_EXPRESSION = re.compile(
    rf"(Symbol\('{_SYMBOL}'(, \w+=(True|False))*\)|Integer\(-?\d{{1,18}}\)|{_SYMBOL}|\d{{1,18}}"
    r"|(Mul|Add|Mod|PythonMod|FloorDiv|CleanDiv|Max|Min)\(|\)|, |[-+(]| )*"
)
_SIZES = frozenset({"torch.sym_max", "torch.sym_min", "torch.sym_float", "math.ceil", "math.floor", "math.trunc"})
_KINDS = re.compile(
    r"Tensor|Optional\[Tensor\]|(List|Optional)\[.*(Tensor|int|float|number|bool|Optional).*\]|int|float|bool|number"
)


class Foreign(ValueError):
    """A program with more in it than a graph of torch's operations and their weights."""


def repack_program(file: Path) -> io.BytesIO:
    """Return the file's program for `torch.export.load`; Foreign if the file could run code, or is no program."""
    try:
        records = _records(file)
        graph = _check_value(json.loads(records.pop("models/model.json")), "")
        for part in ("weights", "constants"):
            name = f"data/{part}/model_{part}_config.json"
            _check_payloads(json.loads(records[name])["config"], f"data/{part}/", records)
    except Foreign:
        raise
    except Exception as error:  # a damaged file may raise any error
        raise Foreign(f"no program: {type(error).__name__}: {str(error).partition(chr(10))[0]}") from error
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in {**records, "models/model.json": json.dumps(graph).encode(), _DROPPED: b""}.items():
            archive.writestr(f"archive/{name}", data)
    packed.seek(0)
    return packed


def _records(file: Path) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.partition("/")[2]
            if not _RECORD.fullmatch(name) or name in records:
                raise Foreign(f"an unknown record {info.filename[:100]!r}")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > file.stat().st_size:
                raise Foreign(f"a record {name} that is packed, which no program of torch's is")
            records[name] = archive.read(info)
    return records


def _check_value(value: Any, field: str) -> Any:
    """Return a field's value without notes on source lines; Foreign for a value found in no graph of tensors."""
    if isinstance(value, dict):
        return _check_fields(value, field)
    if isinstance(value, list):
        if field == "as_ints" and not 0 <= prod(max(1, abs(side)) for side in value) <= MOST_VALUES:
            raise Foreign("sizes beyond all memory")
        return [_check_value(item, field) for item in value]
    if isinstance(value, str):
        _check_text(value, field)
    elif isinstance(value, int) and abs(value) > MOST_VALUES and value != 2**63 - 1:
        raise Foreign(f"a number too large, {value:.0e}")
    return value


def _check_fields(value: dict[str, Any], field: str) -> dict[str, Any]:
    known = _NAME.fullmatch if field in _MAPS else _KNOWN.__contains__
    for name in value:
        if not known(name):
            raise Foreign(f"a field {name[:100]!r} that no graph of tensors has")
        if name in _EMPTY and value[name]:
            raise Foreign(f"{name}, which would be run")
        if name in _SPECS and json.loads(value[name]) != _SPECS[name]:
            raise Foreign("more than images in and logits out")
    return {
        name: {} if name == "metadata" else _check_value(item, name)
        for name, item in value.items()
        if name not in _SPECS
    } | {name: value[name] for name in _SPECS if name in value}


def _check_text(text: str, field: str) -> None:
    if field == "target":
        if not _runs(text):
            raise Foreign(f"an operation {text[:100]!r}, which is none of torch's own on tensors and numbers")
    elif field == "expr_str":
        if len(text) > 1000 or not _EXPRESSION.fullmatch(text):
            raise Foreign(f"a size {text[:100]!r} that is no sum or product")
    elif not (_NAME if field in ("name", "forward_arg_names") else _TEXT).fullmatch(text):
        raise Foreign(f"a name {text[:100]!r}")


def _runs(target: str) -> bool:
    """Whether an operation is on the list of `load.py`, or a torch operation from tensors and numbers to the same."""
    prefix, _, name = target.partition("aten.")
    if prefix != "torch.ops.":
        return target in _SIZES or (target.startswith("_operator.") and target[10:] in OPERATIONS)
    if f"aten.{name}" in OPERATIONS:
        return True
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet, None), overload, None)
    if not isinstance(operation, torch._ops.OpOverload) or "out" in overload or "unsafe" in packet:
        return False
    kinds = [str(value.type) for value in (*operation._schema.arguments, *operation._schema.returns)]
    return bool(operation._schema.returns) and all(_KINDS.fullmatch(kind) for kind in kinds)


def _check_payloads(config: dict[str, Any], folder: str, records: dict[str, bytes]) -> None:
    """Raise Foreign for a pickled tensor, or a tensor larger than the bytes of its record."""
    for name, entry in config.items():
        _check_value(entry, "")
        meta = entry["tensor_meta"]
        if entry["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
            raise Foreign(f"a pickle in the place of {name[:100]}")
        if not _TEXT.fullmatch(name) or meta["device"]["type"] != "cpu":
            raise Foreign(f"a tensor {name[:100]!r} that is of no network")
        sizes, strides = ([side["as_int"] for side in meta[part]] for part in ("sizes", "strides"))
        last = meta["storage_offset"]["as_int"] + sum((a - 1) * b for a, b in zip(sizes, strides, strict=True))
        count = len(records[folder + entry["path_name"]])
        if (
            any(type(side) is not int or side < 0 for side in (*sizes, *strides))
            or prod(sizes) > count
            or last >= max(count, 1)
        ):
            raise Foreign(f"a tensor {name} larger than its bytes")
