"""A user's own network through the command: a real search from its weights, a point taken away, bad input refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import paretune.cli
from compress.data.tasks import Task
from compress.machine.vision import import_torchvision
from compress.models import Model
from compress.models.own import own_family
from compress.store.files import Files
from compress.training.loop import Loss, fit
from compress.training.settings import Training
from search.beginning import launch
from search.running import local_ray
from search.study.study import Study
from spaces.space import EFFORT, Effort

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-work.md").read_text()
(MY_NET,) = re.findall(r"`my_net.py` is\n\n```python\n(.*?)```", PAGE, re.DOTALL)
(COMMAND,) = re.findall(r"paretune (search --name trained .*)\n", PAGE)
SHADOWS = (
    "compress",
    "search",
    "spaces",
    "dashboards",
    "torch",
    "ray",
    "mlflow",
    "PIL",
    "numpy",
    "json",
    "random",
    "queue",
)
Call = Callable[..., tuple[int, str, str]]
Source = Callable[[str, str], None]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `paretune` with these words in this process: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paretune", *map(str, words)])
        capfd.readouterr()
        return (paretune.cli.run(), *capfd.readouterr())

    return run


@pytest.fixture
def network(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The current folder has the documents' `my_net.py`; new processes find it, and this project."""
    source("my_net.py", MY_NET)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return source


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, digits: Task) -> Path:
    """A folder with the documents' network, its weights, and the study of two trials that its command for them makes.

    Files that have the names of our packages, of parts and of Python's own modules must not be run by anything.
    """
    folder = tmp_path_factory.mktemp("user")
    (folder / "my_net.py").write_text(MY_NET)
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('the {name}.py of the current folder was run')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setitem(EFFORT, "digits", Effort(1, 1))
        torch.manual_seed(0)
        model = Model("my_net:make").build(len(digits.classes), digits.channels)
        fit(Loss(model), digits.train, Training(epochs=12), seed=0, augment=None)
        save_file(model.state_dict(), folder / "trained.safetensors")
        patch.setattr(sys, "argv", ["paretune", *COMMAND.split(), "--trials", "2", "--home", "home"])
        assert paretune.cli.run() == 0
    return folder


@pytest.fixture
def there(searched: Path, network: Source, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, the current one."""
    monkeypatch.chdir(searched)
    return searched


def assert_refused(said: tuple[int, str, str], sentence: str) -> None:
    """Exit code 2, nothing on standard output, one sentence with these words on standard error."""
    code, out, err = said
    assert (code, out) == (2, ""), said
    assert re.search(sentence, err), err
    assert err.startswith("paretune: ")
    assert err.count("\n") == 1


TIRED = """
class Tired(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 16:  # not in a look
            raise OverflowError("too much to learn")
        return super().forward(images)

def tired(classes, channels):
    return Tired(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""


def test_a_search_all_of_whose_trials_failed_has_failed(network: Source, call: Call, tmp_path: Path) -> None:
    network("my_net.py", MY_NET + TIRED)
    given = ("--trials", 2, "--student", "my_net:tired", "--home", tmp_path / "home")
    code, out, err = call("search", "--name", "tired", *given)
    assert code == 1
    assert "trials: 2 failed" in out
    failed = "train my_net:tired failed (OverflowError: too much to learn (my_net.py line 17))"
    assert err.endswith(f"search tired: every trial failed, the first with {failed}\n")


HURT = """
import os
import torch

class Hurt(nn.Sequential):
    def forward(self, images):
        if self.training and len(images) > 16 and os.getpid() != {driver}:
            with open({log!r}, "a+") as log:
                log.seek(0)
                first = not log.read()
                print(os.getpid(), repr(os.environ.get("CUDA_VISIBLE_DEVICES")), file=log)
            if first:
                raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return super().forward(images)

def hurt(classes, channels):
    return Hurt(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""


@pytest.mark.slow
def test_a_worker_without_a_gpu_sees_none_and_one_that_lost_a_gpu_ends(
    network: Source, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORT, "digits", Effort(1, 1))
    monkeypatch.setattr(local_ray, "start", partial(local_ray.start, num_gpus=1))  # as if the machine had one
    log = tmp_path / "log"
    network("my_net.py", MY_NET + HURT.format(driver=os.getpid(), log=str(log)))
    code, _, err = call("search", "--trials", 1, "--student", "my_net:hurt", "--home", tmp_path / "home")
    assert code == 0, err
    lines = log.read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == 2, "the trial was begun again in another process"
    assert {line.split()[1] for line in lines} == {"''"}
    assert not Path(f"/proc/{lines[0].split()[0]}").exists()
    assert re.search(r"trial 0: a GPU of \S+ failed: CUDA error: an illegal .*; another goes on", err.replace("\n", ""))


ASLEEP = """
import time

class Asleep(nn.Sequential):
    def forward(self, images):
        while self.training and len(images) > 16:
            time.sleep(60)
        return super().forward(images)

def asleep(classes, channels):
    return Asleep(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))
"""


def test_a_training_that_hangs_is_given_up_at_the_trial_limit(network: Source, call: Call, tmp_path: Path) -> None:
    network("my_net.py", MY_NET + ASLEEP)
    given = ("--trials", 2, "--student", "my_net:asleep", "--home", tmp_path / "home", "--trial-limit", 1)
    code, out, err = call("search", "--name", "asleep", *given)
    assert code == 1
    assert "trials: 2 failed" in out
    assert err.endswith("search asleep: every trial failed, the first with took longer than the trial-limit of 1 s\n")
    assert list((tmp_path / "home" / "store" / "locks").iterdir()) == [], "its worker was ended and gave nothing back"


def test_a_search_finds_a_folder_by_its_relative_path(
    network: Source, call: Call, digits: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers' current folder is another one."""
    monkeypatch.setattr("spaces.space.DEFAULT_EFFORT", Effort(1, 1))
    monkeypatch.chdir(tmp_path)
    shown = next(digits.train.batches(40, augment=None))
    for number, (image, label) in enumerate(zip(shown.images, shown.targets.tolist(), strict=True)):
        place = tmp_path / "pictures" / ("test" if number % 4 == 0 else "train") / ("even", "odd")[label % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = (image[0] - image.min()) / (image.max() - image.min()) * 255
        Image.fromarray(pixels.to(torch.uint8).numpy()).save(place / f"{number}.png")
    given = ("--trials", 1, "--student", "my_net:make", "--home", tmp_path / "home")
    code, out, err = call("search", "--name", "pictures", "--task", "folder:pictures", *given)
    assert code == 0, err
    assert "trials: 1 complete" in out


def test_a_search_begins_with_the_weights_as_they_are(there: Path) -> None:
    study = Study(there / "home", "trained").record
    assert [(trial.status, trial.reason) for trial in study.trials] == [("complete", "")] * 2
    plain, cut = study.trials
    teacher = study.teacher
    assert teacher is not None
    assert (plain.recipe["student"], cut.recipe["student"]) == (teacher.recipe["student"],) * 2
    assert cut.points[0].id == teacher.id  # nothing was trained before the cut
    assert teacher.measured.score_test > 0.8
    given, stored = load_file(there / "trained.safetensors"), Files.read(Path(teacher.path)).module().state_dict()
    assert all(torch.equal(tensor, given[name]) for name, tensor in stored.items() if "num_batches" not in name)
    assert study.reference_point["params"] == teacher.measured.params > cut.points[-1].measured.params


def test_the_study_remembers_its_models_and_what_was_behind_their_names(searched: Path) -> None:
    (found,) = Study(searched / "home", "trained").header["students"].items()
    assert found[0] == f"my_net:make@{searched / 'trained.safetensors'}"
    assert {name: len(sha) for name, sha in found[1].items()} == {"source": 64, "weights": 64}


def test_a_study_goes_on_with_its_own_models(there: Path, call: Call) -> None:
    before = Study(there / "home", "trained").record
    for words in ((), ("--student", "my_net:make@trained.safetensors")):
        code, _, err = call("search", "--name", "trained", "--trials", 2, "--home", "home", "--resume", *words)
        assert code == 0, err
    assert Study(there / "home", "trained").record == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--student", "cnn"),
            "study trained: was begun with students 'my_net:make@.*/trained.safetensors', got 'cnn'",
        ),
        (("--teacher", "cnn"), "study trained: was begun with teachers those of its space, got 'cnn'"),
    ],
)
def test_a_study_does_not_go_on_with_other_models(
    there: Path, call: Call, words: tuple[str, ...], sentence: str
) -> None:
    assert_refused(call("search", "--name", "trained", "--home", "home", "--resume", *words), sentence)


@pytest.mark.parametrize("part", ["source", "weights"])
def test_a_study_does_not_go_on_when_what_is_behind_a_name_has_changed(there: Path, call: Call, part: str) -> None:
    file = there / {"source": "my_net.py", "weights": "trained.safetensors"}[part]
    before = file.read_bytes()
    try:
        file.write_bytes(before + b"#\n")
        own_family.cache_clear()
        said = call("search", "--name", "trained", "--home", "home", "--resume")
    finally:
        file.write_bytes(before)
        own_family.cache_clear()
    assert_refused(said, f"must be as it was when the study was begun, got another {part}; begin a new study")


def test_a_point_is_taken_away_and_proven_and_elsewhere_its_code_runs_only_if_named(
    there: Path, call: Call, tmp_path: Path
) -> None:
    words = ("--home", "home", "--max-params", "60%", "--export", tmp_path / "out", "--json")
    code, out, err = call("select", "trained", *words)
    assert code == 0, err
    found = json.loads(out)
    assert found["export"]["accuracy"] == found["best"]["accuracy"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "paretune", "evaluate", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=elsewhere)
    assert "measuring them would run my_net:make; if you trust it, say --network my_net:make" in done.stderr
    alone = json.loads(done.stdout)
    assert (alone["accuracy"], alone.get("params")) == (found["best"]["accuracy"], None)
    command += ["--network", "my_net:make"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=elsewhere)
    assert_refused((done.returncode, done.stdout, done.stderr), "my_net:make: my_net must be importable, from the cur")


BAD = [
    (("--student", "cube"), "model: unknown 'cube', known are .* and package.module:function"),
    (("--student", "a/b:c"), "must be named as package.module:function or FILE.py:function, got 'a/b:c'"),
    (("--student", "no_such:make"), "no_such:make: no_such must be importable, .* No module named 'no_such'"),
    (("--student", "my_net:none"), "my_net:none: my_net must have a function none"),
    (("--student", "my_net.py:none"), "/my_net.py:none: /.*/my_net.py must have a function none, it has none"),
    (("--student", "no_such.py:make"), "no_such.py must be a file of Python, got FileNotFoundError"),
    (("--optimizer", "no_such.py:make", "--lr", ".1"), "no_such.py must be a file of Python, got FileNotFoundError"),
    (("--student", "my_net:wrong"), r"my_net:wrong: must return an nn.Module, got a int"),
    (
        ("--student", "my_net:raises"),
        r"my_net:raises: must make a network when called with \(10, 1\), got ValueError: No",
    ),
    (
        ("--student", "my_net:seven"),
        "my_net:seven: must end in a classifier, an nn.Linear or nn.Conv2d of 10 outputs, got 1 of 7",
    ),
    (("--student", "my_net:large"), "my_net:large: must take images of 1x8x8, got RuntimeError"),
    (
        ("--student", "my_net:auxiliary"),
        r"my_net:auxiliary: in training mode must give logits of shape \(3, 10\), got a",
    ),
    (("--teacher", "my_net:in_place"), "my_net:in_place: must leave the images as they are, it changes them in pl"),
    (("--student", "my_net:make@no.pt"), "my_net:make: its weights .*/no.pt must be readable, .* got No such file"),
    (("--student", "my_net:make@bad.pt"), r"my_net:make: the tensors in .* got \d+ missing \(.*\); 1 unexpected \(a\)"),
    (("--student", "my_net:make@code.pt"), "must hold a state dict and nothing else, for no code in it is ever run"),
    (
        ("--student", "my_net:make@w.h5"),
        "my_net:make: weights must be a file .safetensors, .pt, .*, .pth.tar or t",
    ),
    (("--student", "cnn", "--student", "cnn"), "student: each must have a name and a file name of its own, got 'cnn'"),
    (("--teacher", "cnn@torchvision:X"), "cnn: torchvision has no weights for it, only for resnet18"),
    (
        ("--teacher", "resnet18@torchvision:X"),
        "resnet18: torchvision's weights must be one of IMAGENET1K_V1, .*'X'",
    ),
    (("--teacher", "resnet18@torchvision:IMAGENET1K_V1"), "must lie in .*/resnet18-f37072fd.pth, for nothing is downl"),
    (("--teacher", "snn-1k"), "snn-1k: images must be at least 14x14, got 8x8"),
    (
        ("--space", "malihi2023", "--student", "cnn"),
        "student: malihi2023 is about models of its own, got 'cnn'; use ano",
    ),
]
MORE = """
def wrong(classes, channels): return 5
def raises(classes, channels): raise ValueError("No.\\nMore.")
def seven(classes, channels): return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
def large(classes, channels): return nn.Sequential(nn.Conv2d(channels, 4, 9), nn.Flatten(), nn.Linear(4, classes))

class Auxiliary(nn.Sequential):
    def forward(self, images):
        return (super().forward(images), images.mean()) if self.training else super().forward(images)
class InPlace(nn.Sequential):
    def forward(self, images): return super().forward(images.mul_(2))
def auxiliary(classes, channels): return Auxiliary(nn.Flatten(), nn.Linear(64, classes))
def in_place(classes, channels): return InPlace(nn.Flatten(), nn.Linear(64, classes))
"""


@pytest.mark.parametrize(("words", "sentence"), BAD, ids=[" ".join(words)[:40] for words, _ in BAD])
def test_a_search_for_a_network_that_will_not_do_is_refused_and_nothing_is_made(
    network: Source, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    network("my_net.py", MY_NET + MORE)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    torch.save({"a": torch.ones(1)}, tmp_path / "bad.pt")
    torch.save({"a": Path("x")}, tmp_path / "code.pt")
    assert_refused(call("search", "--home", tmp_path / "home", *words), sentence)
    assert not (tmp_path / "home").exists()


def test_the_installed_command_imports_from_the_current_folder_and_shows_no_warnings(network: Source) -> None:
    network("my_net.py", MY_NET + "\nimport warnings\nwarnings.warn('deprecated')\n")
    command = str(Path(sys.executable).with_name("paretune"))
    words = ("search", "--home", "home", "--student", "my_net:make@missing.pt")
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert_refused((done.returncode, done.stdout, done.stderr), "my_net:make: its weights .*/missing.pt must be read")


def test_layers_that_torchvisions_weights_do_not_fit_are_named_once(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    state = import_torchvision().models.resnet18().state_dict()
    torch.save(state, tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth")

    def stop(*_: object) -> None:
        raise ValueError("far enough")

    monkeypatch.setattr(launch, "hold", stop)
    words = ("--teacher", "resnet18@torchvision:IMAGENET1K_V1", "--student", "cnn")
    assert_refused(call("search", "--home", tmp_path / "home", *words), "far enough")
    assert caplog.messages == [
        "resnet18@torchvision:IMAGENET1K_V1: conv1 and fc fit other images or classes, so they begin untrained"
    ]


BRANCHING = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3)
        self.fc = nn.Linear(8, classes)
    def forward(self, images):
        pooled = self.conv(images).mean((2, 3))
        if pooled.sum() > 1e9:
            pooled = -pooled
        return self.fc(%s)
"""


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (BRANCHING % "pooled", "torch.export cannot trace this network: .*; forward must not branch on the values"),
        (BRANCHING.replace("sum() > 1e9", "dim() > 2") % "torch.special.airy_ai(pooled)", "ask for --format pt2"),
        (BRANCHING.replace("sum() > 1e9", "dim() > 2") % "pooled", None),
    ],
)
def test_what_stands_in_the_way_of_an_export_is_said_before_anything_trains(
    call: Call,
    network: Source,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: str,
    why: str | None,
) -> None:
    network("my_net.py", given)

    def stop(*_: object) -> None:
        raise ValueError("far enough")

    monkeypatch.setattr(launch, "hold", stop)
    assert_refused(call("search", "--home", "home", "--student", "my_net:Net", "--teacher", "my_net:Net"), "far enough")
    said = [record.message for record in caplog.records if record.name == "search.beginning.begin_checks"]
    assert len(said) == (why is not None)
    for line in said:
        assert re.search(f"my_net:Net: its models will be .* not exported in every format: export: .*{why}", line)
