"""What methods and neurons are given by hand: their own settings, networks, labels and surrogates, or one line."""

import copy
import pickle
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook import trainers
from snnbook.analysis.config import AnalysisConfig
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.data import Dataset
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork
from snnbook.losses import every_moment, kl_divergence, sdt, tet
from snnbook.losses.joint import cross_entropy
from snnbook.neurons import IF, LIF, PLIF
from snnbook.surrogates import Surrogate
from snnbook.trainers import METHODS
from snnbook.trainers.loop.recipe import Recipe

NETWORK = NetworkConfig("resnet18", width=4, time_steps=2)
IMAGES, LABELS = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])


def built(name, config, network=NETWORK):
    needs = [build_ann(NETWORK, 10)] if getattr(METHODS[name], "needs", ()) else []
    return METHODS[name](config, network, 10, 3, *needs)


OWN = {
    name: method.Config(**({"batch_size": 8} if name == "sastc" else {})) for name, method in METHODS.items()
}
NONE = [
    None,
    "direct",
    {},
    dict(train="ann"),
    METHODS,
    Recipe(),
    NETWORK,
    trainers,
    3.0,
    *map(type, OWN.values()),
]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_its_own_settings_alone(name):
    built(name, OWN[name])
    for other in (*(config for key, config in OWN.items() if key != name), *NONE):
        one_line(
            lambda other=other: built(name, other), "config is", f"expected a {type(OWN[name]).__name__}"
        )


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_a_network_alone(name):
    for other in (None, "resnet18", {}, Recipe(), nn.Linear, NetworkConfig, 3):
        one_line(lambda other=other: built(name, OWN[name], other), "expected")


def test_a_network_is_compiled_with_its_method():
    network = SpikingNetwork(nn.Linear(2, 2), 2)
    direct, ann = METHODS["direct"], METHODS["direct"].Config("ann")
    one_line(lambda: direct(OWN["direct"], torch.compile(network)), "is compiled", "recipe.compile")
    one_line(lambda: direct(ann, torch.compile(network)), "SpikingNetwork", "trains an ANN")
    direct(ann, torch.compile(nn.Linear(2, 2)))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_pickled_and_copied_after_a_step(name):
    method = built(name, OWN[name])
    images, labels = (x.repeat(2, *[1] * (x.dim() - 1)) for x in (IMAGES, LABELS))
    sum(method(images, labels).values()).backward()
    for twin in (pickle.loads(pickle.dumps(method)), copy.deepcopy(method)):
        method.eval(), twin.eval()
        for kind, logits in method.predict(images).items():
            assert torch.equal(logits, twin.predict(images)[kind])


@pytest.mark.parametrize("name", METHODS)
def test_labels_that_are_no_classes(name):
    method = built(name, OWN[name])
    images = IMAGES.repeat(2, 1, 1, 1)
    for labels in (
        torch.ones(8, dtype=torch.bool),
        torch.arange(8.0),
        torch.full((8,), 10),
        torch.zeros(7).long(),
    ):
        one_line(lambda labels=labels: method(images, labels), "labels")


def test_truth_values_are_no_classes():
    labels, outputs = torch.tensor([True, False]), torch.rand(3, 2, 4)
    for loss in (sdt, every_moment, tet):
        one_line(lambda loss=loss: loss(outputs, labels), "labels are torch.bool")
    one_line(lambda: cross_entropy([outputs[0]], labels), "labels are torch.bool")
    one_line(lambda: kl_divergence(outputs[0], labels), "expected")


# Surrogates


class Tent(Surrogate):
    def derivative(self, x):
        return (1 - x.abs()).clamp(min=0)


class Whole(Tent):
    def derivative(self, x):
        return torch.ones(())


class Flat(Tent):
    def derivative(self, x):
        return torch.ones(x.numel())


class Double(Tent):
    def derivative(self, x):
        return x.double()


class Text(Tent):
    def derivative(self, x):
        return "x"


class Broken(Tent):
    def derivative(self, x):
        return x.no_such_thing


class Learned(nn.Module, Surrogate):
    def derivative(self, x):
        return x


class OddSmooth(Tent):
    def smooth(self, x):
        return x[0]


@pytest.mark.parametrize("neuron", [LIF, IF, PLIF])
@pytest.mark.parametrize(
    "surrogate", [Whole(), Flat(), Double(), Text(), Broken(), Learned(), nn.ReLU(), Tent, None]
)
def test_a_surrogate_that_is_none(neuron, surrogate):
    one_line(lambda: neuron(surrogate=surrogate), "surrogate")


def test_a_surrogate_that_is_one():
    one_line(lambda: LIF(surrogate=OddSmooth(), smooth=True), "smooth(x)", "shape []")
    LIF(surrogate=OddSmooth())
    x = torch.rand(2, 3, requires_grad=True)
    LIF(surrogate=Tent())(x).sum().backward()
    assert x.grad.shape == x.shape


@dataclass(frozen=True)
class Scaled(Surrogate):
    factor: object = 1.0

    def derivative(self, x):
        return self.factor * x


@given(factor=st.sampled_from([1, 0.5, True, "a", None, [1], torch.ones(1), torch.ones(4), torch.ones(2, 3)]))
@settings(deadline=None, max_examples=20)
def test_any_surrogate_is_taken_or_refused_in_one_line(factor):
    try:
        neuron = LIF(surrogate=Scaled(factor))
    except UserError as error:
        assert len(str(error)) < 400 and "\n" not in str(error)
        return
    x = torch.rand(2, 3, requires_grad=True)
    neuron(x).sum().backward()
    assert x.grad.shape == x.shape


# Vectors


def test_vectors_are_refused_with_what_to_do():
    x, y = torch.rand(6, 5), torch.tensor([0, 1, 2, 0, 1, 2])
    network = SpikingNetwork(nn.Sequential(nn.Flatten(), nn.Linear(5, 3), LIF(), nn.Linear(3, 3)), 2)
    one_line(lambda: network(x), "[6, 5]", "x[:, :, None, None]", "nn.Flatten()")
    one_line(lambda: Dataset.from_tensors(x, y, x, y), "[6, 5]", "x[:, :, None, None]")
    as_told = x[:, :, None, None]
    assert network(as_told).shape == (2, 6, 3)
    assert Dataset.from_tensors(as_told, y, as_told, y).shape == (5, 1, 1)


JUNK = st.integers(-2, 9) | st.floats() | st.text(max_size=2) | st.lists(st.integers(-1, 3))


@given(changed=st.dictionaries(st.sampled_from([*AnalysisConfig.__dataclass_fields__]), JUNK))
@settings(deadline=None, max_examples=60)
def test_analyses_are_settings_like_others(changed):
    try:
        AnalysisConfig(**changed)
    except UserError as error:
        assert str(error).startswith("analysis.") and len(str(error)) < 400
