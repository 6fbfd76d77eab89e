"""What a user's network may be made of, under every kind of move: it works and comes back the same, or is refused."""

from __future__ import annotations

import pytest

from benchmarks.block_matrix import MOVES, SILENT, WORKS, tried
from benchmarks.blocks import BLOCKS
from compress.data.tasks import Task

CUT = "channel pruning: a cut must change nothing but what is read of the channels; once "
RANDOM = "a network must compute the same once it is stored and loaded, block.1 does not"
WORKING = {
    "l1-filter": (
        *(
            "circular",
            "reflect",
            "replicate_same",
            "prelu",
            "prelu_shared",
            "group_norm",
            "group_norm_one",
            "layer_norm",
        ),
        *(
            "instance_norm",
            "instance_norm_statistics",
            "norm_without_affine",
            "norm_cumulative",
            "norm_active",
            "norm_squashed",
            "norm_weighted",
            "grouped",
            "depthwise",
        ),
        *("depthwise_doubled", "transposed", "padded_shortcut", "gated", "weight_norm", "spectral_norm", "hooked"),
        *("standardized", "two_names", "called_twice", "dense", "halves", "attention", "scaled", "flat", "recurrent"),
        "branching",
    ),
    "svd": (
        "circular",
        "replicate_same",
        "hooked",
        "standardized",
        "two_names",
        "called_twice",
        "weight_norm",
    ),
    "int8": ("circular", "replicate_same", "hooked", "standardized", "two_names", "called_twice", "tied", "attention"),
    "l1-unstructured": ("standardized", "weight_norm", "tied"),
    "resrep": ("circular", "gated", "prelu", "called_twice", "norm_active"),
    "apoz": ("norm_active",),
    "taylor": ("two_names", "grouped"),
    "narrow": ("projected_shortcut",),
}
REFUSED = {
    ("frozen", "svd"): "every layer must be trainable, got layer block.0 frozen; set requires_grad",
    ("norm_without_statistics", "int8"): "logits must not depend on .* give block.1 track_running_stats=True",
    ("hooked_relu", "l1-filter"): CUT + "block.2 is cut, block.2 computes something else",
    ("averaged", "taylor"): CUT + "block.two is cut, block.two computes something else",
    ("softmaxed", "fpgm"): CUT + "block.two is cut, block.two computes something else",
    ("norm_centred", "l1-filter"): CUT + "block.3 is cut, block.3 computes something else",
    ("shuffled", "l1-filter"): CUT + "block.two is cut, the network does not run any more",
    ("viewed", "random"): CUT + "block.two is cut, the network does not run any more",
    ("layer_norm_maps", "l1-filter"): CUT + "block.3 is cut, the network does not run any more",
    ("tied", "l1-filter"): "one channel everywhere still leaves .*; kept whole are block.2 .shares its weights.",
    ("tied", "svd"): "svd: sparsity must be at most .* here, got 0.4; kept whole are block.2 .shares its weights.",
    ("branching", "apoz"): "torch.fx must be able to follow the network from layer to layer, .* use l1-filter",
    ("mask_buffer", "l1-unstructured"): RANDOM,
    ("mask_attribute", "int8"): RANDOM,
    ("extra_state", "svd"): "block.1._extra_state: state of a network must be tensors to be stored, got a float",
    ("old_weight_norm", "l1-filter"): "copy.deepcopy must be able to copy it .*torch.nn.utils.parametrizations",
}


@pytest.mark.parametrize(("block", "move"), [(b, move) for move, blocks in WORKING.items() for b in blocks])
def test_a_move_works_and_the_network_comes_back_the_same(block: str, move: str, digits: Task) -> None:
    assert tried(block, MOVES[move], digits) == WORKS


@pytest.mark.parametrize(("block", "move"), REFUSED)
def test_a_move_that_would_change_something_else_is_refused(block: str, move: str, digits: Task) -> None:
    import re

    said = tried(block, MOVES[move], digits)
    assert re.search(REFUSED[block, move], said), said


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_no_move_changes_a_block_in_silence(block: str, digits: Task) -> None:
    assert SILENT not in {tried(block, move, digits) for move in MOVES.values()}
