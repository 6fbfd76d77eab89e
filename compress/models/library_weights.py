"""Weights published for networks of libraries, from the libraries' own caches: nothing is downloaded.

timm's loader fills timm's networks: it knows the older forms of the files, sums or repeats the first convolution for
other channels, and leaves out the classifier made for other classes.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compress.errors import RecipeError, said
from compress.models.family import head_of
from compress.models.imagenet import PRETRAINED
from compress.models.library import LIBRARIES, library_of
from compress.models.states import read_states

PRETRAINED_NAME = "pretrained"
"""Name of the weights that a library prefers, replaced by the weights' own name where it is read."""
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
"""Files of a repository of weights, as timm looks for them."""


def check_published(family: str, weights: str) -> None:
    """Raise RecipeError unless `weights`, as `PACKAGE:NAME`, can be of a network `family`; nothing is imported."""
    package, _, name = weights.partition(":")
    if package == "torchvision" and not (family in PRETRAINED or family.startswith("torchvision:")):
        known = ", ".join(PRETRAINED)
        raise RecipeError(f"{family}: torchvision has no weights for it, only for {known} and torchvision:NAME")
    if package == "timm" and not family.startswith("timm:"):
        raise RecipeError(f"{family}: timm's weights must be for a network of timm's, timm:NAME, got {weights!r}")
    if not name:
        raise RecipeError(f"{family}: weights of {package} must have a name, got {weights!r}; see {family}@pretrained")


def preferred(family: str) -> str:
    """Return, as `PACKAGE:NAME`, the weights a library prefers for its network; RecipeError without any."""
    library = LIBRARIES["torchvision"] if family in PRETRAINED else library_of(family)
    if library is None:
        raise RecipeError(f"{family}: weights must be a file, no library has any for it, got 'pretrained'")
    name = library.default_weights(library.prefix + PRETRAINED[family] if family in PRETRAINED else family)
    if not name:
        raise RecipeError(f"{family}: {library.package} must have weights for it, it has none; name a file")
    return library.prefix + name


def published_file(family: str, weights: str) -> Path:
    """Return the file of published weights in the cache; RecipeError for an unknown name or a missing file."""
    return (_timm_file if weights.startswith("timm:") else _torchvision_file)(family, weights.partition(":")[2])


def load_timm(family: str, weights: str, module: nn.Module) -> tuple[str, ...]:
    """Fill a network of timm's in place, by timm's own loader; return the layers left as initialised.

    timm fills a network of the file's own classes, for with other classes timm takes a file that does not fit. All but
    the classifier is then copied. RecipeError if the file does not fit; the module is unchanged then.
    """
    file, cfg = published_file(family, weights), _cfg(family, weights.partition(":")[2])
    states, head = read_states(family, file), head_of(module)
    channels = next(layer for layer in module.modules() if isinstance(layer, nn.Conv2d)).in_channels
    try:
        filled = (
            LIBRARIES["timm"]
            .module(family)
            .create_model(
                LIBRARIES["timm"].check_known(family),
                pretrained=True,
                pretrained_cfg=cfg,
                pretrained_cfg_overlay={"state_dict": next(iter(states.values()))},
                num_classes=cfg.num_classes,
                in_chans=channels,
            )
        )
        found, own = filled.state_dict(), module.state_dict()
        left = {name for name, tensor in own.items() if name not in found or found[name].shape != tensor.shape}
        if strange := sorted(name for name in left if name.rpartition(".")[0] != head):
            raise ValueError(f"another shape of {strange[0]}")
        module.load_state_dict({name: own[name] if name in left else found[name] for name in own})
    except Exception as error:  # timm's loader refuses a file in ways of its own
        raise RecipeError(f"{family}: the tensors in {file} must be its own, got {said(error)}") from error
    return (head,) if left else ()


def _torchvision_file(family: str, name: str) -> Path:
    library = LIBRARIES["torchvision"]
    bare = PRETRAINED[family] if family in PRETRAINED else library.check_known(family)
    known: Any = library.module(family).models.get_model_weights(bare).__members__
    if name not in known:
        raise RecipeError(f"{family}: torchvision's weights must be one of {', '.join(known)}, got {name!r}")
    url = str(known[name].url)
    file = _checkpoint(url)
    if not file.exists():
        raise RecipeError(
            f"{family}: torchvision's {name} must lie in {file}, for nothing is downloaded; get it at {url}"
        )
    return file


def _timm_file(family: str, tag: str) -> Path:
    cfg = _cfg(family, tag)
    if cfg.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        for name in (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_FILES:
            found = try_to_load_from_cache(cfg.hf_hub_id, name)
            if isinstance(found, str):
                return Path(found)
    file = _checkpoint(str(cfg.url)) if cfg.url else None
    if file is not None and file.exists():
        return file
    where = (
        f"Hugging Face's cache; get it by hf download {cfg.hf_hub_id}" if cfg.hf_hub_id else f"{file}: get {cfg.url}"
    )
    raise RecipeError(f"{family}: timm's {tag} must lie here, for nothing is downloaded, in {where}")


def _cfg(family: str, tag: str) -> Any:
    """Return timm's record of the weights with a tag; RecipeError with the nearest tags for an unknown tag."""
    timm = LIBRARIES["timm"]
    module, name = timm.module(family), timm.check_known(family)
    tags = [one.partition(".")[2] for one in module.list_pretrained(f"{name}.*")]
    if tag not in tags:
        near = get_close_matches(tag, tags, 5, 0.0) or ["none"]
        raise RecipeError(f"{family}: timm's weights must be one of {', '.join(near)}, got {tag!r}")
    return module.get_pretrained_cfg(f"{name}.{tag}")


def _checkpoint(url: str) -> Path:
    """Return the place of a downloaded file in torch's cache."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
