"""Goals: losses and imitation are their formulas, qualities are scikit-learn's, wrong input is a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, mean_absolute_error, r2_score, roc_auc_score
from torch import Tensor
from torch.nn import functional

from compress.goals import Classification, Goal, MetricError, MultiLabel, Regression, Segmentation, quality_of, smoothed
from compress.machine.vision import import_torchmetrics

GENERATOR = torch.Generator().manual_seed(3)
LOGITS = torch.randn(60, 3, generator=GENERATOR)
LABELS = torch.randint(3, (60,), generator=GENERATOR)
VALUES = torch.randn(60, 2, generator=GENERATOR) * 20 + 5
OFF = VALUES + torch.randn(60, 2, generator=GENERATOR)
SEVERAL = (torch.rand(60, 3, generator=GENERATOR) > 0.6).float()
MAPS = torch.randn(8, 2, 6, 5, generator=GENERATOR)
PIXELS = torch.randint(2, (8, 6, 5), generator=GENERATOR)
THREE = Classification(("a", "b", "c"))
POSE = Regression(("yaw", "pitch"), "degrees")
TAGS = MultiLabel(("x", "y", "z"))
SHAPES = Segmentation(("ground", "shape"))
EACH: list[tuple[Goal, Tensor, Tensor]] = [
    (THREE, LOGITS, LABELS),
    (POSE, OFF, VALUES),
    (TAGS, LOGITS, SEVERAL),
    (SHAPES, MAPS, PIXELS),
]
each_goal = pytest.mark.parametrize(("goal", "outputs", "targets"), EACH, ids=[goal.name for goal, _, _ in EACH])


def measured(goal: Goal, outputs: Tensor, targets: Tensor) -> float:
    """The quality over two batches of unequal size."""
    meter = goal.metric()
    for part in (slice(0, 5), slice(5, None)):
        meter.update(outputs[part], targets[part])
    return meter.compute()


@pytest.mark.parametrize(
    ("quality", "wanted"),
    [
        ("f1", lambda y, p: f1_score(y, p.argmax(1), average="macro")),
        ("balanced-accuracy", lambda y, p: balanced_accuracy_score(y, p.argmax(1))),
        ("auroc", lambda y, p: roc_auc_score(y, p.softmax(1), multi_class="ovr")),
    ],
)
def test_the_qualities_of_a_classification_are_scikit_learns(
    quality: str, wanted: Callable[[Tensor, Tensor], float]
) -> None:
    goal = replace(THREE, quality=quality)
    assert measured(goal, LOGITS, LABELS) == pytest.approx(wanted(LABELS, LOGITS), abs=1e-6)


def test_the_qualities_of_two_classes_are_of_the_one_named_or_the_second() -> None:
    logits, labels = LOGITS[:, :2], (LABELS > 0).long()
    goal = Classification(("good", "bad"), quality="f1-positive")
    assert measured(goal, logits, labels) == pytest.approx(f1_score(labels, logits.argmax(1)), abs=1e-6)
    recall = measured(replace(goal, quality="recall@precision=0.5"), logits, labels)
    assert 0 < recall <= 1
    assert goal.quality_said == "f1-positive of bad"
    first = replace(goal, positive="good")
    assert measured(first, logits, labels) == pytest.approx(f1_score(labels, logits.argmax(1), pos_label=0), abs=1e-6)
    assert first.quality_said == "f1-positive of good"
    assert measured(replace(first, quality="recall@precision=0.5"), logits, labels) != recall


def test_the_qualities_of_a_regression_are_scikit_learns() -> None:
    assert measured(POSE, OFF, VALUES) == pytest.approx(mean_absolute_error(VALUES, OFF), abs=1e-5)
    assert measured(replace(POSE, quality="r2"), OFF, VALUES) == pytest.approx(r2_score(VALUES, OFF), abs=1e-5)
    one = replace(POSE, quality="r2-pitch")
    assert measured(one, OFF, VALUES) == pytest.approx(r2_score(VALUES[:, 1], OFF[:, 1]), abs=1e-5)
    rmse = (OFF - VALUES).square().mean().sqrt()
    assert measured(replace(POSE, quality="rmse"), OFF, VALUES) == pytest.approx(float(rmse), abs=1e-5)


def test_pixels_that_are_ignored_count_nowhere() -> None:
    holes = PIXELS.clone()
    holes[:, :2] = SHAPES.ignored
    left, wanted = MAPS[:, :, 2:], PIXELS[:, 2:]
    for one, other in ((MAPS, left),):
        assert measured(SHAPES, one, holes) == pytest.approx(measured(SHAPES, other, wanted))
        torch.testing.assert_close(SHAPES.loss(one, holes), SHAPES.loss(other, wanted))
        taught = torch.zeros_like(one)
        torch.testing.assert_close(
            SHAPES.imitate(one, taught, holes, 2.0), SHAPES.imitate(other, taught[:, :, 2:], wanted, 2.0)
        )


@each_goal
def test_a_network_is_no_distance_from_itself(goal: Goal, outputs: Tensor, targets: Tensor) -> None:
    assert float(goal.imitate(outputs, outputs, targets, 4.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(goal.imitate(outputs, outputs + torch.rand_like(outputs), targets, 4.0)) > 0


@each_goal
def test_a_gradient_leads_from_loss_and_imitation_to_the_outputs(goal: Goal, outputs: Tensor, targets: Tensor) -> None:
    each: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda given: goal.loss(given, targets),
        lambda given: goal.imitate(given, torch.zeros_like(given), targets, 2.0),
    )
    for value in each:
        given = outputs.clone().requires_grad_()
        value(given).backward()  # type: ignore[no-untyped-call]
        assert given.grad is not None
        assert given.grad.isfinite().all()
        assert given.grad.abs().sum() > 0


@each_goal
def test_the_best_constant_answer_is_worth_its_score_and_perfection_one(
    goal: Goal, outputs: Tensor, targets: Tensor
) -> None:
    quality = quality_of(goal, targets)
    assert quality.score(quality.one) == 1
    assert quality.score(quality.value(0.3)) == pytest.approx(0.3)
    if goal is POSE:
        median = targets.median(0).values.expand_as(targets)
        mean = targets.mean(0).expand_as(targets)
        assert quality.zero == min(measured(goal, one, targets) for one in (mean, median))
        assert not quality.higher_is_better
        assert quality.score(measured(goal, outputs, targets)) > 0.9
    else:
        assert 0 <= quality.constant < 1
        assert quality.higher_is_better


def test_the_loss_of_labels_takes_weights_and_smoothing() -> None:
    weights = (1.0, 2.0, 5.0)
    goal = replace(THREE, weights=weights, smoothing=0.1)
    wanted = functional.cross_entropy(LOGITS, LABELS, torch.tensor(weights), label_smoothing=0.1)
    torch.testing.assert_close(goal.loss(LOGITS, LABELS), wanted)
    assert smoothed(THREE, 0.1) == replace(THREE, smoothing=0.1)
    with pytest.raises(ValueError, match=r"label_smoothing must be 0 for regression, got 0\.1"):
        smoothed(POSE, 0.1)


@pytest.mark.parametrize("criterion", ["mse", "smooth-l1", "l1"])
def test_the_gradient_of_a_regression_does_not_depend_on_the_unit(criterion: str) -> None:
    def gradient(unit: float) -> Tensor:
        goal = replace(POSE, criterion=criterion).fitted(unit * VALUES)
        outputs = (unit * OFF).requires_grad_()
        goal.loss(outputs, unit * VALUES).backward()  # type: ignore[no-untyped-call]
        assert outputs.grad is not None
        return outputs.grad

    torch.testing.assert_close(gradient(1.0), gradient(math.pi / 180))


def test_a_scale_of_one_leaves_the_criterion_as_it_is() -> None:
    goal = replace(POSE, scale=(1.0, 1.0)).fitted(VALUES)
    torch.testing.assert_close(goal.loss(OFF, VALUES), functional.mse_loss(OFF, VALUES))


def test_a_teacher_is_imitated_where_it_is_right() -> None:
    taught = VALUES.clone()
    taught[0] += 30.0  # wrong on the first image
    outputs = VALUES.clone().requires_grad_()
    POSE.imitate(outputs + 1.0, taught, VALUES, 1.0).backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert outputs.grad[0].abs().max() == 0
    assert outputs.grad[1:].abs().min() > 0


def test_any_metric_of_torchmetrics_is_a_quality() -> None:
    def kappa() -> Any:
        return import_torchmetrics().classification.MulticlassCohenKappa(3)

    goal = replace(THREE, quality=kappa, also=("accuracy", kappa))
    assert goal.metric().name == "kappa"
    assert [one.name for one in goal.also_metrics()] == ["accuracy", "kappa"]
    assert quality_of(goal, LABELS).name == "kappa"
    assert -1 <= measured(goal, LOGITS, LABELS) <= 1


def test_a_metric_in_place_of_a_function_names_the_remedy() -> None:
    made: Any = import_torchmetrics().R2Score()
    with pytest.raises(MetricError, match=r"got a metric, R2Score; give lambda: R2Score\(\.\.\.\)"):
        quality_of(replace(POSE, quality=made), VALUES)


def test_a_metric_of_a_function_has_no_unit() -> None:
    def spread() -> Any:
        return import_torchmetrics().ExplainedVariance()

    assert quality_of(replace(POSE, quality=spread), VALUES).unit == ""
    assert quality_of(replace(POSE, quality="mae-yaw"), VALUES).unit == "degrees"


class _Peak:
    """A metric-like thing that is no metric."""


def vector() -> Any:
    return import_torchmetrics().classification.MulticlassAccuracy(3, average="none")


def undirected() -> Any:
    return import_torchmetrics().classification.MulticlassConfusionMatrix(3)


def never() -> Any:
    raise OSError("no such file")


def no_metric() -> Any:
    return _Peak()


def numb() -> Any:
    mean = import_torchmetrics().MeanMetric
    kind = type("Numb", (mean,), {"higher_is_better": True, "update": lambda self, outputs, targets: None})
    return kind()


@pytest.mark.parametrize(
    ("quality", "sentence"),
    [
        ("f2", "quality: unknown 'f2', known are accuracy, balanced-accuracy, f1, auroc, and a function"),
        ("f1-positive", "quality: unknown 'f1-positive'"),
        ("recall@precision=2", r"quality: recall@precision=P must have P in \(0, 1\] and two classes"),
        (vector, r"quality vector: must be a single number, got shape \(3,\); choose an average"),
        (undirected, "quality undirected: must say whether higher is better"),
        (never, "quality never: its function must return a metric, got OSError: no such file"),
        (no_metric, "quality no-metric: must be a metric of torchmetrics, got a _Peak"),
        (numb, "quality numb: must be finite, got nan"),
    ],
)
def test_a_metric_that_does_not_work_is_a_sentence(quality: Any, sentence: str) -> None:
    with pytest.raises(MetricError, match=sentence):
        quality_of(replace(THREE, quality=quality), LABELS)


def test_a_metric_that_refuses_a_batch_names_the_shapes() -> None:
    with pytest.raises(MetricError, match=r"quality mae: must take outputs \(3, 2\) and targets \(2, 2\), got "):
        POSE.metric().update(OFF[:3], VALUES[:2])


@pytest.mark.parametrize(
    ("goal", "targets", "sentence"),
    [
        (THREE, torch.tensor([0, 3]), r"digits: targets must be in \[0, 3\), numbers of classes from 0, got 3 at 1"),
        (THREE, torch.tensor([0.5, 1.0]), "targets of a classification must be whole numbers"),
        (POSE, torch.zeros(4), r"targets of a regression must be floats \(N, 2\), got torch.float32 \(4,\)"),
        (POSE, torch.tensor([[0.0, 1.0], [math.nan, 2.0]]), r"targets must be finite, got \[nan, 2.0\] at 1"),
        (TAGS, torch.full((2, 3), 0.5), "targets must be 0 or 1, got 0.5"),
        (TAGS, torch.zeros(2, 2), r"targets of several labels must be floats \(N, 3\)"),
        (SHAPES, torch.tensor([[[0, 7]]]), r"targets must be in \[0, 2\), or 255 to be ignored, got 7"),
        (SHAPES, torch.zeros(3, dtype=torch.long), r"must be whole numbers \(N, H, W\)"),
    ],
)
def test_targets_that_do_not_fit_are_a_sentence(goal: Goal, targets: Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        goal.check_targets("digits", targets)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Classification(("only",)), "must be at least 2 classes, got 1"),
        (lambda: replace(THREE, weights=(1.0,)), "weights must be one a class, 3 of at least 0"),
        (lambda: replace(THREE, positive="d"), "positive must be one of a, b, c, got 'd'"),
        (lambda: replace(THREE, smoothing=1.0), r"smoothing must be in \[0, 1\)"),
        (lambda: Regression(()), "at least 1 value"),
        (lambda: replace(POSE, criterion="huber"), "unknown criterion 'huber', known are mse, smooth-l1, l1"),
        (lambda: replace(POSE, scale=(0.0, 1.0)), "scale must be 2 numbers above 0"),
        (lambda: MultiLabel(()), "at least 1 label"),
        (lambda: replace(TAGS, positive_weights=(1.0,)), "positive_weights must be 3 numbers"),
        (lambda: Segmentation(("one",)), "at least 2 classes"),
        (lambda: replace(SHAPES, weights=(1.0,)), "weights must be one a class, 2"),
    ],
)
def test_impossible_settings_are_a_sentence(make: Callable[[], Goal], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


@each_goal
def test_the_settings_of_a_goal_tell_it_from_others(goal: Goal, outputs: Tensor, targets: Tensor) -> None:
    assert goal.settings() == replace(goal).settings()  # type: ignore[type-var]
    assert len({one.settings() for one, _, _ in EACH}) == len(EACH)
    assert replace(goal, also=("f1",)).settings() != goal.settings()  # type: ignore[type-var]
