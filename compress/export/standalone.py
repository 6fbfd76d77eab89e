"""Load the model of `model.safetensors` and `structure.json` with torch alone, without the exporting project.

An exported folder has a copy of this file as `load.py`. `logits = load(".")(images)` maps normalised images
`(B, C, H, W)` to outputs `(B, K)` or `(B, K, H, W)`. The two files are data: only the operations listed here can run,
on tensors, numbers and the names listed here. A structure with any other operation is refused before its first step.
"""

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as unpacked
from torch import Tensor

_ATEN = """
__and__.Scalar __and__.Tensor __or__.Scalar __or__.Tensor __xor__.Scalar __xor__.Tensor _adaptive_avg_pool2d
_log_softmax _native_batch_norm_legit_no_training _native_multi_head_attention _prelu_kernel _softmax _to_copy
_transformer_encoder_layer_fwd _unsafe_view _upsample_bicubic2d_aa _upsample_bicubic2d_aa.vec
_upsample_bilinear2d_aa _upsample_bilinear2d_aa.vec _weight_norm _weight_norm_interface abs abs_ acos
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
adaptive_max_pool3d add.Scalar add.Tensor add_.Scalar add_.Tensor addbmm addcdiv addcdiv_ addcmul addcmul_ addmm
affine_grid_generator alias all all.dim all.dims alpha_dropout alpha_dropout_ amax amin any any.dim any.dims arange
arange.start arange.start_step argmax argmin argsort argsort.stable asin atan atan2 avg_pool1d avg_pool2d avg_pool3d
baddbmm batch_norm bilinear bitwise_and.Scalar bitwise_and.Scalar_Tensor bitwise_and.Tensor bitwise_not
bitwise_or.Scalar bitwise_or.Scalar_Tensor bitwise_or.Tensor bitwise_xor.Scalar bitwise_xor.Scalar_Tensor
bitwise_xor.Tensor bmm broadcast_to cat cdist ceil ceil_ celu celu_ channel_shuffle chunk clamp clamp.Tensor clamp_
clamp_.Tensor clamp_max clamp_max.Tensor clamp_max_ clamp_max_.Tensor clamp_min clamp_min.Tensor clamp_min_
clamp_min_.Tensor clip clip.Tensor clone col2im complex concat constant_pad_nd contiguous conv1d conv1d.padding
conv2d conv2d.padding conv3d conv3d.padding conv_transpose1d conv_transpose2d.input conv_transpose3d.input
convolution copy_ copy_.Tensor cos cos_ cosh cosine_similarity cumprod cumsum detach detach_ diagonal div.Scalar
div.Scalar_mode div.Tensor div.Tensor_mode div_.Scalar div_.Scalar_mode div_.Tensor div_.Tensor_mode divide.Scalar
divide.Scalar_mode divide.Tensor divide.Tensor_mode dot dropout dropout_ einsum elu elu_ embedding eq.Scalar
eq.Tensor erf erfc exp exp2 exp_ expand expand_as expm1 eye eye.m fake_quantize_per_channel_affine
fake_quantize_per_tensor_affine feature_alpha_dropout feature_dropout feature_dropout_ fft_fft2 fft_fftshift
fft_ifft2 fft_irfft2 fft_rfft2 fill.Scalar fill.Tensor fill_.Scalar fill_.Tensor fix flatten.using_ints flip
float_power.Tensor_Scalar float_power.Tensor_Tensor floor floor_ floor_divide floor_divide.Scalar fmod.Scalar
fmod.Tensor frac full full_like gather ge.Scalar ge.Tensor gelu glu grid_sampler group_norm gru.input gt.Scalar
gt.Tensor hardshrink hardsigmoid hardsigmoid_ hardswish hardswish_ hardtanh hardtanh_ hstack hypot im2col imag
index.Tensor index_put index_put_ index_select instance_norm isfinite isinf isnan layer_norm le.Scalar le.Tensor
leaky_relu leaky_relu_ lerp.Scalar lerp.Tensor lerp_.Scalar lerp_.Tensor lift_fresh lift_fresh_copy linalg_norm
linalg_vector_norm linear linspace log log10 log1p log2 log_ log_sigmoid log_softmax.int logaddexp logical_and
logical_not logical_or logical_xor logsumexp lstm.input lt.Scalar lt.Tensor mT masked_fill.Scalar masked_fill.Tensor
masked_fill_.Scalar masked_fill_.Tensor matmul max max.dim max.other max_pool1d max_pool2d max_pool2d_with_indices
max_pool3d maximum mean mean.dim meshgrid meshgrid.indexing min min.dim min.other minimum mish mish_ mm moveaxis.int
moveaxis.intlist movedim.int movedim.intlist mul.Scalar mul.Tensor mul_.Scalar mul_.Tensor multiply.Scalar
multiply.Tensor mv nan_to_num narrow native_group_norm native_layer_norm ne.Scalar ne.Tensor neg neg_ negative
new_full new_ones new_zeros norm.Scalar norm.ScalarOpt_dim norm.ScalarOpt_dim_dtype norm.ScalarOpt_dtype numpy_T
one_hot ones ones_like outer pad permute pixel_shuffle pixel_unshuffle pow.Scalar pow.Tensor_Scalar
pow.Tensor_Tensor pow_.Scalar pow_.Tensor prelu prod prod.dim_int real reciprocal reciprocal_ reflection_pad1d
reflection_pad2d reflection_pad3d relu relu6 relu6_ relu_ remainder.Scalar remainder.Scalar_Tensor remainder.Tensor
repeat repeat_interleave.self_int replication_pad1d replication_pad2d replication_pad3d reshape reshape_as rms_norm
rnn_tanh.input roll rot90 round round_ rsqrt rsqrt_ rsub.Scalar rsub.Tensor scalar_tensor
scaled_dot_product_attention scatter.reduce scatter.src scatter.value scatter.value_reduce scatter_.reduce
scatter_.src scatter_.value scatter_.value_reduce scatter_add scatter_add_ select.int select_scatter selu selu_ sgn
sigmoid sigmoid_ sign silu silu_ sin sin_ sinh slice.Tensor slice_scatter softmax.int softplus softshrink sort
sort.Tensor sort.stable split split.Tensor split.sizes split_with_sizes sqrt sqrt_ square square_ squeeze
squeeze.dim squeeze.dims squeeze_ squeeze_.dim squeeze_.dims stack std std.correction std.dim std_mean
std_mean.correction std_mean.dim sub.Scalar sub.Tensor sub_.Scalar sub_.Tensor subtract.Scalar subtract.Tensor sum
sum.dim_IntList swapaxes swapdims sym_numel sym_size sym_size.int sym_stride sym_stride.int t take_along_dim tan
tanh tanh_ tensor_split.indices tensor_split.sections threshold threshold_ tile to.device to.dtype to.other topk
transpose.int transpose_ tril triu true_divide.Scalar true_divide.Tensor trunc trunc_ type_as unbind.int
unflatten.int unfold unsafe_chunk unsafe_split.Tensor unsqueeze unsqueeze_ upsample_bicubic2d upsample_bicubic2d.vec
upsample_bilinear2d upsample_bilinear2d.vec upsample_linear1d upsample_linear1d.vec upsample_nearest1d
upsample_nearest1d.vec upsample_nearest2d upsample_nearest2d.vec upsample_nearest3d upsample_nearest3d.vec
upsample_trilinear3d upsample_trilinear3d.vec var var.correction var.dim var_mean var_mean.correction var_mean.dim
vdot view view_as view_as_complex view_as_real vstack where.Scalar where.ScalarOther where.ScalarSelf where.self
zero_ zeros zeros_like
"""
_PYTHON = "getitem add sub mul truediv floordiv mod pow neg abs eq ne lt le gt ge and_ or_ xor not_"
OPERATIONS = {f"aten.{name}" if "." in name else f"aten.{name}.default" for name in _ATEN.split()} | {*_PYTHON.split()}
"""Overloads in `torch.ops` and functions of Python's `operator`, without access to files or to names."""
_NEW = {f"aten.{name}" for name in ("arange.default", "arange.start", "arange.start_step", "eye.default", "eye.m")}
_NEW |= {f"aten.{name}.default" for name in ("full", "linspace", "ones", "scalar_tensor", "zeros")}
"""Operations that make a tensor from numbers alone: they run on the images' device."""
_NAMES = """
float16 bfloat16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 bool
strided contiguous_format preserve_format channels_last channels_last_3d
"""
NAMES = {name: getattr(torch, name) for name in _NAMES.split()}
"""Dtypes, the layout and memory formats, by name."""
IMAGES = "images"
DEVICE = "- device"  # a name no module can have
LARGEST_BYTES, MOST_STEPS = 2**28, 100_000
"""Limits of `structure.json`."""
MOST_VALUES = 2**32
"""Values in memory at a time, over all results; fewer for few or small images, see `_most`."""


def load(folder: str | Path, device: str = "cpu") -> "Network":
    """Load the model as a function of images on `device`; ValueError, before any step runs, for damaged files."""
    try:
        structure, weights = _read(Path(folder))
        known = {name: tensor.to(device) for name, tensor in _tensors(structure, weights).items()}
        return Network(_steps(structure["steps"], known), known)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        line = str(error).partition("\n")[0]
        raise ValueError(f"load: {folder} holds no model that can be run: {type(error).__name__}: {line}") from error
    except Exception as error:  # safetensors has an error class of its own
        raise ValueError(f"load: {folder} holds no weights that can be read: {error}") from error


@dataclass(frozen=True)
class Step:
    """An operation: the name of its result, its arguments, the results to drop afterwards."""

    name: str
    run: Any
    args: Any
    named: Any
    unneeded: list[str]


class Network:
    """Map images `(B, C, H, W)` to outputs `(B, ...)`; a new shape of images is tried on the meta device first."""

    def __init__(self, steps: list[Step], known: Mapping[str, Tensor]) -> None:
        self.steps, self.known = steps, known
        self.shapes: set[tuple[int, ...]] = set()

    def __call__(self, images: Tensor) -> Tensor:
        """Run all steps; ValueError if a step refuses the images, or would make too many values."""
        if tuple(images.shape) not in self.shapes:
            with torch.no_grad():
                empty = {name: tensor.to("meta") for name, tensor in self.known.items()}
                result = self._run({**empty, IMAGES: images.to("meta")}, _most(images))
            if not isinstance(result, Tensor) or result.dim() not in (2, 4) or len(result) != len(images):
                shape = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
                raise ValueError(f"load: the last step must give logits of {len(images)} images, got {shape}")
            self.shapes.add(tuple(images.shape))
        logits: Tensor = self._run({**self.known, IMAGES: images}, _most(images))
        return logits

    def _run(self, at: dict[str, Any], most: int) -> Any:
        at[DEVICE] = at[IMAGES].device
        values = 0
        for step in self.steps:
            try:
                named = {key: _given(arg, at) for key, arg in step.named.items()}
                at[step.name] = step.run(*_given(step.args, at), **named)
            except Exception as error:
                line = str(error).partition("\n")[0]
                raise ValueError(f"load: step {step.name} cannot be carried out: {line}") from error
            values += _size(at[step.name])
            if values > most:
                raise ValueError(f"load: step {step.name} would make more than {most:,} values")
            for name in step.unneeded:
                values -= _size(at.pop(name))
        return at[self.steps[-1].name]


def seal(weights: bytes, structure: Mapping[str, object]) -> str:
    """Return the sha256 of the weights and of the structure without its own: shows damage, not authorship."""
    text = json.dumps({key: value for key, value in structure.items() if key != "sha256"}, sort_keys=True)
    return hashlib.sha256(weights + text.encode()).hexdigest()


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    file = folder / "structure.json"
    if file.stat().st_size > LARGEST_BYTES:
        raise ValueError(f"structure.json must have at most {LARGEST_BYTES:,} bytes")
    structure = json.loads(file.read_text(), parse_constant=_infinite)
    weights = Path(folder, "model.safetensors").read_bytes()
    if "sha256" in structure and structure["sha256"] != seal(weights, structure):
        raise ValueError("one of the two files is damaged, for the checksum does not match")
    return structure, weights


def _infinite(name: str) -> float:
    if name == "NaN":
        raise ValueError("structure.json must hold numbers, got NaN")
    return float(name)


def _tensors(structure: Mapping[str, Any], weights: bytes) -> dict[str, Tensor]:
    """Return all tensors by name, cut out of the weights' flat tensor of each dtype, and all constants."""
    flat = unpacked(weights)
    if any(t.dtype != NAMES[dtype] or t.dim() != 1 for dtype, t in flat.items()):
        raise ValueError("the weights must be one flat tensor of each dtype")
    named = [name for name, *_ in (*structure["constants"], *structure["tensors"])]
    if len({*named, IMAGES, DEVICE}) != len(named) + 2 or not all(type(name) is str for name in named):
        raise ValueError("tensors must have names of their own")
    known = {name: torch.tensor(values, dtype=NAMES[dtype]) for name, dtype, values in structure["constants"]}
    places = dict.fromkeys(flat, 0)
    for name, dtype, shape in structure["tensors"]:
        if not all(type(side) is int and 0 <= side <= flat[dtype].numel() for side in shape):
            raise ValueError(f"{name}: the weights must hold a tensor of shape {shape}"[:200])
        start, places[dtype] = places[dtype], places[dtype] + prod(shape)
        known[name] = flat[dtype][start : places[dtype]].reshape(shape).clone()
    if places != {dtype: tensor.numel() for dtype, tensor in flat.items()}:
        raise ValueError("the tensors must take up all of the weights")
    return known


def _steps(listed: Any, known: Iterable[str]) -> list[Step]:
    if type(listed) is not list or not 0 < len(listed) <= MOST_STEPS:
        raise ValueError(f"there must be 1 to {MOST_STEPS:,} steps")
    present, made, steps = {*known, IMAGES, DEVICE}, set[str](), list[Step]()
    for name, operation, args, named, unneeded in listed:
        if type(name) is not str or name in present:
            raise ValueError(f"a step must have a name of its own, got {name!r}"[:200])
        if type(args) is not list or type(unneeded) is not list:
            raise ValueError(f"step {name} must list its arguments")
        run, resolved = _operation(operation), {key: _resolve(arg, present) for key, arg in named.items()}
        if operation in _NEW:
            resolved.setdefault("device", Name(DEVICE))  # the meta device on the first run
        steps.append(Step(name, run, _resolve(args, present), resolved, unneeded))
        present.add(name)
        made.add(name)
        for old in unneeded:
            made.remove(old)
            present.remove(old)
    if steps[-1].name not in present:
        raise ValueError("the last step must be kept")
    return steps


def _operation(name: Any) -> Any:
    if type(name) is not str or name not in OPERATIONS:
        raise ValueError(f"{name!r} is none of the operations that can run"[:200])
    if name.startswith("aten."):
        _, packet, overload = name.split(".")
        return getattr(getattr(torch.ops.aten, packet), overload)
    return _item if name == "getitem" else partial(_arithmetic, name)


class Name(str):
    """Name of an earlier result, a tensor of the weights, the images, or the images' device."""


def _resolve(arg: Any, present: set[str]) -> Any:
    """Return an argument with `Name` in place of `{"of": name}`, and a dtype or the like for `{"torch": name}`."""
    if type(arg) is list:
        return [_resolve(item, present) for item in arg]
    if arg is None or type(arg) in (bool, float) or (type(arg) is int and abs(arg) < 2**63):
        return arg
    if type(arg) is str and len(arg) <= 100:
        return arg
    if type(arg) is dict and len(arg) == 1:
        if "of" in arg and arg["of"] in present:
            return Name(arg["of"])
        if "torch" in arg and arg["torch"] in NAMES:
            return NAMES[arg["torch"]]
    raise ValueError(f"an argument must be a number, a short text, or the name of an earlier result, got {arg!r}"[:200])


def _given(arg: Any, at: Mapping[str, Any]) -> Any:
    if type(arg) is list:
        return [_given(item, at) for item in arg]
    return at[arg] if type(arg) is Name else arg


def _item(whole: Any, place: Any) -> Any:
    if not isinstance(whole, tuple | list) or not isinstance(place, int):
        raise TypeError("an item can be taken of a tuple alone")
    return whole[place]


def _arithmetic(name: str, *given: Any) -> Any:
    """Apply a function of `operator` to numbers and tensors, never to texts or lists: `mul` could make them huge."""
    if not all(isinstance(x, int | float | Tensor | torch.SymInt | torch.SymFloat | torch.SymBool) for x in given):
        raise TypeError(f"{name} takes numbers")
    if name == "pow" and any(isinstance(x, int) and abs(x) > 64 for x in given[1:]):
        raise ValueError("pow takes exponents up to 64")
    made = getattr(operator, name)(*given)
    if isinstance(made, int) and abs(made) >= 2**63:
        raise ValueError(f"{name} gives a number beyond 64 bits")
    return made


def _most(images: Tensor) -> int:
    return int(min(MOST_VALUES, 2**24 + 2**16 * images.numel()))


def _size(made: Any) -> int:
    if isinstance(made, tuple | list):
        return sum(_size(item) for item in made)
    return int(made.numel()) if isinstance(made, Tensor) else 1
