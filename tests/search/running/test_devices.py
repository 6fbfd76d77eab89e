"""How many GPUs a trial takes when nobody says, and the line that says what was chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from search.running import devices
from search.running.devices import Room, settled
from search.settings import Settings

ROOMY = Room(8, 2)
WHOLE = (
    "trials take 1 GPU each, 2 at once on 2 GPUs and 8 CPUs; --gpus-per-trial .25 lets four share one, 0 means the CPU"
)
SHARED = "trials take 0.25 GPU each, 8 at once on 2 GPUs and 8 CPUs"
CHOSEN: list[tuple[dict[str, Any], float | None, Room, float, str]] = [
    ({}, None, Room(8, 0), 0.0, ""),
    ({}, None, ROOMY, 1.0, WHOLE),
    ({"cpus_per_trial": 3}, None, ROOMY, 1.0, WHOLE),
    ({}, None, Room(4, 8), 1.0, "trials take 1 GPU each, 4 at once on 8 GPUs and 4 CPUs; "
     "at 1 CPU a trial the CPUs are too few to keep all GPUs busy"),
    ({"cpus_per_trial": 8}, None, ROOMY, 1.0, "trials take 1 GPU each, 1 at once on 2 GPUs and 8 CPUs; "
     "at 8 CPUs a trial the CPUs are too few to keep all GPUs busy"),
    ({"gpus_per_trial": 0.25}, None, ROOMY, 0.25, SHARED),
    ({"gpus_per_trial": 0.0}, None, ROOMY, 0.0, ""),
    ({}, 0.0, ROOMY, 0.0, "trials run on the CPU, as when the study was begun; --gpus-per-trial 1 uses the 2 GPUs"),
    ({}, 0.25, ROOMY, 0.25, SHARED),
    ({}, 8.0, ROOMY, 1.0, WHOLE),
    ({}, 1.0, Room(8, 0), 0.0, "the study was begun with 1 GPU a trial, this machine has none: trials run on the CPU"),
    ({"gpus_per_trial": 1.0}, 0.0, ROOMY, 1.0, WHOLE),
    ({"address": "auto"}, None, ROOMY, 1.0, WHOLE),
    ({"address": "auto"}, 0.5, Room(0, 0), 0.5, ""),
    ({"address": "auto"}, None, Room(0, 0), 0.0,
     "no node has a GPU now, so trials run on CPUs; --gpus-per-trial 1 waits for nodes that have one"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "begun", "room", "gpus", "line"), CHOSEN)
def test_a_trial_takes_a_gpu_where_there_are_any_and_nobody_says_otherwise(
    asked: dict[str, Any], begun: float | None, room: Room, gpus: float, line: str, tmp_path: Path
) -> None:
    found, said = settled(Settings("s", home=tmp_path, **asked), begun, room)
    assert (found.gpus_per_trial, said) == (gpus, line)


def test_the_gpus_of_this_machine_are_those_that_torch_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(devices, "usable_cpus", lambda: 5)
    assert Room.of(None) == Room(5, 3)


def test_the_gpus_of_a_cluster_are_those_of_its_living_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        {"Alive": True, "Resources": {"memory": 1e9}},
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert Room.of("auto") == Room(4, 1)
