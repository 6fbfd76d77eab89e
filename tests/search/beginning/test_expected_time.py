"""What a search will take: said from a timed step where it is long, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from compress.data.tasks import Task
from compress.models import Model
from search.beginning import expected_time
from search.beginning.expected_time import HOUR_S, about, announcement, fewer_epochs, said, seconds_an_image
from search.settings import Settings
from spaces import SPACES, Space
from spaces.space import Effort

MACS = 10**6


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
    line = announcement(Settings("s", cpus_per_trial=2), narrow, endless, MACS)
    assert line is not None
    assert line.startswith("the teacher cnn x0.25 trains for about ")
    assert " days here, a typical trial takes about " in line
    assert "fewer --trials" in line
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]


def never(*_: Any) -> float:
    raise AssertionError("a step was timed")


def test_a_search_that_is_short_by_its_macs_is_not_even_timed(
    narrow: Space, digits: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_time, "seconds_an_image", never)
    assert announcement(Settings("s"), narrow, digits, MACS) is None


@pytest.mark.parametrize("elsewhere", [{"address": "auto"}, {"gpus_per_trial": 1.0}])
def test_of_a_cluster_and_of_gpus_nothing_is_said(elsewhere: dict[str, Any], narrow: Space, endless: Task) -> None:
    assert announcement(replace(Settings("s"), **elsewhere), narrow, endless, MACS) is None


def test_a_network_that_cannot_be_trained_is_left_to_its_trial(
    narrow: Space, endless: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "build", lambda *_: nn.Linear(3, 3))
    assert announcement(Settings("s"), narrow, endless, MACS) is None


def test_a_network_that_is_too_slow_for_two_images_is_not_trained(
    narrow: Space, tiny: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected_time, "STEP_S", 0.0)
    monkeypatch.setattr(expected_time, "_step", never)
    assert seconds_an_image(narrow, tiny, 128, 1) > 0


def test_a_sentence_tells_of_what_is_long() -> None:
    assert said("resnet56", 600, 60) is None
    both = said("resnet56", 5 * 3600, 2 * 3600)
    assert both is not None
    assert both.startswith("the teacher resnet56 trains for about 5 h here, a typical trial takes about 2 h: fewer ")
    alone = said("resnet50", 86400 * 9, 0)
    assert alone is not None
    assert alone.startswith("the teacher resnet50 trains for about 9 days here: fewer ")
    own = said("net", 0, 660)
    assert own is not None
    assert own.startswith("a typical trial takes about 11 min: ")


def test_a_default_too_long_for_an_hour_comes_with_one_that_fits() -> None:
    assert fewer_epochs(Effort(60, 10), HOUR_S) == ""
    said = fewer_epochs(Effort(60, 5), 10 * HOUR_S)
    assert said == ("; by default, 60 epochs, no trial ends within an hour here: --epochs 6 --recovery-epochs 1 would")
    assert fewer_epochs(Effort(60, 5), 61 * HOUR_S) == "; not even --epochs 1 ends a trial within an hour here"


def test_epochs_that_were_asked_for_are_no_default(narrow: Space, endless: Task) -> None:
    line = announcement(Settings("s"), narrow, endless, MACS)
    assert line is not None
    assert "; not even --epochs 1 ends a trial within an hour here" in line
    asked = Settings("s", epochs=2)
    told = announcement(asked, asked.trainings.around(narrow), endless, MACS)
    assert told is not None
    assert "within an hour" not in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1, "1 min"), (601, "10 min"), (5340, "89 min"), (5400, "2 h"), (160_000, "44 h"), (260_000, "3 days")],
)
def test_a_time_has_one_unit(seconds: float, text: str) -> None:
    assert about(seconds) == f"about {text}"
