"""`paretune search` over a space of small recipes, as a program that a test may kill; its words are the command's own.

EPOCHS in the environment is how long each network trains.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from compress.models import Model
from compress.pruning import L1Filter, OneShot
from compress.recipe import Recipe
from compress.stages import Prune, Recovery, Train
from compress.training.settings import Training
from paretune.__main__ import main as main_command
from spaces import SPACES, Space
from spaces.space import EFFORT, Effort, Trial

RATES = (0.1, 0.05, 0.02, 0.01)
EPOCHS = int(os.environ.get("EPOCHS", "2"))


def build(trial: Trial, task: str, seed: int) -> Recipe:
    """Eight recipes of three points each."""
    width = float(trial.suggest_categorical("width", (0.25, 0.5)))
    lr = float(trial.suggest_categorical("lr", RATES))
    cut = Prune(L1Filter(), 0.6, OneShot(2), Recovery(Training(epochs=EPOCHS, lr=0.02)))
    return Recipe(task, Model("cnn", width), (Train(Training(epochs=EPOCHS, lr=lr)), cut), seed=seed)


def main() -> None:
    """As `paretune` is."""
    SPACES["small"] = Space("small", build, Model("cnn", 0.5), "", ({"width": 0.25, "lr": 0.1},))
    EFFORT["digits"] = Effort(EPOCHS, EPOCHS)
    main_command()


def start(home: Path, *options: str, epochs: int = 2) -> subprocess.Popen[str]:
    """A search of four trials in that home, unless the options say otherwise; what it says is in `home.out`."""
    words = ["search", "--name", "s", "--space", "small", "--trials", "4", "--home", str(home), *options]
    with home.with_suffix(".out").open("a") as out:
        return subprocess.Popen(
            [sys.executable, __file__, *words],
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a process group of its own, which a terminal or `timeout` would send signals to
            env={**os.environ, "EPOCHS": str(epochs), "PYTHONPATH": str(Path(__file__).parents[3])},
        )


def said(home: Path) -> list[str]:
    """All lines so far."""
    return home.with_suffix(".out").read_text().splitlines()


def wait(until: Callable[[], object], seconds: float = 120.0) -> None:
    """AssertionError when it does not come true."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


if __name__ == "__main__":
    main()
