"""What every registered method is, whatever it does: a value with a name, a source and a JSON form."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import pkgutil
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any, cast

import pytest
from torch import nn

import compress.distill
import compress.lowrank
import compress.models
import compress.pruning
import compress.quantize
from compress.codec import METHODS, decode
from compress.distill import Distiller
from compress.encoding import digest, encode
from compress.lowrank import Factorizer
from compress.models import MODELS, Model
from compress.pruning import SCHEDULES, Pruner, Schedule
from compress.quantize import Quantizer
from compress.stages import STAGES, Narrow, Stage

NAMED = [(name, kind) for methods in METHODS.values() for name, kind in methods.items()]
KINDS: list[tuple[ModuleType, type[Any], str]] = [
    (compress.distill, Distiller, "distill"),
    (compress.pruning, Pruner, "prune"),
    (compress.pruning, Schedule, "schedule"),
    (compress.lowrank, Factorizer, "factorize"),
    (compress.quantize, Quantizer, "quantize"),
]
every_method = pytest.mark.parametrize(("name", "kind"), NAMED, ids=[name for name, _ in NAMED])


def files_of(package: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
    ]


def unregistered(package: ModuleType, kind: type[Any], registered: Collection[object]) -> list[str]:
    """Concrete subclasses of `kind` written in `package` that are not among `registered`.

    Adaptive pruners wait for a stage that can carry them out.
    """
    written = [value for module in files_of(package) for value in vars(module).values() if inspect.isclass(value)]
    ours = [c for c in written if issubclass(c, kind) and not inspect.isabstract(c)]
    return sorted({c.__name__ for c in ours if c not in registered})


def example(stage: type[Stage], method: object) -> Stage:
    """The stage with its defaults, and something legal where it has none."""
    legal: dict[str, Any] = {"method": method}
    if not getattr(method, "adaptive", False):
        legal |= {"sparsity": 0.5, "schedule": next(iter(SCHEDULES.values()))()}
    kind: Any = stage
    return cast(Stage, kind(**{f.name: legal[f.name] for f in fields(kind) if f.name in legal}))


def stage_examples() -> list[Stage]:
    return [
        example(kind, method())
        for name, kind in STAGES.items()
        for method in METHODS.get("distill" if kind is Narrow else name, {"": object}).values()
    ]


@every_method
def test_a_method_survives_json_with_its_default_settings(name: str, kind: type[Any]) -> None:
    text = json.dumps(encode(kind()), allow_nan=False)
    assert decode(json.loads(text)) == kind()
    assert json.loads(text)["type"] == name


@every_method
def test_a_method_can_be_pickled_for_a_worker(name: str, kind: type[Any]) -> None:
    assert pickle.loads(pickle.dumps(kind())) == kind()


@every_method
def test_a_method_is_a_frozen_dataclass(name: str, kind: type[Any]) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert hash(kind()) == hash(kind())


@every_method
def test_a_method_links_its_source_in_class_and_docstring(name: str, kind: type[Any]) -> None:
    assert kind.name == name
    assert kind.source.startswith("https://")
    if not issubclass(kind, Schedule):  # schedules share one file, and each its own docstring names the paper
        assert "https://" in (inspect.getdoc(sys.modules[kind.__module__]) or "")


@every_method
def test_a_method_says_what_it_is(name: str, kind: type[Any]) -> None:
    assert not (kind.__doc__ or "").startswith(f"{kind.__name__}("), "that is the dataclass's own"
    assert len(kind.__doc__ or "") > 20


def test_no_name_is_used_twice() -> None:
    own = [kind.name for kind in STAGES.values()]
    counted = Counter([name for name, _ in NAMED] + own + ["model", "training", "recovery"])
    assert [name for name, count in counted.items() if count > 1] == []


@pytest.mark.parametrize(("package", "kind", "registry"), KINDS, ids=[row[2] for row in KINDS])
def test_every_file_of_a_method_is_registered(package: ModuleType, kind: type[Any], registry: str) -> None:
    assert unregistered(package, kind, METHODS[registry].values()) == []


@pytest.mark.parametrize(("package", "kind", "registry"), KINDS, ids=[row[2] for row in KINDS])
def test_a_file_that_is_not_registered_is_found(package: ModuleType, kind: type[Any], registry: str) -> None:
    missing = unregistered(package, kind, [])
    assert set(missing) == {method.__name__ for method in METHODS[registry].values()}


def test_every_file_of_a_family_is_registered() -> None:
    files = files_of(compress.models)
    made = [m for m in files if hasattr(m, "FAMILY") or any(_is_written_in(m, value) for value in vars(m).values())]
    families = [getattr(module, "FAMILY", {}) for module in made]
    assert all(families), f"no FAMILY in one of {[m.__name__ for m in made]}"
    assert {name for family in families for name in family} == set(MODELS)


def _is_written_in(module: ModuleType, value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == module.__name__


@pytest.mark.parametrize("name", MODELS)
def test_a_model_survives_json_and_names_its_source(name: str) -> None:
    model = Model(name, 1.0 if MODELS[name].fixed else 0.5)
    assert decode(json.loads(json.dumps(encode(model)))) == model
    assert MODELS[name].title
    assert MODELS[name].source.startswith("https://") or MODELS[name].title.endswith("of this project")


@pytest.mark.parametrize("stage", stage_examples(), ids=lambda s: f"{s.name}-{getattr(s, 'method', s).name}")
def test_a_stage_survives_json_and_pickle(stage: Stage) -> None:
    again = decode(json.loads(json.dumps(encode(stage), allow_nan=False)))
    assert again == stage
    assert digest(again) == digest(stage)
    assert pickle.loads(pickle.dumps(stage)) == stage
