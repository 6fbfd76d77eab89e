"""Initial weights of a network: a user's file, or weights published by torchvision or timm, in the local cache.

A file is `.safetensors`, or a torch file with state dicts at some depth (`compress.models.states`): the only state dict
to fit is loaded. Names (apart from wrappers) and shapes must be the network's. Only BN's step counters and the second
name of a tied tensor may be missing. Values must be exact in the network's dtype, and parameters finite.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from compress.errors import RecipeError, said
from compress.models.family import head_of
from compress.models.library_weights import check_published, load_timm, published_file
from compress.models.states import SUFFIXES, State, read_states, renamed, unreadable, written

TORCHVISION, TIMM = PUBLISHED = ("torchvision:", "timm:")
"""Beginnings of the names of published weights."""
COUNTER = "num_batches_tracked"
"""BN's step counter. BN with a fixed momentum never reads the counter: it is not stored."""
_NAMED = 3
"""Names listed in an error message."""
_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..+)")


def check_form(family: str, weights: str) -> None:
    """Raise RecipeError unless `weights` has a known suffix or, for a library's network, is `LIBRARY:NAME`."""
    if weights.startswith(PUBLISHED):
        check_published(family, weights)
    elif not (Path(weights).name.lower().endswith(SUFFIXES) and Path(weights).suffix):
        raise RecipeError(
            f"{family}: weights must be a file {', '.join(SUFFIXES)} or torchvision:NAME, got {weights!r}"
        )


def digest(family: str, weights: str) -> str:
    """Return the sha256 of the file, in hexadecimal; RecipeError for an unreadable file."""
    file = _file(family, weights)
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("something that is no file")
        return _digest(file, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError) as error:  # ValueError for an impossible path
        raise unreadable(family, file, error) from error


def load_weights(family: str, weights: str, module: nn.Module) -> tuple[str, ...]:
    """Fill the module in place; return the layers left as initialised.

    Only published weights may leave layers: the first convolution and the classifier, if made for other images or
    classes. RecipeError names the first few tensors missing, unexpected or of another shape, the first number not
    finite or not exact, or the state dicts if several fit; the module is unchanged.
    """
    if weights.startswith(TIMM):
        return load_timm(family, weights, module)
    file = _file(family, weights)
    states = read_states(family, file)
    may_differ: list[str] = []
    if weights.startswith(TORCHVISION):
        states = {at: {_OLD_DENSENET.sub(r"\1\2", name): t for name, t in s.items()} for at, s in states.items()}
        stem = next(name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d))
        may_differ = [stem, head_of(module)]
    wanted = {n: t for n, t in module.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
    fits = {place: _Fit(renamed(state, wanted), wanted, may_differ) for place, state in states.items()}
    chosen = {place: fit for place, fit in fits.items() if not fit.faults}
    if not chosen:
        place, fit = max(fits.items(), key=lambda item: item[1].matching)
        under = f" under {written(place)}" if place else ""
        raise RecipeError(f"{family}: the tensors in {file}{under} must be its own, got {fit.complaint}")
    first, *others = chosen.values()
    if not all(first.equals(other) for other in others):
        places = " and ".join(map(written, chosen))
        raise RecipeError(
            f"{family}: {file} must hold one state dict that fits, got {places}; save the wanted one alone, with "
            f"torch.save(torch.load({file.name!r}){written(next(iter(chosen)))}, 'wanted.pt')"
        )
    who = f"{family}: {file}"
    state = {name: _converted(who, name, first.state[name], like) for name, like in first.filled.items()}
    first.check_tied(who)
    try:
        module.load_state_dict({**wanted, **state}, strict=False)
    except Exception as error:  # a user's own network may load in ways of its own
        raise RecipeError(f"{family}: its load_state_dict must take {file}, got {said(error)}") from error
    return first.left


@dataclass(frozen=True)
class _Fit:
    """A state dict compared with a network's tensors `wanted`; layers of `may_differ` may have another shape."""

    state: State
    wanted: dict[str, Tensor]
    may_differ: list[str]

    @property
    def left(self) -> tuple[str, ...]:
        """Layers of `may_differ` with another shape."""
        return tuple(layer for layer in self.may_differ if any(_layer(name) == layer for name in self._differing()))

    @property
    def filled(self) -> dict[str, Tensor]:
        """Tensors of the network filled by the state dict, by name."""
        return {name: t for name, t in self.wanted.items() if name in self.state and _layer(name) not in self.left}

    @property
    def matching(self) -> int:
        """Number of tensors with the name and shape of a network's tensor."""
        return sum(name in self.state for name in self.wanted) - len(self._differing())

    @property
    def faults(self) -> list[str]:
        """Phrases on tensors missing, unexpected, or of another shape; empty if the state dict fits."""
        present = {id(self.wanted[name]) for name in self.state if name in self.wanted}
        missing = [n for n, t in self.wanted.items() if id(t) not in present and not n.endswith(COUNTER)]
        differs = [n for n in self._differing() if _layer(n) not in self.left]
        found = [
            _listed("missing", missing),
            _listed("unexpected", [n for n in self.state if n not in self.wanted]),
            _listed("of another shape", [f"{n} {_sides(self.state[n])} for {_sides(self.wanted[n])}" for n in differs]),
        ]
        return [fault for fault in found if fault]

    @property
    def complaint(self) -> str:
        """The faults as a phrase, with a hint if the state dict fits without a common prefix of its names."""
        prefixes = {name.partition(".")[0] for name in self.state}
        shorter = {name.partition(".")[2]: tensor for name, tensor in self.state.items()}
        helps = len(prefixes) == 1 and not _Fit(shorter, self.wanted, self.may_differ).faults
        hint = f"; they fit once {prefixes.pop()}. is taken off their names" if helps else ""
        return "; ".join(self.faults) + hint

    def equals(self, other: _Fit) -> bool:
        """Whether both state dicts fill the network with equal values."""
        return self.filled.keys() == other.filled.keys() and all(
            torch.equal(self.state[name], other.state[name]) for name in self.filled
        )

    def check_tied(self, who: str) -> None:
        """Raise RecipeError if two names of a tied tensor have different values."""
        names: dict[int, str] = {}
        for name, tensor in self.filled.items():
            other = names.setdefault(id(tensor), name)
            if not torch.equal(self.state[name], self.state[other]):
                raise RecipeError(f"{who}: {other} and {name} are one tensor in the network, they differ in the file")

    def _differing(self) -> list[str]:
        return [n for n, t in self.wanted.items() if n in self.state and self.state[n].shape != t.shape]


def _converted(who: str, name: str, tensor: Tensor, like: Tensor) -> Tensor:
    """Return the tensor in the dtype of `like`; RecipeError unless its numbers are finite and exact in the dtype."""
    kind, wanted = (str(t.dtype).removeprefix("torch.") for t in (tensor, like))
    numbers = tensor.layout == torch.strided and not (tensor.is_meta or tensor.is_quantized)
    if (
        not numbers
        or tensor.is_complex() != like.is_complex()
        or (like.is_floating_point() and not tensor.is_floating_point())
    ):
        raise RecipeError(f"{who}: {name} must hold {wanted} numbers, got {kind if not tensor.is_meta else 'none'}")
    widest = torch.complex128 if tensor.is_complex() else torch.float64
    exact = tensor.to(widest)
    broken = exact[exact.isnan() if not isinstance(like, nn.Parameter) else ~exact.isfinite()]
    if len(broken):
        raise RecipeError(f"{who}: {name} must be finite, got {broken[0].item()}")
    made = tensor.to(like.dtype)
    if not torch.equal(made.to(widest), exact):
        raise RecipeError(f"{who}: {name} must fit into {wanted}, got {kind} that it would round; save it as {wanted}")
    return made


def _file(family: str, weights: str) -> Path:
    """Return the file of the weights; RecipeError if published weights are missing in the cache."""
    return published_file(family, weights) if weights.startswith(PUBLISHED) else Path(weights)


@lru_cache(maxsize=64)
def _digest(file: Path, size: int, changed_ns: int) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _layer(tensor: str) -> str:
    return tensor.rpartition(".")[0]


def _sides(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _listed(fault: str, names: Collection[str]) -> str:
    """Return the number of names and the first few, in words; "" without names."""
    shown = ", ".join(list(names)[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} {fault} ({shown})" if names else ""
