"""The one place that imports torchvision, late and beside any build of torch.

torchvision's wheel is built for CUDA. Beside a CPU torch its compiled operators do not load, and its import
stops at `operator torchvision::nms does not exist`, because it describes two operators that nobody declared.
Declaring them is enough for models, data sets and transforms; detection, which would call them, is not used
here.
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

    The first call of a process takes a second or two, which is why no module imports torchvision at its top.
    Operators are declared only where the import stops for want of them; any other error of it is raised as it
    is.
    """
    with _lock:
        try:
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            if not needs_operators(error):
                raise
        # The failed attempt leaves submodules behind that refer to a package that is gone.
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _declare_operators()
        return importlib.import_module("torchvision")


def needs_operators(error: BaseException) -> bool:
    """Whether an import stopped for want of the operators: the module imports torchvision by itself."""
    return isinstance(error, RuntimeError) and _UNDECLARED in str(error)


@cache
def _declare_operators() -> torch.library.Library:
    """Declare the two operators; the cache keeps the library alive, and with it the declarations."""
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(name + _SIGNATURE)  # type: ignore[no-untyped-call]
    return library
