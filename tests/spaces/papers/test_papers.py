"""Every paper at every scale: its grid, and the cells of its tables, claims and figures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from compress.costs import check
from compress.data.make_task import make_task
from compress.data.tasks import Task, load_task
from compress.goals import Classification
from spaces.listing import listing
from spaces.papers import PAPERS
from spaces.papers.paper import FIRST, PLAIN, Cell, Curves, Paper, Steps
from spaces.published import load
from spaces.questions import given
from spaces.space import Value

EVERY = [(name, scale, task) for name, paper in PAPERS.items() for scale in paper.scales for task in paper.tasks]


def cells_of(paper: Paper, task: str) -> Iterator[Cell]:
    yield from (cell for table in paper.tables(task) for cell in table.cells.values())
    yield from (cell for claim in paper.claims(task) for pair in claim.pairs for cell in pair if isinstance(cell, Cell))
    for picture in paper.pictures(task):
        if isinstance(picture, Curves | Steps):
            yield from map(Cell, picture.lines.values())
        else:
            yield from picture.models.values()


def with_bases(cell: Cell) -> Iterator[Cell]:
    yield cell
    for base in (cell.of, cell.within):
        if base is not None:
            yield from with_bases(base)


@pytest.mark.parametrize(("name", "scale", "task"), EVERY)
def test_every_cell_is_of_a_recipe_of_the_grid(name: str, scale: str, task: str) -> None:
    paper = PAPERS[name]
    found = listing(paper.scales[scale], task, 0, {})
    assert found.is_whole
    assert not found.errors
    grid = [dict(choices) for choices in found.choices]
    for cell in cells_of(paper, task):
        for one in with_bases(cell):
            is_named = one.at == FIRST and any(one.choices.items() <= choices.items() for choices in grid)
            assert one == PLAIN or dict(one.choices) in grid or is_named, one


@pytest.mark.parametrize("name", PAPERS)
def test_every_recipe_of_the_small_scale_suits_its_task(name: str) -> None:
    paper = PAPERS[name]
    task = load_task(paper.tasks[-1])
    space = paper.scales["small"]
    for choices in listing(space, task.name, 0, {}).choices:
        check(space.build(given(choices), task.name, 0), task)


@pytest.fixture(scope="module")
def cifar() -> Task:
    """Forty made-up images of CIFAR's shape, under the name of CIFAR-10."""
    images, targets = torch.rand(40, 3, 32, 32), torch.arange(40) % 10
    return make_task(Classification(tuple("abcdefghij")), (images, targets), name="cifar10")


@pytest.mark.parametrize("network", ["VGG16", "ResNet56"])
def test_a_cut_by_flops_at_the_small_scale_suits_cifar_images_too(network: str, cifar: Task) -> None:
    choices: dict[str, Value] = {"network": network, "method": "at once"}
    check(PAPERS["singh2019"].scales["small"].build(given(choices), cifar.name, 0), cifar)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_every_recipe_of_the_medium_scale_suits_cifar_images(name: str, cifar: Task) -> None:
    space = PAPERS[name].scales["medium"]
    for choices in listing(space, cifar.name, 0, {}).choices:
        check(space.build(given(choices), cifar.name, 0), cifar)


@pytest.mark.parametrize("name", PAPERS)
def test_published_figures_have_a_cell(name: str) -> None:
    paper = PAPERS[name]
    tables = [table for task in paper.tasks for table in paper.tables(task)]
    ours = {table.published_at(*place) for table in tables for place in table.cells}
    assert ours & load(name).keys()


@pytest.mark.parametrize(("name", "scale", "task"), EVERY)
def test_the_teacher_of_a_task_is_in_its_grid(name: str, scale: str, task: str) -> None:
    space = PAPERS[name].scales[scale].for_task(task)
    grid = (space.build(given(choices), task, 0) for choices in listing(space, task, 0, {}).choices)
    assert space.teacher in {model for recipe in grid for model in (recipe.student, recipe.teacher)}
