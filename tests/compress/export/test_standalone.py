"""The plain form runs the operations on its list and nothing else, whatever a made-up `structure.json` asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from compress.export import standalone
from compress.export.graph import ExportFailed, graph, program
from compress.export.standalone import OPERATIONS, load, seal

Step = list[Any]
IMAGES = {"of": "images"}
FLAT: Step = ["1 flat", "aten.flatten.using_ints", [IMAGES, 1], {}, []]
CANARY = "echo ran > ran.txt"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a folder with these steps; the current folder, where a command would leave its file."""
    monkeypatch.chdir(tmp_path)

    def write(*steps: Step, **fields: Any) -> Path:
        save_file({"float32": torch.ones(4)}, tmp_path / "model.safetensors")
        whole = {"constants": [], "tensors": [["w", "float32", [2, 2]]], "steps": steps, **fields}
        (tmp_path / "structure.json").write_text(json.dumps(whole))
        return tmp_path

    return write


def refused(folder: Path, why: str) -> None:
    """By one sentence, before a step runs."""
    with pytest.raises(ValueError, match=why) as said:
        load(folder)(torch.zeros(1, 1, 2, 2))
    assert len(str(said.value).splitlines()) == 1
    assert not (folder / "ran.txt").exists()


HOSTILE: dict[str, list[Step]] = {
    "attributes": [
        ["0 a", "__class__.__init__.__globals__.get", ["sys"], {}, []],
        ["1 b", "attrgetter", ["modules"], {}, []],
        ["2 c", "call", [{"of": "1 b"}, {"of": "0 a"}], {}, []],
        ["3 d", "getitem", [{"of": "2 c"}, "os"], {}, []],
        ["4 e", "attrgetter", ["system"], {}, []],
        ["5 f", "call", [{"of": "4 e"}, {"of": "3 d"}], {}, []],
        ["6 g", "call", [{"of": "5 f"}, CANARY], {}, []],
    ],
    "methodcaller": [["0 a", "methodcaller", ["write_text", "ran"], {}, []]],
    "itemgetter": [["0 a", "itemgetter", [0], {}, []]],
    "call": [["0 a", "call", [IMAGES], {}, []]],
    "dunder": [["0 a", "__builtins__.get", ["eval"], {}, []]],
    "setitem": [["0 a", "setitem", [IMAGES, 0, 1], {}, []]],
    "library": [["0 a", "load_library", ["evil.so"], {}, []]],
    "below torch.ops": [["0 a", "_ops.os.system", [CANARY], {}, []]],
    "a class": [["0 a", "aten.__class__.__init__", [], {}, []]],
    "a packet": [["0 a", "aten.add", [IMAGES, 1], {}, []]],
    "a file": [["0 a", "aten.from_file.default", ["/etc/passwd", False, 10], {}, []]],
    "saved in a file": [["0 a", "aten.save.default", [IMAGES, "ran.txt"], {}, []]],
    "into another": [["0 a", "aten.add.out", [IMAGES, IMAGES], {"out": {"of": "w"}}, []]],
    "memory as it is": [["0 a", "aten.empty.memory_format", [[4]], {}, []]],
    "any size": [["0 a", "aten.set_.source_Storage", [IMAGES, IMAGES], {}, []]],
    "another namespace": [["0 a", "prims.add.default", [IMAGES, IMAGES], {}, []]],
    "inductor": [["0 a", "inductor._alloc_from_pool.default", [IMAGES], {}, []]],
    "a number": [["0 a", 7, [IMAGES], {}, []]],
    "a list": [["0 a", ["getitem"], [IMAGES], {}, []]],
}


@pytest.mark.parametrize("steps", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_on_the_list_is_refused_before_the_first_step(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, steps: list[Step]
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(standalone.Network, "_run", lambda *_: ran.append(1))
    refused(written(FLAT, *steps), "is none of the operations that can run")
    assert ran == []


ODD: dict[str, tuple[list[Step], str]] = {
    "another dtype": ([["0 a", "aten.to.dtype", [IMAGES, {"torch": "load"}], {}, []]], "an argument must be"),
    "a module": ([["0 a", "aten.to.dtype", [IMAGES, {"torch": "hub"}], {}, []]], "an argument must be"),
    "two kinds": ([["0 a", "aten.neg.default", [{"of": "images", "torch": "int8"}], {}, []]], "an argument must be"),
    "another kind": ([["0 a", "aten.neg.default", [{"file": "x"}], {}, []]], "an argument must be"),
    "a long text": ([["0 a", "aten.neg.default", ["x" * 101], {}, []]], "an argument must be"),
    "beyond 64 bits": ([["0 a", "add", [1, 10**30], {}, []]], "an argument must be"),
    "read too early": ([["0 a", "aten.neg.default", [{"of": "1 flat"}], {}, []], FLAT], "an argument must be"),
    "read after it went": (
        [["0 a", "aten.neg.default", [IMAGES], {}, ["0 a"]], ["1", "aten.neg.default", [{"of": "0 a"}], {}, []]],
        "an argument must be",
    ),
    "gone twice": ([["0 a", "aten.neg.default", [IMAGES], {}, ["0 a", "0 a"]], FLAT], "KeyError: '0 a'"),
    "weights gone": ([["0 a", "aten.neg.default", [IMAGES], {}, ["w"]], FLAT], "KeyError: 'w'"),
    "made twice": ([FLAT, FLAT], "a name of its own"),
    "named as weights": ([["w", "aten.neg.default", [IMAGES], {}, []], FLAT], "a name of its own"),
    "the last one gone": ([["0 a", "aten.neg.default", [IMAGES], {}, ["0 a"]]], "the last step must be kept"),
    "no step": ([], "there must be 1 to"),
    "text repeated": ([["0 a", "mul", ["x", 10**9], {}, []], FLAT], "mul takes numbers"),
    "a list repeated": ([["0 a", "mul", [[0], 10**9], {}, []], FLAT], "mul takes numbers"),
    "a power": ([["0 a", "pow", [9, 10**9], {}, []], FLAT], "exponents up to 64"),
    "products": ([["0 a", "pow", [2, 62], {}, []], ["1 b", "mul", [{"of": "0 a"}, 9], {}, []], FLAT], "64 bits"),
    "an item of a text": ([["0 a", "getitem", ["text", 0], {}, []], FLAT], "taken of a tuple alone"),
    "an item of a tensor": ([["0 a", "getitem", [IMAGES, 0], {}, []], FLAT], "taken of a tuple alone"),
    "huge zeros": ([["0 a", "aten.zeros.default", [[2**40]], {}, []], FLAT], "would make more than"),
    "huge full": ([["0 a", "aten.full.default", [[10**6, 10**6], 1], {}, []], FLAT], "would make more than"),
    "huge arange": ([["0 a", "aten.arange.default", [10**12], {}, []], FLAT], "would make more than"),
    "huge padding": ([["0 a", "aten.pad.default", [IMAGES, [0, 10**6, 0, 10**6]], {}, []], FLAT], "would make more"),
    "huge maps": ([["0 a", "aten.adaptive_avg_pool2d.default", [IMAGES, [10**6, 10**6]], {}, []], FLAT], "would make"),
    "repeated": ([["0 a", "aten.repeat.default", [IMAGES, [1, 1, 2**15, 2**15]], {}, []], FLAT], "would make"),
    "negative": ([["0 a", "aten.zeros.default", [[-5]], {}, []], FLAT], "step 0 a cannot be carried out"),
    "no logits": ([["0 a", "aten.sym_size.int", [IMAGES, 0], {}, []]], "must give logits of 1 images"),
    "rows of maps": ([["0 a", "aten.flatten.using_ints", [IMAGES, 2], {}, []]], "must give logits of 1 images"),
    "of another batch": ([["0 a", "aten.neg.default", [{"of": "w"}], {}, []]], "must give logits of 1 images"),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "why"), ODD.values(), ids=ODD)
def test_an_odd_step_is_refused_before_memory_is_taken(
    written: Callable[..., Path], steps: list[Step], why: str
) -> None:
    refused(written(*steps), why)


def test_results_that_double_are_refused_before_memory_is_taken(written: Callable[..., Path]) -> None:
    steps: list[Step] = [["0", "aten.cat.default", [[IMAGES, IMAGES], 3], {}, []]]
    for n in range(60):
        steps.append([str(n + 1), "aten.cat.default", [[{"of": str(n)}, {"of": str(n)}], 3], {}, [str(n)]])
    refused(written(*steps, FLAT), "would make more than")


TENSORS: dict[str, dict[str, Any]] = {
    "too many": {"tensors": [["w", "float32", [3, 2]]]},
    "too few": {"tensors": [["w", "float32", [2]]]},
    "overlapping": {"tensors": [["w", "float32", [4]], ["v", "float32", [4]]]},
    "negative": {"tensors": [["w", "float32", [-2, -2]]]},
    "huge": {"tensors": [["w", "float32", [2**60, 2**60]]]},
    "no numbers": {"tensors": [["w", "float32", ["2", 2]]]},
    "true": {"tensors": [["w", "float32", [True, 4]]]},
    "of no dtype": {"tensors": [["w", "storage", [4]]]},
    "twice": {"tensors": [["w", "float32", [2]], ["w", "float32", [2]]]},
    "named images": {"tensors": [["images", "float32", [4]]]},
    "a constant that is text": {"constants": [["c", "float32", "abc"]]},
    "a constant of no dtype": {"constants": [["c", "hub", [1]]]},
    "a ragged constant": {"constants": [["c", "float32", [[1], [1, 2]]]]},
    "no lists": {"tensors": 7},
    "nothing": {"tensors": None, "steps": None},
}


@pytest.mark.parametrize("fields", TENSORS.values(), ids=TENSORS)
def test_tensors_must_be_those_of_the_weights(written: Callable[..., Path], fields: dict[str, Any]) -> None:
    refused(written(FLAT, **fields), "holds no model that can be run: ")


TEXTS = {
    "not a number": '{"constants": [["c", "float32", NaN]], "tensors": [], "steps": []}',
    "deep": "[" * 200_000 + "]" * 200_000,
    "deep and whole": '{"steps": ' * 3000 + "1" + "}" * 3000,
    "digits": '{"steps": ' + "9" * 10_000 + "}",
    "a list": "[]",
    "a number": "7",
    "nothing": "",
    "bytes": "\x00\x01",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_structure_that_is_none_is_a_sentence(written: Callable[..., Path], text: str) -> None:
    folder = written(FLAT)
    (folder / "structure.json").write_text(text)
    refused(folder, "load: .* holds no ")


def test_more_steps_or_bytes_than_any_network_has_are_refused(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(*([str(n), "aten.neg.default", [IMAGES], {}, []] for n in range(5)))
    monkeypatch.setattr(standalone, "MOST_STEPS", 4)
    refused(folder, "there must be 1 to 4 steps")
    monkeypatch.setattr(standalone, "LARGEST_BYTES", 100)
    refused(folder, "must have at most 100 bytes")


def test_the_seal_tells_damage_of_either_file_and_may_be_missing(written: Callable[..., Path]) -> None:
    folder = written(FLAT)
    structure = json.loads((folder / "structure.json").read_text())
    weights = (folder / "model.safetensors").read_bytes()
    assert load(folder)(torch.ones(1, 1, 2, 2)).tolist() == [[1, 1, 1, 1]]
    whole = {**structure, "sha256": seal(weights, structure)}
    (folder / "structure.json").write_text(json.dumps(whole))
    assert load(folder)(torch.ones(1, 1, 2, 2)).tolist() == [[1, 1, 1, 1]]
    (folder / "model.safetensors").write_bytes(weights[:-1] + b"\x01")
    refused(folder, "the checksum does not match")
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "structure.json").write_text(json.dumps({**whole, "classes": 4}))
    refused(folder, "the checksum does not match")


MODES = {"padding", "equation", "mode", "rounding_mode", "approximate", "reduce", "indexing", "norm"}


def _overloads() -> Iterator[str]:
    yield from (name for name in OPERATIONS if name.startswith("aten."))


def test_no_operation_on_the_list_writes_into_an_argument_named_out_or_takes_a_file() -> None:
    for name in _overloads():
        _, packet, overload = name.split(".")
        schema = getattr(getattr(torch.ops.aten, packet), overload)._schema
        assert not any(one.is_out for one in schema.arguments), name
        texts = {one.name for one in schema.arguments if "str" in str(one.type)}
        assert texts <= MODES, name


class Drawn(nn.Module):
    """Uses an operation that is not on the list: its results are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(images.flatten(1) + torch.rand_like(images.flatten(1)))
        return logits


def test_a_network_with_an_operation_that_is_not_on_the_list_is_told_of_another_format() -> None:
    with pytest.raises(ExportFailed, match=r"aten\.rand_like\.default is none of the operations .* --format pt2"):
        graph(program(Drawn().eval(), (1, 8, 8)))


def test_the_file_alone_refuses_a_foreign_structure(written: Callable[..., Path]) -> None:
    """As a stranger's folder has it: `load.py` beside the two files, and nothing of this project."""
    folder = written(*HOSTILE["attributes"])
    (folder / "load.py").write_text(Path(standalone.__file__).read_text())
    code = "import torch; from load import load; load('.')(torch.zeros(1, 1, 8, 8))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert "'__class__.__init__.__globals__.get' is none of the operations that can run" in done.stderr
    assert not (folder / "ran.txt").exists()
