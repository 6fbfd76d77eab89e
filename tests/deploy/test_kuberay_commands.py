"""The commands in `deploy/kuberay.yaml`, run by hand: Postgres, MLflow, a bucket and the search, on two machines.

Kubernetes is not there: the first machine is the head and every Service, the second is the worker. Only the size of the
search, the folder of the studies, and the name of the bucket are others.
"""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.study.study import Study
from tests.deploy.machines import ADDRESSES, ROOT, Machine, two_machines

MANIFESTS: dict[tuple[str, str], dict[str, Any]] = {
    (one["kind"], one["metadata"]["name"]): one
    for one in yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text())
}
JOB = MANIFESTS["RayJob", "first"]["spec"]
SECRET = {
    "PGPASSWORD": "of-the-test",
    "AWS_ACCESS_KEY_ID": "anybody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": f"http://{ADDRESSES['first']}:9000",
}
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
HTTP = "import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], headers={'Host': sys.argv[2]})).status)"


@pytest.fixture
def pair() -> Iterator[tuple[Machine, Machine]]:
    pytest.importorskip("psycopg", reason="MLflow's database needs psycopg: pip install -e '.[cluster]'")
    if not POSTGRES:
        pytest.skip("Postgres must be installed: apt-get install postgresql")
    with two_machines(postgres=ADDRESSES["first"], mlflow=ADDRESSES["first"]) as (first, second):
        first.run("ray", "get-auth-token", "--generate")
        shutil.copy(first.home / ".ray" / "auth_token", second.home / ".ray")
        yield first, second


def wait(machine: Machine, *words: str, log: Path, **more: str) -> str:
    """What a command says once it ends well."""
    end = time.monotonic() + 120
    while (done := machine.try_to_run(*words, **more)).returncode:
        assert time.monotonic() < end, done.stdout + log.read_text()
        time.sleep(1)
    return done.stdout


def postgres(machine: Machine, folder: Path, log: Path) -> None:
    """As the image of Postgres does with the variables and the script of the manifest."""
    container = MANIFESTS["Deployment", "postgres"]["spec"]["template"]["spec"]["containers"][0]
    given = {one["name"]: one.get("value", SECRET["PGPASSWORD"]) for one in container["env"]}
    data, password, programs = folder / "data", folder / "password", POSTGRES[-1].parent
    folder.mkdir(mode=0o755)
    password.write_text(given["POSTGRES_PASSWORD"])
    for path in (folder, password):
        shutil.chown(path, "postgres", "postgres")
    as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--")
    init = f"{programs}/initdb -D {data} -U {given['POSTGRES_USER']} --pwfile={password} --auth=scram-sha-256"
    machine.run(*as_postgres, *init.split())
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    serve = f"{programs}/postgres -D {data} -c listen_addresses=* -c unix_socket_directories={folder}"
    machine.start(*as_postgres, *serve.split(), log=log)
    ask = ("psql", "-h", "postgres", "-U", given["POSTGRES_USER"], "-qtA")
    wait(machine, *ask, "-d", "postgres", "-c", "SELECT 1", log=log, **SECRET)
    machine.run(*ask, "-d", "postgres", "-c", f"CREATE DATABASE {given['POSTGRES_DB']}", **SECRET)
    for script in MANIFESTS["ConfigMap", "postgres"]["data"].values():
        machine.run(*ask, "-d", given["POSTGRES_DB"], "-c", script, **SECRET)


def mlflow(machine: Machine, log: Path) -> None:
    """The server of the manifest, which answers to the name of its Service and to no other."""
    container = MANIFESTS["Deployment", "mlflow"]["spec"]["template"]["spec"]["containers"][0]
    words = [word.replace("BUCKET", "mine") for word in (*container["command"], *container["args"])]
    machine.start(*words, log=log, **SECRET, **{one["name"]: one["value"] for one in container["env"]})
    wait(machine, "python", "-c", HTTP, "http://mlflow:5000/health", ADDRESSES["first"], log=log)
    for name, code in (("mlflow:5000", 0), ("localhost:5000", 0), ("elsewhere.org", 1)):
        done = machine.try_to_run("python", "-c", HTTP, "http://mlflow:5000/", name)
        assert done.returncode == code, done.stdout


@pytest.mark.slow
def test_the_search_of_the_manifest_leaves_models_in_the_bucket_and_runs_and_trials_in_postgres(
    pair: tuple[Machine, Machine], tmp_path: Path
) -> None:
    first, second = pair
    log = tmp_path / "log"
    first.start(sys.executable, "-m", "moto.server", "-H", "0.0.0.0", "-p", "9000", log=log)
    make = "import boto3; boto3.client('s3').create_bucket(Bucket='mine')"
    wait(first, "python", "-c", make, log=log, **SECRET)
    postgres(first, first.home.parent / "postgres", log)
    mlflow(first, log)

    head = JOB["rayClusterSpec"]["headGroupSpec"]["rayStartParams"]
    start = str(ROOT / "deploy" / "start-ray.sh")
    first.run(start, "head", *(f"--{name}={value}" for name, value in head.items()), "--num-gpus=0", **SECRET)
    second.run(start, "first", "--num-cpus=1", "--num-gpus=0", **SECRET)
    words = shlex.split(JOB["entrypoint"].replace("BUCKET", "mine"))
    words[words.index("--home") + 1] = str(tmp_path / "studies")
    words[words.index("--trials") + 1] = "3"
    said = first.run(*words, "--epochs", "8", "--recovery-epochs", "2", RAY_AUTH_MODE="token", **SECRET)

    record = Study(tmp_path / "studies", "first").record
    assert [trial.status for trial in record.trials] == ["complete"] * 3, said
    listed = first.run("python", "-c", LIST, **SECRET).split()
    assert all(f"models/{point.id[:2]}/{point.id}" in listed for point in record.points)
    assert any(name.startswith("mlflow/") for name in listed)
    for database, table in (("optuna", "trials"), ("mlflow", "runs")):
        ask = ("psql", "-h", "postgres", "-U", "paretune", "-qtA", "-d", database)
        assert int(first.run(*ask, "-c", f"SELECT count(*) FROM {table}", **SECRET)) >= 3


LIST = "import boto3; print(*(o['Key'] for o in boto3.client('s3').list_objects_v2(Bucket='mine')['Contents']))"
