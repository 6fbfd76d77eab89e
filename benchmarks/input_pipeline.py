"""Batches a second of the input pipeline against a DataLoader with torchvision's transforms, same augmentation.

Random uint8 images of CIFAR's shape in memory, or those of an image folder, decoded before the clock starts. Both
sides shuffle, crop after a border of 4, flip, and normalise. The DataLoader's figure is the better of no workers and
two; its workers keep one torch thread each, as torch sets them.

    python -m benchmarks.input_pipeline [--folder PATH] [--images 50000] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.machine import machine
from compress.data.splits import Augment, TensorSplit
from compress.data.tasks import load_task
from compress.machine.vision import import_torchvision

BATCH = 128
MEAN, STD = 127.5, 73.9
WORKERS = (0, 2)


@dataclass(frozen=True)
class Row:
    """Batches a second at one number of torch threads; the best of all rounds on both sides."""

    threads: int
    pipeline: float
    loader: float
    loader_workers: int
    ratio: float


class Transformed(Dataset[tuple[Tensor, int]]):
    """Images (N, H, W, 3) uint8 through torchvision's transforms, as its own CIFAR10 class does it."""

    def __init__(self, images: NDArray[np.uint8], labels: list[int]) -> None:
        transforms = import_torchvision().transforms
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(images.shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((MEAN / 255,) * 3, (STD / 255,) * 3),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def batches_per_second(batches: Iterable[object], limit: int) -> float:
    """Rate over up to `limit` batches, the time to the first one left out: starting workers is not counted."""
    stream = iter(batches)
    next(stream)
    start = time.perf_counter()
    count = sum(1 for _, _ in zip(range(limit), stream, strict=False))
    return count / (time.perf_counter() - start)


def compare(split: TensorSplit, threads: int, rounds: int) -> Row:
    """Time both sides in turn, `rounds` times."""
    torch.set_num_threads(threads)
    pixels = np.ascontiguousarray(split.images.permute(0, 2, 3, 1).numpy())
    loaders = {
        workers: DataLoader(Transformed(pixels, split.targets.tolist()), BATCH, shuffle=True, num_workers=workers)
        for workers in WORKERS
    }
    generator = torch.Generator().manual_seed(0)
    ours, theirs = 0.0, dict.fromkeys(WORKERS, 0.0)
    for _ in range(rounds):
        epoch = split.batches(BATCH, generator, Augment(4, True))
        ours = max(ours, batches_per_second(epoch, len(split)))
        for workers, loader in loaders.items():
            theirs[workers] = max(theirs[workers], batches_per_second(loader, 150))
    best = max(WORKERS, key=lambda workers: theirs[workers])
    return Row(threads, round(ours, 1), round(theirs[best], 1), best, round(ours / theirs[best], 1))


def images_to_use(folder: Path | None, count: int) -> TensorSplit:
    """Return the training images of `folder`, else random ones."""
    if folder is not None:
        split = load_task(f"folder:{folder}", stream=False).train
        if not isinstance(split, TensorSplit) or split.images.shape[1] != 3:
            raise SystemExit(f"input_pipeline: images of the folder must be RGB, got {folder}")
        return split
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return TensorSplit(torch.arange(count) % 10, (MEAN,) * 3, (STD,) * 3, images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="an image folder instead of random images")
    parser.add_argument("--images", type=int, default=50_000, help="how many random images")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    split = images_to_use(asked.folder, asked.images)
    rows = [compare(split, threads, asked.rounds) for threads in (1, 2)]
    where = {"machine": machine(), "images": " x ".join(map(str, split.images.shape)), "batch": str(BATCH)}
    if asked.json:
        print(json.dumps({**where, "rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print("batches a second of the input pipeline against a DataLoader with torchvision's transforms:")
    for row in rows:
        print(
            f"  {row.threads} torch threads: {row.pipeline:8.1f} against {row.loader:6.1f} "
            f"({row.loader_workers} workers), {row.ratio} times"
        )


if __name__ == "__main__":
    main()
