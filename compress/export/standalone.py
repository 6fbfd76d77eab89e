"""Plain torch: the model of `model.safetensors` and `structure.json`, rebuilt without the project that made it.

In an exported folder this file is `load.py`: `logits = load(".")(images)`, normalised images `(B, C, H, W)`, logits
`(B, classes)`. The two files are data. Only the operations listed here can run, on tensors, numbers and the names
listed here; a structure that asks for anything else is refused before its first step.
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
"""Overloads below `torch.ops`, functions of Python's `operator`: none reads or writes a file, or looks up a name."""
_NEW = {f"aten.{name}" for name in ("arange.default", "arange.start", "arange.start_step", "eye.default", "eye.m")}
_NEW |= {f"aten.{name}.default" for name in ("full", "linspace", "ones", "scalar_tensor", "zeros")}
"""Operations that make a tensor of no other: where the images are."""
_NAMES = """
float16 bfloat16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 bool
strided contiguous_format preserve_format channels_last channels_last_3d
"""
NAMES = {name: getattr(torch, name) for name in _NAMES.split()}
"""Dtypes, the layout, memory formats."""
IMAGES = "images"
DEVICE = "- device"  # no name of a module
LARGEST_BYTES, MOST_STEPS = 2**28, 100_000
"""Of `structure.json`."""
MOST_VALUES = 2**32
"""Values of all results that are kept at one time; of few or small images fewer, see `_most`."""


def load(folder: str | Path, device: str = "cpu") -> "Plain":
    """The model as a function of images on `device`; ValueError, before anything runs, for files of another kind."""
    try:
        structure, weights = _read(Path(folder))
        known = {name: tensor.to(device) for name, tensor in _tensors(structure, weights).items()}
        return Plain(_steps(structure["steps"], known), known)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, RuntimeError, TypeError, ValueError) as error:
        line = str(error).partition("\n")[0]
        raise ValueError(f"load: {folder} holds no model that can be run: {type(error).__name__}: {line}") from error
    except Exception as error:  # safetensors has an error of its own
        raise ValueError(f"load: {folder} holds no weights that can be read: {error}") from error


@dataclass(frozen=True)
class Step:
    """One operation: the result's name, the arguments, the results to drop afterwards."""

    name: str
    run: Any
    args: Any
    named: Any
    unneeded: list[str]


class Plain:
    """Images `(B, C, H, W)` to logits `(B, classes)`; images of a new shape first go through without memory."""

    def __init__(self, steps: list[Step], known: Mapping[str, Tensor]) -> None:
        self.steps, self.known = steps, known
        self.shapes: set[tuple[int, ...]] = set()

    def __call__(self, images: Tensor) -> Tensor:
        """ValueError for images the steps do not take, or would make too many values of."""
        if tuple(images.shape) not in self.shapes:
            with torch.no_grad():
                empty = {name: tensor.to("meta") for name, tensor in self.known.items()}
                made = self._run({**empty, IMAGES: images.to("meta")}, _most(images))
            if not isinstance(made, Tensor) or made.dim() != 2 or len(made) != len(images):
                raise ValueError(f"load: the last step must give logits of {len(images)} images, got another thing")
            self.shapes.add(tuple(images.shape))
        logits: Tensor = self._run({**self.known, IMAGES: images}, _most(images))
        return logits

    def _run(self, at: dict[str, Any], most: int) -> Any:
        at[DEVICE] = at[IMAGES].device
        held = 0
        for step in self.steps:
            try:
                named = {key: _given(arg, at) for key, arg in step.named.items()}
                at[step.name] = step.run(*_given(step.args, at), **named)
            except Exception as error:
                line = str(error).partition("\n")[0]
                raise ValueError(f"load: step {step.name} cannot be carried out: {line}") from error
            held += _size(at[step.name])
            if held > most:
                raise ValueError(f"load: step {step.name} would make more than {most:,} values")
            for gone in step.unneeded:
                held -= _size(at.pop(gone))
        return at[self.steps[-1].name]


def seal(weights: bytes, structure: Mapping[str, object]) -> str:
    """Sha256 of the weights and of all the structure says but this: tells damage, not who made them."""
    said = json.dumps({key: value for key, value in structure.items() if key != "sha256"}, sort_keys=True)
    return hashlib.sha256(weights + said.encode()).hexdigest()


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
    """By name, cut out of the one flat tensor that the weights have of each dtype; constants beside them."""
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
    there, made, steps = {*known, IMAGES, DEVICE}, set[str](), list[Step]()
    for name, operation, args, named, unneeded in listed:
        if type(name) is not str or name in there:
            raise ValueError(f"a step must have a name of its own, got {name!r}"[:200])
        if type(args) is not list or type(unneeded) is not list:
            raise ValueError(f"step {name} must list its arguments")
        run, checked = _operation(operation), {key: _checked(arg, there) for key, arg in named.items()}
        if operation in _NEW:
            checked.setdefault("device", Name(DEVICE))  # which is without memory at first
        steps.append(Step(name, run, _checked(args, there), checked, unneeded))
        there.add(name)
        made.add(name)
        for gone in unneeded:
            made.remove(gone)
            there.remove(gone)
    if steps[-1].name not in there:
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
    """Of an earlier result, a tensor of the weights, the images, or the device that these are on."""


def _checked(arg: Any, there: set[str]) -> Any:
    """The argument with names in place of `{"of": name}`, dtypes and the like in place of `{"torch": name}`."""
    if type(arg) is list:
        return [_checked(one, there) for one in arg]
    if arg is None or type(arg) in (bool, float) or (type(arg) is int and abs(arg) < 2**63):
        return arg
    if type(arg) is str and len(arg) <= 100:
        return arg
    if type(arg) is dict and len(arg) == 1:
        if "of" in arg and arg["of"] in there:
            return Name(arg["of"])
        if "torch" in arg and arg["torch"] in NAMES:
            return NAMES[arg["torch"]]
    raise ValueError(f"an argument must be a number, a short text, or the name of what is there, got {arg!r}"[:200])


def _given(arg: Any, at: Mapping[str, Any]) -> Any:
    if type(arg) is list:
        return [_given(one, at) for one in arg]
    return at[arg] if type(arg) is Name else arg


def _item(whole: Any, place: Any) -> Any:
    if not isinstance(whole, tuple | list) or not isinstance(place, int):
        raise TypeError("an item can be taken of a tuple alone")
    return whole[place]


def _arithmetic(name: str, *given: Any) -> Any:
    """A function of `operator` on numbers and tensors, never on texts or lists, which it would make long."""
    if not all(isinstance(one, int | float | Tensor | torch.SymInt | torch.SymFloat | torch.SymBool) for one in given):
        raise TypeError(f"{name} takes numbers")
    if name == "pow" and any(isinstance(one, int) and abs(one) > 64 for one in given[1:]):
        raise ValueError("pow takes exponents up to 64")
    made = getattr(operator, name)(*given)
    if isinstance(made, int) and abs(made) >= 2**63:
        raise ValueError(f"{name} gives a number beyond 64 bits")
    return made


def _most(images: Tensor) -> int:
    return int(min(MOST_VALUES, 2**24 + 2**16 * images.numel()))


def _size(made: Any) -> int:
    if isinstance(made, tuple | list):
        return sum(_size(one) for one in made)
    return int(made.numel()) if isinstance(made, Tensor) else 1
