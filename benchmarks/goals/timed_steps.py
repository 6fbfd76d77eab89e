"""A process that times steps of classification when asked: a line "NAME" comes in, seconds of the processor go out.

    python -P benchmarks/goals/timed_steps.py

PYTHONPATH says on which commit. Loop, loss and training are those of the commit's `benchmarks.steps`, wherever its
`compress` has them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

DIGITS, CIFAR = "`cnn` on digits, batches of 128", "`resnet20`, 32 images 3 x 32 x 32"
EPOCHS = 6


def main() -> None:
    """Answer until the input ends; the first line out has the names."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    steps: Any = import_module("benchmarks.steps")
    task = import_module("compress.data.tasks").load_task("digits")
    split, count = steps.random_images(3, 32, 32), EPOCHS * -(-len(task.train) // 128)
    small = steps.Loss(steps.Model("cnn").build(10, 1))
    large = steps.Loss(steps.built(steps.Model("resnet20"), split))
    training = steps.Training(epochs=EPOCHS, lr=steps.LITTLE)
    cases: dict[str, tuple[Callable[[], None], int]] = {
        DIGITS: (lambda: steps.fit(small, task.train, training, seed=0, augment=task.augment), count),
        CIFAR: (steps.trained(large, split), 1),
    }
    print("\t".join(cases), flush=True)
    for line in sys.stdin:
        run, number = cases[line.strip()]
        before = time.process_time()
        run()
        print((time.process_time() - before) / number, flush=True)


if __name__ == "__main__":
    main()
