"""Every kind of file Paretune reads: a folder with a whole file, the changes, the reader."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.changes import bytes_changed, fields_changed, written
from benchmarks.foreign_files import Change, Kind
from compress.data import tasks
from compress.data.splits import TensorSplit
from compress.data.tasks import Task, load_task
from compress.distill.teacher_logits import Views
from compress.export import evaluate_export
from compress.export.formats import CARD, SEAL, _card_seal, _seal, export
from compress.export.standalone import load, seal
from compress.measurement import Measurement
from compress.models import Model
from compress.models.weights import load_weights
from compress.pruning import L1Filter, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Train
from compress.store import bucket
from compress.store import folder as folders
from compress.store.bucket import RemoteStore
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import RECORD, Store
from compress.training.checkpoint import Checkpoint
from compress.training.settings import Training
from search.sampling.journal import open_journal
from search.sampling.optuna_study import OptunaStudy
from search.study.record import point_event
from search.study.study import Study

KEY = f"{1:032x}"
SMALL = Model("cnn", 0.25)
SHOWN = torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)
FIGURES = Measurement(0.5, 0.4, 10, 9, 100, 1000, 900, 1.0, 2.0, "cpu", 1, 3.0)
RECIPE = Recipe("digits", SMALL, (Train(Training(epochs=1)), Prune(L1Filter(), 0.5, OneShot()), Quantize(Int8())))


def prepared(place: Path, formats: tuple[str, ...] = ("pt2", "onnx", "safetensors")) -> Path:
    """A folder with an area for each kind, all of its files whole."""
    torch.manual_seed(0)
    module = SMALL.build(10, 1).eval()
    files = Files.of(module, SMALL, classes=10, channels=1)
    export(files, few(), place / "export", {"task": "digits"}, formats)
    Store(place / "store").put(KEY, files, FIGURES, {"seed": 1})
    _bucket(place / "bucket").put(KEY, files, FIGURES, {"seed": 1})
    _write_study(place / "study")
    (place / "weights").mkdir()
    torch.save(module.state_dict(), place / "weights" / "weights.pt")
    save_file(module.state_dict(), place / "weights" / "weights.safetensors")
    (place / "recipe").mkdir()
    (place / "recipe" / "recipe.json").write_text(json.dumps(RECIPE.as_json()))
    _keep(place / "partial")
    (place / "views").mkdir()
    _views(place / "views")
    _write_images(place / "images")
    _images(place / "images")
    return place


def few() -> Task:
    """The default task with eight images a split."""
    task = load_task("digits")
    parts: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        split = getattr(task, name)
        assert isinstance(split, TensorSplit)
        parts[name] = replace(split, images=split.images[:8], targets=split.targets[:8])
    return replace(task, **parts)


def _plain(folder: Path) -> Any:
    with torch.no_grad():
        return load(folder)(SHOWN).tolist()


def _evaluate(folder: Path) -> Any:
    with patch.object(evaluate_export, "BATCHES", {1: 1}):
        found = evaluate_export.evaluate(folder, few())
    forms = {form: {k: v for k, v in of.items() if k != "latency"} for form, of in found["formats"].items()}
    return {name: value for name, value in found.items() if "latency" not in name} | {"formats": forms}


def _resealed(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """The reader of an export whose checksums somebody has made anew."""

    def reads(folder: Path) -> Any:
        with suppress(Exception):
            structure = json.loads((folder / STRUCTURE).read_text())
            structure["sha256"] = seal((folder / WEIGHTS).read_bytes(), structure)
            (folder / STRUCTURE).write_text(json.dumps(structure))
        with suppress(Exception):
            card = json.loads((folder / CARD).read_text())
            del card[SEAL]
            card["files"] = {name: _seal(folder / name) for name in card["files"]}
            (folder / CARD).write_text(json.dumps({**card, SEAL: _card_seal(card)}))
        return read(folder)

    return reads


def _entry(folder: Path) -> Any:
    entry = Store(folder).get(KEY, (SMALL,))
    if entry is None:
        return None
    with torch.no_grad():
        return vars(entry.measured), entry.made_from, entry.files().module()(SHOWN).tolist()


def _forged_entry(folder: Path) -> Any:
    path = folder / KEY[:2] / KEY
    with suppress(Exception):
        record = json.loads((path / RECORD).read_text())
        record["sha256"] = folders._seal(Files.read(path), record)
        (path / RECORD).write_text(json.dumps(record))
    return _entry(folder)


class Shelf:
    """A folder in the place of a bucket."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes | None:
        """The object, None without one."""
        return (self.root / name).read_bytes() if self.has(name) else None

    def has(self, name: str) -> bool:
        """Whether there is one."""
        return (self.root / name).exists()

    def write(self, name: str, data: bytes) -> None:
        """Over what is there."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        """If there is none."""
        made = not self.has(name)
        if made:
            self.write(name, data)
        return made

    def remove(self, name: str) -> None:
        """For good."""
        (self.root / name).unlink()


def _bucket(folder: Path) -> RemoteStore:
    with patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder / "cache")}), patch.object(bucket, "Bucket"):
        made = RemoteStore("s3://models/foreign")
    made.bucket = Shelf(folder)  # type: ignore[assignment]
    return made


def _object(folder: Path) -> Any:
    shutil.rmtree(folder / "cache", ignore_errors=True)
    entry = _bucket(folder).get(KEY, (SMALL,))
    return None if entry is None else (vars(entry.measured), entry.made_from, entry.files().sha256)


def _write_study(home: Path) -> None:
    study = Study(home, "s")
    optuna_study = OptunaStudy(open_journal(_folder(study) / "optuna.journal"), "s", ("accuracy", "params"), 0)
    costs = {"accuracy": 0.0, "params": 10.0}
    study.begin(task="digits", space="joint", seed=0, objectives=["accuracy", "params"], reference_point=costs)
    for number in range(3):
        asked = optuna_study.ask()
        choices = {"lr": asked.suggest_float("lr", 0.01, 0.1), "sparsity": asked.suggest_float("sparsity", 0.1, 0.9)}
        trial = study.ask(RECIPE.as_json(), choices, asked.number)
        for at in range(3):
            measured = replace(FIGURES, score_validation=0.5 + number / 10, params=10 + at)
            study.add(trial, point_event(f"{10 * number + at:032x}", 0.3 * at, "float", measured))
        study.end(trial, "complete", "", 1.5, {"train": 1.0})
    optuna_study.catch_up(study.record, {n: t.optuna for n, t in study.trials.items()})
    study.ledger.settle()


def _folder(study: Study) -> Path:
    study.folder.mkdir(parents=True)
    return study.folder


def _study(home: Path) -> Any:
    record = Study(home, "s").record
    lines = [f"{record.task} {record.space} {record.objectives} {dict(record.reference_point)}"]
    for trial in record.trials:
        lines.append(json.dumps({k: v for k, v in trial.as_json().items() if k in ("id", "recipe", "choices")}))
        lines.append(f"{trial.id} {trial.status} {trial.reason} {trial.seconds} {dict(trial.spent)}")
        lines += [json.dumps({**point.as_json(), "path": ""}) for point in trial.points]
    return sorted(lines)


def _earlier(got: Any, wanted: Any) -> bool:
    return bool(got) and {line for line in got if not re.fullmatch(r"\d running  0.0 {}", line)} <= set(wanted)


def _journal(home: Path) -> Any:
    study = Study(home, "s")
    optuna_study = OptunaStudy(open_journal(study.folder / "optuna.journal"), "s", ("accuracy", "params"), 0)
    optuna_study.check_ours(has_asked=True)
    optuna_study.catch_up(study.record, {n: t.optuna for n, t in study.trials.items()})
    return [(t.number, t.state.name, t.values, t.params) for t in optuna_study.study.trials]


def _line_changed(data: bytes, draw: random.Random) -> bytes:
    """A field of a line, its checksum made anew or taken away, as by a hand or an earlier version."""
    lines = data.splitlines()
    at = draw.randrange(len(lines))
    whole = json.loads(lines[at])
    whole.pop("crc")
    text = written(fields_changed(whole, draw))
    lines[at] = text[:-1] + b',"crc":"%08x"}' % crc32(text) if draw.random() < 0.5 and text[-1:] == b"}" else text
    return b"\n".join(lines) + b"\n"


def _checkpoint(folder: Path) -> tuple[Checkpoint, torch.nn.Module]:
    torch.manual_seed(0)
    module = SMALL.build(10, 1)
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    return Checkpoint(folder / "step.pt", module, optimizer, torch.Generator().manual_seed(1)), module


def _keep(folder: Path) -> None:
    checkpoint, module = _checkpoint(folder)
    module(SHOWN).sum().backward()
    checkpoint.optimizer.step()
    checkpoint.last -= 10
    checkpoint.keep(3)


def _restored(folder: Path) -> Any:
    checkpoint, module = _checkpoint(folder)
    epochs = checkpoint.restore()
    return epochs, hashlib.sha256(b"".join(t.numpy().tobytes() for t in module.state_dict().values())).hexdigest()


def _views(folder: Path) -> Any:
    views = Views(folder / "teacher.f16", 4, 3, 10)

    def compute(positions: Tensor) -> Tensor:
        return torch.linspace(0, 1, 40).reshape(4, 10)[positions]

    return views.logits(torch.arange(4), torch.tensor([0, 1, 2, 0]), compute).tolist()


def _write_images(folder: Path) -> None:
    for number in range(24):
        file = folder / "set" / ("train", "test")[number % 2] / "ab"[number // 2 % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = (np.arange(64, dtype=np.uint8).reshape(8, 8) * (number + 1)).astype(np.uint8)
        Image.fromarray(pixels).save(file)


def _images(folder: Path) -> Any:
    tasks._load.cache_clear()
    task = load_task(f"folder:{folder / 'set'}", cache_dir=folder / "cache")
    shown = [next(iter(getattr(task, name).batches(64))).images.tolist() for name in ("train", "validation", "test")]
    return shown, task.mean, task.std, task.classes, task.fingerprint


def _loaded(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        torch.manual_seed(0)
        module = SMALL.build(10, 1).eval()
        load_weights("cnn", str(folder / name), module)
        with torch.no_grad():
            return module(SHOWN).nan_to_num(7).tolist()

    return read


def _recipe(folder: Path) -> Any:
    try:
        data = json.loads((folder / "recipe.json").read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError("recipe: no JSON") from error
    return Recipe.from_json(data).as_json()


def _fields(data: bytes, draw: random.Random) -> bytes:
    return written(fields_changed(json.loads(data), draw))


def _in_zip(member: str) -> Change:
    """A field of a JSON record in a zip."""

    def change(data: bytes, draw: random.Random) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as found, zipfile.ZipFile(packed, "w") as into:
            for name in found.namelist():
                whole = found.read(name)
                into.writestr(name, _fields(whole, draw) if name.endswith(member) else whole)
        return packed.getvalue()

    return change


_ENTRY = f"{KEY[:2]}/{KEY}"
_LEDGER, _JOURNAL, _PT2, _ONNX = "studies/s/ledger.jsonl", "studies/s/optuna.journal", "model.pt2", "model.onnx"
_FORGED, _SAFE = _resealed(_evaluate), "weights.safetensors"
KINDS = [
    Kind("`load.py`: structure, bytes", "export", STRUCTURE, bytes_changed, _plain),
    Kind("`load.py`: structure, fields", "export", STRUCTURE, _fields, _plain),
    Kind("`load.py`: structure, sealed anew", "export", STRUCTURE, _fields, _resealed(_plain), made_up=True),
    Kind("`load.py`: weights", "export", WEIGHTS, bytes_changed, _plain),
    Kind("`load.py`: weights, sealed anew", "export", WEIGHTS, bytes_changed, _resealed(_plain), made_up=True),
    Kind("`evaluate`: card, bytes", "export", CARD, bytes_changed, _evaluate, heavy=True),
    Kind("`evaluate`: card, fields", "export", CARD, _fields, _evaluate, heavy=True),
    Kind("`evaluate`: card, sealed anew", "export", CARD, _fields, _FORGED, made_up=True, heavy=True),
    Kind("`evaluate`: structure", "export", STRUCTURE, bytes_changed, _evaluate),
    Kind("`evaluate`: structure, sealed anew", "export", STRUCTURE, _fields, _FORGED, made_up=True, heavy=True),
    Kind("`evaluate`: weights", "export", WEIGHTS, bytes_changed, _evaluate),
    Kind("`evaluate`: program", "export", _PT2, bytes_changed, _evaluate),
    Kind("`evaluate`: program, sealed anew", "export", _PT2, bytes_changed, _FORGED, made_up=True, heavy=True),
    Kind("`evaluate`: graph of a program", "export", _PT2, _in_zip("model.json"), _FORGED, made_up=True, heavy=True),
    Kind("`evaluate`: its weights' places", "export", _PT2, _in_zip("config.json"), _FORGED, made_up=True, heavy=True),
    Kind("`evaluate`: ONNX", "export", _ONNX, bytes_changed, _evaluate),
    Kind("`evaluate`: ONNX, sealed anew", "export", _ONNX, bytes_changed, _FORGED, made_up=True, heavy=True),
    Kind("store: record, bytes", "store", f"{_ENTRY}/{RECORD}", bytes_changed, _entry),
    Kind("store: record, fields", "store", f"{_ENTRY}/{RECORD}", _fields, _entry),
    Kind("store: record, sealed anew", "store", f"{_ENTRY}/{RECORD}", _fields, _forged_entry, made_up=True),
    Kind("store: structure", "store", f"{_ENTRY}/{STRUCTURE}", bytes_changed, _entry),
    Kind("store: structure, sealed anew", "store", f"{_ENTRY}/{STRUCTURE}", _fields, _forged_entry, made_up=True),
    Kind("store: weights", "store", f"{_ENTRY}/{WEIGHTS}", bytes_changed, _entry),
    Kind("store: weights, sealed anew", "store", f"{_ENTRY}/{WEIGHTS}", bytes_changed, _forged_entry, made_up=True),
    Kind("bucket: object", "bucket", _ENTRY, bytes_changed, _object),
    Kind("ledger: bytes", "study", _LEDGER, bytes_changed, _study, earlier=_earlier),
    Kind("ledger: fields, sealed anew", "study", _LEDGER, _line_changed, _study, made_up=True),
    Kind("Optuna's journal: bytes", "study", _JOURNAL, bytes_changed, _journal, made_up=True),
    Kind("Optuna's journal: fields", "study", _JOURNAL, _line_changed, _journal, made_up=True),
    Kind("checkpoint of a training", "partial", "step.pt", bytes_changed, _restored),
    Kind("a teacher's logits", "views", "teacher.f16", bytes_changed, _views),
    Kind("decoded images", "images", "cache/images-*.npy", bytes_changed, _images),
    Kind("facts of a folder", "images", "cache/images-*.json", bytes_changed, _images),
    Kind("a user's `.pt`", "weights", "weights.pt", bytes_changed, _loaded("weights.pt"), made_up=True),
    Kind("a user's `.safetensors`", "weights", _SAFE, bytes_changed, _loaded(_SAFE), made_up=True),
    Kind("recipe: fields", "recipe", "recipe.json", _fields, _recipe, made_up=True),
]
