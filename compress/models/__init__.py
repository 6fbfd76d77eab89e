"""Networks: the zoo, `MODELS` by name with a file for every family, those of libraries, and a user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from compress.errors import RecipeError, check_above_zero, check_kind
from compress.models import cnn, imagenet, resnet, slimnets, vgg, weights, wrn
from compress.models.check_constructed import check_chance
from compress.models.check_network import IMAGES, check_network
from compress.models.family import Family, check_images
from compress.models.library import check_library_name, library_family, library_of
from compress.models.library_weights import PRETRAINED_NAME, preferred
from compress.models.own import is_own, own_family
from compress.own_code import whole_path

MODELS: dict[str, Family] = {
    **cnn.FAMILY,
    **resnet.FAMILY,
    **wrn.FAMILY,
    **vgg.FAMILY,
    **imagenet.FAMILY,
    **slimnets.FAMILY,
}
_TEXT = re.compile(r"(.+?\.py:\w*|[^@]*)(@?)(.*)", re.DOTALL)
"""A network and its weights; the folder of a file may have an @ in its name."""


@dataclass(frozen=True)
class Model:
    """A network: `family` by name in the zoo, `torchvision:NAME`, `timm:NAME`, or a function of a user's own.

    Networks of libraries are in `compress.models.library`, a user's own, `FILE.py:function` or
    `package.module:function`, in `compress.models.own`; a file's path becomes absolute. `width` above 0
    multiplies the channels; families of `fixed` width take only 1. `shortcuts` above 0 multiplies the channels a
    shortcut adds to, in CIFAR ResNets only: Aghli & Ribeiro 2021 call them un-prunable. `weights`, a file,
    `torchvision:NAME` or `timm:NAME` (`compress.models.weights`), are the initial weights of the first stage.

    RecipeError for an impossible name or setting. `check` imports functions and reads weights; the constructor does
    neither, so that a recipe can be read anywhere.
    """

    name: ClassVar[str] = "model"
    added: ClassVar[tuple[str, ...]] = ("weights", "shortcuts")
    family: str
    width: float = 1.0
    weights: str | None = None
    shortcuts: float = 1.0

    def __post_init__(self) -> None:
        check_kind("model: family", self.family, (str,))
        if self.of_library:
            check_library_name(self.family)
        elif is_own(self.family):
            object.__setattr__(self, "family", whole_path("model", self.family))
        elif self.family not in MODELS:
            known = ", ".join((*sorted(MODELS), "torchvision:NAME", "timm:NAME"))
            raise RecipeError(
                f"model: unknown {self.family!r}, known are {known}, FILE.py:function and package.module:function"
            )
        check_above_zero(f"{self.family}: width", self.width)
        check_above_zero(f"{self.family}: shortcuts", self.shortcuts)
        if self.family in MODELS:
            self._check_width()
        if self.shortcuts != 1 and not (self.family in MODELS and MODELS[self.family].shortcuts):
            raise RecipeError(
                f"{self.family}: shortcuts must be 1, they have no width of their own, got {self.shortcuts!r}"
            )
        check_kind(f"{self.family}: weights", self.weights, (str, type(None)))
        if self.weights is not None:
            weights.check_form(self.family, self.weights)

    @classmethod
    def parse(cls, text: str) -> Model:
        """Parse `NAME` or `NAME@WEIGHTS`, at width 1; a relative path starts at the current folder.

        `pretrained` stands for the weights that torchvision or timm prefers, whose name is then in the model.
        """
        split = _TEXT.fullmatch(text)
        assert split is not None  # any text fits
        family, at, place = split.groups()
        if at and not place:
            raise RecipeError(f"model: the weights must be named after the @, a file or torchvision:NAME, got {text!r}")
        if place == PRETRAINED_NAME:
            place = preferred(cls(family).family)
        if at and not place.startswith(weights.PUBLISHED):
            place = str(Path(place).expanduser().absolute())
        return cls(family, weights=place if at else None)

    @property
    def own(self) -> bool:
        """Whether the network is not of the zoo, but a user's own or of a library."""
        return self.family not in MODELS

    @property
    def of_library(self) -> bool:
        """Whether the network is made by an installed library, torchvision or timm."""
        return library_of(self.family) is not None

    @property
    def title(self) -> str:
        """The network's name for people."""
        return "a user network" if self.own and not self.of_library else self._made_by.title

    @property
    def source(self) -> str:
        """A link to the network's paper or library, "" for a user's own."""
        return "" if self.own and not self.of_library else self._made_by.source

    @property
    def trained(self) -> bool:
        """Whether the weights are trained for the task: true for a file, false for published weights."""
        return self.weights is not None and not self.weights.startswith(weights.PUBLISHED)

    @property
    def bare(self) -> Model:
        """The same network without weights: the structure depends on nothing else."""
        return replace(self, weights=None)

    @property
    def scales(self) -> bool:
        """Whether the network may be built at other widths: never with weights."""
        return self.weights is None and not self._made_by.fixed

    @property
    def fingerprints(self) -> dict[str, str]:
        """Everything able to change under the same name.

        `source` is the sha256 of a user's own network, `version` the library and its version, `weights` a sha256.
        """
        library = library_of(self.family)
        if library is not None:
            found = {"version": library.version(self.family)}
        else:
            found = {"source": self._made_by.fingerprint} if self.own else {}
        if self.weights is not None:
            found["weights"] = weights.digest(self.family, self.weights)
        return found

    def build(self, classes: int, channels: int) -> nn.Module:
        """Build a module without the weights, initialised from torch's global random state."""
        self._check_width()
        narrow = {"shortcuts": self.shortcuts} if self.shortcuts != 1 else {}
        return self._made_by.make(classes, channels, self.width, **narrow)

    def start(self, classes: int, channels: int) -> nn.Module:
        """Build the module the first stage starts from, filled with the weights, if any."""
        return self._start(classes, channels)[0]

    def check(
        self, outputs: int, shape: tuple[int, int, int], *, softmax: bool = True, dense: bool = False
    ) -> tuple[str, ...]:
        """Build the network, load its weights, and run a network not of the zoo on images of `shape` (C, H, W).

        `softmax` and `dense` are those of a goal: `dense` outputs are maps as large as the images.

        Return the layers published weights leave as initialised. RecipeError unless all succeeds.
        """
        if not self.own and dense:
            raise RecipeError(
                f"{self.family}: gives one answer an image, the task needs one a pixel; name another network"
            )
        if not self.own:
            check_images(self.family, MODELS[self.family].least, *shape[1:])
            if self.weights is None:
                return ()
        return _check(self, tuple(self.fingerprints.items()), outputs, shape, softmax, dense)

    def _start(self, classes: int, channels: int) -> tuple[nn.Module, tuple[str, ...]]:
        module = self.build(classes, channels)
        left = () if self.weights is None else weights.load_weights(self.family, self.weights, module)
        return module, left

    @property
    def _made_by(self) -> Family:
        if self.of_library:
            return library_family(self.family)
        return own_family(self.family) if self.own else MODELS[self.family]

    def _check_width(self) -> None:
        if self._made_by.fixed and self.width != 1:
            raise RecipeError(f"{self.family}: width must be 1, its constructor takes no other, got {self.width!r}")

    def __str__(self) -> str:
        place = "" if self.weights is None else f"@{self.weights.rpartition('/')[2]}"
        wide = "" if self.width == 1 else f" x{self.width:g}"
        return f"{self.family.rpartition('/')[2]}{place}{wide}" + (
            "" if self.shortcuts == 1 else f", shortcuts x{self.shortcuts:g}"
        )


@lru_cache(maxsize=64)
def _check(
    model: Model,
    _: tuple[tuple[str, str], ...],
    outputs: int,
    shape: tuple[int, int, int],
    softmax: bool,
    dense: bool,
) -> tuple[str, ...]:
    """Do the work of `Model.check`, once a process for every model and its fingerprints."""
    with torch.random.fork_rng(devices=[]):
        module, left = model._start(outputs, shape[0])
        if model.own:
            check_chance(model.family, lambda: model.build(outputs, shape[0]))
            images = torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(0))
            check_network(model.family, module, images, (outputs, *(shape[1:] if dense else ())), softmax=softmax)
    return left
