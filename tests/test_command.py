"""The command line: wrong input is a sentence, exit code 2 and nothing made; `--json` is JSON and nothing else."""

from __future__ import annotations

import json
import math
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import paretune
import paretune.cli
from compress.data.tasks import Task
from compress.models import Model
from compress.pipeline import Pipeline
from compress.pruning import L1Filter, OneShot
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Prune, Quantize, Recovery, Train
from compress.store.bucket import open_store
from compress.store.folder import Store
from compress.training.settings import Training
from paretune.words.evaluated import evaluated
from paretune.words.search import searched
from paretune.words.selected import selected
from search.selection.budget import Budget
from search.selection.selection import choose
from search.study.record import point_event
from search.study.study import Study
from search.tracking.client import connect
from tests.search.points import CURVE, seeds

ONCE = Training(epochs=1)
CUT = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=2)))
RECIPES = (
    Recipe("digits", Model("cnn", 0.5), (Train(Training(epochs=3)),)),
    Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=3)), CUT, Quantize(Int8()))),
)
REFERENCE = {"accuracy": 0.0, "params": 10_000, "macs": 200_000, "flops": 400_000, "latency_ms": 1.0}


@dataclass(frozen=True)
class Said:
    """What one call of the command did."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words in this process."""

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["paretune", *map(str, words)])
        capfd.readouterr()
        return Said(paretune.cli.run(), *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Path:
    """A home with the study `made`: a teacher, a cut and quantized student, a failed trial; never written to."""
    folder = tmp_path_factory.mktemp("home")
    study = Study(folder, "made")
    objectives = ["accuracy", "params", "flops"]
    study.begin(task="digits", space="joint", objectives=objectives, seed=0, reference_point=REFERENCE)
    pipeline = Pipeline(digits, open_store(study.store))
    for recipe in RECIPES:
        trial = study.ask(dict(recipe.as_json()), {"width": recipe.student.width}, None)
        for point in pipeline.run(recipe):
            study.add(trial, point_event(point.key, point.sparsity, point.variant, point.measured))
        study.end(trial, "complete", "", 1.0, {"train": 0.5})
    failed = study.ask(dict(RECIPES[0].as_json()), {"lr": 1e9}, 0)
    study.end(failed, "failed", "training: the loss became [nan] in epoch 1", 1.0, {})
    return folder


@pytest.fixture
def own(home: Path, tmp_path: Path) -> Path:
    """A copy of that home, to write to."""
    return Path(shutil.copytree(home, tmp_path / "own"))


@pytest.fixture(scope="module")
def exported(home: Path, tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Path:
    """An exported model."""
    from compress.export.formats import export

    point = Study(home, "made").record.points[1]
    entry = Store(home / "store").get(point.id)
    assert entry is not None
    return export(entry.files(), digits, tmp_path_factory.mktemp("export") / "out", {"task": "digits"})


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(said: Said, sentence: str) -> None:
    """Exit code 2, nothing on standard output, one sentence with these words and no traceback on standard error."""
    assert (said.code, said.out) == (2, ""), said
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.err.startswith("paretune: ")
    assert said.err.count("\n") == 1


SEARCHES = [
    (("--space", "cube"), "space: unknown 'cube', known are aghli2021, chen2021, joint"),
    (
        ("--task", "mnist"),
        "task: unknown 'mnist', known are cifar10, cifar100, digits, digits-angle, fashion-mnist, folder:PATH and FILE",
    ),
    (("--task", "digit"), "task: unknown 'digit', did you mean digits? known are cifar10, cifar100, digits"),
    (("--space", "joynt"), "space: unknown 'joynt', did you mean joint? known are aghli2021"),
    (("--objectives", "accuracy,param"), "objectives: unknown 'param', did you mean params? known are accuracy"),
    (("--task", "folder:/nowhere"), "folder:/nowhere: a folder train/ with one folder a class must be there"),
    (("--trials", "0"), "trials must be at least 1, got 0"),
    (("--trials", "-1"), "trials must be at least 1, got -1"),
    (("--objectives", "accuracy,joy"), "objectives: unknown 'joy', known are accuracy, params"),
    (("--objectives", "accuracy"), "objectives: need at least two different names, got accuracy"),
    (("--objectives", ""), "objectives: unknown ''"),
    (("--objectives", "params,params"), "objectives: need at least two different names, got params, params"),
    (("--time-budget", "0"), "time-budget must be at least 1, got 0"),
    (("--time-budget", "nan"), "time-budget must be at least 1, got nan"),
    (("--time-budget", "-5"), "time-budget must be at least 1, got -5"),
    (("--seed", "-1"), "seed must be at least 0, got -1"),
    (("--cpus-per-trial", "0"), "cpus-per-trial must be at least 1, got 0"),
    (("--gpus-per-trial", "-1"), "gpus-per-trial must be at least 0, got -1"),
    (("--name", "../../x"), "study name must begin with a letter or digit"),
    (("--name", ""), "study name must begin with a letter or digit"),
    (("--name", "<script>"), "at most 80 characters, got '<script>'"),
    (("--name", "x" * 81), "at most 80 characters, got 'xxx"),
    (("--resume",), "study demo: there is none in "),
    (("--tracking-uri", "http://[::1"), "tracking URI must name a running MLflow server, http://[::1"),
    (("--tracking-uri", "nonsense"), "tracking URI must begin with one of sqlite, http"),
    (("--storage-url", "nonsense"), "storage-url: cannot open 'nonsense'"),
    (("--storage-url", "sqlite:////nowhere/o.db"), "storage-url: cannot open 'sqlite:////nowhere/o.db'"),
    (("--address", "localhost:1"), "address: no Ray cluster answers at 'localhost:1'"),
    (("--cpus-per-trial", "1000"), "cpus-per-trial must be at most "),
    (("--gpus-per-trial", "99"), "gpus-per-trial must be at most "),
    (
        ("--address", "nonsense"),
        "address: must be auto or HOST:PORT of the Ray that this machine belongs to, got 'nonsense'",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), SEARCHES, ids=[" ".join(words)[:30] for words, _ in SEARCHES])
def test_a_search_that_makes_no_sense_is_refused_and_nothing_is_made(
    call: Call, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    assert_refused(call("search", "--home", tmp_path / "home", *words), sentence)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("search", "--trials", "abc"), "--trials"),
        (("search", "--trials", "1.5"), "--trials"),
        (("search", "--sparsity", "0.5"), "--sparsity"),
        (("search", "--time-budget", "soon"), "--time-budget"),
        (("search", "--name"), "--name"),
        (("front",), "study"),
        (("breakpoints", "made", "--delta", "much"), "--delta"),
        (("compress",), "compress"),
        (("serch",), "did you mean 'search'? see paretune --help"),
    ],
)
def test_words_the_command_does_not_know_are_named(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = call(*words)
    assert (said.code, said.out) == (2, "")
    assert option in said.err.lower()
    assert "Traceback" not in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_exists_is_not_begun_again(call: Call, own: Path) -> None:
    before = tree(own)
    said = call("search", "--name", "made", "--home", own)
    assert_refused(said, f"study made: exists already in {own}; add --resume or choose another --name")
    assert tree(own) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--scale", "published"), "study made: was begun with a space without scales, got 'published'; leave scale"),
        (("--space", "malihi2023"), "study made: was begun with space 'joint', got 'malihi2023'"),
        (("--objectives", "accuracy,macs"), "was begun with objectives 'accuracy,params,flops', got 'accuracy,macs'"),
    ],
)
def test_a_study_is_not_resumed_as_another(call: Call, own: Path, words: tuple[str, ...], sentence: str) -> None:
    before = tree(own)
    assert_refused(call("search", "--name", "made", "--home", own, "--resume", *words), sentence)
    assert tree(own) == before


def test_a_study_resumed_with_fewer_trials_than_have_ended_says_that_none_is_left(call: Call, own: Path) -> None:
    said = call("search", "--name", "made", "--home", own, "--resume", "--trials", 2)
    assert said.code == 0
    assert "study made: 3 trials have ended already, so --trials 2 has none left; --trials above 3 goes on" in said.err


def test_a_study_is_not_resumed_on_another_task(call: Call, own: Path, tmp_path: Path) -> None:
    from PIL import Image

    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "pictures" / part / name
            folder.mkdir(parents=True)
            for n in range(20):
                Image.new("RGB", (8, 8), (n, 0, 0)).save(folder / f"{n}.png")
    task = f"folder:{tmp_path / 'pictures'}"
    said = call("search", "--name", "made", "--home", own, "--resume", "--task", task)
    assert_refused(said, f"study made: was begun with task 'digits', got '{task}'")


@pytest.mark.parametrize("words", [("front", "made", "--home", ""), ("search", "--data", "")], ids=["home", "data"])
def test_a_folder_without_a_name_is_not_the_current_one(call: Call, words: tuple[str, ...]) -> None:
    assert_refused(call(*words), f"Invalid value for '{words[-2]}': must name a folder, got ''")


def test_a_home_that_is_a_file_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine")
    assert_refused(call("search", "--home", tmp_path / "home"), "home must be a folder, got ")
    assert tree(tmp_path) == {tmp_path / "home": b"mine"}


@pytest.mark.parametrize("verb", ["front", "trials", "breakpoints", "select", "report", "sync", "clean"])
def test_a_study_that_is_not_there_lists_the_known_ones(call: Call, home: Path, verb: str) -> None:
    before = tree(home)
    assert_refused(call(verb, "lost", "--home", home), f"study lost: there is none in {home}; known are made")
    assert tree(home) == before


@pytest.mark.parametrize("verb", ["front", "trials", "breakpoints", "select", "report", "sync", "clean"])
def test_a_study_name_that_leaves_the_home_is_refused(call: Call, tmp_path: Path, verb: str) -> None:
    assert_refused(call(verb, "../../x", "--home", tmp_path), "study name must begin with a letter or digit")
    assert tree(tmp_path) == {}


BUDGETS = [
    (("--max-params", "20x"), "max-params: expected a number with k, M or G, or a share such as 10%, got '20x'"),
    (("--max-flops", "-5"), "max-flops must be above 0, got -5"),
    (
        ("--max-latency-ms", "nan"),
        "max-latency-ms: expected a number with k, M or G, or a share such as 10%, got 'nan'",
    ),
    (("--max-size-bytes", "1e3"), "max-size-bytes: expected a number with k, M or G"),
    (("--max-macs", ""), "max-macs: expected a number with k, M or G, or a share such as 10%, got ''"),
    (("--min-accuracy", "97"), "min-accuracy: expected a number in [0, 1], or a share of the teacher's such as 97%"),
    (("--min-accuracy", "300%"), "accuracy: 300% of the teacher's"),
]


@pytest.mark.parametrize(("words", "sentence"), BUDGETS, ids=[" ".join(words) for words, _ in BUDGETS])
def test_a_budget_with_a_typo_is_refused(call: Call, home: Path, words: tuple[str, ...], sentence: str) -> None:
    assert_refused(call("select", "made", "--home", home, *words), sentence)


def test_a_delta_outside_0_to_1_is_refused(call: Call, home: Path) -> None:
    said = call("breakpoints", "made", "--home", home, "--delta", "1.5")
    assert_refused(said, "breakpoints: delta must be in [0, 1], got 1.5")


def test_a_budget_that_nothing_fits_names_the_nearest(call: Call, home: Path) -> None:
    said = call("select", "made", "--home", home, "--max-params", "10", "--min-accuracy", ".999")
    first, *nearest = said.err.splitlines()
    assert (said.code, said.out) == (2, "")
    assert first == "select: no point of made is within the budget; the nearest are"
    assert len(nearest) == 3
    assert all("misses max-params by" in line and ", accuracy by" in line for line in nearest)


def test_a_study_without_points_has_nothing_to_select(call: Call, tmp_path: Path) -> None:
    study = Study(tmp_path, "empty")
    study.begin(task="digits", space="joint", objectives=["accuracy", "params"], seed=0, reference_point={})
    assert_refused(call("select", "empty", "--home", tmp_path), "select: empty must have a point, it has none yet;")


def test_of_a_knee_it_is_said_what_binds_and_that_no_more_is_told() -> None:
    *_, binding, more = selected(choose(CURVE, Budget.parse(max_params="50"), prefer="knee"), None, None).splitlines()
    assert binding == "binding: max-params"
    assert more == "one notch more: not told of a knee, a larger budget has a knee of its own"
    free = selected(choose(CURVE, Budget.parse(max_params="1k"), prefer="knee"), None, None)
    assert free.endswith("binding: no bound")


def test_no_accuracy_below_0_is_said_of_two_seeds_far_apart() -> None:
    said = selected(choose(seeds(0.9, 0.2), Budget(), robust=True), None, None)
    assert "  over 2 seeds: 0.5500 on validation (lower end 0.0000), " in said
    assert "  seed 1 ships: 0.2000 on validation, " in said
    assert "  over 2 seeds: 0.5500 ± 0.5500 on validation, " in selected(choose(seeds(0.9, 0.2), Budget()), None, None)


def test_what_is_said_to_take_after_a_search_can_be_taken(call: Call, home: Path) -> None:
    said = searched(paretune.open_study("made", home), {"look": "", "go on": "again"}, ["--home", str(home)])
    counts, take = said.splitlines()
    assert re.fullmatch(r"trials: \d+ complete.*", counts)
    command = shlex.split(take.removeprefix("take: paretune "))
    at = command.index("--export")
    assert call(*command[:at], *command[at + 2 :]).out.startswith("best: point ")


def test_a_budget_that_nothing_fits_is_json_too(call: Call, home: Path) -> None:
    said = call("select", "made", "--home", home, "--max-params", "10", "--json")
    found = json.loads(said.out)
    assert said.code == 2
    assert found["best"] is None
    assert [miss["over"]["max_params"] > 0 for miss in found["misses"]] == [True] * 3


def test_a_folder_that_is_no_export_is_refused(call: Call, tmp_path: Path) -> None:
    assert_refused(call("evaluate", tmp_path), f"evaluate: {tmp_path} is not an exported model")


def test_a_folder_that_is_not_there_is_refused(call: Call, tmp_path: Path) -> None:
    assert_refused(call("evaluate", tmp_path / "none"), f"evaluate: {tmp_path / 'none'} is not an exported model")


def test_a_pickle_is_refused_and_never_read(call: Call, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.write_text, (tmp_path / "sprung", "x"))

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Trap()))
    said = call("evaluate", tmp_path / "model.pkl")
    assert_refused(said, "model.pkl is not an exported model")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "structure.json", "card.json", "model.pt2"])
@pytest.mark.parametrize("damage", ["truncated", "pickled", "missing"])
def test_a_damaged_export_is_refused(call: Call, exported: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "out"))
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes(whole[: len(whole) // 2] if damage == "truncated" else pickle.dumps({"a": 1}))
    assert_refused(call("evaluate", folder), f"evaluate: {folder}")


def test_an_export_is_not_evaluated_on_a_task_it_was_not_made_for(call: Call, exported: Path) -> None:
    assert_refused(call("evaluate", exported, "--task", "mnist"), "task: unknown 'mnist'")


def test_an_export_of_a_folder_of_images_does_not_say_where_these_lay(
    call: Call, exported: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "out"))
    card = json.loads((folder / "card.json").read_text())
    del card["sha256"]  # as of an export that an earlier version wrote
    (folder / "card.json").write_text(json.dumps({**card, "task": "folder:cats"}))
    assert_refused(call("evaluate", folder), "was trained on folder:cats, which is not here; say --task folder:PATH")
    assert call("evaluate", folder, "--task", "digits").code == 0


def test_an_export_into_somebody_elses_folder_is_refused(call: Call, own: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    said = call("select", "made", "--home", own, "--export", mine)
    assert_refused(said, f"export: {mine} must be empty or an earlier export, it holds other files")
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_an_export_while_mlflow_is_down_is_refused_before_it_is_written(call: Call, own: Path, tmp_path: Path) -> None:
    words = ("--export", tmp_path / "out", "--tracking-uri", "http://127.0.0.1:1")
    assert_refused(call("select", "made", "--home", own, *words), "http://127.0.0.1:1 says: ")
    assert not (tmp_path / "out").exists()


def test_a_study_is_resumed_while_mlflow_is_down_and_that_is_said(call: Call, own: Path) -> None:
    words = ("--trials", 3, "--tracking-uri", "http://127.0.0.1:1")
    said = call("search", "--name", "made", "--home", own, "--resume", *words)
    assert said.code == 0, said.err
    assert "note: tracking URI must name a running MLflow server, http://127.0.0.1:1 says: " in said.err
    again = f"paretune sync made --home {own} --tracking-uri http://127.0.0.1:1"
    assert f"nothing is lost, run `{again}` when it is back" in said.err


def test_a_search_whose_report_cannot_be_written_is_done_all_the_same(call: Call, own: Path) -> None:
    report = own / "studies" / "made" / "report.html"
    report.unlink(missing_ok=True)
    report.mkdir()
    said = call("search", "--name", "made", "--home", own, "--resume", "--trials", 3)
    assert said.code == 0, said.err
    assert f"note: report: cannot write {report}: Is a directory" in said.err
    assert "take: paretune select made" in said.out
    assert "report:" not in said.out


def test_what_to_type_next_can_be_typed_where_nothing_is_on_the_path(
    own: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    words = ["search", "--name", "made", "--home", str(own), "--resume", "--trials", "3"]
    monkeypatch.setattr(sys, "argv", [".venv/bin/paretune", *words])
    assert paretune.cli.run() == 0
    out = capfd.readouterr().out
    assert "take: .venv/bin/paretune select made " in out
    assert f"look: .venv/bin/paretune ui made --home {own}\n" in out


def test_a_study_is_begun_while_mlflow_is_down_and_told_later(call: Call, tmp_path: Path) -> None:
    quick = ("--student", "cnn", "--teacher", "cnn", "--epochs", 2, "--recovery-epochs", 1)
    said = call("search", "--trials", 2, "--home", tmp_path, "--tracking-uri", "http://127.0.0.1:1", *quick)
    assert said.code == 0, said.err
    assert "http://127.0.0.1:1 says: Connection refused; it is told everything once it answers" in said.err
    assert said.err.index("validation: one image is") < said.err.index("trial 0: no point yet, cnn trains for 2 epochs")
    again = f"paretune sync demo --home {tmp_path} --tracking-uri http://127.0.0.1:1"
    assert f"nothing is lost, run `{again}` when it is back" in said.err
    told = f"sqlite:///{tmp_path / 'later.db'}"
    assert call("sync", "demo", "--home", tmp_path, "--tracking-uri", told).code == 0
    client = connect(told)
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    trials = [run for run in runs if run.data.tags["paretune.kind"] != "front"]
    assert sorted(run.data.tags.get("paretune.trial", "") for run in trials) == ["", "0", "1"]


def test_a_sync_while_mlflow_is_down_is_refused(call: Call, home: Path) -> None:
    said = call("sync", "made", "--home", home, "--tracking-uri", "http://127.0.0.1:1")
    assert_refused(said, "tracking URI must name a running MLflow server")


def test_a_report_that_cannot_be_written_is_a_sentence(call: Call, home: Path, tmp_path: Path) -> None:
    said = call("report", "made", "--home", home, "--out", tmp_path)
    assert_refused(said, f"report: cannot write {tmp_path}: Is a directory")


def test_the_front_as_json_is_the_study_and_its_points(call: Call, home: Path) -> None:
    said = call("front", "made", "--home", home, "--json")
    found = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert set(found) == {"study", "objectives", "reference_point", "hypervolume", "points"}
    assert (found["study"], found["objectives"]) == ("made", ["accuracy", "params", "flops"])
    assert found["reference_point"] == REFERENCE
    assert 0 < found["hypervolume"] < 1
    accuracies = [point["accuracy"]["validation"] for point in found["points"]]
    assert accuracies == sorted(accuracies, reverse=True) != []


def test_a_point_as_json_says_all_that_was_measured(call: Call, home: Path) -> None:
    wanted = {
        "id", "trial", "recipe", "sparsity", "accuracy", "params", "nonzero_params", "macs", "flops", "size_bytes",
        "latency_ms", "path",
    }  # fmt: skip
    for point in json.loads(call("front", "made", "--home", home, "--json").out)["points"]:
        assert wanted <= set(point)
        assert set(point["accuracy"]) == {"validation", "test"}
        assert Path(point["path"]).is_dir()
        assert Recipe.from_json(point["recipe"]) in RECIPES


def test_trials_as_json_are_a_list_in_order(call: Call, home: Path) -> None:
    said = call("trials", "made", "--home", home, "--json")
    found = json.loads(said.out)
    assert said.err == ""
    assert [trial["id"] for trial in found] == [0, 1, 2]
    assert [trial["status"] for trial in found] == ["complete", "complete", "failed"]
    assert all({"id", "status", "reason", "recipe", "points", "seconds"} <= set(trial) for trial in found)
    assert [len(trial["points"]) for trial in found] == [1, 6, 0]
    assert found[2]["reason"] == "training: the loss became [nan] in epoch 1"


def test_breakpoints_as_json_are_one_a_curve(call: Call, home: Path) -> None:
    said = call("breakpoints", "made", "--home", home, "--json")
    assert [(one["trial"], one["variant"]) for one in json.loads(said.out)] == [(1, "float"), (1, "int8")]
    assert said.err == ""


def test_methods_as_json_are_kind_name_and_source(call: Call) -> None:
    said = call("methods", "--json")
    found = json.loads(said.out)
    assert said.err == ""
    assert {frozenset(method) for method in found} == {frozenset({"kind", "name", "source"})}
    assert {"distill", "prune", "schedule", "factorize", "quantize", "model"} == {method["kind"] for method in found}


def test_a_selection_as_json_is_the_best_that_fits(call: Call, home: Path) -> None:
    said = call("select", "made", "--home", home, "--max-params", "50%", "--json")
    found = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    points = Study(home, "made").record.points
    limit = points[0].measured.params / 2
    fits = [point.measured.score_validation for point in points if point.measured.params <= limit]
    assert found["bounds"] == {"max_params": limit}
    assert (found["best"]["accuracy"]["validation"], found["fits"]) == (max(fits), len(fits))


def test_several_that_fit_are_shown_side_by_side_and_what_binds(call: Call, home: Path) -> None:
    words = ("made", "--home", home, "--prefer", "params", "--min-accuracy", ".2", "--top", "2")
    said = call("select", *words)
    assert (said.code, said.err) == (0, "")
    found = json.loads(call("select", *words, "--json").out)
    assert [point["id"] for point in found["top"]] == [found["best"]["id"], found["runner_up"]["id"]]
    assert all(point["id"][:8] in said.out for point in found["top"])
    sizes = [point.measured.params for point in Study(home, "made").record.points]
    assert (found["best"]["params"] == min(sizes)) == (found["binding"] == []) == ("binding: no bound" in said.out)


@pytest.mark.parametrize("verb", ["front", "trials", "breakpoints", "select", "methods"])
def test_every_listing_speaks_to_people_too(call: Call, home: Path, verb: str) -> None:
    said = call(verb, *(() if verb == "methods" else ("made", "--home", home)))
    assert (said.code, said.err) == (0, "")
    assert {"front": "hypervolume", "trials": "became [nan]", "breakpoints": "int8", "select": "best: point"}.get(
        verb, "l1-filter"
    ) in said.out


def test_the_home_may_come_from_the_environment(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETUNE_HOME", str(home))
    assert json.loads(call("front", "made", "--json").out)["study"] == "made"


def test_a_report_is_one_file_whose_path_is_said(call: Call, own: Path) -> None:
    said = call("report", "made", "--home", own)
    path = Path(said.out.strip())
    assert (said.code, said.err) == (0, "")
    assert path == own / "studies" / "made" / "report.html"
    assert path.read_text().lstrip().lower().startswith("<!doctype html>")


def test_a_report_goes_where_it_is_wanted(call: Call, home: Path, tmp_path: Path) -> None:
    call("report", "made", "--home", home, "--out", tmp_path / "a.html")
    assert "made" in (tmp_path / "a.html").read_text()


def test_an_export_as_json_agrees_with_its_record(call: Call, exported: Path, home: Path) -> None:
    found = json.loads(call("evaluate", exported, "--json").out)
    recorded = Study(home, "made").record.points[1].as_json()
    assert found["accuracy"] == recorded["accuracy"]
    assert found["params"] == recorded["params"]
    assert {form: figures["agreement"] for form, figures in found["formats"].items()} == {
        "pt2": 1.0,
        "safetensors": 1.0,
    }


def test_an_evaluation_speaks_to_people_and_says_whether_the_card_records_the_same(
    call: Call, own: Path, tmp_path: Path
) -> None:
    assert call("select", "made", "--home", own, "--max-params", "2k", "--export", tmp_path / "out").code == 0
    first, counts, beside, *rest = call("evaluate", tmp_path / "out").out.splitlines()
    assert re.fullmatch(rf"{tmp_path}/out: accuracy 0\.\d{{4}} on validation, 0\.\d{{4}} on test", first)
    assert re.fullmatch(r"  [\d,]+ params \([\d,]+ not zero\), [\d,]+ MACs, [\d,]+ FLOPs, [\d,]+ bytes", counts)
    assert beside == "  as the card records"
    assert [line.split(":")[0] for line in rest[:2]] == ["pt2", "safetensors"]
    assert "same class on 100.00% of " in rest[0]
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    card["measured"] |= {"accuracy": {"validation": 0.5, "test": 0.25}, "params": 7}
    found = paretune.evaluate(tmp_path / "out")
    beside = evaluated(found, card, tmp_path).splitlines()[2]
    assert beside.startswith("  unlike the card: accuracy on validation recorded 0.5000, measured 0.")
    assert f"parameters recorded 7, measured {found['params']:,}" in beside
    card["measured"]["params"] = "\x1b[1m"
    assert "parameters recorded no number, " in evaluated(found, card, tmp_path)
    assert "the card records no accuracy" in evaluated(found, {}, tmp_path)


def test_an_export_whose_formats_answer_differently_is_failed_work(
    call: Call, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"images": 360, "agreement": 0.75, "difference": 2.0}
    monkeypatch.setattr("paretune.evaluate", lambda *_, **__: {"formats": {"pt2": figures}})
    said = call("evaluate", exported, "--json")
    assert (said.code, json.loads(said.out)["formats"]["pt2"]) == (1, figures)
    assert said.err.startswith(f"paretune: evaluate: every format of {exported} must answer as the network, pt2 agrees")
    assert said.err.endswith("; export it again\n")


def test_cleaning_says_what_it_dropped_and_keeps_the_front(call: Call, own: Path) -> None:
    before = json.loads(call("front", "made", "--home", own, "--json").out)
    said = call("clean", "made", "--home", own)
    assert (said.code, said.out[:15]) == (0, "clean: dropped ")
    assert json.loads(call("front", "made", "--home", own, "--json").out) == before
    assert all((Path(point["path"]) / "model.safetensors").exists() for point in before["points"])


def test_the_installed_command_keeps_standard_output_pure(home: Path) -> None:
    command = [sys.executable, "-m", "paretune", "front", "made", "--home", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["study"] == "made"
    assert done.stderr == ""


def test_the_installed_command_says_no_with_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "paretune", "select", "x", "--home", str(tmp_path), "--max-params", "20x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert_refused(Said(done.returncode, done.stdout, done.stderr), "max-params: expected a number")


def test_a_damaged_program_is_a_sentence_without_a_traceback(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "out"))
    (folder / "model.pt2").write_bytes(b"PK")
    command = [sys.executable, "-m", "paretune", "evaluate", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert_refused(Said(done.returncode, done.stdout, done.stderr), "model.pt2 is another file than the card names")


def test_a_selection_is_written_proven_and_registered(call: Call, own: Path, tmp_path: Path) -> None:
    said = call("select", "made", "--home", own, "--max-params", "2k", "--export", tmp_path / "out", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["export"]["registered"] == "models:/paretune-made/1"
    assert found["export"]["accuracy"] == found["best"]["accuracy"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*found["export"]["files"]}
    assert {"model.safetensors", "model.pt2", "card.json"} < {*found["export"]["files"]}


def test_a_selection_is_written_in_the_format_that_was_asked_for(call: Call, own: Path, tmp_path: Path) -> None:
    words = ("--max-params", "2k", "--export", tmp_path / "out", "--format", "onnx")
    said = call("select", "made", "--home", own, *words)
    assert said.code == 0, said.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"card.json", "card.md", "model.onnx"}
    assert f"exported to {tmp_path / 'out'}: model.onnx, card.md, card.json" in said.out
    assert "  onnx: same class on " in said.out
    assert "% of 256 test images, logits within " in said.out
    again = json.loads(call("evaluate", tmp_path / "out", "--json").out)
    assert list(again["formats"]) == ["onnx"]
    claimed = json.loads((tmp_path / "out" / "card.json").read_text())["measured"]["accuracy"]
    assert again["accuracy"] == pytest.approx(claimed, abs=0.01)


def test_an_export_in_place_of_an_earlier_one_says_so_and_bounds_are_whole(
    call: Call, own: Path, tmp_path: Path
) -> None:
    words = ("select", "made", "--home", own, "--max-params", "33.333%", "--export", tmp_path / "out")
    first, second = call(*words), call(*words)
    assert f"exported to {tmp_path / 'out'}: load.py" in first.out
    assert f"exported to {tmp_path / 'out'}, in place of an earlier export: load.py" in second.out
    (bound,) = re.findall(r"^budget: max-params (.*)$", first.out, re.MULTILINE)
    teacher = Study(own, "made").record.points[0].measured.params
    assert bound == str(math.floor(0.33333 * teacher))


def test_a_format_without_a_folder_is_refused(call: Call, home: Path) -> None:
    said = call("select", "made", "--home", home, "--format", "onnx")
    assert_refused(said, "format must come with --export DIR, got 'onnx' alone")


def test_a_sync_brings_the_study_into_mlflow(call: Call, own: Path) -> None:
    said = call("sync", "made", "--home", own)
    assert (said.code, said.out, said.err) == (0, "sync: made is in MLflow\n", "")
    assert (own / "mlflow.db").stat().st_size > 0
