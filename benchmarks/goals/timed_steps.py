"""A process that times steps of classification when asked: a line "NAME" comes in, seconds of the processor go out.

    python -P benchmarks/goals/timed_steps.py

Runs on any commit with `benchmarks.steps`: PYTHONPATH says on which. Imports nothing else that changed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from benchmarks.steps import built, random_images, trained
from compress.data.tasks import load_task
from compress.models import Model
from compress.train import Loss, fit
from compress.training import Training

DIGITS, CIFAR = "`cnn` on digits, batches of 128", "`resnet20`, 32 images 3 x 32 x 32"
EPOCHS = 6


def main() -> None:
    """Answer until the input ends; the first line out has the names."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task, split = load_task("digits"), random_images(3, 32, 32)
    small, large = Loss(Model("cnn").build(10, 1)), Loss(built(Model("resnet20"), split))
    some = Training(epochs=EPOCHS, lr=1e-6)
    cases: dict[str, tuple[Callable[[], None], int]] = {
        DIGITS: (
            lambda: fit(small, task.train, some, seed=0, augment=task.augment),
            EPOCHS * -(-len(task.train) // 128),
        ),
        CIFAR: (trained(large, split), 1),
    }
    print("\t".join(cases), flush=True)
    for line in sys.stdin:
        run, steps = cases[line.strip()]
        before = time.process_time()
        run()
        print((time.process_time() - before) / steps, flush=True)


if __name__ == "__main__":
    main()
