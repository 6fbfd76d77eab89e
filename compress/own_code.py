"""A user's own code: import a module or a file of Python, run the code, hash its source.

Modules in the current folder can be imported, however Python was started. A file is named as `path/to/file.py`.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from compress.errors import MissingModel, RecipeError, place_of, said
from compress.machine.vision import import_torchvision, needs_operators

FILE = ".py"
FORM = re.compile(r"(.+\.py|[^\W\d]\w*(\.[^\W\d]\w*)*):[^\W\d]\w*", re.DOTALL)
"""The form of a path: `file.py:NAME` or `package.module:NAME`."""


def split_path(what: str, path: str) -> tuple[str, str]:
    """Split `file.py:NAME` or `package.module:NAME` into place and name; a file's place becomes absolute.

    RecipeError for any other form; `what` is the option, for the message.
    """
    if not FORM.fullmatch(path):
        raise RecipeError(f"{what}: must be named as FILE.py:NAME or package.module:NAME, got {path!r}")
    place, _, name = path.rpartition(":")
    return (os.path.abspath(os.path.expanduser(place)) if place.endswith(FILE) else place), name


def whole_path(what: str, path: str) -> str:
    """Return the path with an absolute place for a file; RecipeError for another form. `what` is the option."""
    return ":".join(split_path(what, path))


def import_module(path: str, place: str) -> ModuleType:
    """Import `place`, a module's name or a file's path, and return the module; `path` is named in messages.

    MissingModel if the import fails, RecipeError if the module changes torch's global settings.
    """
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:  # `python -m` adds the current folder, the installed command not
        sys.path.append(here)
    importlib.invalidate_caches()
    where = "a file of Python" if place.endswith(FILE) else "importable, from the current folder or PYTHONPATH"
    name = _name_of(Path(place)) if place.endswith(FILE) else place
    try:
        with guarding_settings(path):
            return _load(name) if name == place or name == Path(place).stem else _load_file(name, Path(place))
    except RecipeError as error:
        sys.modules.pop(name, None)  # the next import must fail the same way
        if found := place_of(error):
            raise RecipeError(f"{path}: {error} ({found})") from error
        raise
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise MissingModel(f"{path}: {place} must be {where}, got {said(error)}") from error


def call(function: Callable[..., object], given: tuple[Any, ...]) -> object:
    """Call the function; a function that imports torchvision is called again once torchvision can be imported."""
    try:
        return function(*given)
    except RuntimeError as error:
        if not needs_operators(error):
            raise
    import_torchvision()
    return function(*given)


@contextmanager
def guarding_settings(path: str) -> Iterator[None]:
    """Run a user's code with its prints on standard error; RecipeError if the code changes torch's global settings."""
    before = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
    with redirect_stdout(sys.stderr):
        yield
    after = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_default_device()
    torch.set_grad_enabled(before[0])
    if after != before:
        torch.set_default_dtype(before[1])
        torch.set_default_device(before[2])
        names = ("torch.set_grad_enabled", "torch.set_default_dtype", "torch.set_default_device")
        calls = [name for name, old, new in zip(names, before, after, strict=True) if old != new]
        raise RecipeError(f"{path}: its module must leave torch's settings as they are, it calls {calls[0]}")


def source(*modules: ModuleType, apart: Container[str] = ()) -> str:
    """Return the sha256 of the modules' files and of all files of the same packages imported by them, recursively.

    Packages named in `apart` are left out. Torch's version stands for modules of torch itself, whose files import all
    others of torch.
    """
    modules, given = tuple(module for module in modules if not _is_torch(module)), modules
    tops = [importlib.import_module(module.__name__.partition(".")[0]) for module in modules]
    roots = {root for top in tops for root in _folders(top)}
    files: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        file = getattr(module, "__file__", None)
        if file is None or module.__name__ in files or module.__name__.partition(".")[0] in apart:
            continue
        if not any(_is_below(Path(file), root) for root in roots):
            continue
        files[module.__name__] = Path(file)
        named = [getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in _values(module)]
        waiting += [sys.modules[name] for name in named if isinstance(name, str) and name in sys.modules]
    whole = hashlib.sha256()
    for name, found in sorted(files.items()):
        whole.update(name.encode() + b"\0" + hashlib.sha256(found.read_bytes()).digest())
    if modules != given:
        whole.update(f"torch {torch.__version__}".encode())
    return whole.hexdigest()


def _is_torch(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] == torch.__name__


def _load(place: str) -> ModuleType:
    """Import a module; if its import of torchvision stops for want of operators, declare them and import again."""
    try:
        return importlib.import_module(place)
    except RuntimeError as error:
        if not needs_operators(error):
            raise
    import_torchvision()
    return importlib.import_module(place)


def _name_of(file: Path) -> str:
    """Return the module name for a file: its own where Python would find this file, else `own_` and its own.

    The file's folder comes last in the search for modules, so the file may import its neighbours.
    """
    folder = str(file.parent)
    if file.is_file() and folder not in sys.path:
        sys.path.append(folder)
    is_found = file.stem.isidentifier() and _origin(file.stem) == file.resolve()
    return file.stem if is_found else f"own_{file.stem}"


def _load_file(name: str, file: Path) -> ModuleType:
    """Import a file as the module `name`, once a process."""
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(file):
        return known
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _origin(name: str) -> Path | None:
    """Return the file Python imports as the module `name`, if any."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a spec, such as __main__
        return None
    return None if spec is None or not spec.has_location or spec.origin is None else Path(spec.origin).resolve()


def _folders(top: ModuleType) -> list[Path]:
    """Return the folders of a package, or the folder of a single-file module."""
    file = getattr(top, "__file__", None)
    return [Path(path) for path in getattr(top, "__path__", [Path(file).parent] if file else [])]


def _values(module: ModuleType) -> list[object]:
    return [v for v in vars(module).values() if isinstance(v, ModuleType | type) or inspect.isroutine(v)]


def _is_below(file: Path, root: Path) -> bool:
    return file.is_relative_to(root) and "site-packages" not in file.relative_to(root).parts
