"""The card for people: every figure is one of the facts, whatever a user named is escaped."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from compress.distill import KD
from compress.export.card import plain, text
from compress.export.lineage import lineage, sentences, sources
from compress.lowrank import SVD
from compress.models import Model
from compress.plan import plan
from compress.pruning import Exponential, L1Filter, OneShot
from compress.pruning.apoz import APoZRounds
from compress.quality import Quality
from compress.quantize import Int8
from compress.recipe import Recipe
from compress.stages import Distill, Factorize, Prune, Quantize, Recovery, Stage, Train
from compress.training.settings import Training

ONCE = Training(epochs=1, lr=0.05)
TIMED = {"batch": 1, "median_ms": 0.1234, "p95_ms": 0.2345, "device": "cpu"}
FORM = {"images": 359, "agreement": 1.0, "difference": 0.0, "latency": [TIMED]}
FACTS: dict[str, Any] = {
    "study": "s",
    "data": "digits: 10 classes",
    "budget": {"max_params": "20k"},
    "prefer": "accuracy",
    "robust": False,
    "point": {"id": "ab1", "trial": 3, "sparsity": 0.5, "variant": "float", "recipe": {"seed": 7}},
    "spread": None,
    "made": ["cnn: small", "trained on labels: 3 epochs"],
    "sources": {"l1-filter": "https://arxiv.org/abs/1608.08710"},
    "input": {"channels": 1, "size": 8, "mean": [4.9], "std": [6.0], "pixels": "grey", "classes": ["cat", "dog"]},
    "files": {"model.pt2": {}, "load.py": {}},
    "measured": {
        "accuracy": {"validation": 0.91, "test": 0.8765},
        "params": 1000,
        "nonzero_params": 1000,
        "macs": 5,
        "flops": 10,
        "size_bytes": 4242,
        "compressed_bytes": 2121,
        "threads": 1,
        "machine": {"processor": "Z80", "cores": 2, "python": "3.11", "torch": "2.13"},
        "formats": {"pt2": FORM, "safetensors": FORM},
    },
}


def card(**changes: Any) -> str:
    return text({**copy.deepcopy(FACTS), **changes})


def test_what_opening_each_form_may_run_is_said() -> None:
    said = [line for line in card().splitlines() if line.startswith("`load.py` runs nothing") or "as safe as" in line]
    assert len(said) == 2
    assert "as safe as" not in card(files={"load.py": {}})


def measured(**changes: Any) -> dict[str, Any]:
    return {**FACTS["measured"], **changes}


def test_the_card_says_how_the_model_was_chosen() -> None:
    assert "Chosen on validation alone: the most accurate within the budget (max-params 20k). " in card()
    robust = card(prefer="params", robust=True, budget={})
    assert "alone, by the lower end of the confidence over seeds: the smallest within the budget (none). " in robust


def test_limits_are_of_the_forms_that_are_there() -> None:
    int8 = {**FACTS["point"], "variant": "int8"}
    assert "- With `model.pt2` and `load.py` the int8 weights are kept as they are" in card(point=int8)
    assert "int8 weights are kept" not in card(point=int8, files={"model.onnx": {}})


def test_the_card_says_what_was_measured_and_where() -> None:
    said = card()
    for words in (
        "| validation accuracy | 0.9100 |",
        "| test accuracy | 0.8765 |",
        "| bytes on disk, deflated | 2,121 |",
    ):
        assert words in said
    assert "| pt2 | 1 | 0.123 | 0.234 | cpu |" in said
    assert "1 thread, Z80, 2 cores, Python 3.11, torch 2.13" in said
    assert "Seed 7." in said
    assert "<https://arxiv.org/abs/1608.08710>" in said


def test_before_the_proof_there_are_no_figures() -> None:
    facts = {key: value for key, value in FACTS.items() if key != "measured"}
    assert "accuracy |" not in text(facts)
    assert "Latency" not in text(facts)


def test_each_file_that_is_there_is_loaded_and_no_other() -> None:
    assert 'torch.export.load("model.pt2")' in card()
    assert "onnxruntime" not in card()
    assert "InferenceSession" in card(files={"model.onnx": {}})


def test_zeros_are_not_sold_as_speed() -> None:
    assert "are zeros" not in card()
    said = card(measured=measured(nonzero_params=100))
    assert "90.0% of the parameters are zeros. They were not measured as speed" in said


def test_seeds_are_a_mean_and_its_confidence() -> None:
    assert "seeds |" not in card()
    said = card(spread={"count": 3, "validation": 0.9, "test": 0.88, "margin": 0.0123})
    assert "| over 3 seeds | mean validation accuracy 0.9000 ± 0.0123 (95 % confidence), test 0.8800 |" in said


def test_an_int8_network_in_onnx_is_said_to_be_what_it_is() -> None:
    form = {**FORM, "opset": 20, "onnxruntime": "1.31", "int8_layers": 4, "integer_layers": 1, "difference": 0.015}
    said = card(measured=measured(formats={"onnx": form}))
    assert "logits within 1.5e-02" in said
    assert "Of 4 such layers onnxruntime multiplies 1 in integers here, the others in float" in said
    assert "stored as int8" not in card(measured=measured(formats={"onnx": {**form, "int8_layers": 0}}))


HOSTILE = ["<script>alert(1)</script>", "[x](javascript:y)", "a|b", "`c`", "# d", "*e*", "new\nline", "<!-- f"]


def test_names_of_users_are_text() -> None:
    said = card(
        study=HOSTILE[1],
        data="\n".join(HOSTILE),
        input={**FACTS["input"], "classes": HOSTILE},
        sources={"m": HOSTILE[0]},
    )
    for raw in ("<script", "[x](", "a|b", "`c`", "*e*", "new\nline", "<!--"):
        assert raw not in said
    for shown in ("&lt;script&gt;alert(1)&lt;/script&gt;", r"\[x\](javascript:y)", r"a\|b", r"\`c\`", "new line"):
        assert shown in said


@pytest.mark.parametrize("value", ["resnet8x4", "l1-filter", "1.25", "cnn: small CNN of this project"])
def test_plain_words_stay_as_they_are(value: str) -> None:
    assert plain(value) == value


def recipe(*stages: Stage) -> Recipe:
    return Recipe("digits", Model("cnn", 0.5), stages, Model("resnet20"), Training())


TAUGHT = Distill(KD(), ONCE)
CUT = Prune(L1Filter(), 0.75, Exponential(2), Recovery(ONCE))


def story(wanted: Recipe, sparsity: float, variant: str) -> list[str]:
    return sentences(wanted, lineage(wanted, "data", "unknown", (sparsity, variant)))


def test_the_story_ends_where_the_point_is() -> None:
    wanted = recipe(TAUGHT, CUT, Quantize(Int8()))
    first, taught, cut, quantized = story(wanted, 0.75, "int8")
    assert first == "cnn x0.5: small CNN of this project"
    assert taught.startswith("taught by resnet20 with kd (")
    assert taught.endswith(": 1 epoch, learning rate 0.05, batches of 128")
    assert "until 75.0% of its weights are gone, exponential (steps 2), level 2 of 2; recovered by" in cut
    assert quantized == "quantized with int8"
    assert len(story(wanted, 0.5, "float")) == 3
    assert "level 1 of 2" in story(wanted, 0.5, "float")[-1]
    assert len(story(wanted, 0.0, "float")) == 2


def test_a_point_is_found_by_its_key() -> None:
    wanted = recipe(TAUGHT, CUT)
    for step in plan(wanted, "data"):
        assert lineage(wanted, "data", step.key, (0.123, "int8"))[-1].key == step.key


def test_who_finds_its_sparsity_itself_is_told_whole() -> None:
    wanted = recipe(Train(ONCE), Prune(APoZRounds(), recovery=Recovery(ONCE)))
    assert story(wanted, 0.3, "float")[-1].startswith("pruned with apoz-rounds (")
    rounds = plan(wanted, "data")[2]
    assert ", round 2; recovered by" in sentences(wanted, lineage(wanted, "data", rounds.key, (0.3, "float")))[-1]


def test_sources_are_of_what_took_part() -> None:
    wanted = recipe(TAUGHT, CUT, Quantize(Int8()))
    assert set(sources(wanted, lineage(wanted, "data", "", (0.0, "float")))) == {"cnn", "resnet20", "kd"}
    alone = recipe(Train(ONCE), Factorize(SVD(), 0.5, OneShot(), Recovery(ONCE, distiller=KD())))
    found = sources(alone, lineage(alone, "data", "", (0.5, "float")))
    assert set(found) == {"cnn", "svd", "one-shot", "kd"}
    assert found["svd"] == SVD.source


def test_a_model_is_described_without_the_optimizer_of_its_training() -> None:
    gone = Training(epochs=3, optimizer="gone_module:make")
    wanted = Recipe("digits", Model("cnn"), (Train(gone),))
    assert lineage(wanted, "data", "", (0.0, "float")) == []
    assert sentences(wanted, [])[-1].endswith(", optimizer gone_module:make")


def test_the_card_of_an_error_speaks_of_it_in_its_unit() -> None:
    quality = Quality("mae", 20.0, 0.0, 0.0, "degrees").as_json()
    goal = {"name": "regression", "outputs": 1, "names": ["angle"], "unit": "degrees", "dense": False}
    own = {"mae_validation": 4.0, "mae_test": 5.0, "r2_test": 0.9}
    found = {**measured(mae={"validation": 4.0, "test": 5.0}, metrics=own), "accuracy": None}
    said = card(quality=quality, goal=goal, measured=found, budget={"quality": "4.5"})
    assert "Chosen on validation alone: the best by mae within the budget (quality 4.5). " in said
    assert "| test mae | 5 degrees |" in said
    assert "| r2 on test | 0.9 |" in said
    assert "mae on test" not in said
    assert "the same values as the network on 100.00% of 359 test images, values within" in said
    assert "accura" not in said
    assert "the knee, where mae gets dear" in card(quality=quality, measured=found, prefer="knee")
    robust = card(quality=quality, goal=goal, measured=found, robust=True)
    assert "alone, by the upper end of the confidence over seeds: the best by mae" in robust
