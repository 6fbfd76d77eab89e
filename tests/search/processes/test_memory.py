"""A training that takes all memory: Ray's own monitor ends its worker, and the search goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.study.study import Study

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
HOG = """
import time
import torch
from torch import nn


class Hog(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 100:
            self.eaten = torch.ones(%d, dtype=torch.uint8)
            time.sleep(60)
        return super().forward(images)


def make(classes, channels):
    inner = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU())
    return Hog(inner, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
"""
EATEN = 4 << 30


def memory() -> dict[str, int]:
    """Of the machine, in bytes, by the names of Linux."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {name.rstrip(":"): 1024 * int(amount) for name, amount, *_ in lines}


def test_a_trial_that_takes_all_memory_has_failed_and_the_search_goes_on(tmp_path: Path) -> None:
    if not Path("/proc/meminfo").exists() or (os.cpu_count() or 1) > 4 or memory()["MemAvailable"] < 3 * EATEN:
        pytest.skip("needs Linux, 12 GiB, and no more workers than fit into them")
    (tmp_path / "hog.py").write_text(HOG % EATEN)
    now = memory()
    full = (now["MemTotal"] - now["MemAvailable"] + EATEN * 3 / 4) / now["MemTotal"]
    command = [sys.executable, "-m", "paretune", "search", "--name", "s", "--home", "home", "--trials", "2"]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "RAY_memory_usage_threshold": f"{full:.3f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    models = ["--teacher", "cnn", "--student", "hog:make"]
    ended = subprocess.run(
        [*command, *models], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500
    )
    assert ended.returncode == 0, ended.stderr
    plain, hog = Study(tmp_path / "home", "s").record.trials
    assert plain.status == "complete"
    assert hog.status == "failed"
    assert hog.reason.startswith(
        "out of memory: Ray ended its worker, for the machine's memory was full; a larger --cpus"
    )
    assert "1 complete, 1 failed" in ended.stdout
