"""A quality inspector: find rare scratches on parts, with a network trained here and compressed by Paretune.

Everything is the user's own: drawn images of 48 x 64 pixels, an unbalanced goal, augmentation, network, training loop.
`python inspector.py` trains the network without Paretune and writes its weights; `task` hands the same data to
Paretune. The page of the documents is `docs/examples/inspector.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import paretune

CLASSES = ("good", "scratched")
COUNTS = {"train": 1500, "validation": 600, "test": 600}
RARE = 8
"""One part in so many is scratched."""
MEAN, STD = 118.0, 48.0
WEIGHTS = (1.0, 3.0)
"""Weight of each class in the loss."""


def draw(part: str) -> tuple[Tensor, Tensor]:
    """Return images (N, 1, 48, 64) uint8 and classes (N,) of a split; every call draws the same."""
    random = np.random.default_rng([*part.encode()])
    count = COUNTS[part]
    rows, columns = np.mgrid[:48, :64].astype(np.float32)
    labels = (np.arange(count) % RARE == 0).astype(np.int64)
    middle = random.uniform((21, 29), (27, 35), (count, 2)).astype(np.float32)[:, :, None, None]
    inside = (abs(rows - middle[:, 0]) < 15) & (abs(columns - middle[:, 1]) < 22)
    light = random.uniform(0.8, 1.2, (count, 1, 1))
    images = light * np.where(inside, 150, 70) + random.normal(0, 9, (count, 48, 64))
    images += 25 * np.sin(rows / 3 + random.uniform(0, 6, (count, 1, 1))) * inside  # grooves, on every part
    for at in np.flatnonzero(labels):
        angle, length, depth = random.uniform((0.4, 7, 35), (2.7, 16, 75))
        away = random.uniform(-8, 8, 2)
        down, right = rows - middle[at, 0] - away[0], columns - middle[at, 1] - away[1]
        along, across = right * np.cos(angle) + down * np.sin(angle), right * np.sin(angle) - down * np.cos(angle)
        images[at] -= depth * (abs(along) < length / 2) * np.exp(-(across**2))
    whole = torch.from_numpy(images.clip(0, 255).astype(np.uint8))[:, None]
    return whole, torch.from_numpy(labels)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return a batch of raw images (B, 1, 48, 64), mirrored both ways at random and with other light."""
    flips = torch.randint(2, (2, len(images), 1, 1, 1), generator=generator).bool()
    images = torch.where(flips[0], images.flip(2), images)
    images = torch.where(flips[1], images.flip(3), images)
    light = 0.85 + 0.3 * torch.rand(len(images), 1, 1, 1, generator=generator)
    return (images * light).clamp(0, 255)


class Net(nn.Sequential):
    """Four convolutions, and the strongest answer of each channel anywhere on the part."""

    def __init__(self, classes: int, channels: int) -> None:
        sizes = (channels, 16, 32, 48, 64)
        blocks = [
            nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
            for before, after, stride in zip(sizes, sizes[1:], (2, 2, 1, 2), strict=False)
        ]
        super().__init__(*blocks, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(sizes[-1], classes))


def task() -> paretune.Task:
    """Return the drawn parts as a task: the quality is the F1 of the scratched."""
    return paretune.make_task(
        paretune.Classification(CLASSES, quality="f1-positive", weights=WEIGHTS, also=("accuracy", "auroc")),
        draw("train"),
        draw("validation"),
        draw("test"),
        name="inspector",
        mean=MEAN,
        std=STD,
        augment=augment,
    )


def prepared(images: Tensor) -> Tensor:
    """Return raw images as the network takes them."""
    return (images.float() - MEAN) / STD


def batches(images: Tensor, labels: Tensor, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the shuffled, augmented batches of an epoch."""
    for at in torch.randperm(len(labels), generator=generator).split(64):
        yield prepared(augment(images[at], generator)), labels[at]


def train(epochs: int) -> Net:
    """Train a network with AdamW and a cosine; Paretune has no part in it."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    images, labels = draw("train")
    network = Net(len(CLASSES), 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for shown, wanted in batches(images, labels, generator):
            optimizer.zero_grad()
            functional.cross_entropy(network(shown), wanted, torch.tensor(WEIGHTS)).backward()
            optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def f1(network: nn.Module, part: str) -> float:
    """Return the F1 of the scratched on a split, `2 TP / (2 TP + FP + FN)`."""
    images, labels = draw(part)
    found = torch.cat([network(prepared(shown)).argmax(1) for shown in images.split(100)])
    right = int((found & labels).sum())
    return 2 * right / int(found.sum() + labels.sum())


def main() -> None:
    """Train, write the weights, and print what the network is worth."""
    words = argparse.ArgumentParser(description="Train the inspector's network, without Paretune.")
    words.add_argument("--epochs", type=int, default=20)
    words.add_argument("--out", default="inspector.pt", help="file for the weights")
    asked = words.parse_args()
    network = train(asked.epochs)
    torch.save(network.state_dict(), asked.out)
    print(f"F1 {f1(network, 'validation'):.4f} on validation, {f1(network, 'test'):.4f} on test; {asked.out} written")


if __name__ == "__main__":
    main()
