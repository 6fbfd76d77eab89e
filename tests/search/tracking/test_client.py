import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from search.settings import Settings
from search.study.record import StudyRecord
from search.study.seeds import front_of
from search.tracking import client, sync
from search.tracking.client import TrackingError, Unanswered, check_reachable
from search.tracking.fields import hidden_tag
from search.tracking.runs import Logged, Runs
from search.tracking.sync import PAUSE_S, Sync
from search.uri import shown
from tests.search.mirrored import everything, found, free_port, history, report, reseeded, server, study, trial

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # MLflow's own


def artifacts(uri: str, run: Run) -> set[str]:
    return {file.path for file in MlflowClient(uri).list_artifacts(run.info.run_id)}


def table(uri: str, run: Run, name: str) -> list[list[object]]:
    """A table's rows; MLflow's own `load_table` reads from a global URI."""
    content = json.loads(Path(MlflowClient(uri).download_artifacts(run.info.run_id, name)).read_text())
    return list(content["data"])


def test_a_study_is_a_run_and_its_trials_are_its_children(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0), trial(1)))
    runs = everything(uri)
    assert set(runs) == {"demo", "trial 0", "trial 1"}
    assert runs["demo"].data.tags["task"] == "digits"
    assert runs["demo"].info.status == "FINISHED"
    child = runs["trial 1"]
    assert child.data.tags["mlflow.parentRunId"] == runs["demo"].info.run_id
    assert child.data.params["order"] == "prune"
    assert artifacts(uri, child) == {"recipe.json", "points.json"}
    assert child.info.end_time - child.info.start_time == pytest.approx(7000, abs=1)


def test_a_childs_metrics_are_its_curve_and_the_figures_of_its_breakpoint(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(1)))
    child = everything(uri)["trial 1"]
    assert history(uri, child, "float/params") == [(0, 1001.0), (100, 901.0), (200, 801.0)]
    assert child.data.metrics["params"] == 1001.0


def test_the_studys_run_has_its_progress_its_tables_and_its_report(uri: str, tmp_path: Path) -> None:
    Sync(uri, "demo", tmp_path / "artifacts", report).sync(study(trial(0), trial(1)))
    run = everything(uri)["demo"]
    assert [step for step, _ in history(uri, run, "hypervolume")] == [1, 2]
    tables = {"front.json", "breakpoints.json", "front.parquet", "breakpoints.parquet", "points.parquet"}
    files = tables | {"report.html", "front.svg", "about.md"}
    assert artifacts(uri, run) == files
    assert {file.name for file in (tmp_path / "artifacts").glob("*/artifacts/*")} >= files
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"])[0] == {"path": "front.json", "type": "table"}
    assert {row[0] for row in table(uri, run, "front.json")} <= {0, 1}


@pytest.mark.parametrize(
    ("status", "shown_as"),
    [("complete", "FINISHED"), ("failed", "FAILED"), ("stopped", "KILLED"), ("running", "RUNNING")],
)
def test_a_trials_status_is_its_runs(uri: str, status: str, shown_as: str) -> None:
    one = replace(trial(1), status=status, reason="no memory" if status == "failed" else "")  # type: ignore[arg-type]
    Sync(uri, "demo").sync(study(one))
    child = everything(uri)["trial 1"]
    assert (child.info.status, child.data.tags["status"]) == (shown_as, status)
    assert ("reason" in child.data.tags) == bool(one.reason)
    assert child.data.tags.get("reason", "") == one.reason


def test_search_finds_a_trial_by_its_breakpoint_and_each_model_of_the_front(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0), trial(1, points=9)))
    fits = {r.info.run_name for r in found(uri, "metrics.params < 900 and metrics.validation_accuracy > 0.85")}
    assert fits == {"trial 0 at 20.0%", "trial 1 at 20.0%", "trial 1 at 30.0%", "trial 1 at 40.0%", "trial 1 at 50.0%"}
    assert [r.info.run_name for r in found(uri, "metrics.params = 1001 and metrics.test_accuracy > 0.8")] == ["trial 1"]
    assert not found(uri, "metrics.params < 300 and metrics.validation_accuracy > 0.9")
    (one,) = found(uri, "tags.front = 'yes' and tags.order = 'prune' and metrics.params = 801")
    assert one.data.tags["mlflow.parentRunId"] == everything(uri)["trial 1"].info.run_id
    assert (one.info.status, one.data.params["lr"], one.data.metrics["sparsity"]) == ("FINISHED", "0.1", 0.2)


def test_a_model_that_has_left_the_front_says_so_and_one_that_is_back_too(uri: str) -> None:
    better = trial(1)
    better = replace(better, points=tuple(replace(p, measured=replace(p.measured, params=1)) for p in better.points))
    mirror = Sync(uri, "demo")
    for trials, left in (([trial(0)], 0), ([trial(0), better], 3), ([trial(0)], 0)):
        mirror.sync(study(*trials))
        assert len(found(uri, "tags.front = 'no' and tags.paretune.trial = '0'")) == left
    assert len(found(uri, "tags.paretune.kind = 'front'")) == 4


def test_a_model_that_an_earlier_trial_has_too_is_shown_below_that_one(uri: str) -> None:
    early, late = replace(trial(0), points=()), trial(1)
    late = replace(late, choices={"order": "prune", "lr": 0.5})
    Sync(uri, "demo").sync(study(early, late))
    shared = tuple(replace(point, trial=0) for point in late.points)
    Sync(uri, "demo").sync(study(replace(early, points=shared), late))
    shown = found(uri, "tags.front = 'yes'")
    assert len(shown) == 3
    assert {(run.data.tags["paretune.trial"], run.data.params["lr"]) for run in shown} == {("0", "0.1")}


def test_the_front_is_that_of_means_and_a_run_has_its_models_own_figures_too(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, lucky = trial(0), trial(1)
    Sync(uri, "demo").sync(study(first, lucky))
    seeds = [reseeded(lucky, 2, -0.05), reseeded(lucky, 3, -0.4)]
    for count in (1, 2):  # with the second the mean falls on
        whole = study(first, lucky, *seeds[:count])
        Sync(uri, "demo").sync(whole)
        best = {family.points[0].id: family for family in front_of(whole.points, whole.objectives)}
        shown = {run.data.tags[hidden_tag("point")]: run.data for run in found(uri, "tags.front = 'yes'")}
        assert set(shown) == set(best)
        assert {key: run.metrics["seeds"] for key, run in shown.items()} == {
            key: len(family.points) for key, family in best.items()
        }
    assert not any(run.data.tags["paretune.trial"] in "23" for run in found(uri, "tags.paretune.kind = 'front'"))
    left = found(uri, "tags.front = 'no' and tags.paretune.trial = '1'")
    assert {run.info.run_name for run in left} == {"trial 1 at 10.0%", "trial 1 at 20.0%"}
    for run in left:
        assert run.data.metrics["test_accuracy"] == 0.9
        assert run.data.metrics["mean_test_accuracy"] == pytest.approx(0.75)
        assert run.data.metrics["seeds"] == 3
        assert run.data.metrics["margin"] > 0.1
    assert all("margin" not in run.metrics for run in shown.values())
    monkeypatch.delattr(Runs, "write")
    Sync(uri, "demo").sync(whole)


def test_the_filter_in_words_finds_the_model_in_the_middle_of_the_front(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0), reseeded(trial(0), 1, -0.1)))
    run = everything(uri)["demo"]
    text = Path(MlflowClient(uri).download_artifacts(run.info.run_id, "about.md")).read_text()
    (link,) = re.findall(r"test_accuracy >= \S+`\]\((\S+)\)", text)
    (wanted,) = parse_qs(urlsplit(urlsplit(link).fragment).query)["searchFilter"]
    assert "trial 0 at 10.0%" in {run.info.run_name for run in found(uri, wanted)}


def test_syncing_again_changes_nothing_and_a_new_trial_adds_its_own(uri: str) -> None:
    mirror = Sync(uri, "demo", draw=report)
    mirror.sync(study(trial(0), trial(1)))
    before = everything(uri)
    for again in (mirror, Sync(uri, "demo", draw=report)):
        again.sync(study(trial(0), trial(1)))
    assert {name: run.to_dictionary()["data"] for name, run in everything(uri).items()} == {
        name: run.to_dictionary()["data"] for name, run in before.items()
    }
    Sync(uri, "demo", draw=report).sync(study(trial(0), trial(1), trial(2)))
    runs = everything(uri)
    assert set(runs) == {"demo", "trial 0", "trial 1", "trial 2"}
    assert [step for step, _ in history(uri, runs["demo"], "points")] == [1, 2, 3]
    assert len(table(uri, runs["demo"], "breakpoints.json")) == 3


def test_a_finished_trial_is_not_written_again(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Sync(uri, "demo").sync(study(trial(0), trial(1)))
    written = []
    plain = Runs.write

    def write(self: Runs, run: Logged, *rest: object, **more: object) -> Logged:
        written.append((run.tags["paretune.kind"], run.tags.get("paretune.trial")))
        return plain(self, run, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Runs, "write", write)
    Sync(uri, "demo").sync(study(trial(0), trial(1), trial(2)))
    assert [trial for kind, trial in written if kind == "trial"] == ["2"]
    assert [trial for kind, trial in written if kind == "front"] == ["2", "2"]


def test_a_trial_cut_off_in_the_middle_is_finished(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object, **__: object) -> Logged:
        raise OSError("cable cut")

    with monkeypatch.context() as patch:
        patch.setattr(Runs, "turn", dies)
        with pytest.raises(TrackingError, match="could not be written \\(cable cut\\): nothing is lost"):
            Sync(uri, "demo").sync(study(trial(0)))
    assert everything(uri)["trial 0"].info.status == "RUNNING"
    Sync(uri, "demo").sync(study(trial(0)))
    child = everything(uri)["trial 0"]
    assert child.info.status == "FINISHED"
    assert len(history(uri, child, "float/params")) == 3


def test_a_running_trials_curve_grows_and_a_resumed_one_runs_again(uri: str) -> None:
    mirror = Sync(uri, "demo")
    mirror.sync(study(replace(trial(1, points=2), status="running")))
    assert everything(uri)["demo"].info.status == "RUNNING"
    mirror.sync(study(replace(trial(1), status="failed")))
    mirror.sync(study(replace(trial(1), status="running")))
    assert everything(uri)["trial 1"].info.status == "RUNNING"
    mirror.sync(study(trial(1)))
    child = everything(uri)["trial 1"]
    assert (child.info.status, len(history(uri, child, "float/params"))) == ("FINISHED", 3)


@pytest.mark.parametrize("anew", [True, False], ids=["another process", "the same"])
def test_a_study_that_was_stopped_and_resumed_shows_the_figures_of_its_end(uri: str, anew: bool) -> None:
    mirror = Sync(uri, "demo")
    mirror.sync(study(trial(0), replace(trial(1, points=1), status="stopped", reason="interrupted")))
    mirror = Sync(uri, "demo") if anew else mirror
    mirror.sync(study(trial(0), replace(trial(1, points=1), status="running")))
    mirror.sync(study(trial(0), trial(1)))
    run = everything(uri)["demo"]
    assert run.data.metrics["points"] == 6
    assert history(uri, run, "points") == [(1, 3), (2, 4), (2, 6)]
    Sync(uri, "demo").sync(study(trial(0), trial(1)))
    assert len(history(uri, run, "points")) == 3, "nothing is logged again"


def test_a_study_left_stale_by_an_earlier_version_is_healed_by_a_sync(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0), trial(1, points=1)))
    run = everything(uri)["demo"]
    MlflowClient(uri).delete_tag(run.info.run_id, "mlflow.paretune.course")
    Sync(uri, "demo").sync(study(trial(0), trial(1)))
    run = everything(uri)["demo"]
    assert run.data.metrics["points"] == 6
    assert run.data.tags["mlflow.paretune.course"].endswith(" 6")


def test_what_somebody_deleted_there_is_made_again_below_the_new_parent(uri: str) -> None:
    mirror = Sync(uri, "demo")
    mirror.sync(study(trial(0)))
    MlflowClient(uri).delete_run(everything(uri)["demo"].info.run_id)
    with pytest.raises(TrackingError):
        mirror.sync(study(trial(0), trial(1)))
    mirror.sync(study(trial(0), trial(1)))
    runs = everything(uri)
    assert {runs[f"trial {n}"].data.tags["mlflow.parentRunId"] for n in (0, 1)} == {runs["demo"].info.run_id}


def test_of_two_runs_for_one_trial_the_elder_stays(uri: str) -> None:
    mirror = Sync(uri, "demo")
    mirror.sync(study(trial(0)))
    elder = everything(uri)["trial 0"]
    tags = {key: value for key, value in elder.data.tags.items() if key != "mlflow.runName"}
    MlflowClient(uri).create_run(elder.info.experiment_id, tags=tags, run_name="twin")
    Sync(uri, "demo").sync(study(trial(0)))
    runs = everything(uri)
    assert runs["trial 0"].info.run_id == elder.info.run_id
    assert "twin" not in runs


def test_another_study_of_the_same_name_is_refused(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0)))
    other = replace(trial(0), recipe={"seed": 99})
    with pytest.raises(TrackingError, match="must hold one study named demo, its trial 0 has another recipe"):
        Sync(uri, "demo").sync(study(other))


def test_two_studies_lie_side_by_side(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0)))
    Sync(uri, "demo2").sync(replace(study(trial(1)), name="demo2"))
    assert set(everything(uri)) == {"demo", "trial 0", "demo2", "trial 1"}


def test_a_deleted_experiment_is_not_written_to(uri: str) -> None:
    Sync(uri, "demo").sync(study(trial(0)))
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("paretune")
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(TrackingError, match="must not be deleted: restore it there"):
        Sync(uri, "demo").sync(study(trial(0)))


def test_artifacts_are_not_written_to_where_the_folder_was_before(uri: str, tmp_path: Path) -> None:
    Sync(uri, "demo", tmp_path / "old").sync(study(trial(0)))
    with pytest.raises(TrackingError, match=r"keeps artifacts in .*/old, expected .*/new: a database is for one home"):
        Sync(uri, "demo", tmp_path / "new").sync(study(trial(0)))


def test_a_report_that_cannot_be_drawn_leaves_all_else_in_place(uri: str) -> None:
    def broken(_: StudyRecord) -> str:
        raise ZeroDivisionError("no points")

    with pytest.raises(TrackingError, match=r"report of demo could not be drawn \(no points\); all else is in MLflow"):
        Sync(uri, "demo", draw=broken).sync(study(trial(0)))
    assert "front.json" in artifacts(uri, everything(uri)["demo"])


def test_the_thread_mirrors_what_is_posted_and_closes_complete(uri: str) -> None:
    mirror = Sync(uri, "demo", draw=report)
    mirror.start()
    for count in range(1, 6):
        mirror.post(study(*(trial(n) for n in range(count))))
    assert mirror.close(30)
    assert mirror.trouble == ""
    runs = everything(uri)
    assert set(runs) == {"demo", *(f"trial {n}" for n in range(5))}
    assert runs["demo"].info.status == "FINISHED"
    assert "report.html" in artifacts(uri, runs["demo"])


def test_a_study_closed_with_trials_running_is_shown_as_killed(uri: str) -> None:
    mirror = Sync(uri, "demo")
    mirror.post(study(replace(trial(0), status="running")))
    assert mirror.close(30)
    assert everything(uri)["demo"].info.status == "KILLED"


@pytest.mark.parametrize(("draw_every", "takes"), [(60, 0.0), (0, 0.3)], ids=["by the clock", "by what it costs"])
def test_the_report_is_drawn_at_most_so_often_and_at_the_end(
    uri: str, monkeypatch: pytest.MonkeyPatch, draw_every: float, takes: float
) -> None:
    monkeypatch.setattr(sync, "PAUSE_S", 0.01)
    monkeypatch.setattr(sync, "SHARE", 1.0)
    drawn = []

    def draw(study: StudyRecord) -> str:
        drawn.append(len(study.trials))
        time.sleep(takes)
        return ""

    mirror = Sync(uri, "demo", draw=draw, draw_every=draw_every)
    mirror.start()
    for count in range(1, 5):
        mirror.post(study(*(trial(n) for n in range(count))))
        until = time.monotonic() + 10
        while f"trial {count - 1}" not in _names(uri) and time.monotonic() < until:
            time.sleep(0.02)
    mirror.close(30)
    assert drawn == [1, 4]


def test_the_mirror_leaves_most_of_the_time_to_the_driver(uri: str) -> None:
    def draw(study: StudyRecord) -> str:
        time.sleep(1)
        return ""

    slow = Sync(uri, "demo", draw=draw)
    start = time.monotonic()
    outcome = slow._attempt(study(trial(0)), False)
    took = time.monotonic() - start
    assert outcome.done
    assert 3.0 < outcome.pause_s <= 3 * took
    assert slow._attempt(study(trial(0)), False).pause_s == PAUSE_S


def _names(uri: str) -> set[str]:
    return set(everything(uri)) if MlflowClient(uri).get_experiment_by_name("paretune") else set()


@pytest.mark.parametrize("uri", ["ftp://x", "mlruns", "file:///tmp/x", "databricks"])
def test_an_unknown_scheme_is_refused_with_the_known_ones(uri: str) -> None:
    with pytest.raises(TrackingError, match="must begin with one of sqlite, http, https, postgresql, mysql, got"):
        check_reachable(uri)


def test_a_server_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(
        Unanswered, match=r"must name a running MLflow server, http://127\.0\.0\.1:\d+ says: Connection"
    ) as said:
        check_reachable(f"http://me:secret@127.0.0.1:{free_port()}")
    assert said.value.down


@pytest.mark.parametrize(("code", "down"), [(404, False), (503, True)])
def test_a_server_may_come_back_but_is_not_another(code: int, down: bool) -> None:
    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(code)

        def log_message(self, *of: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Says) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(Unanswered, match=f"says: HTTP {code} at /health") as said:
            check_reachable(f"http://127.0.0.1:{server.server_port}")
    assert said.value.down == down


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one" * 50)
    with pytest.raises(TrackingError, match="must name an MLflow database"):
        check_reachable(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_password_is_not_shown() -> None:
    assert shown("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert shown("sqlite:////tmp/a@b/mlflow.db") == "sqlite:////tmp/a@b/mlflow.db"


def test_a_users_own_settings_stay(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", raising=False)
    client.connect(uri)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_a_dead_server_holds_nobody_up_and_is_told_at_the_end() -> None:
    mirror = Sync(f"http://127.0.0.1:{free_port()}", "demo")
    mirror.start()
    start = time.monotonic()
    mirror.post(study(trial(0)))
    assert time.monotonic() - start < 0.1
    assert not mirror.close(30)
    assert "could not be reached (Connection refused): nothing is lost, run `paretune sync demo`" in mirror.trouble


def test_a_server_that_never_answers_holds_closing_up_no_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr("search.uri.HEALTH_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match="timed out"):
            check_reachable(uri)
        mirror = Sync(uri, "demo")
        mirror.post(study(trial(0)))
        start = time.monotonic()
        assert not mirror.close(0.5)
        assert time.monotonic() - start < 1
        assert "could not be brought up to date within 0.5 s: nothing is lost" in mirror.trouble
    mirror._newest._thread.join(30)


PRINTS_NOTHING = """
import sys
from pathlib import Path
import search.tracking.sync, search.tracking.fields
assert not {"mlflow", "pandas", "plotly"} & set(sys.modules), "imported too early"
from search.settings import Settings
from search.tracking.sync import Sync
from search.tracking.client import check_reachable
from tests.search.mirrored import bare_export, point, report, study, trial
folder = Path(sys.argv[1])
uri = f"sqlite:///{folder}/mlflow.db"
check_reachable(uri)
mirror = Sync(uri, "demo", draw=report)
mirror.sync(study(trial(0)))
mirror.register(bare_export(folder / "export"), "m", point(0, 0.1), {})
"""


def test_nothing_is_printed_and_mlflow_is_imported_late(uri: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PRINTS_NOTHING, str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    done = subprocess.run(
        command, cwd=tmp_path, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_four_processes_may_check_a_fresh_database_at_once(tmp_path: Path) -> None:
    code = f"from search.tracking.client import check_reachable; check_reachable('sqlite:///{tmp_path}/new/mlflow.db')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(4)]
    assert [process.wait(120) for process in started] == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_costs_nothing_but_a_later_sync(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sync, "PAUSE_S", 0.01)
    monkeypatch.setattr(sync, "SHARE", 1.0)
    port = free_port()
    whole = study(*(trial(n) for n in range(8)))
    alive, reached = threading.Event(), 0
    with server(template, tmp_path / "server", port) as uri:
        check_reachable(uri)
        mirror = Sync(uri, "demo", draw=report)
        mirror.start()
        mirror.post(whole)
        while reached < 3:
            reached = len(_names(uri))
        alive.set()
    start = time.monotonic()
    mirror.post(study(*whole.trials, trial(8)))
    assert time.monotonic() - start < 0.1
    assert not mirror.close(60)
    assert "could not be reached (Connection refused): nothing is lost" in mirror.trouble
    with server(template, tmp_path / "server", port) as uri:
        assert reached <= len(_names(uri)) <= 9
        later = Sync(uri, "demo", draw=report)
        later.sync(study(*whole.trials, trial(8)))
        runs = everything(uri)
        assert set(runs) == {"demo", *(f"trial {n}" for n in range(9))}
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        assert all(len(history(uri, runs[f"trial {n}"], "float/params")) == 3 for n in range(9))
        assert later.link == f"{uri}/#/experiments/1/runs/{runs['demo'].info.run_id}?workflowType=machine_learning"
        files = json.dumps(sorted(artifacts(uri, runs["demo"])))
        assert "report.html" in files
    assert capfd.readouterr().out == ""


@pytest.mark.slow
def test_a_server_that_is_back_before_the_end_is_told_everything_once(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "RETRY_S", 0.1)
    monkeypatch.setattr(sync, "PAUSE_S", 0.01)
    monkeypatch.setattr(sync, "SHARE", 1.0)
    port = free_port()
    with server(template, tmp_path / "server", port) as uri:
        mirror = Sync(uri, "demo")
        mirror.start()
        mirror.post(study(trial(0)))
        until(lambda: "trial 0" in _names(uri))
    mirror.post(study(trial(0), trial(1)))
    until(lambda: "could not be reached" in mirror.trouble)
    with server(template, tmp_path / "server", port) as uri:
        mirror.post(study(trial(0), trial(1), trial(2)))
        assert mirror.close(60)
        assert mirror.trouble == ""
        runs = everything(uri)
        assert set(runs) == {"demo", "trial 0", "trial 1", "trial 2"}
        assert all(len(history(uri, runs[f"trial {n}"], "float/params")) == 3 for n in range(3))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("server", [None, "http://me:secret@127.0.0.1:1"])
def test_what_to_type_names_the_home_and_the_server_whoever_tracks(tmp_path: Path, server: str | None) -> None:
    where = "" if server is None else " --tracking-uri http://127.0.0.1:1"
    again = Sync.of(Settings("s", home=tmp_path, tracking_uri=server)).again
    assert again == f"paretune sync s --home {tmp_path}{where}"
