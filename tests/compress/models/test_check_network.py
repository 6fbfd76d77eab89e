"""The look at a user's network before anything trains: what no search could rely on is one sentence with its remedy."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from compress.errors import RecipeError
from compress.models import Model
from compress.models.check_network import check_network

Source = Callable[[str, str], None]
NETS = """
import collections, random, sys
from dataclasses import dataclass
import numpy, torch
from torch import nn
from torch.nn import functional as F

def body(c):
    layers = nn.Conv2d(c, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers)

class Net(nn.Module):
    def __init__(self, k, c):
        super().__init__()
        self.body, self.spare, self.last = body(c), nn.Linear(8, k), nn.Linear(8, k)
    def forward(self, x): return self.last(self.after(self.body(self.before(x))))
    def before(self, x): return x
    def after(self, x): return x
make = Net

class Aux(Net):
    def pair(self, a, b): return a, b
    def forward(self, x):
        maps = self.body(x)
        return self.pair(self.last(maps), self.spare(maps)) if self.training else self.last(maps)
class AuxDict(Aux):
    def pair(self, a, b): return {"logits": a, "aux": b}
Outputs = collections.namedtuple("Outputs", ("logits", "aux_logits"))
class AuxNamed(Aux):
    def pair(self, a, b): return Outputs(a, b)
@dataclass
class Both: logits: object; loss: object = None
class AuxData(Aux):
    def pair(self, a, b): return Both(a)
class AuxList(Aux):
    def pair(self, a, b): return [a, b]
class AuxStack(Aux):
    def pair(self, a, b): return torch.stack((a, b))
class Everywhere(Aux):
    def forward(self, x): return {"logits": self.last(self.body(x))}
class Elsewhere(Net):
    def __init__(self, k, c): super().__init__(k, c); self.other = nn.Linear(8, k)
    def forward(self, x): self.guess = self.other(self.body(x)).detach(); return super().forward(x)
class Labels(Net):
    def forward(self, x): return super().forward(x).argsort(1)
class Squeezes(Net):
    def after(self, x): return x.squeeze()
class Trains(Net):
    def before(self, x):
        if self.training: raise OverflowError("too much to learn\\nand more")
        return x

class InPlace(Net):
    def before(self, x): x -= 0.5; return x.mul_(2)
class InPlaceTraining(Net):
    def before(self, x): return x.add_(torch.randn_like(x)) if self.training else x
class InPlaceView(Net):
    def before(self, x): x[:, :1].flatten(1).clamp_(0, 1); return x
class InPlaceErased(Net):
    def before(self, x): x[..., :2, :2] = 0; return x
def in_place_first(k, c): return nn.Sequential(nn.ReLU(inplace=True), body(c), nn.Linear(8, k))
def in_place_inside(k, c):
    inside = nn.Conv2d(c, 8, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, k)
    return nn.Sequential(*inside)
class InPlaceCopy(Net):
    def before(self, x): return x.clone().mul_(2)

class Dropout(Net):
    def after(self, x): return F.dropout(x, 0.5)
class RareDropout(Net):
    def after(self, x): return x if torch.rand(()) < 1 - 1e-6 else x * 2
class Noise(Net):
    def before(self, x): return x + 0.1 * torch.randn_like(x)
class PythonsNoise(Net):
    def after(self, x): return x * random.uniform(0.5, 1.5)
class NumpysNoise(Net):
    dice = numpy.random.default_rng(0)
    def after(self, x): return x * self.dice.uniform(0.5, 1.5)
class StubbornDropout(Net):
    def __init__(self, k, c): super().__init__(k, c); self.drop = nn.Dropout()
    def train(self, mode=True): super().train(mode); self.drop.training = True; return self
    def after(self, x): return self.drop(x)
class TrainingDropout(Net):
    def after(self, x): return F.dropout(x, 0.5, self.training)

class Untracked(Net):
    def __init__(self, k, c): super().__init__(k, c); self.body[1] = nn.BatchNorm2d(8, track_running_stats=False)
class UntrackedBranch(Untracked):
    def __init__(self, k, c):
        super().__init__(k, c)
        nn.init.zeros_(self.body[1].weight), nn.init.zeros_(self.last.weight)
class StubbornNorm(Net):
    def train(self, mode=True): super().train(mode); self.body[1].training = True; return self
class FunctionalNorm(Net):
    def after(self, x): return F.batch_norm(x, None, None, training=True) if len(x) > 1 else x
class Centred(Net):
    def before(self, x): return x - x.mean()
class Counting(Net):
    def __init__(self, k, c): super().__init__(k, c); self.register_buffer("calls", torch.zeros(()))
    def after(self, x): self.calls += 1; return x * self.calls
class Remembering(Net):
    seen = 0.0
    def after(self, x): x = x + self.seen; self.seen = x.detach().mean(); return x
class Idle(Net):
    def __init__(self, k, c): super().__init__(k, c); self.register_buffer("calls", torch.zeros(()))
    def after(self, x): self.calls += 1; return x
def plain_norm(k, c):
    net = Net(k, c); net.body[1] = nn.BatchNorm2d(8, affine=False); return net
def instance_norm(k, c):
    net = Net(k, c); net.body[1] = nn.InstanceNorm2d(8, affine=True); return net
class NormAtTheEnd(Net):
    def __init__(self, k, c): super().__init__(k, c); self.body.append(nn.BatchNorm1d(8))

def frozen(k, c): return Net(k, c).requires_grad_(False)
def frozen_layer(k, c):
    net = Net(k, c); net.body[0].requires_grad_(False); return net
class FrozenScale(Net):
    def __init__(self, k, c):
        super().__init__(k, c); self.scale = nn.Parameter(torch.ones(8), requires_grad=False)
    def after(self, x): return x * self.scale
class Unlearning(Net):
    def forward(self, x):
        with torch.no_grad(): return super().forward(x)
class Overwritten(Net):
    def after(self, x): x = F.relu(x); x.mul_(2); return torch.sigmoid(x).mul_(2) + x
def lazy(k, c): return nn.Sequential(nn.LazyConv2d(8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, k))
def empty(k, c):
    with torch.device("meta"): return Net(k, c)
def double(k, c): return Net(k, c).double()
def brain(k, c): return Net(k, c).bfloat16()
def half_head(k, c):
    net = Net(k, c); net.spare.half(); return net
class Waves(Net):
    def __init__(self, k, c): super().__init__(k, c); self.waves = nn.Parameter(torch.ones(8, dtype=torch.cfloat))
    def after(self, x): return x + (x * self.waves).real
def not_a_number(k, c):
    net = Net(k, c); nn.init.constant_(net.last.bias, float("nan")); return net
def endless(k, c):
    net = Net(k, c); net.body[0].weight.data[0, 0, 0, 0] = float("inf"); return net
def lost_statistics(k, c):
    net = Net(k, c); net.body[1].running_var.fill_(float("nan")); return net
class Rows(Net):
    def after(self, x): return x * (torch.arange(len(x)) < 64).view(-1, *[1] * (x.dim() - 1))
class Chunks(Net):
    def after(self, x): return x if len(x) <= 64 else torch.cat([x[:64], x[:1].expand(len(x) - 64, *x.shape[1:])])
class Louder(Net):
    def after(self, x): return x if len(x) <= 64 else 2 * x
class Cycle(Net):
    def after(self, x): return x * (1.0 + (torch.arange(len(x)) % 7 == 6).view(-1, *[1] * (x.dim() - 1)))
class Masked(Net):
    def __init__(self, k, c): super().__init__(k, c); self.register_buffer("mask", torch.full((8,), -torch.inf))
    def after(self, x): return torch.maximum(x, self.mask)
class Logarithm(Net):
    def after(self, x): return torch.log(x - x)
class Softmax(Net):
    def forward(self, x): return super().forward(x).softmax(1)
class LogSoftmax(Net):
    def forward(self, x): return super().forward(x).log_softmax(1)
def parallel(k, c): return nn.DataParallel(Net(k, c))
def compiled(k, c): return torch.compile(Net(k, c))
def compiled_body(k, c):
    net = Net(k, c); net.body.compile(); return net
class Uncopied(Net):
    def __init__(self, k, c): super().__init__(k, c); self.lines = (line for line in "ab")
def scripted(k, c): return torch.jit.script(Net(k, c).body)
def scripted_body(k, c):
    net = Net(k, c); net.body = torch.jit.script(net.body); return net
def sparse(k, c):
    net = Net(k, c); net.last.weight = nn.Parameter(net.last.weight.detach().to_sparse()); return net
def sparse_mask(k, c):
    net = Net(k, c); net.register_buffer("mask", torch.eye(2).to_sparse()); return net
def whole_width(k, c, width=1): return nn.Sequential(*(Net(k, c) for _ in range(width)))
def in_eval_mode(k, c): return Net(k, c).eval()
def leaves(k, c): sys.exit("usage: train.py DATA")
class Leaving(Net):
    def after(self, x): sys.exit(3)
class Mute(Exception):
    def __str__(self): raise ValueError
class Silent(Net):
    def after(self, x): raise Mute
class Wordy(Net):
    def after(self, x): raise ValueError("x" * 5000)
def gradless(k, c): torch.set_grad_enabled(False); return Net(k, c)
def seeded(k, c): torch.manual_seed(3); return Net(k, c)
def seeded_after(k, c):
    net = Net(k, c); torch.random.manual_seed(3); return net
def seeds_aside(k, c):
    with torch.random.fork_rng(): torch.manual_seed(3); fixed = torch.randn(8)
    net = Net(k, c); net.register_buffer("fixed", fixed); return net
def talks(k, c): print("made"); return Net(k, c)
"""


@pytest.fixture
def nets(source: Source) -> None:
    """The current folder has `nets.py`."""
    source("nets.py", NETS)


ALONE = "return the logits alone, in both modes"
COPY = "must leave the images as they are, it changes them in place; begin forward with images = images.clone"
DRAWS = "must draw no random numbers in eval mode, it does.*; where forward calls F.dropout, give it training="
ALIKE = r"must give the same images the same logits in eval mode, got some [\d.]+% apart"
BATCH = r"an image's logits must not depend on the rest of its batch in eval mode, got some [\d.]+% apart"
PLACE = r"must not depend on the size of its batch or its place there in eval mode, in a batch of \d+ they do; size no"
BAD = [
    ("Aux", rf"in training mode must give logits of shape \(3, 10\), got a tuple; {ALONE}"),
    ("AuxDict", "in training mode must give logits .*, got a dict"),
    ("AuxNamed", "in training mode must give logits .*, got a Outputs"),
    ("AuxData", "in training mode must give logits .*, got a Both"),
    ("AuxList", "in training mode must give logits .*, got a list"),
    ("AuxStack", r"in training mode must give logits .*, got shape \(2, 3, 10\)"),
    ("Everywhere", rf": must give logits .*, got a dict; {ALONE}"),
    ("Elsewhere", "its logits must come from its classifier other, they do not; name the layer they come from in head"),
    ("Labels", r"must give logits of shape \(3, 10\), got int64 of shape \(3, 10\)"),
    ("Squeezes", r"must give logits of shape \(1, 10\), got shape \(10,\)"),
    (
        "Trains",
        r"must take images of 1x8x8 in training mode, got OverflowError: too much to learn \(nets\.py line \d+\)$",
    ),
    ("InPlace", COPY),
    ("InPlaceTraining", COPY),
    ("InPlaceView", COPY),
    ("InPlaceErased", COPY),
    ("in_place_first", f"{COPY}.*, or its first layer with inplace=False"),
    ("Dropout", DRAWS),
    ("RareDropout", DRAWS),
    ("Noise", DRAWS),
    ("PythonsNoise", DRAWS),
    ("NumpysNoise", f"{ALIKE}; keep nothing in forward for the next call"),
    ("StubbornDropout", r"it does \(drop stays in training mode after eval\(\)\)"),
    ("Rows", PLACE),
    ("Chunks", PLACE),
    ("Louder", PLACE),
    ("Cycle", PLACE),
    ("Untracked", f"{BATCH}; give body.1 track_running_stats=True"),
    ("UntrackedBranch", f"{BATCH}; give body.1 track_running_stats=True"),
    ("StubbornNorm", r"apart \(body.1 stays in training mode after eval\(\)\)"),
    ("FunctionalNorm", f"{BATCH}; take means over each image, not over the batch"),
    ("Centred", BATCH),
    ("Counting", ALIKE),
    ("Remembering", ALIKE),
    ("frozen", "every layer must be trainable, got layer body.0 frozen; set requires_grad"),
    ("frozen_layer", "every layer must be trainable, got layer body.0 frozen; set requires_grad"),
    ("Unlearning", "its logits must have a gradient in training mode, they have none; run nothing in forward under"),
    ("Overwritten", "must be trained by the gradient of its logits, got RuntimeError: one of the variables needed"),
    ("lazy", "0.weight must have values, got none; run the network once before returning it"),
    ("empty", "body.0.weight must have values, got none"),
    (
        "double",
        r"must be float32, as the images are, got float64 in body.0.weight; return it as .float\(\)",
    ),
    ("brain", "got bfloat16 in body.0.weight"),
    ("half_head", "got float16 in spare.weight"),
    ("Waves", "got complex64 in waves; hold torch.view_as_real of it"),
    ("sparse", r"its tensors must be dense, got sparse_coo in last.weight; hold it as .to_dense\(\)"),
    ("sparse_mask", "its tensors must be dense, got sparse_coo in mask"),
    ("scripted", "must be the plain network, got it as TorchScript; return the module before torch.jit.script"),
    ("scripted_body", "must be the plain network, got body as TorchScript"),
    ("whole_width", r"called with \(10, 1, 1.0\), got TypeError: .*; width is a float: round what it is multiplied by"),
    ("not_a_number", "its weights must be finite, got nan in last.bias"),
    ("endless", "its weights must be finite, got inf in body.0.weight"),
    ("lost_statistics", "its weights must be finite, got nan in body.1.running_var"),
    ("Logarithm", "must give finite logits for images of noise, got (nan|-inf)"),
    ("Softmax", "must give logits, got shares that add up to 1; leave the softmax out"),
    ("parallel", "must be the plain network, got it in nn.DataParallel"),
    ("compiled", "must be the plain network, got it in torch.compile"),
    ("compiled_body", "must be the plain network, got body in torch.compile"),
    ("Uncopied", r"copy.deepcopy must copy it .*, got TypeError: cannot pickle 'generator' object"),
    ("leaves", r"must make a network when called with \(10, 1\), got SystemExit: usage: train.py DATA"),
    ("Leaving", "must take images of 1x8x8, got SystemExit: 3"),
    ("Silent", r"must take images of 1x8x8, got Mute \(nets\.py line \d+\)$"),
    ("Wordy", r"got ValueError: x{300} \.\.\. \(nets\.py line \d+\)$"),
    ("seeded", "must leave torch's seed to the search, it sets the seed; take torch.manual_seed out$"),
    ("seeded_after", "must leave torch's seed to the search, it sets the seed"),
    ("gradless", "its module must leave torch's settings as they are, it calls torch.set_grad_enabled"),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch.compile's own, and TorchScript's
@pytest.mark.parametrize(("name", "sentence"), BAD, ids=[name for name, _ in BAD])
def test_a_network_that_no_search_can_rely_on_is_one_sentence(
    nets: None, name: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = sys.modules[torch.nn.DataParallel.__module__]  # its name is also that of a function
    monkeypatch.setattr(wrapper, "_get_available_device_type", lambda: None)  # no pretended GPU
    with pytest.raises(RecipeError, match=sentence) as caught:
        Model(f"nets:{name}").check(10, (1, 8, 8))
    assert str(caught.value).startswith(f"nets:{name}: ")
    assert "\n" not in str(caught.value)


GOOD = [
    *("make", "in_place_inside", "InPlaceCopy", "TrainingDropout", "Idle", "plain_norm", "instance_norm"),
    *("NormAtTheEnd", "FrozenScale", "Masked", "LogSoftmax", "in_eval_mode", "talks", "seeds_aside"),
]


@pytest.mark.parametrize("name", GOOD)
def test_a_network_that_a_search_can_rely_on_passes(nets: None, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before, drawn = torch.get_rng_state(), (random.getstate(), repr(np.random.get_state()))
    assert Model(f"nets:{name}").check(10, (1, 8, 8)) == ()
    assert torch.equal(before, torch.get_rng_state())
    assert drawn == (random.getstate(), repr(np.random.get_state()))
    assert capsys.readouterr().out == ""  # standard output is for JSON


@pytest.mark.parametrize(
    "call", ["set_default_dtype(torch.float64)", "set_grad_enabled(False)", "set_default_device('meta')"]
)
def test_a_file_that_changes_torch_for_everybody_is_refused_and_torch_is_as_it_was(source: Source, call: str) -> None:
    source("loud.py", f"import torch\ntorch.{call}\nfrom torch import nn\nmake = lambda k, c: nn.Linear(1, k)\n")
    for _ in range(2):
        with pytest.raises(RecipeError, match=rf"loud:make: .* as they are, it calls torch.{call.partition('(')[0]}$"):
            Model("loud:make").check(10, (1, 8, 8))
        assert torch.zeros(1, requires_grad=True).mul(2).requires_grad
        assert (torch.zeros(1).dtype, torch.zeros(1).device.type) == (torch.float32, "cpu")


def test_a_script_that_wants_arguments_does_not_end_the_command(source: Source) -> None:
    source("script.py", "import argparse\nargparse.ArgumentParser().parse_args(['--no'])\n")
    with pytest.raises(RecipeError, match=r"script:make: script must be importable, .* got SystemExit: 2"):
        Model("script:make").check(10, (1, 8, 8))


def test_a_network_is_looked_at_once_while_its_source_stays(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    text = "from torch import nn\ndef make(k, c):\n    print('made')\n"
    for change in ("", "# changed\n"):
        source("told.py", f"{text}    return nn.Sequential(nn.Flatten(), nn.Linear(64, k))\n{change}")
        for _ in range(3):
            assert Model("told:make").check(10, (1, 8, 8)) == ()
        assert capsys.readouterr().err == "made\n" * 3  # with two seeds, and to be looked at


def test_maps_that_happen_to_be_positive_are_logits() -> None:
    maps = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.Softplus())
    images = torch.randn(3, 1, 5, 6, generator=torch.Generator().manual_seed(0))
    check_network("maps", maps, images, (2, 5, 6))
