"""Results reported by papers and projects, to draw over a study of the same data set; never an input of a study.

Accuracies are on test, in [0, 1]. Results without a known cost or sparsity are left out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from compress.figures import computed

TORCH_PRUNING = "https://github.com/VainF/Torch-Pruning"
NNI = "https://github.com/microsoft/nni, 2.10.1"
CHEN = "Chen 2021, https://doi.org/10.1007/s40747-020-00248-y"
SLIMNETS = "SlimNets, https://arxiv.org/abs/1808.00496"


@dataclass(frozen=True)
class Model:
    """A published model; `macs` are for a single image of 32 x 32."""

    name: str
    accuracy: float
    macs: float
    source: str


@dataclass(frozen=True)
class Curve:
    """A published network at several sparsities in [0, 1), rising."""

    name: str
    sparsity: tuple[float, ...]
    accuracy: tuple[float, ...]
    source: str


_NNI_SPARSITY = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
_CHEN_SPARSITY = (0.0, 0.9, 0.95, 0.975)

MODELS = {
    "cifar10": (
        Model("ResNet-56", 0.9353, 127.1e6, TORCH_PRUNING),
        Model("ResNet-56, group L1", 0.9292, 60.1e6, TORCH_PRUNING),
        Model("ResNet-56, group BN", 0.9329, 60.0e6, TORCH_PRUNING),
        Model("ResNet-56, group sparsity learning", 0.9377, 59.9e6, TORCH_PRUNING),
    ),
}
CURVES = {
    "cifar10": (
        Curve(
            "ResNet18, L1 filters",
            (0.0, *_NNI_SPARSITY),
            (0.9433, 0.9436, 0.9391, 0.9379, 0.9326, 0.9280, 0.9145, 0.8858, 0.8441, 0.7294),
            NNI,
        ),
        Curve(
            "VGG16, L1 filters",
            (0.0, *_NNI_SPARSITY),
            (0.9298, 0.9344, 0.9341, 0.9309, 0.9229, 0.9031, 0.8756, 0.8145, 0.6983, 0.5573),
            NNI,
        ),
        Curve("VGG19, gradual", (0.0, 0.4, 0.75, 0.875), (0.924, 0.9222, 0.9157, 0.8882), SLIMNETS),
        Curve("VGG19, one-shot", (0.0, 0.4, 0.75, 0.875), (0.924, 0.8969, 0.8913, 0.8616), SLIMNETS),
    ),
    "cifar100": (
        Curve("ResNet32x4, fine-tuned", _CHEN_SPARSITY, (0.7942, 0.7727, 0.7599, 0.7377), CHEN),
        Curve("ResNet32x4, KD", _CHEN_SPARSITY, (0.7942, 0.7855, 0.7627, 0.7426), CHEN),
        Curve("VGG13, fine-tuned", _CHEN_SPARSITY, (0.7464, 0.7389, 0.7254, 0.6851), CHEN),
        Curve("VGG13, KD", _CHEN_SPARSITY, (0.7464, 0.7343, 0.7270, 0.6949), CHEN),
        Curve("WRN-40-2, fine-tuned", _CHEN_SPARSITY, (0.7561, 0.7305, 0.7114, 0.6549), CHEN),
        Curve("WRN-40-2, KD", _CHEN_SPARSITY, (0.7561, 0.7365, 0.7130, 0.6624), CHEN),
    ),
}


def published(task: str) -> dict[str, list[dict[str, object]]]:
    """Return the published models and curves of a task, ready for JSON; both lists are empty for other tasks."""
    models = [{**asdict(model), **computed({"macs": model.macs})} for model in MODELS.get(task, ())]
    return {"models": models, "curves": [asdict(curve) for curve in CURVES.get(task, ())]}
