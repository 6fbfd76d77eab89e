"""Given recipes: read from files, cards and JSON, and the space made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compress.distill import KD
from compress.errors import RecipeError
from compress.models import Model
from compress.recipe import Recipe
from compress.stages import Distill, Train
from compress.training.settings import Training
from spaces.given_recipes import Given, of_recipes, read
from spaces.questions import given

PLAIN = Recipe("digits", Model("cnn", 0.25), (Train(Training(epochs=2)),), seed=3)
TAUGHT = Recipe("digits", Model("cnn", 0.5), (Distill(KD(), Training(epochs=2)),), Model("cnn"), Training(epochs=5), 3)


def written(path: Path, value: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_recipe_is_read_from_a_file_a_card_an_export_json_and_itself(tmp_path: Path) -> None:
    card = {"version": 1, "files": {}, "point": {"recipe": PLAIN.as_json()}}
    places = [written(tmp_path / "plain.json", PLAIN.as_json()), written(tmp_path / "out" / "card.json", card)]
    every: list[Given] = [*places, str(tmp_path / "out"), PLAIN.as_json(), PLAIN]
    assert [list(read([one], None)) for one in every] == [["plain"], ["out"], ["out"], ["recipe 1"], ["recipe 1"]]
    assert all(list(read([one], None).values()) == [PLAIN] for one in every)


def test_recipes_of_one_content_are_read_once_and_of_one_name_told_apart(tmp_path: Path) -> None:
    first = written(tmp_path / "a" / "r.json", PLAIN.as_json())
    second = written(tmp_path / "b" / "r.json", TAUGHT.as_json())
    assert read([first, second, first], None) == {"r": PLAIN, "r 2": TAUGHT}


def test_the_baseline_is_the_network_the_recipes_begin_with() -> None:
    teacher = of_recipes({"a": PLAIN, "b": TAUGHT})
    assert teacher.baseline("digits", 3) == Recipe("digits", Model("cnn"), (Train(Training(epochs=5)),), seed=3)
    assert of_recipes({"a": PLAIN}).baseline("digits", 3) == PLAIN


def test_the_only_choice_is_the_recipe() -> None:
    space = of_recipes({"a": PLAIN, "b": TAUGHT})
    assert space.build(given({"name": "b"}), "digits", 3) is TAUGHT


def test_a_network_of_a_file_runs_only_if_named_and_its_file_may_lie_elsewhere() -> None:
    form = Recipe("digits", Model("/far/net.py:make"), (Train(Training(epochs=2)),)).as_json()
    assert read([form], None, ["/here/net.py:make"])["recipe 1"].student == Model("/here/net.py:make")
    for others in ([], ["/here/net.py:other"], ["net:make"]):
        with pytest.raises(RecipeError, match=r"got /far/net\.py:make; add --network /far/net\.py:make"):
            read([form], None, others)


def test_a_folder_of_images_may_lie_elsewhere() -> None:
    form = {**PLAIN.as_json(), "task": "folder:/far/away/parts"}
    assert read([form], "folder:/here/parts")["recipe 1"].task == "folder:/here/parts"
    with pytest.raises(RecipeError, match="run: recipe 1 must be about 'folder:/here/others', the task of --task"):
        read([form], "folder:/here/others")


def test_a_task_of_the_users_runs_only_if_named_and_its_file_may_lie_elsewhere() -> None:
    form = {**PLAIN.as_json(), "task": "/far/away/my_task.py:make"}
    with pytest.raises(RecipeError, match=r"run: recipe 1 must be of a task named by --task, .* got my_task.py:make"):
        read([form], None)
    assert read([form], "/here/my_task.py:make")["recipe 1"].task == "/here/my_task.py:make"


def test_recipes_of_two_tasks_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"run: recipe 2 must be about 'digits', .* got 'cifar10'"):
        read([PLAIN, {**PLAIN.as_json(), "task": "cifar10"}], None)


def test_no_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="run: recipes must be given, got none"):
        of_recipes({})


def changed(**parts: object) -> dict[str, Any]:
    return {**PLAIN.as_json(), **parts}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("{", "must be a recipe's JSON, got Expecting property name"),
        ("[" * 100_000, "must be a recipe's JSON, got "),
        ([1, 2], "must be a recipe, got must be a JSON object, got list"),
        ({}, "must be a recipe, got recipe: "),
        (changed(colour="red"), "must be a recipe, got recipe: unknown field 'colour', known are task"),
        (changed(stages=[{"type": "shrink"}]), "must be a recipe, got recipe: type: unknown 'shrink'"),
        (changed(stages=[]), "must be a recipe, got recipe: the first stage must be train or distill, got no stage"),
        (changed(seed="one"), "must be a recipe, got recipe: seed must be a whole number"),
        ({"version": 1, "files": {}, "point": 5}, "must be a recipe, got 'int' object has no attribute"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, form: object, sentence: str) -> None:
    path = written(tmp_path / "r.json", form)
    with pytest.raises(RecipeError) as told:
        read([path], None)
    assert str(told.value).startswith(f"run: {path} ")
    assert sentence in str(told.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, why in ((tmp_path / "gone.json", "No such file"), (tmp_path, "No such file"), (binary, "utf-8")):
        with pytest.raises(RecipeError, match=rf"run: {path} must be a recipe's JSON, or an export .*{why}"):
            read([path], None)


def test_code_of_the_users_runs_only_if_named(source: Callable[[str, str], None]) -> None:
    source("my_net.py", "def make(classes, channels): ...")
    form = Recipe("digits", Model("my_net:make"), (Train(),)).as_json()
    with pytest.raises(RecipeError, match="run: recipe 1 must name functions whose code may run, got my_net:make; add"):
        read([form], None)
    assert read([form], None, ["my_net:make"])["recipe 1"].student == Model("my_net:make")


def test_an_optimizer_of_somebodys_own_runs_only_if_named() -> None:
    own = Training(epochs=1, optimizer="my_optimizer:make")
    form = Recipe("digits", Model("cnn"), (Train(own),)).as_json()
    with pytest.raises(RecipeError, match="must name functions whose code may run, got my_optimizer:make; add --netw"):
        read([form], None)
    assert len(read([form], None, ["my_optimizer:make"])) == 1


def test_a_librarys_network_is_no_code_of_the_users() -> None:
    recipe = Recipe("digits", Model("torchvision:resnet18"), (Train(Training(epochs=1)),))
    assert read([recipe], None) == {"recipe 1": recipe}
