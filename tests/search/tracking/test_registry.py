import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from compress.data.tasks import Task
from compress.export.formats import export
from compress.store.files import Files
from search.selection.budget import Budget
from search.tracking.client import TrackingError
from search.tracking.registry import alias, describe, version_tags
from search.tracking.sync import Sync
from tests.dashboards.records import MAE
from tests.search.mirrored import bare_export, everything, free_port, point, server, study, trial

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")  # MLflow's own


@pytest.mark.parametrize(
    ("bounds", "name"),
    [
        ({"max_params": "20k"}, "under-20k-params"),
        ({"max_params": "20000"}, "under-20k-params"),
        ({"max_params": "20.5k"}, "under-20500-params"),
        ({"max_flops": "2M", "max_params": "20k"}, "under-20k-params-2M-flops"),
        ({"max_params": "10%"}, "under-10-percent-params"),
        ({"max_latency_ms": ".5"}, "under-0_5-latency-ms"),
        ({"min_accuracy": ".95"}, "over-95-accuracy"),
        ({"min_accuracy": "97.5%"}, "over-97_5-percent-accuracy"),
        ({"max_params": "20k", "min_accuracy": ".97"}, "under-20k-params-over-97-accuracy"),
        ({"max_params": "20k", "quality": "4.5"}, "under-20k-params-quality-4_5"),
        ({"quality": "120%"}, "quality-120-percent"),
        ({}, "best"),
    ],
)
def test_an_alias_is_the_budget_in_words(bounds: dict[str, str], name: str) -> None:
    assert alias(Budget.parse(**bounds)) == name


def test_a_version_says_by_which_quality_it_was_preferred() -> None:
    tags = version_tags(replace(point(1, 0.9), quality=MAE), {"quality": "4"}, "accuracy", "s")
    assert (tags["prefer"], tags["budget.quality"], tags["validation_mae"]) == ("mae", "4", "4.9")
    assert version_tags(point(1, 0.9), {}, "accuracy", "s")["prefer"] == "accuracy"


def test_an_alias_says_what_was_preferred() -> None:
    budget = Budget.parse(min_accuracy=".95")
    assert [alias(budget, prefer) for prefer in ("params", "latency", "knee")] == [
        "smallest-over-95-accuracy",
        "fastest-over-95-accuracy",
        "knee-over-95-accuracy",
    ]
    assert alias(Budget(), "params") == "smallest"


def test_a_version_says_its_budget_and_its_figures(tmp_path: Path) -> None:
    tags = version_tags(point(3, 0.5), {"max_params": "20k"}, "knee", "demo")
    assert (tags["budget.max_params"], tags["prefer"]) == ("20k", "knee")
    assert (tags["params"], tags["paretune.trial"], tags["test_accuracy"]) == ("503", "3", "0.9")


def test_a_description_is_the_card_or_its_lines_within_the_limit(tmp_path: Path) -> None:
    card, line = tmp_path / "card.md", "x" * 98 + ".\n"
    card.write_text("# A card\n" + line)
    assert describe(tmp_path) == "# A card\n" + line
    card.write_text("# A card\n" + 60 * line)
    assert describe(tmp_path) == ("# A card\n" + 49 * line).removesuffix("\n")


def test_a_model_becomes_the_next_version_and_its_budgets_alias_moves_to_it(uri: str, tmp_path: Path) -> None:
    folder = bare_export(tmp_path / "export")
    mirror = Sync(uri, "demo")
    mirror.sync(study(trial(0)))
    budgets = [{"max_params": "20k"}, {"max_params": "20000"}, {"max_params": "1k"}]
    made = [mirror.register(folder, "m", point(0, n / 10), budget) for n, budget in enumerate(budgets)]
    assert made == ["models:/m/1", "models:/m/2", "models:/m/3"]
    client = MlflowClient(uri)
    assert {name: int(v) for name, v in client.get_registered_model("m").aliases.items()} == {
        "under-20k-params": 2,
        "under-1k-params": 3,
    }
    version = client.get_model_version("m", "1")
    assert (version.tags["budget.max_params"], version.tags["params"]) == ("20k", "1000")
    run = client.get_run(str(version.run_id))
    assert run.data.tags["mlflow.parentRunId"] == everything(uri)["demo"].info.run_id
    assert (Path(str(version.source).removeprefix("file://")) / "MLmodel").exists()
    assert {file.name for file in folder.iterdir()} == {"card.json", "card.md"}
    mirror.sync(study(trial(0)))


def test_models_registered_at_once_get_versions_of_their_own(uri: str, tmp_path: Path) -> None:
    folder = bare_export(tmp_path / "export")
    Sync(uri, "demo").sync(study(trial(0)))
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(Sync(uri, "demo").register, folder, "m", point(0, n / 10), {}) for n in range(4)]
    assert {job.result() for job in jobs} == {f"models:/m/{n}" for n in range(1, 5)}
    assert int(MlflowClient(uri).get_model_version_by_alias("m", "best").version) == 4


@pytest.mark.parametrize("fails", [False, True], ids=["both are let in", "the second is turned away at first"])
def test_an_alias_that_two_make_at_once_is_on_the_newer_version(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    folder, plain, calls = bare_export(tmp_path / "export"), MlflowClient.set_registered_model_alias, []

    def slowly(client: MlflowClient, name: str, alias: str, version: str) -> None:
        calls.append(version)
        if len(calls) == 1:
            Sync(uri, "demo").register(folder, "m", point(0, 0.2), {})
            if fails:
                raise MlflowException("UNIQUE constraint failed", BAD_REQUEST)
        plain(client, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", slowly)
    assert Sync(uri, "demo").register(folder, "m", point(0, 0.1), {}) == "models:/m/1"
    assert calls == (["1", "2", "1", "2"] if fails else ["1", "2", "2"])
    assert int(MlflowClient(uri).get_model_version_by_alias("m", "best").version) == 2


def test_a_model_name_that_mlflow_refuses_is_told(uri: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"register: a/b is not in MLflow at sqlite:.*Invalid"):
        Sync(uri, "demo").register(bare_export(tmp_path / "export"), "a/b", point(0, 0.1), {})


LOADS = """
import json, os, sys
from importlib.abc import MetaPathFinder

class Elsewhere(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("compress", "spaces", "search", "dashboards", "paretune"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Elsewhere())
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
import mlflow, numpy, torch
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
plain, network = (flavor.load_model(sys.argv[2]) for flavor in (mlflow.pyfunc, mlflow.pytorch))
images = numpy.concatenate([plain.input_example, numpy.load(sys.argv[3])])
with torch.no_grad():
    logits = [plain.predict(images).tolist(), network(torch.from_numpy(images)).tolist()]
signature = plain.metadata.signature.to_dict()
print(json.dumps({"logits": logits, "inputs": json.loads(signature["inputs"]), "example": images[:1].tolist()}))
"""


@pytest.mark.slow
def test_a_version_loads_without_this_project_and_without_pickle(
    uri: str, tmp_path: Path, tiny: Task, trained: Files
) -> None:
    import numpy

    folder = export(trained, tiny, tmp_path / "export", {})
    Sync(uri, "demo").register(folder, "m", point(0, 0.0), {"max_params": "20k"})
    images = next(tiny.test.batches(64)).images
    numpy.save(tmp_path / "images.npy", images.numpy())
    command = [sys.executable, "-I", "-W", "error::FutureWarning", "-c", LOADS]
    command += [uri, "models:/m@under-20k-params", str(tmp_path / "images.npy")]
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    program = torch.export.load(folder / "model.pt2").module()
    with torch.no_grad():
        expected = program(torch.cat([torch.tensor(said["example"]), images])).tolist()
    assert said["logits"] == [expected, expected]
    assert said["inputs"] == [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1, 8, 8]}}]


def test_a_version_asks_for_mlflow_and_torch_alone_and_names_nothing_of_this_machine(
    uri: str, tmp_path: Path, tiny: Task, trained: Files
) -> None:
    Sync(uri, "demo").register(export(trained, tiny, tmp_path / "export", {}), "m", point(0, 0.0), {})
    version = MlflowClient(uri).get_model_version("m", "1")
    kept = Path(str(version.source).removeprefix("file://"))
    needs = (kept / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in needs] == ["mlflow", "torch"]
    assert torch.__version__.partition("+")[0] == needs[1].partition("==")[2]
    for file in kept.iterdir():
        assert file.suffix not in (".pkl", ".pickle", ".pth", ".pt"), file
        for place in (tmp_path, Path(__file__).parents[3], Path(sys.prefix)):
            assert str(place).encode() not in file.read_bytes(), file


REGISTERS = """
import sys
from pathlib import Path
from search.tracking.sync import Sync
from tests.search.mirrored import point
uri, folder, number = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
for n in range(3):
    print(Sync(uri, "demo").register(Path(folder), "m", point(0, int(number) / 10), {"max_params": "20k"}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a server", "the home's database"])
def test_processes_that_register_at_once_leave_whole_versions_and_the_alias_on_the_newest(
    template: Path, uri: str, tmp_path: Path, where: str
) -> None:
    folder = bare_export(tmp_path / "export")
    if where == "a server":
        with server(template, tmp_path / "server", free_port()) as address:
            registers_at_once(address, folder)
    else:
        registers_at_once(uri, folder)


def registers_at_once(uri: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTERS, uri, str(folder), str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n", timeout=120)[0].split() for process in started]
    assert sorted(said[0] + said[1]) == [f"models:/m/{n}" for n in range(1, 7)]
    client = MlflowClient(uri)
    for number, words in enumerate(said):
        for word in words:
            version = client.get_model_version("m", word.rpartition("/")[2])
            assert version.tags["params"] == str(point(0, number / 10).measured.params)
            files = {f.path for f in client.list_artifacts(str(version.run_id), "model")}
            assert files >= {"model/MLmodel", "model/card.json", "model/requirements.txt"}
    assert int(client.get_model_version_by_alias("m", "under-20k-params").version) == 6
