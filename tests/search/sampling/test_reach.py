"""Budgets that nothing can keep to are told from those that are only hard."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compress.data.tasks import Task
from compress.models import Model
from search.sampling.bounds import UNBOUNDED, Bounds
from search.sampling.reach import check_within_reach, students
from spaces import SPACES, Space

JOINT = SPACES["joint"]


@pytest.mark.parametrize("space", SPACES.values(), ids=list(SPACES))
def test_a_small_budget_is_not_refused(space: Space, tiny: Task) -> None:
    check_within_reach(Bounds({"params": 1000.0, "size_bytes": 5000.0}), space, tiny)


def test_no_bound_of_costs_is_looked_at_no_further(tiny: Task) -> None:
    check_within_reach(UNBOUNDED, JOINT, tiny)
    check_within_reach(Bounds({}, limit=0.99), JOINT, tiny)


@pytest.mark.parametrize("name", ["params", "nonzero_params", "macs", "flops", "size_bytes"])
def test_what_one_channel_everywhere_exceeds_is_refused(name: str, tiny: Task) -> None:
    with pytest.raises(ValueError, match=f"max-{name.replace('_', '-')} must be something .* got 10$"):
        check_within_reach(Bounds({name: 10.0}), JOINT, tiny)


def test_the_least_that_is_named_is_not_refused(tiny: Task) -> None:
    with pytest.raises(ValueError, match="at least") as refused:
        check_within_reach(Bounds({"macs": 10.0}), JOINT, tiny)
    least = float(str(refused.value).split(" at least")[0].split()[-1].replace(",", ""))
    check_within_reach(Bounds({"macs": least}), JOINT, tiny)


def test_all_students_of_a_space_are_looked_at(tiny: Task) -> None:
    assert {student.family for student in students(JOINT, tiny)} == {"cnn", "resnet20"}


def test_of_a_users_own_network_nothing_is_said(source: Callable[[str, str], None], tiny: Task) -> None:
    source(
        "mine.py", "from torch import nn\n\n\ndef make(classes, channels):\n    return nn.Linear(channels, classes)\n"
    )
    assert JOINT.given is not None
    check_within_reach(Bounds({"params": 10.0}), JOINT.given((Model("mine:make"),), ()), tiny)
