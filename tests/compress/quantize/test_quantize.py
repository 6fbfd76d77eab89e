"""Int8: near the float weights, smaller on disk, and what torchao makes of the same network."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.data.tasks import Task
from compress.errors import RecipeError
from compress.models import Model
from compress.pruning.pruner import weighted_layers
from compress.quantize import Int8
from compress.quantize.int8 import Int8Conv2d, Int8Linear
from compress.store.files import Files


def converted(files: Files, images: Tensor) -> nn.Module:
    return Int8().convert(files.module(), images)


def test_every_convolution_and_linear_layer_is_converted(trained: Files, images: Tensor) -> None:
    layers = weighted_layers(trained.module())
    model = converted(trained, images)
    kinds = {nn.Conv2d: Int8Conv2d, nn.Linear: Int8Linear}
    for name, layer in layers.items():
        assert type(model.get_submodule(name)) is kinds[type(layer)]
        assert model.get_parameter(f"{name}.weight").dtype == torch.int8


def test_weights_are_within_half_a_step_of_the_float_ones(trained: Files, images: Tensor) -> None:
    model = converted(trained, images)
    for name, layer in weighted_layers(trained.module()).items():
        steps = layer.weight.detach().abs().flatten(1).amax(1) / 127
        quantized = model.get_parameter(f"{name}.weight").float()
        shape = (-1, *[1] * (quantized.dim() - 1))
        error = (quantized * steps.reshape(shape) - layer.weight.detach()).abs()
        assert bool((error <= steps.reshape(shape) * 0.5001).all())
        assert quantized.abs().flatten(1).amax(1).tolist() == [127.0] * len(steps)


def test_activations_span_the_range_seen_in_calibration(trained: Files, images: Tensor) -> None:
    layer = converted(trained, images).get_submodule("stage1.0")
    low, high = float(images.min()), float(images.max())
    assert float(layer.get_buffer("input_scale")) == pytest.approx((high - low) / 255, rel=1e-6)
    assert float(layer.get_buffer("input_zero")) == round(-low / ((high - low) / 255))


def test_values_out_of_the_calibrated_range_are_clipped() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    model = Int8().convert(nn.Sequential(layer), torch.tensor([[0.0], [2.55]]))
    shown = torch.tensor([[-1.0], [0.01], [1.274], [9.0]])
    torch.testing.assert_close(model(shown), torch.tensor([[0.0], [0.01], [1.27], [2.55]]))


def test_bytes_fall_to_under_a_third(trained: Files, images: Tensor) -> None:
    small = Files.of(converted(trained, images), Model("cnn"), classes=10, channels=1)
    assert len(small.weights) * 3 < len(trained.weights)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("padding", ["same", "valid", (1, 2)], ids=str)
def test_the_border_is_that_of_the_layer(padding: str | tuple[int, int], mode: Any) -> None:
    torch.manual_seed(0)
    layer, images = nn.Conv2d(1, 2, (3, 5), padding=padding, padding_mode=mode), torch.randn(2, 1, 6, 6)
    with torch.no_grad():
        wanted = layer(images)
        got = Int8().convert(nn.Sequential(layer), images)(images)
    torch.testing.assert_close(got, wanted, rtol=0.0, atol=0.05)


def test_the_range_of_a_layer_called_twice_is_that_of_both_calls() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(100 * x) + self.layer(x)  # type: ignore[no-any-return]

    net = Int8().convert(Twice(), torch.tensor([[-1.0], [1.0]]))
    assert float(net.get_submodule("layer").get_buffer("input_scale")) == pytest.approx(200 / 255)


def test_a_network_whose_every_layer_must_be_kept_whole_is_a_sentence() -> None:
    layer = nn.Conv2d(1, 1, 3)
    layer.register_forward_hook(lambda *io: 2 * io[-1])
    with pytest.raises(RecipeError, match=r"int8: .* a layer of its own to convert, got none; kept whole are 0 .has a"):
        Int8().convert(nn.Sequential(layer), torch.zeros(1, 1, 4, 4))


def by_torchao(model: nn.Module, images: Tensor) -> nn.Module:
    """The same network through torchao's PT2E flow for x86: static, per channel, an independent implementation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao uses deprecated parts of torch
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

        quantizer = x86.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
        prepared = prepare_pt2e(torch.export.export(model.eval(), (images,)).module(), quantizer)
        prepared(images)
        reference: nn.Module = convert_pt2e(prepared)
    return reference


def test_it_says_what_torchao_says(trained: Files, images: Tensor, digits: Task) -> None:
    reference = by_torchao(trained.module(), images)
    shown = next(digits.test.batches(256)).images
    with torch.no_grad():
        ours, theirs = converted(trained, images)(shown), reference(shown)
        exact = trained.module()(shown)
    assert float((ours.argmax(1) == theirs.argmax(1)).float().mean()) >= 0.97
    assert float((ours - exact).norm()) < 1.5 * float((theirs - exact).norm())
