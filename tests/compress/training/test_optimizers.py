"""Optimizers by name and of a user's own: what updates the weights, and what is refused before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress.data.tasks import Task
from compress.distill import KD
from compress.errors import RecipeError
from compress.models import Model
from compress.plan import plan
from compress.pruning import OneShot, ResRep
from compress.recipe import Recipe
from compress.stages import Distill, Prune, Recovery, Train
from compress.training.loop import Loss, fit
from compress.training.optimizers import check_own_optimizer, make_optimizer, own_optimizer_source
from compress.training.settings import Training

OPTIMIZERS = """
import torch

def plain(groups, lr, weight_decay):
    return torch.optim.RMSprop(groups, lr=lr, weight_decay=weight_decay)

def two_rates(groups, lr, weight_decay):
    first, *rest = [parameter for group in groups for parameter in group["params"]]
    return torch.optim.SGD([{"params": [first], "lr": 10 * lr}, {"params": rest}], lr=lr)

def raising(groups, lr, weight_decay):
    raise KeyError("no such thing")

def no_decay(groups, lr):
    return torch.optim.SGD(groups, lr=lr)

def nothing(groups, lr, weight_decay):
    return None

def some(groups, lr, weight_decay):
    return torch.optim.SGD(groups[0]["params"][1:], lr=lr)

def foreign(groups, lr, weight_decay):
    return torch.optim.SGD([*groups[0]["params"], torch.zeros(3, requires_grad=True)], lr=lr)

class Stepless(torch.optim.Optimizer):
    def __init__(self, groups, lr, weight_decay):
        super().__init__(groups, {"lr": lr})

def closed(groups, lr, weight_decay):
    return torch.optim.LBFGS(groups[0]["params"], lr=lr)

class Idle(Stepless):
    def step(self):
        pass

class Exploding(Stepless):
    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.div_(0)

def unsettled(groups, lr, weight_decay):
    torch.set_default_dtype(torch.float64)
    return torch.optim.SGD(groups, lr=lr)
"""


@pytest.fixture(scope="module", autouse=True)
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a module `own_optimizers`, which can be imported."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_optimizers.py").write_text(OPTIMIZERS)
    sys.path.append(str(folder))
    yield folder / "own_optimizers.py"
    sys.path.remove(str(folder))


def net() -> nn.Module:
    torch.manual_seed(0)
    return Model("cnn", 0.25).build(10, 1)


def group(module: nn.Module) -> list[dict[str, Any]]:
    return [{"params": list(module.parameters())}]


def trained(task: Task, training: Training) -> dict[str, Tensor]:
    module = net()
    fit(Loss(module), task.train, training, seed=0, augment=None)
    return module.state_dict()


def test_adamw_is_torchs() -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    other.load_state_dict(one.state_dict())
    made = make_optimizer(Training(lr=0.1, optimizer="adamw", weight_decay=0.3), group(one))
    torchs = torch.optim.AdamW(other.parameters(), 0.1, weight_decay=0.3)
    for module, optimizer in ((one, made), (other, torchs)):
        for _ in range(3):
            optimizer.zero_grad()
            module(torch.ones(4, 3)).square().sum().backward()
            optimizer.step()
    assert torch.equal(one.weight, other.weight)


@pytest.mark.parametrize("optimizer", ["own_optimizers:plain", "torch.optim:NAdam"])
def test_an_optimizer_of_ones_own_trains(optimizer: str, tiny: Task) -> None:
    training = Training(epochs=2, lr=0.01, batch_size=32, optimizer=optimizer)
    check_own_optimizer(training, net())
    before, after = net().state_dict(), trained(tiny, training)
    assert not torch.equal(after["classifier.weight"], before["classifier.weight"])


def test_a_groups_own_rate_keeps_its_ratio_as_the_rate_decays(tiny: Task) -> None:
    seen: list[list[float]] = []
    training = Training(epochs=2, lr=0.01, batch_size=64, optimizer="own_optimizers:two_rates")
    module = net()
    original = torch.optim.SGD.step

    def step(self: torch.optim.SGD, *given: Any) -> Any:
        seen.append([each["lr"] for each in self.param_groups])
        return original(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", step)
        fit(Loss(module), tiny.train, training, seed=0, augment=None)
    assert len({rates[1] for rates in seen}) == len(seen) > 2
    assert all(rates[0] == pytest.approx(10 * rates[1]) for rates in seen)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("raising", "must make an optimizer when called as function(groups, lr=..., weight_decay=...), got KeyError"),
        ("no_decay", "got TypeError: no_decay() got an unexpected keyword argument 'weight_decay'"),
        ("nothing", "must return a torch.optim.Optimizer, got a NoneType"),
        ("some", "parameter tensors of its groups, got an optimizer that leaves out 1"),
        ("foreign", "must train the parameters of its groups alone, got 1 others"),
        ("Stepless", "step() of its optimizer must take no argument and update, got NotImplementedError"),
        ("closed", "step() of its optimizer must take no argument and update, got TypeError"),
        ("Idle", "step() of its optimizer must change the weights, got the same after one step"),
        ("Exploding", "step() of its optimizer must keep weights finite, got inf or nan after one step"),
        ("unsettled", "must leave torch's settings as they are, it calls torch.set_default_dtype"),
        ("gone", "own_optimizers must have a function gone"),
    ],
)
def test_an_optimizer_that_cannot_train_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(RecipeError) as told:
        check_own_optimizer(Training(lr=0.01, optimizer=f"own_optimizers:{name}"), net())
    assert f"own_optimizers:{name}: " in str(told.value)
    assert sentence in str(told.value)


def test_the_source_of_an_own_optimizer_enters_every_key_that_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Training(epochs=1, optimizer="own_optimizers:plain")
    recipe = Recipe(
        "digits",
        Model("cnn"),
        (Distill(KD(), own), Prune(ResRep(), 0.5, OneShot(), Recovery(Training(epochs=1)))),
        Model("cnn"),
        own,
    )
    by_name = Recipe("digits", Model("cnn"), (Train(Training(epochs=1)),))
    before, plain = [step.key for step in plan(recipe, "data")], plan(by_name, "data")[0].key
    assert "optimizer" in plan(recipe, "data")[0].made_from
    monkeypatch.setattr("compress.training.settings.own_optimizer_source", lambda path: "another")
    after = [step.key for step in plan(recipe, "data")]
    assert len(set(before + after)) == 4
    assert plan(by_name, "data")[0].key == plain


def test_another_source_is_another_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    prints = set()
    for name in ("changing_a", "changing_b"):
        (tmp_path / f"{name}.py").write_text(f"from torch.optim import SGD as make  # {name}\n")
        prints.add(own_optimizer_source(f"{name}:make"))
    assert len(prints) == 2
