"""A model in a folder: `model.safetensors` and `structure.json`. Neither file is ever unpickled.

A user's own network is built by the function named in the structure: the function is imported and called.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from compress.codec import decode
from compress.encoding import encode
from compress.errors import StoreError
from compress.models import Model
from compress.store.structure import describe, load_weights, rebuild, weights

WEIGHTS = "model.safetensors"
STRUCTURE = "structure.json"


@dataclass(frozen=True)
class Files:
    """The two files of a model, as bytes."""

    weights: bytes
    structure: bytes

    @property
    def size_bytes(self) -> int:
        """Size of the weights file in bytes."""
        return len(self.weights)

    @property
    def compressed_bytes(self) -> int:
        """Size of the weights file in bytes, deflated: unlike `size_bytes`, smaller the more weights are zero."""
        return len(zlib.compress(self.weights, 1))

    @property
    def sha256(self) -> str:
        """Checksum of both files, in hexadecimal digits."""
        return hashlib.sha256(self.weights + self.structure).hexdigest()

    @classmethod
    def of(cls, module: nn.Module, model: Model, *, classes: int, channels: int) -> Files:
        """Pack a module built as `model`; RecipeError if the module has state other than tensors."""
        structure = describe(module, model, classes, channels)
        return cls(save(weights(module)), json.dumps(structure, separators=(",", ":")).encode())

    @classmethod
    def read(cls, folder: Path) -> Files:
        """Read both files from a folder; StoreError if a file cannot be read."""
        try:
            return cls((folder / WEIGHTS).read_bytes(), (folder / STRUCTURE).read_bytes())
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror or error}") from error

    def write(self, folder: Path) -> None:
        """Write both files into an existing folder."""
        (folder / WEIGHTS).write_bytes(self.weights)
        (folder / STRUCTURE).write_bytes(self.structure)

    def module(self, family: str | None = None) -> nn.Module:
        """Build the model, in eval mode on the CPU; StoreError if a file is damaged or the two do not fit together.

        `family` is the function of a user's own network, in place of the path in the structure. MissingModel if the
        function cannot be imported.
        """
        try:
            state = load(self.weights)
            structure = json.loads(self.structure)
        except (SafetensorError, ValueError) as error:
            raise StoreError(f"model files: {error}") from error
        if not isinstance(structure, dict):
            raise StoreError("model files: the structure must be a JSON object")
        if family is not None:
            structure = {**structure, "model": encode(replace(self.origin(), family=family))}
        module = rebuild(structure)
        try:
            return load_weights(module, state, structure.get("tensors"))
        except (TypeError, ValueError) as error:
            raise StoreError(f"weights: the structure's tensors must be [name, dtype, shape], got {error}") from error

    def origin(self) -> Model:
        """Return the model the structure was cut from, a model of the zoo or a user's own."""
        model: Model = decode(json.loads(self.structure)["model"])
        return model
