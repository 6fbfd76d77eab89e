"""Small random networks of the blocks that image networks are made of: what a device's latencies are learned from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.errors import RecipeError
from compress.pruning.macs import count_macs
from compress.quantize.int8 import Int8

MAPS = (1, 2, 4, 6, 7, 8, 12, 14, 16, 24, 28, 32, 48, 56, 64, 112)
"""Heights and widths of a block's maps."""
MOST_MACS = 2e8
CHANNELS = (2.0, 9.3)
"""Least and greatest power of two of a block's channels."""


class Beside(nn.Module):
    """A branch, and its input, put together by `join`."""

    def __init__(self, branch: nn.Module, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.branch, self.join = branch, join

    def forward(self, maps: Tensor) -> Tensor:
        """Maps to maps."""
        return self.join(maps, self.branch(maps))


class Excite(nn.Module):
    """Squeeze and excitation: maps times a weight for every channel."""

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, narrow, 1), nn.ReLU(), nn.Conv2d(narrow, channels, 1)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps to maps."""
        return maps * torch.sigmoid(self.weigh(maps))


def _sum(a: Tensor, b: Tensor) -> Tensor:
    return torch.relu(a + b)


def _plain_sum(a: Tensor, b: Tensor) -> Tensor:
    return a + b


def _joined(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b], 1)


@dataclass(frozen=True)
class Block:
    """A network without training, and the shape (C, H, W) of its images."""

    model: nn.Module
    shape: tuple[int, int, int]


def sample_blocks(count: int, seed: int = 0, *, int8: bool = False) -> Iterator[Block]:
    """Yield random blocks, of at most 200 million multiplications each; with `int8` converted as the stage does."""
    chance = random.Random(seed)
    made = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        while made < count:
            side = chance.choice(MAPS)
            with torch.device("meta"):
                block = chance.choice(KINDS)(_Dice(chance, side), side)
            if count_macs(block.model, torch.empty(1, *block.shape, device="meta")) > MOST_MACS:
                continue
            _filled(block.model)
            if int8:
                try:
                    block = Block(Int8().convert(block.model.eval(), torch.randn(4, *block.shape)), block.shape)
                except RecipeError:  # maps that a block reduces to nothing
                    continue
            made += 1
            yield block


class _Dice:
    """Random settings of a block's layers."""

    def __init__(self, chance: random.Random, side: int) -> None:
        self.choice = chance.choice
        self.multiple = chance.choice((1, 4, 16))
        self.uniform = chance.uniform
        self.kernel = chance.choice((1, 3, 3, 5))
        self.stride = chance.choice((1, 1, 2)) if side > 2 else 1
        self.activation = chance.choice((nn.ReLU, nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.GELU))
        self.narrow, self.wide = self.channels(), self.channels()

    def channels(self) -> int:
        """Return a number of channels, every power of two as likely; of the network's multiple."""
        return -(-int(2 ** self.uniform(*CHANNELS)) // self.multiple) * self.multiple

    def conv(self, inner: int, outer: int, kernel: int = 0, stride: int = 1, groups: int = 1) -> nn.Sequential:
        """Return convolution, batch normalisation and activation."""
        kernel = kernel or self.kernel
        layer = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(layer, nn.BatchNorm2d(outer), self.activation())

    def bare(self, inner: int, outer: int, kernel: int = 0) -> nn.Sequential:
        """Return convolution and batch normalisation."""
        layer, norm, _ = self.conv(inner, outer, kernel)
        return nn.Sequential(layer, norm)

    def behind_a_stem(self, model: nn.Module, side: int) -> Block:
        """Return the block of a model for `narrow` channels, behind a convolution of an image as in a network."""
        colours = self.choice((1, 3))
        return Block(nn.Sequential(self.conv(colours, self.narrow, 3), model), (colours, side, side))

    def before(self, inner: int, outer: int, kernel: int) -> nn.Sequential:
        """Return batch normalisation, ReLU and convolution."""
        layer = nn.Conv2d(inner, outer, kernel, 1, kernel // 2, bias=False)
        return nn.Sequential(nn.BatchNorm2d(inner), nn.ReLU(), layer)


def _plain(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    return Block(nn.Sequential(dice.conv(a, b, stride=dice.stride), dice.conv(b, a)), (a, side, side))


def _points(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    return Block(nn.Sequential(dice.conv(a, b, 1), dice.conv(b, a, 1)), (a, side, side))


def _residual(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    parts = [Beside(nn.Sequential(dice.conv(a, b, 3), dice.bare(b, a, 3)), _sum) for _ in range(2)]
    return dice.behind_a_stem(nn.Sequential(*parts), side)


def _bottleneck(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    branch = nn.Sequential(dice.conv(a, b, 1), dice.conv(b, b, 3), dice.bare(b, a, 1))
    return dice.behind_a_stem(Beside(branch, _sum), side)


def _preactivation(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    branch = nn.Sequential(dice.before(a, b, 3), dice.before(b, a, 3))
    return dice.behind_a_stem(Beside(branch, _plain_sum), side)


def _inverted(dice: _Dice, side: int) -> Block:
    a = min(dice.narrow, 200)
    wide, kernel = a * dice.choice((1, 3, 6)), dice.choice((3, 5))
    parts = (dice.conv(a, wide, 1), dice.conv(wide, wide, kernel, dice.stride, wide), dice.bare(wide, a, 1))
    return Block(nn.Sequential(*parts), (a, side, side))


def _dense(dice: _Dice, side: int) -> Block:
    a, growth = dice.narrow, dice.choice((8, 12, 16, 16, 32, 48))
    parts = [
        Beside(nn.Sequential(dice.before(inner, 4 * growth, 1), dice.before(4 * growth, growth, 3)), _joined)
        for inner in range(a, a + dice.choice((3, 6)) * growth, growth)
    ]
    return dice.behind_a_stem(nn.Sequential(*parts), side)


def _excited(dice: _Dice, side: int) -> Block:
    a = dice.narrow
    narrow = max(1, a // dice.choice((4, 16, 24)))
    return Block(nn.Sequential(Excite(a, narrow), Excite(a, max(1, a // 4))), (a, side, side))


def _linear(dice: _Dice, side: int) -> Block:
    a, b = int(2 ** dice.uniform(4, 13)), dice.wide
    return Block(nn.Sequential(nn.Flatten(), nn.Linear(a, b), nn.ReLU(), nn.Linear(b, 10)), (a, 1, 1))


def _stem(dice: _Dice, side: int) -> Block:
    colours, a, b = dice.choice((1, 3)), dice.narrow // 4 + 4, dice.wide // 4 + 4
    return Block(nn.Sequential(dice.conv(colours, a, 3), dice.conv(a, b, 3, dice.stride)), (colours, side, side))


def _pooled(dice: _Dice, side: int) -> Block:
    a, b = dice.narrow, dice.wide
    pool = dice.choice((nn.MaxPool2d(2, ceil_mode=True), nn.AvgPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 1, 1)))
    last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(b, 10))
    return Block(nn.Sequential(dice.conv(a, b, 1), pool, last), (a, side, side))


def _deep(dice: _Dice, side: int) -> Block:
    """Many layers, whose weights do not stay in the processor's cache from one pass to the next."""
    a, side = int(2 ** dice.uniform(6, 10)), min(side, 4)
    layers = [dice.conv(a, a, dice.choice((1, 1, 3))) for _ in range(dice.choice((4, 8, 16)))]
    return Block(nn.Sequential(*layers), (a, side, side))


def _network(dice: _Dice, side: int) -> Block:
    """Several blocks in a row, as in a stage of a network."""
    dice.narrow, parts = min(dice.narrow, 200), []
    for _ in range(dice.choice((3, 6, 12))):
        dice.wide, dice.stride = dice.channels(), 1
        parts.append(dice.choice(ALIKE)(dice, side).model)
    return dice.behind_a_stem(nn.Sequential(*parts), side)


ALIKE = (_plain, _points, _inverted, _excited)
"""Blocks with as many channels after as before."""
KINDS: tuple[Callable[[_Dice, int], Block], ...] = (
    *(_plain, _plain, _points, _points, _residual, _bottleneck, _preactivation, _inverted, _inverted, _inverted),
    *(_dense, _dense, _excited, _linear, _stem, _stem, _pooled, _deep, _deep, *(_network,) * 5),
)


def _filled(model: nn.Module) -> nn.Module:
    """Give a model without values its first weights."""
    model.to_empty(device="cpu")
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear | nn.BatchNorm2d):
            layer.reset_parameters()
    return model
