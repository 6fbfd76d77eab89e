"""The zoo: `MODELS` by name, one file a family; a network of the user's own beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from compress.errors import RecipeError, check_above_zero, check_kind
from compress.models import cnn, imagenet, resnet, slimnets, vgg, weights, wrn
from compress.models.family import Family, check_images
from compress.models.look import IMAGES, check_network
from compress.models.made import check_chance
from compress.models.own import is_own, own_family

MODELS: dict[str, Family] = {
    **cnn.FAMILY,
    **resnet.FAMILY,
    **wrn.FAMILY,
    **vgg.FAMILY,
    **imagenet.FAMILY,
    **slimnets.FAMILY,
}


@dataclass(frozen=True)
class Model:
    """A network: its `family` by name in the zoo, or a user's own as `package.module:function` (`compress.models.own`).

    `width` above 0 multiplies its channels; some take none but 1. So does `shortcuts`, in the CIFAR ResNets, those
    channels that a shortcut fixes: what Aghli & Ribeiro 2021 call un-prunable. `weights`, a file or `torchvision:NAME`
    (`compress.models.weights`), are what its first stage starts from. RecipeError for a name or setting that cannot be;
    whether a function can be imported and weights fit is seen by `check`, not on reading a recipe.
    """

    name: ClassVar[str] = "model"
    family: str
    width: float = 1.0
    weights: str | None = None
    shortcuts: float = 1.0

    def __post_init__(self) -> None:
        check_kind("model: family", self.family, (str,))
        if not is_own(self.family) and self.family not in MODELS:
            known = ", ".join(sorted(MODELS))
            raise RecipeError(f"model: unknown {self.family!r}, known are {known} and package.module:function")
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
        """From `NAME` or `NAME@WEIGHTS`, at width 1; a relative path is below the current folder."""
        family, at, place = text.partition("@")
        if at and not place:
            raise RecipeError(f"model: the weights must be named after the @, a file or torchvision:NAME, got {text!r}")
        if at and not place.startswith(weights.TORCHVISION):
            place = str(Path(place).expanduser().absolute())
        return cls(family, weights=place if at else None)

    @property
    def own(self) -> bool:
        """Whether it is the user's own, not the zoo's."""
        return is_own(self.family)

    @property
    def trained(self) -> bool:
        """Whether its weights are for its very task: a file's are, torchvision's are to begin with."""
        return self.weights is not None and not self.weights.startswith(weights.TORCHVISION)

    @property
    def bare(self) -> Model:
        """The same network without weights: all that its structure depends on."""
        return replace(self, weights=None)

    @property
    def scales(self) -> bool:
        """Whether it may be built at other widths; one with weights may not."""
        return self.weights is None and not self._made_by.fixed

    @property
    def fingerprints(self) -> dict[str, str]:
        """Sha256 of what may change behind the names: `source` of a user's own network, `weights`; else nothing."""
        found = {"source": self._made_by.fingerprint} if self.own else {}
        if self.weights is not None:
            found["weights"] = weights.digest(self.family, self.weights)
        return found

    def build(self, classes: int, channels: int) -> nn.Module:
        """A freshly initialised module from torch's global random state, without the weights."""
        self._check_width()
        narrow = {"shortcuts": self.shortcuts} if self.shortcuts != 1 else {}
        return self._made_by.make(classes, channels, self.width, **narrow)

    def start(self, classes: int, channels: int) -> nn.Module:
        """What the first stage starts from: freshly initialised, then filled with the weights, if there are any."""
        return self._started(classes, channels)[0]

    def check(self, classes: int, channels: int, size: int) -> tuple[str, ...]:
        """RecipeError unless it can be made, takes images of `size` x `size` pixels, and its weights fit.

        Returns the layers that torchvision's weights leave as they were initialised.
        """
        if not self.own:
            check_images(self.family, MODELS[self.family].least, size, size)
            if self.weights is None:
                return ()
        return _looked_at(self, tuple(self.fingerprints.items()), classes, channels, size)

    def _started(self, classes: int, channels: int) -> tuple[nn.Module, tuple[str, ...]]:
        module = self.build(classes, channels)
        left = () if self.weights is None else weights.load_weights(self.family, self.weights, module)
        return module, left

    @property
    def _made_by(self) -> Family:
        return own_family(self.family) if self.own else MODELS[self.family]

    def _check_width(self) -> None:
        if self._made_by.fixed and self.width != 1:
            raise RecipeError(f"{self.family}: width must be 1, its constructor takes no other, got {self.width!r}")

    def __str__(self) -> str:
        place = "" if self.weights is None else f"@{self.weights.rpartition('/')[2]}"
        wide = "" if self.width == 1 else f" x{self.width:g}"
        return f"{self.family}{place}{wide}" + ("" if self.shortcuts == 1 else f", shortcuts x{self.shortcuts:g}")


@lru_cache(maxsize=64)
def _looked_at(model: Model, _: tuple[tuple[str, str], ...], classes: int, channels: int, size: int) -> tuple[str, ...]:
    """What `Model.check` says of a network that is built and filled: once a process, while its fingerprints stay."""
    with torch.random.fork_rng(devices=[]):
        module, left = model._started(classes, channels)
        if model.own:
            check_chance(model.family, lambda: model.build(classes, channels))
            images = torch.randn(IMAGES, channels, size, size, generator=torch.Generator().manual_seed(0))
            check_network(model.family, module, images, classes)
    return left
