"""The cluster file is one that Ray takes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import yaml

CLUSTER = Path(__file__).parents[1] / "cluster.yaml"


def test_the_cluster_file_passes_rays_own_schema() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.autoscaler._private.util import prepare_config, validate_config

        validate_config(prepare_config(yaml.safe_load(CLUSTER.read_text())))


def test_the_head_runs_no_trials_and_workers_start_from_none() -> None:
    config: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())
    nodes = config["available_node_types"]
    assert nodes[config["head_node_type"]]["resources"] == {"CPU": 0}
    assert [node["min_workers"] for name, node in nodes.items() if name != config["head_node_type"]] == [0]
