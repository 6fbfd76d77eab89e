"""A pretended GPU, in Python: tensors whose `.device` is a card, whose data lie in the CPU, and which refuse the CPU's.

Work on the card shows whether a method mixes devices, and how often the host waits. Times, and all that depends on a
kernel, need a real card. torch calls the backend registered here experimental.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "card"
_setup_privateuseone_for_python_backend(NAME)
CARD = torch.device(NAME, 0)
vars(torch)[NAME].get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]  # `torch.autocast` asks
vars(torch)[NAME].get_rng_state = lambda device=None: torch.get_rng_state()  # `torch.random.fork_rng` asks
vars(torch)[NAME].set_rng_state = lambda state, device=None: None
MIXED_BY_RIGHT = {"copy_", "_to_copy", "index", "set_", "lift_fresh", "is_same_size"}
"""Operations that take tensors of two devices on a real card too."""
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "bincount", "_linalg_svd"}


class OnCard(Tensor):
    """A tensor of the card; `held` has its data."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        with _disable_current_modes():
            meta = torch.empty_strided(held.size(), held.stride(), dtype=held.dtype, device="meta")
        made: OnCard = Tensor._make_subclass(cls, meta, False, dispatch_device=True, device_for_backend_keys=CARD)
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD

    def __repr__(self, **_: object) -> str:  # type: ignore[override]
        return f"OnCard({tuple(self.held.shape)}, {self.held.dtype})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: object, args: Any = (), kwargs: Any = None
    ) -> Any:
        return carry_out(func, args, kwargs or {})

    def __deepcopy__(self, memo: dict[int, Any]) -> OnCard:
        if id(self) not in memo:
            copy = OnCard(self.held.detach().clone()).requires_grad_(self.requires_grad)
            copy._is_param = getattr(self, "_is_param", False)
            memo[id(self)] = copy
        found: OnCard = memo[id(self)]
        return found

    def tolist(self) -> Any:
        waits["tolist"] += 1
        return self.held.tolist()

    def numpy(self, *_: object, **__: object) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


waits: Counter[str] = Counter()


def carry_out(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation of torch, on the CPU; RuntimeError where a card's kernel would refuse its tensors."""
    name = func._schema.name.partition("::")[2]
    flat, _ = tree_flatten((args, kwargs))
    tensors = [one for one in flat if isinstance(one, Tensor)]
    cards = [one for one in tensors if isinstance(one, OnCard)]
    if name == "device":
        return CARD if isinstance(args[0], OnCard) else args[0].device
    _check(name, args, tensors, cards)
    wanted = kwargs.get("device")
    there = _is_card(wanted) if wanted is not None else bool(cards)
    if name == "copy_":
        there = isinstance(args[0], OnCard)
    if name == "_to_copy" and wanted is not None and isinstance(args[0], OnCard) != there:
        waits["copy"] += not kwargs.get("non_blocking")
    if cards and (name in WAITS or _has_mask(name, args)):
        waits[name] += 1
    given = {**kwargs, "device": torch.device("cpu")} if _is_card(wanted) else dict(kwargs)
    with _disable_current_modes():
        found = func(*tree_map(_held, args), **tree_map(_held, given))
    if name == "_local_scalar_dense":
        return found
    if isinstance(found, Tensor) and args and isinstance(args[0], Tensor) and found is _held(args[0]):
        return args[0]  # in place
    known = {id(one.held): one for one in cards}
    return tree_map(lambda one: _placed(one, there, known), found)


def _check(name: str, args: Any, tensors: list[Tensor], cards: list[OnCard]) -> None:
    strangers = [one for one in tensors if not isinstance(one, OnCard) and one.dim() > 0 and one.device.type == "cpu"]
    if name == "index" and cards and not isinstance(args[0], OnCard):
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    if cards and strangers and name not in MIXED_BY_RIGHT:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! ({name})"
        )


def _has_mask(name: str, args: Any) -> bool:
    return name.startswith(("index", "_index_put")) and any(
        isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8) for one in tree_flatten(args[1:])[0]
    )


def _is_card(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _held(one: Any) -> Any:
    return one.held if isinstance(one, OnCard) else one


def _placed(one: Any, there: bool, known: dict[int, OnCard]) -> Any:
    if not isinstance(one, Tensor) or isinstance(one, OnCard):
        return one
    return known.get(id(one)) or (OnCard(one) if there else one)


class _Everywhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hears of operations that make tensors on the card out of none."""

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        return carry_out(func, args, kwargs or {})


class _Generators(type):
    kind: ClassVar[Any] = torch.Generator

    def __call__(cls, device: Any = "cpu") -> Any:
        return _CardGenerator() if _is_card(device) else cls.kind(device)

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, cls.kind)


class _CardGenerator(torch.Generator):
    """Draws on the CPU, and has a state of another size than the CPU's."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD

    def get_state(self) -> Tensor:
        return torch.cat([super().get_state(), torch.zeros(8, dtype=torch.uint8)])

    def set_state(self, state: Tensor) -> _CardGenerator:
        super().set_state(state[:-8])
        return self


class _Generator(metaclass=_Generators):
    pass


def _swap(one: Any, other: Any) -> None:
    """As `torch.utils.swap_tensors`, for tensors of a class with attributes."""
    one.__class__, other.__class__ = other.__class__, one.__class__
    one.__dict__, other.__dict__ = other.__dict__, one.__dict__
    torch._C._swap_tensor_impl(one, other)


_DATA: Any = torch._C.TensorBase.data


def _set_data(tensor: Tensor, value: Tensor) -> None:
    """As torch's own, which refuses a tensor of another class."""
    if not isinstance(value, OnCard):
        _DATA.__set__(tensor, value)
        return
    new = value.detach().requires_grad_(tensor.requires_grad)
    new._is_param = isinstance(tensor, torch.nn.Parameter)
    _swap(tensor, new)


def _get_data(tensor: Tensor) -> Any:
    return tensor.detach() if isinstance(tensor, OnCard) else _DATA.__get__(tensor)


@contextmanager
def pretended_card() -> Iterator[Counter[str]]:
    """Inside, what is put on `CARD` is on the card; counts what the host waits for."""
    waits.clear()
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    with ExitStack() as held:
        held.enter_context(mock.patch.object(torch.utils, "swap_tensors", _swap))
        held.enter_context(mock.patch.object(torch, "Generator", _Generator))
        held.enter_context(mock.patch.object(Tensor, "data", property(_get_data, _set_data)))
        held.enter_context(torch.autograd.set_multithreading_enabled(False))
        held.enter_context(_Everywhere())  # type: ignore[no-untyped-call]
        torch._C._set_only_lift_cpu_tensors(True)
        try:
            yield waits
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
            torch.__future__.set_swap_module_params_on_conversion(before)
