"""Without an identity, a checkpoint goes on with the method that wrote it and with no other."""

import subprocess
import sys
from dataclasses import fields
from types import ModuleType

import pytest
import torch

from bad_input import one_line
from snnbook import (
    LIF,
    TET,
    Direct,
    DirectConfig,
    NetworkConfig,
    Recipe,
    SpikingNetwork,
    TETConfig,
    build_snn,
    fit,
)
from snnbook.data import Dataset
from snnbook.trainers import METHODS
from snnbook.trainers.loop.checkpoint import described

IMAGES, LABELS = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
DATA = Dataset.from_tensors(IMAGES, LABELS, IMAGES, LABELS)
RECIPE = Recipe(epochs=2, batch_size=8, augment=())


def direct(time_steps=2, name="resnet18", **neuron):
    torch.manual_seed(0)
    settings = NetworkConfig(name, width=4, time_steps=time_steps, neuron_options=neuron)
    return Direct(DirectConfig(), build_snn(settings, 4))


def tet(**settings):
    return TET(TETConfig(**settings), direct().network)


def run(method, path, **options):
    return fit(method, DATA, RECIPE, seed=0, checkpoint=path, progress=False, **options)


OTHERS = {
    "class": tet,
    "T": lambda: direct(3),
    "decay": lambda: direct(decay=0.9),
    "threshold": lambda: direct(threshold=0.9),
    "reset": lambda: direct(reset="soft"),
    "detach": lambda: direct(detach_reset=True),
    "surrogate": lambda: direct(surrogate={"name": "sigmoid", "k": 10}),
    "scale": lambda: direct(scale_input=True),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_method_is_refused(other, tmp_path):
    path = tmp_path / "run.pt"
    history = run(direct(), path)
    content = path.read_bytes()
    one_line(lambda: run(OTHERS[other](), path), "belongs to another experiment")
    assert path.read_bytes() == content
    assert run(direct(), path).losses == history.losses


class Scaled(torch.nn.Module):
    """A layer of one's own, whose number is no parameter."""

    def __init__(self, by):
        super().__init__()
        self.by, self.calls = by, []

    def forward(self, x):
        self.calls.append(len(x))
        return self.by * x


def test_numbers_and_texts_of_one_s_own_layers_count():
    def method(by):
        method = direct()
        method.network.backbone.last = Scaled(by)
        return method

    assert described(method(1)) == described(method(1))
    found = [described(method(by)) for by in (1, 50, 1.5, "one", (1, 2), None)]
    assert len(set(found)) == len(found)
    before, used = described(method(1)), method(1)
    used.network.backbone.last(IMAGES)
    assert described(used) == before  # what training changes


def test_where_time_begins_counts():
    def method(encode):
        stack = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), LIF(), torch.nn.Linear(144, 4)
        )
        return Direct(DirectConfig(), SpikingNetwork(stack, 2, encode=encode))

    assert len({described(method(encode)) for encode in (None, "0", "1")}) == 3


def test_settings_of_a_method_count():
    assert described(tet(lam=0.1)) != described(tet(lam=0.9))
    assert described(tet(lam=0.1)) == described(tet(lam=0.1))


# A value of each setting that is not its default, and what must be set beside it.
ANOTHER = {
    "at": 3,
    "batch_size": 32,
    "batchnorm": "merged",
    "beta": 7.0,
    "candidates": "inner",
    "ce": 0.5,
    "constant_attention": 2,
    "detach": False,
    "embedding": 8,
    "exits": "bottleneck",
    "factorize": "full",
    "factorize_stem": False,
    "kld": 0.5,
    "label_loss": "tet",
    "lam": 0.5,
    "loss": "ce_rate",
    "mode": "official",
    "norm": 0.5,
    "phi": 2.0,
    "preset": "semckd",
    "projection": "semckd",
    "readout": "sum",
    "recompute": True,
    "share_bias": True,
    "student_layer": 2,
    "student_pooling": "average",
    "teacher": {"name": "resnet18", "width": 8},
    "teacher_layer": 2,
    "temperature": 2.0,
    "train": "ann",
}
BESIDE = {name: {"student_layer": 1, "teacher_layer": 1} for name in ("student_layer", "teacher_layer")}
SETTINGS = [(name, item.name) for name in METHODS for item in fields(METHODS[name].Config)]


def named(name, time_steps=2, neuron=None, **settings):
    """The name of a method of the registry with these settings, of itself and of its network."""
    method, config = METHODS[name], METHODS[name].Config(**settings)
    network = NetworkConfig("resnet18", width=4, time_steps=time_steps, neuron_options=neuron or {})
    sizes = (len(DATA.classes), DATA.channels)
    needs = [method.stand_in(config, network, *sizes) for _ in getattr(method, "needs", ())]
    return described(method(config, network, *sizes, *needs))


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_each_setting_of_each_method_counts(name, setting):
    settings = BESIDE.get(setting, {})
    assert named(name, **settings) == named(name, **settings)
    assert named(name, **settings) != named(name, **{**settings, setting: ANOTHER[setting]})


@pytest.mark.parametrize("name", METHODS)
def test_time_steps_and_neurons_of_each_method_count(name):
    neurons = {}, {"decay": 0.9}, {"threshold": 0.9}
    assert len({named(name), named(name, time_steps=3), *(named(name, neuron=n) for n in neurons)}) == 4


def test_what_was_learned_does_not_count(tmp_path):
    path = tmp_path / "run.pt"
    method = direct(learn_decay=True, learn_threshold=True)
    name = described(method)
    run(method, path)
    decay = next(m for m in method.modules() if hasattr(m, "dynamics")).decay.item()
    assert decay != direct(learn_decay=True).network.backbone.encode.decay.item()
    assert described(method.eval()) == name
    assert (
        fit(method, DATA, RECIPE, seed=0, checkpoint=path, progress=False).epochs == 2
    )  # goes on with itself


SCRIPT = """
import torch
from torch import nn
import snnbook as S
from snnbook.trainers.loop.checkpoint import described
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.function = lambda x: x
    def extra_repr(self):
        return repr(self.function) + repr(object())
network = S.SpikingNetwork(nn.Sequential(Own(), nn.Conv2d(3, 3, 1), S.LIF()), 2)
print(described(S.Direct(S.DirectConfig(), network)))
"""


def test_a_name_is_the_same_in_another_process():
    names = [subprocess.check_output([sys.executable, "-c", SCRIPT], text=True) for _ in range(2)]
    assert names[0] == names[1]
    assert names[0].startswith("Direct ")


def test_a_network_tells_its_time_steps():
    assert "T=3" in repr(direct(3).network)


OWN = """
import torch
from snnbook import Surrogate


class Tent(Surrogate):
    def __init__(self, width=1.0):
        self.width = width

    def derivative(self, x):  # {comment}
        return {body}
"""


def own(folder, name, body, comment="its slope", **numbers):
    """A surrogate of one's own, read from a file as a notebook or a script would have it."""
    path = folder / f"{name}.py"
    path.write_text(OWN.format(body=body, comment=comment))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return described(direct(surrogate=module.Tent(**numbers)))


def test_a_surrogate_of_ones_own_is_told_by_its_code_and_numbers(tmp_path):
    body = "(self.width - x.abs()).clamp(min=0)"
    first = own(tmp_path, "one", body)
    assert own(tmp_path, "two", body) == own(tmp_path, "three", body, "another comment") == first
    assert own(tmp_path, "four", "0 * x") != first
    assert own(tmp_path, "five", body, width=0.5) != first


def test_a_method_of_ones_own_is_told_by_its_code():
    class Mine(Direct):
        def forward(self, images, labels):
            return super().forward(images, labels)

    one = described(Mine(DirectConfig(), direct().network))

    class Mine(Direct):
        def forward(self, images, labels):
            return {"none": 0 * super().forward(images, labels)["ce"]}

    assert described(Mine(DirectConfig(), direct().network)) != one


def test_constants_and_properties_of_ones_own_are_told():
    class Mine(Direct):
        share = 0.1

        @property
        def half(self):
            return 0.5

    one = Mine(DirectConfig(), direct().network)
    first = described(one)
    Mine.share = 0.9
    second = described(one)
    Mine.half = property(lambda self: 0.25)
    assert len({first, second, described(one)}) == 3
