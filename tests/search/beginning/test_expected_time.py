"""What a search will take: said from a timed step where the search is long, and nowhere else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import ray
import torch
from torch import nn

from compress.data.tasks import Task
from compress.models import Model
from compress.pruning import PlayAndPrune
from compress.pruning.pruner import weighted_layers
from search.beginning import expected_time, step_time
from search.beginning.expected_time import HOUR_S, Search, about, announcement, fewer_epochs, said, work_of
from search.beginning.step_time import Timed, on_worker
from search.running.cluster import scratch_folder, started
from search.settings import Settings
from spaces import SPACES, Space
from spaces.restrict import restricted
from spaces.space import Effort

MACS = 10**6
ALONE = Search(24)


@pytest.fixture
def narrow() -> Space:
    """The joint space over one small network."""
    given = SPACES["joint"].given
    assert given is not None
    return given((Model("cnn", 0.25),), ())


@pytest.fixture
def endless(tiny: Task) -> Task:
    """As many training images as no machine gets through in ten minutes."""
    return replace(tiny, train=replace(tiny.train, targets=torch.zeros(1, dtype=torch.long).expand(10**9)))


def test_a_long_search_is_announced_from_a_timed_step(narrow: Space, endless: Task) -> None:
    before = torch.get_rng_state(), torch.get_num_threads()
    line = announcement(Settings("s", cpus_per_trial=2), narrow, endless, MACS, Search(24, 3))
    assert line is not None
    assert line.startswith("the teacher cnn x0.25 trains for about ")
    assert " days here, a typical trial takes about " in line
    assert ", the search of 24 trials, 3 at a time, about " in line
    assert ": fewer --trials, fewer --epochs, more --cpus-per-trial, a GPU (--gpus-per-trial) or a smaller set" in line
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]


def test_the_published_scale_names_the_small_scale_and_a_time_budget_its_end(narrow: Space, endless: Task) -> None:
    line = announcement(Settings("s", time_budget_s=7200), narrow, endless, MACS, Search(2, 1, "published"))
    assert line is not None
    assert "about" in line.partition(": --scale small, fewer --trials")[0]
    assert "; --time-budget ends the search after about 2 h" in line


def never(*_: Any) -> float:
    raise AssertionError("a step was timed")


def test_a_search_that_is_short_by_its_macs_is_not_even_timed(
    narrow: Space, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "seconds_an_image", never)
    assert announcement(Settings("s"), narrow, digits, MACS, ALONE) is None


def test_a_search_that_is_short_by_its_step_is_not_announced(
    narrow: Space, endless: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Timed, "seconds_an_image", lambda *_: 1e-12)
    assert announcement(Settings("s"), narrow, endless, MACS, ALONE) is None


def test_a_shared_model_counts_once(digits: Task) -> None:
    given = SPACES["joint"].given
    assert given is not None
    one, several = (work_of(given((Model("cnn"),), (Model("resnet20"),)), digits, 0, trials) for trials in (1, 24))
    assert (one.whole, one.trial > 0) == (one.teacher, True)
    assert one.teacher < several.whole < one.teacher + 23 * (several.trial + one.teacher)
    assert several.recovery == 10


def test_the_looks_of_a_method_at_the_validation_images_are_counted(digits: Task) -> None:
    only = {"method": ("play and prune",), "network": ("VGG16",)}
    playing = restricted(SPACES["singh2019"].at("small"), only, "digits", 0)
    layers = weighted_layers(Model("vgg8", 0.25).build(10, 1)).values()
    widths = [layer.weight.shape[0] for layer in layers]
    looks = PlayAndPrune().validations(lambda: widths, 8)
    assert looks == 1 + sum(math.ceil(math.log2(width)) for width in widths) + 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PlayAndPrune, "validations", lambda *_: 0)
        without = work_of(playing, digits, 0, 2).trial
    assert work_of(playing, digits, 0, 2).trial > 1.1 * without


@pytest.mark.parametrize("elsewhere", [{"address": "auto"}, {"gpus_per_trial": 1.0}])
def test_of_a_cluster_and_of_gpus_a_worker_tells(
    elsewhere: dict[str, Any], narrow: Space, endless: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(Settings("s"), **elsewhere)
    monkeypatch.setattr(Timed, "seconds_an_image", never)
    monkeypatch.setattr(expected_time, "on_worker", lambda *_: 1e-3)
    line = announcement(settings, narrow, endless, MACS, ALONE)
    assert line is not None
    assert line.startswith("the teacher cnn x0.25 trains for about ")
    assert ("more GPUs" in line) == (settings.gpus_per_trial is not None)
    monkeypatch.setattr(expected_time, "on_worker", lambda *_: None)
    assert announcement(settings, narrow, endless, MACS, ALONE) == (
        "how long the search takes is not known: no worker timed a training step within 60 s"
    )


def test_a_worker_times_a_step_unless_no_worker_has_room(tiny: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = Timed.of(Model("cnn", 0.25), tiny, 64)
    with scratch_folder() as scratch, started(Settings("s"), scratch):
        assert ray.is_initialized()
        seconds = on_worker(timed, Settings("s"))
        assert seconds is not None
        assert 0 < seconds < 1
        monkeypatch.setattr(step_time, "WAIT_S", 2.0)
        assert on_worker(timed, Settings("s", cpus_per_trial=1000)) is None


def test_a_network_that_cannot_be_trained_is_left_to_its_trial(
    narrow: Space, endless: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "build", lambda *_: nn.Linear(3, 3))
    assert announcement(Settings("s"), narrow, endless, MACS, ALONE) is None


def test_a_network_that_is_too_slow_for_two_images_is_not_trained(tiny: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_time, "STEP_S", 0.0)
    monkeypatch.setattr(Timed, "_step", never)
    assert Timed.of(Model("cnn", 0.25), tiny, 128).seconds_an_image(1) > 0


def test_a_sentence_tells_of_what_is_known() -> None:
    assert said("resnet56", 5 * 3600, 2 * 3600, 260_000, Search(24, 2)) == (
        "the teacher resnet56 trains for about 5 h here, a typical trial takes about 2 h, "
        "the search of 24 trials, 2 at a time, about 3 days"
    )
    assert said("resnet50", 86400 * 9, 0, 0, ALONE) == "the teacher resnet50 trains for about 9 days here"
    assert (
        said("net", 0, 660, 660, Search(1)) == "a typical trial takes about 11 min, the search of 1 trial, about 11 min"
    )


def test_a_default_too_long_for_an_hour_comes_with_one_that_fits() -> None:
    assert fewer_epochs(Effort(60, 10), HOUR_S) == ""
    said = fewer_epochs(Effort(60, 5), 10 * HOUR_S)
    assert said == ("; by default, 60 epochs, no trial ends within an hour here: --epochs 6 --recovery-epochs 1 would")
    assert fewer_epochs(Effort(60, 5), 61 * HOUR_S) == "; not even --epochs 1 ends a trial within an hour here"


def test_epochs_that_were_asked_for_are_no_default(narrow: Space, endless: Task) -> None:
    line = announcement(Settings("s"), narrow, endless, MACS, ALONE)
    assert line is not None
    assert "; not even --epochs 1 ends a trial within an hour here" in line
    asked = Settings("s", epochs=2)
    told = announcement(asked, asked.trainings.around(narrow), endless, MACS, ALONE)
    assert told is not None
    assert "within an hour" not in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 min"), (601, "10 min"), (5340, "89 min"), (5400, "2 h"), (160_000, "44 h"), (260_000, "3 days")],
)
def test_a_time_has_one_unit(seconds: float, text: str) -> None:
    assert about(seconds) == f"about {text}"
