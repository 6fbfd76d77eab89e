"""The module of an export: the network of its `structure.json`, built if its function may be run."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from torch import nn

from compress.errors import ExportError, MissingModel, RecipeError, StoreError
from compress.own_code import FILE
from compress.store.files import STRUCTURE, Files


def files_of(folder: Path, networks: Collection[str]) -> tuple[Files, str | None] | None:
    """Return the files of the module, and the function that builds a user's own network, None for any other network.

    Warn and return None if the module's function may not, or cannot, be run. A file of `networks` stands for a file of
    the same name elsewhere: the maker's folders are not those of this machine.
    """
    try:
        files = Files.read(folder)
        origin = files.origin()
    except (StoreError, RecipeError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ExportError(f"evaluate: {folder} is damaged: {STRUCTURE}: {type(error).__name__}: {error}") from error
    if origin.of_library:
        try:
            _ = origin.fingerprints
        except MissingModel as error:
            logging.getLogger(__name__).warning("note: params, MACs and bytes are not measured: %s", error)
            return None
    if not origin.own or origin.of_library:
        return files, None
    found = next((one for one in networks if one == origin.family), None)
    found = found or next((one for one in networks if FILE in one and _title(one) == _title(origin.family)), None)
    if found is not None:
        return files, found
    place, _, function = origin.family.rpartition(":")
    here = not place.endswith(FILE) or Path(place).is_file()
    logging.getLogger(__name__).warning(
        "note: params, MACs and bytes are not measured: measuring them would run %s; if you trust it, say --network %s",
        origin.family,
        origin.family if here else f"PATH/{Path(place).name}:{function}, where the file is here",
    )
    return None


def _title(path: str) -> str:
    """Return the path of a function without the folders of its file."""
    return path.rpartition("/")[2]


def module_of(folder: Path, files: Files, network: str | None) -> nn.Module:
    """Build the module, a user's own network by the function `network`; ExportError if that fails."""
    try:
        return files.module(network)
    except StoreError as error:
        if network is not None and network != files.origin().family:
            raise ExportError(f"evaluate: {network} must make the network of {folder}, it does not: {error}") from error
        raise ExportError(f"evaluate: {folder} is damaged: {error}") from error
