from pathlib import Path

from mlflow import MlflowClient

from search.tracking.page import page
from search.tracking.sync import Sync
from tests.search.mirrored import everything, free_port, server, study, trial


def test_the_page_of_a_home_is_where_mlflow_serves_by_default_in_the_view_of_training(uri: str) -> None:
    assert page(uri, "demo") == ""
    Sync(uri, "demo").sync(study(trial(0)))
    run = everything(uri)["demo"].info
    wanted = f"http://127.0.0.1:5000/#/experiments/{run.experiment_id}/runs/{run.run_id}?workflowType=machine_learning"
    assert page(uri, "demo") == wanted
    assert page(uri, "demo2") == ""
    MlflowClient(uri).delete_run(run.run_id)
    assert page(uri, "demo") == ""


def test_a_server_that_is_down_has_no_page_and_takes_no_time(tmp_path: Path) -> None:
    assert page(f"http://127.0.0.1:{free_port()}", "demo") == ""
    assert page(f"sqlite:///{tmp_path}/none.db", "demo") == ""
    assert not list(tmp_path.iterdir())
    (tmp_path / "mlflow.db").write_text("no database")
    assert page(f"sqlite:///{tmp_path}/mlflow.db", "demo") == ""


def test_the_page_at_a_server_has_its_address(template: Path, tmp_path: Path) -> None:
    with server(template, tmp_path / "server", free_port()) as uri:
        mirror = Sync(uri, "demo")
        mirror.sync(study(trial(0)))
        assert page(uri, "demo") == mirror.link
