"""Studies of a home: listed, watched, stopped, renamed, deleted; nothing of another study goes with one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import paretune
import paretune.cli
from compress.measurement import Measurement
from paretune.words.home import deleted_words
from search.settings import Settings
from search.study.driver_file import Doing, DriverFile, shown_starting, take_requests
from search.study.endings import BY_REQUEST, EARLY, INTERRUPTED
from search.study.ledger import FILE
from search.study.record import point_event
from search.study.study import Study
from search.tracking.client import connect

Call = Callable[..., str]


def runs_of(home: Path, study: str) -> list[str]:
    """The runs that MLflow has of a study."""
    client = connect(Settings(study, home=home).mlflow_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'paretune'")
    found = client.search_runs([experiment.experiment_id], f"tags.`paretune.study` = '{study}'")
    return sorted(run.info.run_id for run in found)


def begin(
    home: Path, name: str, *points: str, measurement: Measurement, running: bool = False, **header: object
) -> Study:
    """A study of one trial with a model for each id, whose files are in the home's store; the trial may be running."""
    study = Study(home, name)
    reference = {"accuracy": 0.0, "params": 10_000}
    study.begin(
        task="digits",
        space="joint",
        objectives=[*reference],
        seed=0,
        reference_point=reference,
        fingerprint="f" * 64,
        **header,
    )
    trial = study.ask({"seed": 0}, {}, None)
    for place, key in enumerate(points):
        study.add(trial, point_event(key, 0.0, "float", replace(measurement, params=100 + place)))
        folder = home / "store" / key[:2] / key
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"0" * 1000)
    if not running:
        study.end(trial, "complete", "", 1.0, {})
    return study


@pytest.fixture
def home(tmp_path: Path, measurement: Measurement) -> Path:
    """A home with the studies `one` and `two`, which have the model `shared` in common."""
    begin(tmp_path, "one", "shared", "alone", measurement=measurement)
    begin(tmp_path, "two", "shared", "other", measurement=measurement, running=False, **{"from": "one"})
    return tmp_path


@pytest.fixture
def call(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words over the home: what it prints."""

    def run(*words: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["paretune", *map(str, words), "--home", str(home)])
        capfd.readouterr()
        assert paretune.cli.run() == code
        return capfd.readouterr().out

    return run


def alive(study: Study, **known: object) -> None:
    DriverFile.here(started=time.time() - 60, trials=9, **known).write(study.folder)


def test_studies_are_listed_with_their_states_the_newest_first(home: Path, call: Call) -> None:
    one = Study(home, "one")
    one.end(one.ask({"seed": 0}, {}, None), "stopped", INTERRUPTED, 1.0, {})
    alive(Study(home, "two"))
    (home / "studies" / "broken").mkdir()
    (home / "studies" / "broken" / FILE).write_text("{}\n")
    found = {row["study"]: row for row in json.loads(call("studies", "--json"))}
    assert [found[name]["state"] for name in ("one", "two", "broken")] == ["interrupted", "running", None]
    assert (found["two"]["trials"], found["two"]["wanted"], found["two"]["points"], found["two"]["front"]) == (
        1,
        9,
        2,
        1,
    )
    said = call("studies")
    assert [line.split()[0] for line in said.splitlines()[2:5]] == ["one", "two", "broken"]
    assert "cannot be read" in said


def test_a_running_study_tells_what_each_trial_does_and_a_killed_one_that_it_died(home: Path, call: Call) -> None:
    study = Study(home, "one")
    doing = Doing(0, "train resnet20", 11.5, 60, 65.0, "node7", 12, time.time())
    alive(study, at_work=(doing, Doing(4)), waiting=(5, 6), left_s=130.0)
    said = [" ".join(line.split()) for line in call("status", "one").splitlines()]
    assert said[1].startswith("state running, by process ")
    assert said[4:] == [
        "left about 2 min 10 s",
        "running 0: train resnet20, epoch 12 of 60, 1 min 05 s left; 2 points, on node7",
        "waiting 4: for a worker",
        "5, 6: for models in the making",
    ]
    study.ask({"seed": 1}, {}, None)
    alive(study, at_work=(Doing(1),))
    assert " waiting " in call("trials", "one")
    assert [row["ending"] for row in json.loads(call("trials", "one", "--json"))] == ["complete", "waiting"]
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    replace(DriverFile.here(started=0.0, at_work=(doing,)), pid=gone.pid).write(study.folder)
    told = json.loads(call("status", "one", "--json"))
    assert (told["state"], told["running"], told["left_s"]) == ("died", [], None)
    assert f"go on: paretune search --name one --resume --home {home}" in call("status", "one")
    assert " unfinished " in call("trials", "one")
    assert f"go on: paretune search --name one --resume --home {home}" in call("studies")


def test_endings_are_told_apart_wherever_trials_are_counted(home: Path, call: Call) -> None:
    study = Study(home, "one")
    for why in (EARLY, BY_REQUEST, EARLY):
        study.end(study.ask({"seed": 0}, {}, None), "stopped", why, 1.0, {})
    counts = ("1 complete", "2 stopped early", "1 stopped by request")
    assert ", ".join(counts) in call("status", "one")
    assert "complete 1, stopped early 2, stopped by request 1" in call("show", "one")
    assert [row["ending"] for row in json.loads(call("trials", "one", "--json"))][1:3] == [
        "stopped early",
        "stopped by request",
    ]
    page = Path(call("report", "one").strip()).read_text()
    assert ", ".join(counts) in page


def test_a_study_is_seen_from_its_first_moment_on(home: Path, call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    new, known = home / "studies" / "new", Study(home, "one")
    new.mkdir()
    with shown_starting(new), shown_starting(known.folder):
        found = {row["study"]: row["state"] for row in json.loads(call("studies", "--json"))}
        assert found == {"one": "starting", "two": "ended", "new": "starting"}
        assert call("studies").count(" starting") == 2
        assert " ".join(call("status", "one").split()).startswith("study one state starting, by process ")
        with pytest.raises(ValueError, match="study new: is being started, and has nothing to show yet"):
            paretune.status("new", home=home)
    assert {row["study"]: row["state"] for row in paretune.studies(home=home)} == {"one": "ended", "two": "ended"}


def test_a_study_is_stopping_from_the_moment_the_request_is_heard(home: Path, call: Call) -> None:
    alive(Study(home, "one"), stopping=True, left_s=8.0)
    told = json.loads(call("status", "one", "--json"))
    assert (told["state"], told["left_s"]) == ("stopping", None)
    assert "left" not in call("status", "one")


def test_a_request_that_nobody_hears_is_told(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretune.verbs.home.HEARD_S", 0.2)
    study = Study(home, "one")
    study.ask({"seed": 1}, {}, None)
    alive(study)
    assert call("stop", "one", "1").startswith(
        "stop: trial 1 of one was asked to end, but its search has not heard yet"
    )
    assert json.loads(call("status", "one", "--json"))["state"] == "running"
    call("stop", "one")
    assert json.loads(call("status", "one", "--json"))["state"] == "stopping"
    assert take_requests(study.folder) == [None, 1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stop", "two"), "stop: two must be running, its state is ended"),
        (("stop", "one", "7"), "stop: trial must be one that runs, got 7; running now: none"),
        (("stop", "one", "0"), "stop: trial 0 of one has ended already, complete; running now: none"),
        (("stop", "one", "x"), "Invalid value for 'trial'"),
        (("rename", "one", "two"), "rename: the new name must be free, two is there"),
        (("rename", "one", "a b"), "study name must begin with a letter or digit"),
        (("rename", "none", "x"), "study none: there is none in"),
        (("delete", "none", "--yes"), "study none: there is none in"),
        (("delete", "two"), "delete: must come with --yes where nobody can be asked"),
        (("delete", "two", "--json"), "delete: must come with --yes where nobody can be asked"),
        (("status", "none"), "study none: there is none in"),
        (("ui", "none"), "study none: there is none in"),
        (("front", "tow"), "did you mean two? known are one, two, unmeasured"),
        (("ui", "--port", "99999"), "ui: port must be from 1 to 65535, got 99999"),
        (("recipe", "unmeasured", "teacher"), "recipe: the teacher of unmeasured must be measured, it is not yet"),
        (("stop", "unmeasured", "0"), "stop: trial 0 measures the unpruned teacher"),
        (
            ("select", "unmeasured", "--max-params", "10%"),
            "max-params: 10% is of the teacher, which is not measured yet",
        ),
        (("ui",), "ui: the home must have MLflow's database, there is none in"),
        (("clean", "none", "--dry-run"), "study none: there is none in"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence_and_changes_nothing(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    sentence: str,
    measurement: Measurement,
) -> None:
    alive(Study(home, "one"))
    begin(home, "unmeasured", running=True, measurement=measurement)
    alive(Study(home, "unmeasured"))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "driver.lock"}
    monkeypatch.setattr(sys, "argv", ["paretune", *words, "--home", str(home)])
    assert paretune.cli.run() == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and p.name != "driver.lock"} == before


def test_what_a_deletion_takes_is_said_in_sentences(home: Path) -> None:
    first, models, *rest = deleted_words(paretune.deletion("one", home=home))
    assert first == f"the folder {home / 'studies' / 'one'} goes, with 1 trial and 2 points"
    assert re.fullmatch(r"1 model that no other study has goes with the folder, \d+\.\d MB in all", models)
    assert rest == [
        "the study's runs in MLflow become deleted runs, which MLflow can restore",
        "registered models stay, and so does what other studies have, 1 model",
    ]


def test_a_study_is_deleted_with_the_models_that_no_other_has(home: Path, call: Call) -> None:
    gone = json.loads(call("delete", "one", "--yes", "--json"))
    assert (gone["trials"], gone["points"], gone["models"], gone["models_stay"]) == (1, 2, 1, 1)
    assert gone["size_bytes"] > 1000
    assert not (home / "studies" / "one").exists()
    assert {path.name for path in (home / "store").glob("*/*")} == {"shared", "other"}
    assert [row["study"] for row in paretune.studies(home=home)] == ["two"]


def test_a_running_study_is_neither_deleted_nor_renamed(home: Path, call: Call) -> None:
    with Study(home, "one").lock():
        call("delete", "one", "--yes", code=2)
        call("rename", "one", "three", code=2)
    assert [row["study"] for row in paretune.studies(home=home)] == ["two", "one"]


def test_models_in_a_store_outside_the_home_stay(tmp_path: Path, measurement: Measurement) -> None:
    begin(tmp_path, "far", "key", measurement=measurement, store=str(tmp_path / "elsewhere"))
    assert paretune.deletion("far", home=tmp_path).models == ()
    paretune.delete("far", home=tmp_path)
    assert (tmp_path / "store" / "ke" / "key" / "model.safetensors").exists()


def test_a_renamed_study_is_found_under_its_new_name_alone_also_in_mlflow(
    home: Path, call: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    paretune.sync("one", home=home)
    before = runs_of(home, "one")
    assert before
    notes = paretune.rename("one", "uno", home=home)
    assert notes == ["two was begun --from one, and goes on without it"]
    assert {row["study"] for row in paretune.studies(home=home)} == {"uno", "two"}
    assert len(paretune.front("uno", home=home)["points"]) == 1
    assert (runs_of(home, "one"), runs_of(home, "uno")) == ([], before)
    paretune.sync("uno", home=home)
    assert runs_of(home, "uno") == before, "nothing is logged twice"
    paretune.delete("uno", home=home)
    assert runs_of(home, "uno") == []


def test_what_clean_would_drop_is_told_and_stays(home: Path, call: Call, measurement: Measurement) -> None:
    study = Study(home, "one")
    trial = study.ask({"seed": 0}, {}, None)
    study.add(trial, point_event("worse", 0.5, "float", replace(measurement, score_validation=0.1, params=9000)))
    study.end(trial, "complete", "", 1.0, {})
    folder = home / "store" / "wo" / "worse"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"0" * 1000)
    would = json.loads(call("clean", "one", "--dry-run", "--json"))
    assert (would["models"], would["bytes"], would["dry_run"]) == (1, 1000, True)
    assert (folder / "model.safetensors").exists()
    assert call("clean", "one") == "clean: dropped 1 models of one, 0.0 MB\n"
    assert not (folder / "model.safetensors").exists()


def test_a_named_home_that_is_missing_is_refused_and_without_a_name_there_is_no_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, home in ((["--home", "lost"], ""), ([], "lost")):
        monkeypatch.setenv("PARETUNE_HOME", home)
        monkeypatch.setattr(sys, "argv", ["paretune", "studies", *words])
        assert paretune.cli.run() == 2
        assert capfd.readouterr().err == "paretune: studies: there is none in lost; there is no such folder\n"
    monkeypatch.delenv("PARETUNE_HOME")
    monkeypatch.setattr(sys, "argv", ["paretune", "studies"])
    assert paretune.cli.run() == 0
    assert capfd.readouterr().out == "studies: there is none in paretune-runs\n"


def test_a_shell_completes_the_names_of_studies(home: Path) -> None:
    words = {"COMP_WORDS": f"paretune front --home {home} o", "COMP_CWORD": "4", "_PARETUNE_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [Path(sys.executable).with_name("paretune")],
        env={**words, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["one"]


def test_an_error_names_the_help_of_its_verb(
    call: Call, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["paretune", "front", "one", "--foo"])
    assert paretune.cli.run() == 2
    assert capfd.readouterr().err == "paretune: No such option: --foo; see paretune front --help\n"


@pytest.mark.slow
def test_ui_serves_the_page_of_a_study_until_ctrl_c(home: Path) -> None:
    paretune.sync("one", home=home)
    words = [str(Path(sys.executable).with_name("paretune")), "ui", "one", "--home", str(home)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        link = served.stdout.readline().removeprefix("MLflow: ").strip()
        address, _, page = link.partition("/#/")
        assert page.startswith("experiments/")
        assert "/runs/" in page
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.status == 200
        served.send_signal(signal.SIGINT)
        _, err = served.communicate(timeout=60)
    assert (served.returncode, err) == (0, "")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=2)
