"""Networks of one block each that users bring and the zoo has not: what every move is tried on.

Each is a function `(classes, channels)`, named to the search as `benchmarks.blocks:NAME`. `BLOCKS` has them by name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

Make = Callable[[int, int], nn.Module]
WIDE = 12


class Between(nn.Module):
    """A stem of 8 channels, the block that `make(8, 12)` gives, and a classifier behind the mean of its maps."""

    def __init__(self, classes: int, channels: int, make: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.block = make(8, WIDE)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(WIDE, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(B, C, H, W)` to logits."""
        logits: Tensor = self.fc(self.flatten(self.pool(self.block(self.stem(images)))))
        return logits


def _conv(inner: int, outer: int, **settings: object) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, **{"padding": 1, **settings})  # type: ignore[arg-type]


def _plain(inner: int, outer: int, **settings: object) -> nn.Module:
    return nn.Sequential(
        *(_conv(inner, outer, **settings), nn.BatchNorm2d(outer), nn.ReLU()),
        *(_conv(outer, outer, **settings), nn.ReLU()),
    )


def _with(middle: Callable[[int], nn.Module], inner: int, outer: int) -> nn.Module:
    """A layer of `outer` channels between two convolutions."""
    return nn.Sequential(_conv(inner, outer), middle(outer), nn.ReLU(), _conv(outer, outer), nn.ReLU())


class _Of(nn.Module):
    """Layers by name, and a function of them and the maps."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.does = forward

    def forward(self, maps: Tensor) -> Tensor:
        """What the function does."""
        made: Tensor = self.does(self, maps)
        return made


def _layer_norm(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        normed = self.norm(self.one(maps).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[operator]
        return functional.relu(self.two(functional.relu(normed)))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), norm=nn.LayerNorm(outer), two=_conv(outer, outer))


def _layer_norm_maps(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(_conv(inner, outer), nn.LayerNorm([outer, 8, 8]), nn.ReLU(), _conv(outer, outer))


def _depthwise(inner: int, outer: int, times: int = 1) -> nn.Module:
    between = outer * times
    return nn.Sequential(
        *(nn.Conv2d(inner, outer, 1), nn.BatchNorm2d(outer), nn.ReLU()),
        *(_conv(outer, between, groups=outer), nn.BatchNorm2d(between), nn.ReLU(), nn.Conv2d(between, outer, 1)),
    )


def _transposed(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(
        *(_conv(inner, outer, stride=2), nn.ReLU()),
        *(nn.ConvTranspose2d(outer, outer, 2, stride=2), nn.ReLU(), _conv(outer, outer), nn.ReLU()),
    )


def _shortcut(inner: int, outer: int, *, projected: bool) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = self.two(functional.relu(self.norm(self.one(maps))))  # type: ignore[operator]
        straight = self.way(maps) if projected else functional.pad(maps, (0, 0, 0, 0, 0, outer - inner))  # type: ignore[operator]
        return functional.relu(made + straight)

    layers: dict[str, nn.Module] = {
        "one": _conv(inner, outer),
        "norm": nn.BatchNorm2d(outer),
        "two": _conv(outer, outer),
    }
    return _Of(forward, **layers, **({"way": nn.Conv2d(inner, outer, 1)} if projected else {}))


def _gated(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        weights = self.up(functional.relu(self.down(made.mean((2, 3), keepdim=True)))).sigmoid()  # type: ignore[operator]
        return functional.relu(self.two(made * weights))  # type: ignore[operator]

    gates = {"down": nn.Conv2d(outer, 4, 1), "up": nn.Conv2d(4, outer, 1)}
    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer), **gates)


def _old_weight_norm(inner: int, outer: int) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(nn.utils.weight_norm(_conv(inner, outer)), nn.ReLU(), _conv(outer, outer))


def _by_channel(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    return output * torch.linspace(-1, 1, output.shape[1]).reshape(1, -1, 1, 1)


def _hooked(inner: int, outer: int, at: int) -> nn.Module:
    net = nn.Sequential(_conv(inner, outer), nn.ReLU(), _conv(outer, outer), nn.ReLU())
    net[at].register_forward_hook(_by_channel)
    return net


class Standardized(nn.Conv2d):
    """A convolution whose weight is standardized when it runs."""

    def forward(self, maps: Tensor) -> Tensor:
        """As `nn.Conv2d`, of another weight."""
        mean, std = self.weight.mean((1, 2, 3), keepdim=True), self.weight.std((1, 2, 3), keepdim=True)
        made: Tensor = self._conv_forward(maps, (self.weight - mean) / (std + 1e-5), self.bias)
        return made


def _standardized(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(Standardized(inner, outer, 3, padding=1), nn.ReLU(), _conv(outer, outer), nn.ReLU())


class _Active(nn.BatchNorm2d):
    """BN and its activation in one layer, as timm has it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps normed, then activated."""
        made: Tensor = self.act(super().forward(maps))
        return made


class _Squashed(nn.InstanceNorm2d):
    """An instance norm with an activation."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps normed, then squashed."""
        return super().forward(maps).tanh()


class _Centred(nn.BatchNorm2d):
    """A norm that reads all channels: no cut leaves it as it was."""

    def forward(self, maps: Tensor) -> Tensor:
        """Maps less their mean over channels, normed."""
        return super().forward(maps - maps.mean(1, keepdim=True))


class _Weighted(nn.BatchNorm2d):
    """A norm with a weight more than its base."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.slope = nn.Parameter(torch.full((channels, 1, 1), 0.5))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps normed, then leaning."""
        made = super().forward(maps)
        return torch.where(made > 0, made, made * self.slope)


def _norm_active(inner: int, outer: int) -> nn.Module:
    return nn.Sequential(
        *(_conv(inner, outer, bias=False), _Active(outer), _conv(outer, outer, groups=outer, bias=False)),
        *(_Active(outer), nn.Conv2d(outer, outer, 1, bias=False), _Active(outer)),
    )


def _two_names(inner: int, outer: int) -> nn.Module:
    shared = _conv(outer, outer)

    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        return functional.relu(self.three(functional.relu(self.two(made))))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=shared, three=shared)


def _called_twice(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        return functional.relu(self.two(functional.relu(self.two(2 * made))))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _tied(inner: int, outer: int) -> nn.Module:
    net = nn.Sequential(_conv(inner, outer), nn.ReLU(), _conv(outer, outer), nn.ReLU(), _conv(outer, outer))
    net[4].weight = net[2].weight
    return net


def _dense(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = torch.cat([maps, functional.relu(self.one(maps))], 1)  # type: ignore[operator]
        return functional.relu(self.two(functional.relu(self.norm(made))))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, 6), norm=nn.BatchNorm2d(inner + 6), two=_conv(inner + 6, outer))


def _shuffled(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        b, c, h, w = made.shape
        mixed = made.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return functional.relu(self.two(mixed))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _halves(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        left, right = self.one(maps).chunk(2, 1)  # type: ignore[operator]
        return functional.relu(self.two(left * right.sigmoid()))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, 2 * outer), two=_conv(outer, outer))


def _sliced(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        return functional.relu(self.two(made) + made[:, :1])  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _viewed(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = self.one(maps).reshape(-1, 3, outer // 3, 8, 8).amax(1)  # type: ignore[operator]
        return functional.relu(self.two(made))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer // 3, outer))


def _averaged(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        return functional.relu(self.two(made - made.mean(1, keepdim=True)))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _softmaxed(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        return functional.relu(self.two(self.one(maps).softmax(1)))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _attention(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = self.one(maps)  # type: ignore[operator]
        tokens = made.flatten(2).transpose(1, 2)
        seen = self.look(tokens, tokens, tokens, need_weights=False)[0]  # type: ignore[operator]
        return functional.relu((tokens + seen).transpose(1, 2).unflatten(2, made.shape[2:]))

    return _Of(forward, one=nn.Conv2d(inner, outer, 3, 2, 1), look=nn.MultiheadAttention(outer, 2, batch_first=True))


class _Scaled(nn.Module):
    """A parameter a channel that belongs to no layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.linspace(0.5, 1.5, channels).reshape(1, -1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, scaled."""
        return maps * self.gamma


class _Masked(nn.Module):
    """A mask drawn at random when it is made; `kept` says where it is."""

    def __init__(self, channels: int, kept: str) -> None:
        super().__init__()
        mask = (torch.rand(1, channels, 1, 1) > 0.5).float()
        if kept == "attribute":
            self.mask = mask
        else:
            self.register_buffer("mask", mask, persistent=kept == "persistent")

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, masked."""
        return maps * self.mask


class _Remembering(nn.Module):
    """Keeps state that is no tensor."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = 1.0

    def get_extra_state(self) -> float:
        """A number."""
        return self.scale

    def set_extra_state(self, state: float) -> None:
        """A number."""
        self.scale = state

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, scaled."""
        return maps * self.scale


def _flat(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.norm(self.one(maps)))  # type: ignore[operator]
        return functional.relu(self.two(made.flatten(1)))[:, :, None, None]  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, 6, stride=2), norm=nn.BatchNorm2d(6), two=nn.Linear(6 * 16, outer))


def _branching(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        made = functional.relu(self.one(maps))  # type: ignore[operator]
        return functional.relu(self.two(made if float(maps.detach().sum()) > -1e9 else -made))  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=_conv(outer, outer))


def _recurrent(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        rows = functional.relu(self.one(maps)).mean(3).transpose(1, 2)  # type: ignore[operator]
        read: Tensor = self.two(rows)[0]  # type: ignore[operator]
        return read.transpose(1, 2).unsqueeze(3)

    return _Of(forward, one=_conv(inner, outer), two=nn.LSTM(outer, outer, batch_first=True))


def _along_rows(inner: int, outer: int) -> nn.Module:
    def forward(self: nn.Module, maps: Tensor) -> Tensor:
        rows = functional.relu(self.one(maps)).mean(3)  # type: ignore[operator]
        return functional.relu(self.two(rows)).unsqueeze(3)  # type: ignore[operator]

    return _Of(forward, one=_conv(inner, outer), two=nn.Conv1d(outer, outer, 3, padding=1))


def _frozen(inner: int, outer: int) -> nn.Module:
    net = _plain(inner, outer)
    for parameter in net[0].parameters():  # type: ignore[index]
        parameter.requires_grad_(False)
    return net


PARTS: dict[str, Callable[[int, int], nn.Module]] = {
    "plain": _plain,
    "circular": partial(_plain, padding_mode="circular"),
    "reflect": partial(_plain, padding_mode="reflect"),
    "replicate_same": partial(_plain, padding="same", padding_mode="replicate"),
    "same": partial(_plain, padding="same"),
    "dilated": partial(_plain, dilation=2, padding=2),
    "prelu": partial(_with, nn.PReLU),
    "prelu_shared": partial(_with, lambda outer: nn.PReLU()),
    "group_norm": partial(_with, lambda outer: nn.GroupNorm(3, outer)),
    "group_norm_one": partial(_with, lambda outer: nn.GroupNorm(1, outer)),
    "layer_norm": _layer_norm,
    "layer_norm_maps": _layer_norm_maps,
    "instance_norm": partial(_with, lambda outer: nn.InstanceNorm2d(outer, affine=True)),
    "instance_norm_statistics": partial(_with, lambda outer: nn.InstanceNorm2d(outer, track_running_stats=True)),
    "norm_without_affine": partial(_with, lambda outer: nn.BatchNorm2d(outer, affine=False)),
    "norm_without_statistics": partial(_with, lambda outer: nn.BatchNorm2d(outer, track_running_stats=False)),
    "norm_cumulative": partial(_with, lambda outer: nn.BatchNorm2d(outer, momentum=None)),
    "norm_active": _norm_active,
    "norm_squashed": partial(_with, lambda outer: _Squashed(outer, affine=True)),
    "norm_centred": partial(_with, _Centred),
    "norm_weighted": partial(_with, _Weighted),
    "grouped": partial(_with, lambda outer: _conv(outer, outer, groups=3)),
    "depthwise": _depthwise,
    "depthwise_doubled": partial(_depthwise, times=2),
    "transposed": _transposed,
    "padded_shortcut": partial(_shortcut, projected=False),
    "projected_shortcut": partial(_shortcut, projected=True),
    "gated": _gated,
    "weight_norm": partial(_with, lambda outer: parametrizations.weight_norm(_conv(outer, outer))),
    "old_weight_norm": _old_weight_norm,
    "spectral_norm": partial(_with, lambda outer: parametrizations.spectral_norm(_conv(outer, outer))),
    "hooked": partial(_hooked, at=0),
    "hooked_relu": partial(_hooked, at=1),
    "standardized": _standardized,
    "two_names": _two_names,
    "called_twice": _called_twice,
    "tied": _tied,
    "dense": _dense,
    "shuffled": _shuffled,
    "halves": _halves,
    "sliced": _sliced,
    "viewed": _viewed,
    "averaged": _averaged,
    "softmaxed": _softmaxed,
    "attention": _attention,
    "scaled": partial(_with, _Scaled),
    "mask_persistent": partial(_with, partial(_Masked, kept="persistent")),
    "mask_buffer": partial(_with, partial(_Masked, kept="buffer")),
    "mask_attribute": partial(_with, partial(_Masked, kept="attribute")),
    "extra_state": partial(_with, _Remembering),
    "flat": _flat,
    "branching": _branching,
    "recurrent": _recurrent,
    "along_rows": _along_rows,
    "frozen": _frozen,
}
"""The block of each network: `make(8, 12)` takes maps of 8 channels and gives maps of 12."""
BLOCKS: dict[str, Make] = {name: partial(Between, make=make) for name, make in PARTS.items()}


def __getattr__(name: str) -> Make:
    """The networks as functions of this module, as a search names them."""
    if name in BLOCKS:

        def make(classes: int, channels: int) -> nn.Module:
            return BLOCKS[name](classes, channels)

        return make
    raise AttributeError(name)
