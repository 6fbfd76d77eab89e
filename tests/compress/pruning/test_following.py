"""What follows a layer: BN scales and zeros after ReLU, against the zoo read by hand and networks counted by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress.data.splits import Batch
from compress.lowrank import SVD, factorize
from compress.models import Model
from compress.pruning import APoZ, BNScale
from compress.pruning.pruner import weighted_layers

BLOCKS = [f"stage{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]


def batch(images: Tensor) -> Batch:
    return Batch(images, torch.zeros(len(images), dtype=torch.int64), torch.arange(len(images)))


@pytest.fixture
def resnet() -> nn.Module:
    """In float64, with BN scales and shifts that training might have left."""
    torch.manual_seed(5)
    model = Model("resnet20", 0.25).build(10, 1).double()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.5)
    model(torch.randn(4, 1, 8, 8, dtype=torch.float64))
    return model.eval()


def test_bn_scale_is_gamma_and_the_norm_where_there_is_no_bn(net: nn.Module, calibration: Batch) -> None:
    for number in (1, 2, 3):
        nn.init.normal_(net.get_parameter(f"stage{number}.1.weight"))
    scores = BNScale().scores(net, calibration)
    for number in (1, 2, 3):
        gamma = net.get_parameter(f"stage{number}.1.weight").tolist()
        assert scores[f"stage{number}.0"].tolist() == [abs(value) for value in gamma]
    rows = net.get_parameter("classifier.weight").tolist()
    assert scores["classifier"].tolist() == pytest.approx([math.hypot(*row) for row in rows], rel=1e-6)


def test_bn_scale_of_a_residual_network_is_each_convolutions_own(resnet: nn.Module, calibration: Batch) -> None:
    scores = BNScale().scores(resnet, calibration)
    pairs = {"stem.0": "stem.1", "stage2.0.shortcut.0": "stage2.0.shortcut.1"}
    pairs |= {f"{block}.conv{k}": f"{block}.bn{k}" for block in BLOCKS for k in (1, 2)}
    for layer, norm in pairs.items():
        assert torch.equal(scores[layer], resnet.get_parameter(f"{norm}.weight").detach().abs())


def share(values: Tensor) -> list[float]:
    """1 - zeros / (M * H * W) by channel, one element after the other."""
    images, channels = len(values), values.shape[1]
    each = [[v for m in range(images) for v in values[m, c].flatten().tolist()] for c in range(channels)]
    return [1 - sum(v == 0 for v in channel) / len(channel) for channel in each]


def test_apoz_of_the_cnn_is_counted_behind_each_relu(net: nn.Module, calibration: Batch) -> None:
    images = calibration.images[:16]
    scores = APoZ().scores(net, batch(images))
    maps = images
    for number in (1, 2, 3):
        maps = net.get_submodule(f"stage{number}")(maps)
        assert scores[f"stage{number}.0"].tolist() == pytest.approx(share(maps), rel=1e-6)
        maps = functional.max_pool2d(maps, 2)


def test_apoz_at_the_end_of_a_residual_branch_is_counted_behind_the_addition(resnet: nn.Module) -> None:
    images = torch.randn(5, 1, 8, 8, dtype=torch.float64)
    scores = APoZ().scores(resnet, batch(images))
    maps = resnet.get_submodule("stem")(images)
    assert scores["stem.0"].tolist() == pytest.approx(share(maps), rel=1e-6)
    for path in BLOCKS:
        block = resnet.get_submodule(path)
        inner = torch.clamp(block.get_submodule("bn1")(block.get_submodule("conv1")(maps)), min=0)
        outer = block.get_submodule("bn2")(block.get_submodule("conv2")(inner))
        maps = torch.clamp(outer + block.get_submodule("shortcut")(maps), min=0)
        assert scores[f"{path}.conv1"].tolist() == pytest.approx(share(inner), rel=1e-6)
        assert scores[f"{path}.conv2"].tolist() == pytest.approx(share(maps), rel=1e-6)
        if f"{path}.shortcut.0" in scores:
            assert torch.equal(scores[f"{path}.shortcut.0"], scores[f"{path}.conv2"])


class Tiny(nn.Module):
    """Three channels: the image, its negative, nought."""

    head = "last"

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 3, 1, bias=False), nn.Linear(12, 2)
        self.relu = relu
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([1.0, -1.0, 0.0]).reshape(3, 1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.relu(self.first(images)).flatten(1))
        return logits


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "clipped": nn.ReLU6(),
    "function": functional.relu,
    "method": lambda x: x.relu(),
    "none": nn.Identity(),
}


@pytest.mark.parametrize("relu", KINDS.values(), ids=list(KINDS))
def test_apoz_counted_by_hand(relu: Callable[[Tensor], Tensor]) -> None:
    images = torch.tensor([[[[1.0, -2.0], [3.0, 0.0]]], [[[5.0, 6.0], [-7.0, 8.0]]]])
    scores = APoZ().scores(Tiny(relu), batch(images))
    assert scores["first"].tolist() == [5 / 8, 2 / 8, 0.0]  # above nought: 1 3 5 6 8, then -2 -7


def test_a_layer_without_a_relu_is_counted_behind_its_bn() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)).eval()
    with torch.no_grad():
        net[0].weight.fill_(1.0)  # type: ignore[operator]
        net[1].bias.fill_(-2.0)  # type: ignore[operator]
    images = torch.tensor([1.0, 2.5, 3.0, -1.0]).reshape(1, 1, 2, 2)
    assert APoZ().scores(net, batch(images))["0"].tolist() == [0.5]


def test_a_relu_behind_other_channels_is_not_taken_for_the_layers_own() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3), nn.ReLU())
    with torch.no_grad():
        nn.init.zeros_(net[0].weight)  # type: ignore[arg-type]
        net[0].bias.copy_(torch.tensor([1.0, -1.0]))  # type: ignore[operator]
    scores = APoZ().scores(net, batch(torch.randn(3, 1, 2, 2)))
    assert scores["0"].tolist() == [1.0, 0.0]
    assert set(scores) == {"0", "1", "4"}


def test_a_layer_called_twice_counts_both_times() -> None:
    layer = nn.Conv2d(1, 1, 1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, -1.0)  # type: ignore[arg-type]
    scores = APoZ().scores(nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU()), batch(torch.full((1, 1, 1, 1), 1.5)))
    assert scores["0"].tolist() == [0.5]


class Picky(nn.Module):
    """Branches on what it is given."""

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[2] >= 2
        return images if bool((images > 0).any()) else -images


def test_a_module_that_branches_on_its_input_is_no_obstacle() -> None:
    net = nn.Sequential(Picky(), nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU()).eval()
    nn.init.constant_(net.get_parameter("2.weight"), 0.25)
    shown = batch(torch.randn(3, 1, 2, 2))
    assert BNScale().scores(net, shown)["1"].tolist() == [0.25, 0.25]
    assert APoZ().scores(net, shown)["1"].tolist() == pytest.approx(share(net(shown.images)))


class Dropping(nn.Module):
    """Has a way that it takes in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.norm(self.conv(images))
        return (maps + 100).relu() if self.training else maps.relu()


def test_the_way_taken_in_training_only_is_not_followed() -> None:
    net, shown = Dropping(), batch(torch.randn(3, 1, 4, 4))
    expected = share(net.eval()(shown.images))
    assert APoZ().scores(net.train(), shown)["conv"].tolist() == pytest.approx(expected)
    assert 0 < sum(expected) < 2


def test_both_score_what_a_factorization_leaves(net: nn.Module, calibration: Batch) -> None:
    factorize(net, SVD(), 0.4)
    layers = weighted_layers(net)
    for method in (APoZ(), BNScale()):
        scores = method.scores(net, calibration)
        assert {name: len(values) for name, values in scores.items()} == {n: len(m.weight) for n, m in layers.items()}
