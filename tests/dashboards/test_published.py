from compress.data.tasks import TASKS
from dashboards.published import CURVES, MODELS, published


def test_only_data_sets_that_papers_used_have_any() -> None:
    assert published("digits") == published("folder:cifar10") == {"models": [], "curves": []}
    assert set(MODELS) | set(CURVES) <= set(TASKS)


def test_a_curve_has_an_accuracy_a_sparsity_and_a_source() -> None:
    for curve in (curve for known in CURVES.values() for curve in known):
        assert len(curve.sparsity) == len(curve.accuracy)
        assert list(curve.sparsity) == sorted(curve.sparsity)
        assert all(0.5 < accuracy < 1 for accuracy in curve.accuracy)
        assert "https://" in curve.source


def test_flops_are_twice_the_macs() -> None:
    assert [one["flops"] for one in published("cifar10")["models"]] == [2 * one.macs for one in MODELS["cifar10"]]
