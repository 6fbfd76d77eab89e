"""Files of a stranger's, or damaged: a sentence or the right result, never a traceback, and nothing of them runs."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import paretune.cli
from benchmarks.foreign_files import Kind, tried
from benchmarks.foreign_kinds import KEY, KINDS, SMALL, _resealed, few, prepared
from compress.errors import ExportError
from compress.export import evaluate_export
from compress.export.foreign_program import Foreign, repack_program
from compress.export.formats import CARD, SEAL, export, read_card
from compress.measurement import Measurement
from compress.store.files import STRUCTURE, WEIGHTS, Files
from compress.store.folder import RECORD, Store, _seal
from search.study.names import StudyError
from search.study.study import Study

QUICK = [kind for kind in KINDS if not kind.heavy and "evaluate" not in kind.name]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An area for every kind of file, none of them changed; without ONNX, which takes seconds to write."""
    return prepared(tmp_path_factory.mktemp("whole"), ("pt2", "safetensors"))


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_a_changed_file_gives_the_right_result_or_a_sentence_and_runs_nothing(kind: Kind, whole: Path) -> None:
    assert tried(kind, whole / kind.area, 24).faults == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_many_changes_of_every_kind_run_nothing(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = prepared(tmp_path_factory.mktemp("all"))
    assert tried(kind, place / kind.area, 20 if kind.heavy else 60, seed=1).faults == []


@pytest.fixture
def folder(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the export, the current folder: a command would leave its file there."""
    copy = Path(shutil.copytree(whole / "export", tmp_path / "export"))
    monkeypatch.chdir(copy)
    return copy


def refused(folder: Path, why: str) -> None:
    """By `evaluate`, in one sentence, however well the folder's checksums were made anew."""
    with pytest.raises(ExportError, match=why) as said:
        _resealed(lambda there: evaluate_export.evaluate(there, few()))(folder)
    assert len(str(said.value).splitlines()) == 1
    assert not (folder / "ran.txt").exists()


def test_the_command_refuses_a_foreign_export_with_code_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    structure = json.loads((folder / STRUCTURE).read_text())
    call = ["0 a", "__class__.__init__.__globals__.get", ["sys"], {}, []]
    (folder / STRUCTURE).write_text(json.dumps({**structure, "steps": [call, *structure["steps"]]}))
    _resealed(read_card)(folder)
    monkeypatch.setattr(sys, "argv", ["paretune", "evaluate", str(folder)])
    assert paretune.cli.run() == 2
    said = capfd.readouterr()
    assert "is none of the operations that can run" in said.err
    assert (said.out, said.err.count("\n"), "Traceback" in said.err) == ("", 1, False)


@pytest.mark.parametrize("name", [STRUCTURE, WEIGHTS, "model.pt2", "load.py"])
def test_a_file_that_is_not_as_the_card_says_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ExportError, match=f"is damaged: {name} is another file than the card names; export it again"):
        evaluate_export.evaluate(folder, few())


def test_a_card_that_was_changed_is_refused_unless_it_is_of_an_earlier_version(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    card["input"]["mean"] = [3.0]
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(ExportError, match=r"card.json was changed since it was written; export it again"):
        read_card(folder)
    del card[SEAL]
    (folder / CARD).write_text(json.dumps(card))
    assert read_card(folder)["input"]["mean"] == [3.0]


CARDS: dict[str, Any] = {
    "no mean": {"mean": []},
    "a mean too many": {"mean": [0, 0]},
    "no number": {"mean": [float("nan")]},
    "text": {"mean": ["0.5"], "std": ["x"]},
    "a std of zero": {"std": [0]},
    "infinite": {"std": [float("inf")]},
    "huge": {"mean": [10**400]},
    "no list": {"classes": 7},
}


@pytest.mark.parametrize("given", CARDS.values(), ids=CARDS)
def test_a_card_whose_input_is_none_is_refused(folder: Path, given: dict[str, Any]) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "input": {**card["input"], **given}}))
    refused(folder, "is damaged: its card must|is for images")


def repack(folder: Path, change: Callable[[str, bytes], bytes | None], **more: bytes) -> None:
    """The program with records changed, left out or added."""
    packed = io.BytesIO()
    with zipfile.ZipFile(folder / "model.pt2") as found, zipfile.ZipFile(packed, "w") as into:
        for name in found.namelist():
            data = change(name, found.read(name))
            if data is not None:
                into.writestr(name, data)
        for name, data in more.items():
            into.writestr(name, data)
    (folder / "model.pt2").write_bytes(packed.getvalue())


def in_graph(old: str, new: str) -> Callable[[str, bytes], bytes]:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return change


def in_weights(new: bytes, name: str, data: bytes) -> bytes:
    return data.replace(b'"as_int": 3', new) if "weights_config" in name else data


def pickled() -> bytes:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.system, ("echo ran > ran.txt",))

    packed = io.BytesIO()
    torch.save(((Trap(),), {}), packed)
    return packed.getvalue()


RUN = "__import__('os').system('echo ran > ran.txt')"
GRAPHS = {
    "a function of torch": ("torch.ops.aten.relu.default", "torch.hub.load"),
    "a function of Python": ("torch.ops.aten.relu.default", "_operator.attrgetter"),
    "a file": ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default"),
    "a library": ("torch.ops.aten.relu.default", "torch.ops.load_library"),
    "another namespace": ("torch.ops.aten.relu.default", "torch.ops.evil.relu.default"),
    "into another": ("torch.ops.aten.relu.default", "torch.ops.aten.relu.out"),
    "an attribute": ("torch.ops.aten.relu.default", "torch.ops.aten.__class__.__init__"),
    "an extension": ("torch.ops.aten.relu.default", "#evil:relu"),
    "a size that is code": ('"expr_str": "Symbol(', f'"expr_str": "{RUN} or Symbol('),
    "a size that takes for ever": ('"expr_str": "Symbol(', '"expr_str": "9**9**9**9 + Symbol('),
    "a guard that is code": ('"guards_code": []', f'"guards_code": ["{RUN}"]'),
    "a name that is code": ('"name": "linear"', '"name": "x); import os; os.system(\'echo ran > ran.txt\'); ("'),
    "an argument that is code": ('"forward_arg_names": ["', '"forward_arg_names": ["x=__import__(0)", "'),
    "an object": ('"custom_obj_values": {}', '"custom_obj_values": {"a": {"name": "a", "class_fqn": "os.system"}}'),
    "a class": ("builtins.tuple", "os.system"),
    "a size beyond memory": ('"as_ints": [1, 1]', '"as_ints": [1000000, 1000000]'),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), GRAPHS.values(), ids=GRAPHS)
def test_a_program_whose_graph_asks_for_more_is_refused_before_torch_reads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    repack(folder, in_graph(old, new))
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("it was read"))
    refused(folder, "model.pt2 cannot be loaded: it holds ")


def test_a_pickle_in_a_program_is_never_read(folder: Path) -> None:
    """Torch unpickles whatever the sample inputs of a program are; a program runs without."""
    repack(folder, lambda name, data: pickled() if name.endswith("sample_inputs/model.pt") else data)
    found = _resealed(lambda there: evaluate_export.evaluate(there, few()))(folder)
    assert found["formats"]["pt2"]["agreement"] == 1.0
    assert not (folder / "ran.txt").exists()


def test_pickled_weights_and_objects_in_a_program_are_refused(folder: Path) -> None:
    whole = (folder / "model.pt2").read_bytes()
    repack(folder, lambda name, data: data.replace(b'"use_pickle": false', b'"use_pickle": true', 1))
    refused(folder, "it holds a pickle in the place of ")
    for name in ("data/constants/custom_obj_0", "data/constants/opaque_obj_0", "data/weights/model.pt", "extra/x"):
        (folder / "model.pt2").write_bytes(whole)
        repack(folder, lambda _, data: data, **{f"model/{name}": pickled()})
        refused(folder, "it holds an unknown record ")


def test_tensors_larger_than_their_bytes_and_packed_records_are_refused(folder: Path) -> None:
    whole = (folder / "model.pt2").read_bytes()
    for new in (b'"as_int": 1000000000000', b'"as_int": -1', b'"as_int": true'):
        (folder / "model.pt2").write_bytes(whole)
        repack(folder, partial(in_weights, new))
        refused(folder, "it holds ")
    (folder / "model.pt2").write_bytes(whole)
    with zipfile.ZipFile(io.BytesIO(whole)) as found, zipfile.ZipFile(folder / "model.pt2", "w", 8) as into:
        for name in found.namelist():
            into.writestr(name, found.read(name))
    with pytest.raises(Foreign, match="that is packed"):
        repack_program(folder / "model.pt2")


def test_a_function_that_a_foreign_export_names_does_not_run(
    folder: Path, source: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    source("evil.py", "open('ran.txt', 'w')\ndef make(classes, channels): open('ran.txt', 'w')")
    structure = json.loads((folder / STRUCTURE).read_text())
    structure["model"] = {"type": "model", "family": "evil:make", "width": 1.0}
    (folder / STRUCTURE).write_text(json.dumps(structure))
    found = _resealed(lambda there: evaluate_export.evaluate(there, few()))(folder)
    assert "params" not in found
    assert "would run evil:make; if you trust it, say --network evil:make" in caplog.text
    assert not (folder / "ran.txt").exists()
    assert not Path("ran.txt").exists()


@pytest.mark.parametrize("family", ["evil:make", "os:system", "resnet20"])
def test_an_entry_of_another_network_than_the_recipe_names_is_set_aside(
    whole: Path, tmp_path: Path, source: Callable[[str, str], None], caplog: pytest.LogCaptureFixture, family: str
) -> None:
    source("evil.py", "open('ran.txt', 'w')")
    store = Store(Path(shutil.copytree(whole / "store", tmp_path / "store")))
    files = Files.read(store.path(KEY))
    structure = {**json.loads(files.structure), "model": {"type": "model", "family": family, "width": 1.0}}
    forged = Files(files.weights, json.dumps(structure).encode())
    forged.write(store.path(KEY))
    record = json.loads((store.path(KEY) / RECORD).read_text())
    (store.path(KEY) / RECORD).write_text(json.dumps({**record, "sha256": _seal(forged, record)}))
    assert store.get(KEY, (SMALL,)) is None
    assert f"it must be of cnn x0.25, got {family}" in caplog.text
    assert not Path("ran.txt").exists()


RECORDS: dict[str, Any] = {
    "a list": {"score_validation": [0.5]},
    "text": {"macs": "100"},
    "true": {"params": True},
    "not a number": {"latency_ms": float("nan")},
    "infinite": {"seconds": float("inf")},
    "negative": {"params": -1},
    "huge": {"params": 10**30},
    "above one": {"score_test": 1.5},
    "no device": {"device": None},
    "another": {"more": 1},
}


@pytest.mark.parametrize("odd", RECORDS.values(), ids=RECORDS)
def test_an_entry_with_odd_figures_is_made_again(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, odd: dict[str, Any]
) -> None:
    store = Store(Path(shutil.copytree(whole / "store", tmp_path / "store")))
    file = store.path(KEY) / RECORD
    record = json.loads(file.read_text())
    record["measured"].update(odd)
    file.write_text(json.dumps({**record, "sha256": _seal(Files.read(file.parent), record)}))
    assert store.get(KEY, (SMALL,)) is None
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("text", ["[" * 100_000, '{"version": ' * 5000, "9" * 5000, "", "7"], ids=len)
def test_a_record_that_is_none_is_made_again(whole: Path, tmp_path: Path, text: str) -> None:
    store = Store(Path(shutil.copytree(whole / "store", tmp_path / "store")))
    (store.path(KEY) / RECORD).write_text(text)
    assert store.get(KEY) is None


def test_a_safetensors_header_beyond_the_file_is_a_sentence(folder: Path) -> None:
    for start in (b"\xff" * 8, (2**40).to_bytes(8, "little"), bytes(8)):
        (folder / WEIGHTS).write_bytes(start + (folder / WEIGHTS).read_bytes()[8:])
        refused(folder, "is damaged")
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"float32": one, "a": {**one, "data_offsets": [8, 24]}}).encode()
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + bytes(24))
    refused(folder, "is damaged")
    save_file({"hub": torch.ones(4)}, folder / WEIGHTS)
    refused(folder, "is damaged")


EVENTS: dict[str, dict[str, Any]] = {
    "a point without fields": {"event": "point"},
    "a point of no trial": {"event": "point", "trial": 99, "id": "a"},
    "a trial that is a list": {"event": "asked", "trial": [], "recipe": {}, "choices": {}, "optuna": None},
    "a trial again": {"event": "asked", "trial": 0, "recipe": {}, "choices": {}, "optuna": None},
    "a recipe that is text": {"event": "asked", "trial": 9, "recipe": "x", "choices": {}, "optuna": None},
    "an end without a status": {"event": "ended", "trial": 0},
    "an end of another kind": {"event": "ended", "trial": 0, "status": [], "reason": "", "seconds": 0, "spent": {}},
    "seconds that are text": {
        "event": "ended", "trial": 0, "status": "failed", "reason": "", "seconds": "1", "spent": {}
    },
    "a study without a task": {"event": "study", "version": 1},
    "a version that is text": {"event": "study", "version": "1"},
    "a stranger's function": {
        "event": "asked", "trial": 9, "recipe": {"student": {"family": "evil:make"}}, "choices": {}, "optuna": None
    },
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_ledger_with_an_odd_event_is_refused_in_a_sentence(
    whole: Path, tmp_path: Path, event: dict[str, Any]
) -> None:
    home = Path(shutil.copytree(whole / "study", tmp_path / "home"))
    with (home / "studies" / "s" / "ledger.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\n")
    with pytest.raises(StudyError, match=r"must be whole, got an event that does not fit .* put back a copy") as said:
        Study(home, "s")
    assert len(str(said.value).splitlines()) == 1


LINES = {
    "deep": b"[" * 200_000,
    "deep and whole": b'{"event": ' * 3000 + b"1" + b"}" * 3000,
    "not a number": b'{"event": "ended", "seconds": NaN}',
    "long": b'{"event": "' + b"x" * 2**24 + b'"}',
    "digits": b'{"event": ' + b"9" * 5000 + b"}",
    "a figure changed by hand": b'{"event":"resumed","trial":0,"crc":"00000000"}',
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_line_that_is_no_event_is_skipped_and_said(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, line: bytes
) -> None:
    home = Path(shutil.copytree(whole / "study", tmp_path / "home"))
    wanted = Study(home, "s").record
    with (home / "studies" / "s" / "ledger.jsonl").open("ab") as file:
        file.write(line + b"\n")
    assert Study(home, "s").record == wanted
    assert caplog.text.count("cannot be read, skipped") == 1


def test_a_measurement_says_its_first_fault(measurement: Measurement) -> None:
    assert measurement.fault == ""
    assert Measurement(**{**vars(measurement), "macs": 1.5}).fault == "macs 1.5"


def onnx_with(folder: Path, change: Callable[[Any], None]) -> None:
    import onnx

    held = onnx.load(folder / "model.onnx")
    change(held)
    (folder / "model.onnx").write_bytes(held.SerializeToString())


@pytest.mark.slow
def test_an_onnx_file_that_reads_others_or_is_no_plain_graph_is_refused(
    whole: Path, trained: Files, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    made = export(trained, few(), tmp_path / "made", {"task": "digits"}, ("onnx",))

    def external(held: Any) -> None:
        tensor = held.graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        onnx.external_data_helper.set_external_data(tensor, "../../../etc/passwd")

    def custom(held: Any) -> None:
        held.graph.node[0].domain = "evil"

    def loop(held: Any) -> None:
        held.graph.node[0].op_type = "Loop"

    def huge(held: Any) -> None:
        held.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**40

    changes = (
        (external, "must lie in the file itself"),
        (custom, "ONNX's own operations alone"),
        (loop, "without loops"),
        (huge, "cannot be loaded"),
    )
    for change, why in changes:
        folder = Path(shutil.copytree(made, tmp_path / change.__name__))
        onnx_with(folder, change)
        refused(folder, why)
