"""Networks of installed libraries, `torchvision:NAME` and `timm:NAME`, made by the library's own constructors.

NAME is a name of `torchvision.models.list_models` (classification only) or `timm.list_models`. The constructor takes
the number of classes. timm's takes the number of channels too; torchvision's makes networks for three channels, so for
other images the first convolution is made anew, with its settings and the deviation of its weights.

The library is imported where a network is built, never where a name is read. Its version is part of the fingerprint.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from difflib import get_close_matches
from importlib import metadata
from typing import Any, ClassVar, final

from torch import nn

from compress.errors import MissingModel, RecipeError, said
from compress.machine.vision import import_torchvision
from compress.models.family import Family
from compress.models.own import make_own

_NAME = re.compile(r"[A-Za-z0-9_]+")
_NEAR = 5
"""Names shown beside an unknown name."""


class Library(ABC):
    """A package with constructors of networks by name."""

    package: ClassVar[str]
    source: ClassVar[str]

    @property
    def prefix(self) -> str:
        """Return the beginning of the names of its networks and weights."""
        return f"{self.package}:"

    def version(self, who: str) -> str:
        """Return package and version, without the build; MissingModel, about `who`, if the package is missing."""
        try:
            return f"{self.package} {metadata.version(self.package).partition('+')[0]}"
        except metadata.PackageNotFoundError as error:
            raise MissingModel(
                f"{who}: {self.package} must be installed where its networks are built, got no such package; "
                f"pip install {self.package}"
            ) from error

    def module(self, who: str) -> Any:
        """Import the package; MissingModel, about `who`, if impossible."""
        self.version(who)
        try:
            import_torchvision()  # timm imports torchvision
            return importlib.import_module(self.package)
        except Exception as error:  # a package beside others of another age may raise anything
            raise MissingModel(f"{who}: {self.package} must be importable, got {said(error)}") from error

    def check_known(self, name: str) -> str:
        """Return NAME of `PACKAGE:NAME`; RecipeError with the nearest names if the package has no network NAME."""
        bare, known = name.removeprefix(self.prefix), self.names(name)
        if bare not in known:
            near = ", ".join(get_close_matches(bare, known, _NEAR, 0.5)) or f"{known[0]} and {len(known) - 1} others"
            raise RecipeError(f"{name}: {self.package} has no network {bare!r} for classification, near are {near}")
        return bare

    @abstractmethod
    def names(self, who: str) -> list[str]:
        """Return the names of all networks."""

    @abstractmethod
    def make(self, name: str, classes: int, channels: int) -> nn.Module:
        """Make the network `PACKAGE:NAME` without weights."""

    @abstractmethod
    def default_weights(self, name: str) -> str:
        """Return the name of the weights the package prefers for `PACKAGE:NAME`, "" without any."""


@final
class Torchvision(Library):
    """torchvision's networks for classification."""

    package = "torchvision"
    source = "https://docs.pytorch.org/vision/stable/models.html"
    _ALONE: ClassVar[dict[str, dict[str, bool]]] = {
        name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")
    }
    """Arguments of networks with further classifiers for training: the logits must be alone."""

    def names(self, who: str) -> list[str]:
        """Return the networks for classification."""
        models = self.module(who).models
        found: list[str] = models.list_models(module=models)
        return found

    def make(self, name: str, classes: int, channels: int) -> nn.Module:
        """Make the network; the first convolution is made anew unless `channels` is 3."""
        bare = self.check_known(name)
        made: nn.Module = self.module(name).models.get_model(
            bare, weights=None, num_classes=classes, **self._ALONE.get(bare, {})
        )
        if channels != 3:
            _take_channels(made, channels)
        return made

    def default_weights(self, name: str) -> str:
        """Return the member that torchvision calls DEFAULT."""
        found = self.module(name).models.get_model_weights(self.check_known(name))
        return str(found.DEFAULT.name)


@final
class Timm(Library):
    """timm's networks."""

    package = "timm"
    source = "https://huggingface.co/docs/timm"

    def names(self, who: str) -> list[str]:
        """Return all networks of timm's registry."""
        found: list[str] = self.module(who).list_models()
        return found

    def make(self, name: str, classes: int, channels: int) -> nn.Module:
        """Make the network."""
        bare = self.check_known(name)
        made: nn.Module = self.module(name).create_model(bare, num_classes=classes, in_chans=channels)
        return made

    def default_weights(self, name: str) -> str:
        """Return the tag that timm takes without a tag."""
        cfg = self.module(name).get_pretrained_cfg(self.check_known(name))
        return str(cfg.tag) if cfg is not None and cfg.has_weights else ""


LIBRARIES: dict[str, Library] = {one.package: one for one in (Torchvision(), Timm())}


def library_of(name: str) -> Library | None:
    """Return the library a network or weights are named after, as `PACKAGE:NAME`; None for any other name."""
    package, colon, _ = name.partition(":")
    return LIBRARIES.get(package) if colon else None


def check_library_name(name: str) -> None:
    """Raise RecipeError unless the name of a library's network has letters, digits and underscores alone."""
    library, (_, _, bare) = LIBRARIES[name.partition(":")[0]], name.partition(":")
    if _NAME.fullmatch(bare):
        return
    first, _, tag = bare.partition(".")
    if library.package == "timm" and _NAME.fullmatch(first) and tag:
        raise RecipeError(f"{name}: a tag names weights, so write timm:{first}@timm:{tag}, or timm:{first} without any")
    raise RecipeError(f"model: a network of {library.package} must be named as {library.prefix}NAME, got {name!r}")


def library_family(name: str) -> Family:
    """Return a library's network as a family of `fixed` width; nothing is imported before the family's `make`."""
    library = LIBRARIES[name.partition(":")[0]]

    def make(classes: int, channels: int, width: float) -> nn.Module:
        def build(classes: int, channels: int) -> nn.Module:
            return library.make(name, classes, channels)

        return make_own(name, build, (classes, channels))

    return Family(make, f"{library.package}'s {name.removeprefix(library.prefix)}", library.source, fixed=True)


def _take_channels(module: nn.Module, channels: int) -> None:
    """Put a convolution of `channels` channels in place of the first convolution."""
    path, first = next((path, layer) for path, layer in module.named_modules() if isinstance(layer, nn.Conv2d))
    settings = {name: getattr(first, name) for name in ("stride", "padding", "dilation", "groups", "padding_mode")}
    wide, tall = first.kernel_size
    made = nn.Conv2d(channels, first.out_channels, (wide, tall), bias=first.bias is not None, **settings)
    nn.init.normal_(made.weight, std=float(first.weight.detach().std()))
    module.set_submodule(path, made)
