"""Import torchvision, late, and beside any build of torch.

torchvision's wheel is built for CUDA. Beside a CPU torch its compiled operators do not load, and the import stops at
`operator torchvision::nms does not exist`: torchvision registers shapes for two operators no library has declared.
Declaring both suffices for models, data sets and transforms. Only detection calls the operators, and detection is not
used here.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from threading import Lock
from types import ModuleType

import torch

_UNDECLARED = "operator torchvision::nms does not exist"
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_lock = Lock()


def import_torchvision() -> ModuleType:
    """Return the module `torchvision`, with `models`, `datasets` and `transforms` loaded.

    The first call of a process takes a second or two: no module imports torchvision at its top. Operators are declared
    only if the import stops for want of them; any other error is raised unchanged.
    """
    with _lock:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if not needs_operators(error):
                raise
        # The failed import leaves submodules of a missing package behind.
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declare_operators()
        return importlib.import_module("torchvision")


def needs_operators(error: BaseException) -> bool:
    """Whether an import stopped for want of the operators, as in a user's module with `import torchvision`."""
    return isinstance(error, RuntimeError) and _UNDECLARED in str(error)


@cache
def _declare_operators() -> torch.library.Library:
    """Declare the two operators; the cache keeps the library alive, and with the library the declarations."""
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(name + _SIGNATURE)  # type: ignore[no-untyped-call]
    return library


def import_torchmetrics() -> ModuleType:
    """Return the module `torchmetrics`, which imports torchvision; the first call of a process takes seconds."""
    import_torchvision()
    return importlib.import_module("torchmetrics")
