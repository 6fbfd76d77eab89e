"""`deploy/kuberay.yaml` is what Kubernetes and KubeRay take, and its parts name each other rightly.

The kinds of Kubernetes are held against its own schemas where `kubernetes-validate` is installed. KubeRay's schema
comes with no package: the fields of the RayJob are held against those in KubeRay's reference.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from compress.store.bucket import is_remote
from paretune.cli import app
from tests.deploy.machines import ROOT

MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text()))
(JOB,) = (one for one in MANIFESTS if one["kind"] == "RayJob")
CORE = [one for one in MANIFESTS if one is not JOB]
CLUSTER = JOB["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]
PODS = [one["spec"]["template"]["spec"] for one in CORE if one["kind"] == "Deployment"]
PODS += [group["template"]["spec"] for group in GROUPS]
ENTRYPOINT = shlex.split(JOB["spec"]["entrypoint"])

# https://docs.ray.io/en/latest/cluster/kubernetes/references/api.html, of ray.io/v1
FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "job": {
        **dict.fromkeys(("entrypoint", "runtimeEnvYAML", "jobId", "submissionMode", "entrypointResources"), str),
        **dict.fromkeys(("shutdownAfterJobFinishes", "suspend"), bool),
        **dict.fromkeys(("ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"), int),
        **dict.fromkeys(("rayClusterSpec", "clusterSelector", "submitterConfig", "submitterPodTemplate"), dict),
    },
    "cluster": {
        "rayVersion": str,
        **dict.fromkeys(("enableInTreeAutoscaling", "suspend"), bool),
        **dict.fromkeys(("headGroupSpec", "authOptions", "autoscalerOptions", "gcsFaultToleranceOptions"), dict),
        "workerGroupSpecs": list,
    },
    "headGroupSpec": {"rayStartParams": dict, "template": dict, "serviceType": str, "headService": dict},
    "workerGroupSpec": {
        "groupName": str,
        **dict.fromkeys(("replicas", "minReplicas", "maxReplicas", "numOfHosts", "idleTimeoutSeconds"), int),
        **dict.fromkeys(("rayStartParams", "template"), dict),
        "suspend": bool,
    },
    "authOptions": {"mode": str, "secretName": str, "enableK8sTokenAuth": bool},
    "autoscalerOptions": {
        **dict.fromkeys(("idleTimeoutSeconds",), int),
        **dict.fromkeys(("upscalingMode", "version", "image", "imagePullPolicy"), str),
        **dict.fromkeys(("resources", "securityContext"), dict),
    },
}


@pytest.mark.parametrize("manifest", CORE, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_passes_the_schema_of_kubernetes(manifest: dict[str, Any]) -> None:
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("schemas of Kubernetes come with kubernetes-validate: pip install kubernetes-validate")
    schemas = importlib.import_module("kubernetes_validate")
    schemas.validate(manifest, schemas.latest_version(), strict=True)


def test_the_pods_of_the_job_pass_the_schema_of_kubernetes() -> None:
    if importlib.util.find_spec("kubernetes_validate") is None:
        pytest.skip("schemas of Kubernetes come with kubernetes-validate: pip install kubernetes-validate")
    schemas = importlib.import_module("kubernetes_validate")
    for group in GROUPS:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
        schemas.validate(pod, schemas.latest_version(), strict=True)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("job", JOB["spec"]),
        ("cluster", CLUSTER),
        ("headGroupSpec", CLUSTER["headGroupSpec"]),
        *(("workerGroupSpec", group) for group in CLUSTER["workerGroupSpecs"]),
        ("authOptions", CLUSTER["authOptions"]),
        ("autoscalerOptions", CLUSTER["autoscalerOptions"]),
    ],
)
def test_the_fields_of_the_job_are_those_of_kuberays_reference(kind: str, given: dict[str, Any]) -> None:
    for name, value in given.items():
        assert type(value) is FIELDS[kind][name], name


def test_the_job_is_one_that_kuberay_accepts() -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", JOB["metadata"]["name"])
    assert len(JOB["metadata"]["name"]) <= 47
    assert (JOB["apiVersion"], JOB["spec"]["shutdownAfterJobFinishes"]) == ("ray.io/v1", True)  # needed by the ttl
    for group in GROUPS:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    for group in CLUSTER["workerGroupSpecs"]:
        assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_is_the_pinned_one_with_a_token_and_the_head_runs_no_trials() -> None:
    assert f"ray=={CLUSTER['rayVersion']}" in (ROOT / "constraints.txt").read_text().split()
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert CLUSTER["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    assert all("nvidia.com/gpu" in one["containers"][0]["resources"]["limits"] for one in PODS[-1:])


def test_the_search_of_the_job_has_options_of_the_command() -> None:
    assert ENTRYPOINT[:2] == ["paretune", "search"]
    shown = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "300"}).output
    options = dict(zip(ENTRYPOINT[2::2], ENTRYPOINT[3::2], strict=True))
    assert all(re.search(rf"{option}\s", shown) for option in options)
    assert options["--address"] == "auto"
    assert is_remote(options["--store"])


def test_names_lead_to_what_the_file_has() -> None:
    named = {(one["kind"], one["metadata"]["name"]): one for one in MANIFESTS}
    for pod in PODS:
        for volume in pod.get("volumes", []):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in named
            else:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in named
        mounts = {mount["name"] for one in pod["containers"] for mount in one.get("volumeMounts", [])}
        assert mounts == {volume["name"] for volume in pod.get("volumes", [])}
    for name in ("postgres", "mlflow"):
        service, deployment = named["Service", name], named["Deployment", name]
        assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        ports = [port["containerPort"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]]
        assert [port["port"] for port in service["spec"]["ports"]] == ports
    text = (ROOT / "deploy" / "kuberay.yaml").read_text()
    assert set(re.findall(r"@(\w+)/", text)) | set(re.findall(r"http://(\w+):5000", text)) == {"postgres", "mlflow"}


def test_nodes_that_may_go_hold_no_volume_that_one_node_alone_may_write() -> None:
    for group in CLUSTER["workerGroupSpecs"]:
        assert not group["template"]["spec"].get("volumes")


def test_no_password_stands_in_the_file_and_only_its_own_pods_reach_the_servers() -> None:
    text = (ROOT / "deploy" / "kuberay.yaml").read_text()
    assert "kind: Secret" not in text
    assert not re.search(r"://\w+:[^@\s]+@", text)
    (policy,) = (one["spec"] for one in MANIFESTS if one["kind"] == "NetworkPolicy")
    (rule,) = policy["ingress"]
    allowed = rule["from"][0]["podSelector"]["matchLabels"].items()
    for template in [group["template"] for group in GROUPS]:
        assert allowed <= template["metadata"]["labels"].items()
