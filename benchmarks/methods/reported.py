"""What papers reported, to print beside what is measured; never an input of a run. Accuracies are in per cent."""

from __future__ import annotations

STUDENTS_ARE = (
    "Reported: CIFAR-100, wrn-40-2 > wrn-16-2, resnet32x4 > resnet8x4, vgg13 > vgg8, 240 epochs "
    "(https://arxiv.org/abs/1910.10699; teachers 75.61, 79.42, 74.64); alone, resnet32x4 > resnet8x4 by "
    "https://arxiv.org/abs/2203.14001."
)
STUDENTS = {
    "plain": "73.26, 72.50, 70.36",
    "kd": "74.92, 73.33, 72.98",
    "fitnets": "73.58, 73.50, 71.02",
    "at": "74.08, 73.44, 71.43",
    "sp": "73.83, 72.94, 72.68",
    "vid": "74.11, 73.09, 71.23",
    "crd": "75.48, 75.51, 73.94",
    "srrl": "75.39",
    "semckd": "76.23",
    "simkd": "78.08",
}

RECOVERY_IS = (
    "Reported: CIFAR-100, resnet32x4 (79.42), vgg13 (74.64), wrn-40-2 (75.61), 120 epochs of recovery; "
    "table 2 of https://doi.org/10.1007/s40747-020-00248-y."
)
RECOVERY = {
    0.9: {
        "fine-tuning": "77.27, 73.89, 73.05",
        "kd": "78.55, 73.43, 73.65",
        "at": "78.61, 73.46, 73.44",
        "sp": "78.10, 74.07, 73.23",
    },
    0.95: {
        "fine-tuning": "75.99, 72.54, 71.14",
        "kd": "76.27, 72.70, 71.30",
        "at": "77.00, 71.27, 70.72",
        "sp": "76.39, 73.12, 70.50",
    },
    0.975: {
        "fine-tuning": "73.77, 68.51, 65.49",
        "kd": "74.26, 69.49, 66.24",
        "at": "73.90, 64.63, 64.70",
        "sp": "73.94, 67.19, 63.89",
    },
}

PRUNERS_ARE = (
    "Reported: CIFAR-10, before > after; resnet56 by Torch-Pruning (https://github.com/VainF/Torch-Pruning, scores of "
    "whole groups) and ResRep (https://arxiv.org/abs/2007.03260), resnet18 by NNI 2.10.1 (https://github.com/microsoft/"
    "nni)."
)
PRUNERS = {
    0.5: {
        "l1-filter": "resnet56 at 0.47 of its MACs 93.53 > 92.93; resnet18 94.33 > 93.79",
        "bn-scale": "resnet56 at 0.47 of its MACs 93.53 > 93.29",
        "resrep": "resnet56 at 0.47 of its FLOPs 93.71 > 93.71",
    },
    0.9: {"l1-filter": "resnet18 94.33 > 88.58"},
}

GRADUAL_IS = (
    "Reported: vgg19 (92.4), CIFAR-10, single weights, 100,000 steps of training either way; SlimNets of May 2018 "
    "(https://arxiv.org/abs/1808.00496 is a later version)."
)
GRADUAL = {
    ("l1-unstructured", 0.75): {"one-shot": "89.13", "cubic": "91.57", "gradual": "91.57"},
    ("l1-unstructured", 0.875): {"one-shot": "86.16", "cubic": "88.82", "gradual": "88.82"},
}

LOWRANK_IS = (
    "Reported: vgg19, CIFAR-10, ranks chosen by hand, 41 % of the bytes: 92.43 > 93.27 "
    "(SlimNets of May 2018, https://arxiv.org/abs/1808.00496); there the factorized network is trained for 274 epochs."
)
