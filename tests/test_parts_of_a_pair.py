"""A part of a factorized pair does not hold its convolutions: what would lose them says so."""

import copy

import pytest
import torch
from torch import nn

from bad_input import one_line
from snnbook import Direct, DirectConfig, JointASNN, Recipe, evaluate, fit
from snnbook.backbones import NetworkConfig
from snnbook.data import Dataset
from snnbook.folding import SpikingNetwork
from snnbook.trainers.loop.weights import load_weights, save_weights

IMAGES, LABELS = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4
RECIPE = Recipe(epochs=1, batch_size=8, augment=())
PARTS = {
    "ann": lambda m: m.ann,
    "snn": lambda m: m.snn,
    "backbone": lambda m: m.backbones()["snn"],
    "layer": lambda m: m.ann.backbone.stem[0],
    "wrapped": lambda m: nn.Sequential(m.backbones()["ann"], nn.ReLU()),
}


def joint(**settings):
    torch.manual_seed(0)
    return JointASNN(JointASNN.Config(**settings), NetworkConfig("resnet18", width=4, time_steps=2), 4)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_neither_saved_nor_loaded(part, tmp_path):
    method, path = joint(), tmp_path / "part.safetensors"
    one_line(lambda: save_weights(PARTS[part](method), path), "release() it first")
    assert not path.exists()
    released = copy.deepcopy(method)
    released.factors.release()
    save_weights(PARTS[part](released), path)
    one_line(lambda: load_weights(PARTS[part](method), path), "release() it first")
    load_weights(PARTS[part](released), path)


def test_a_part_is_not_trained():
    data = Dataset.from_tensors(IMAGES, LABELS, IMAGES, LABELS)
    method = joint()
    direct = Direct(DirectConfig(), SpikingNetwork(method.backbones()["snn"], 2))
    one_line(lambda: fit(direct, data, RECIPE, seed=0, progress=False), "release() it first")
    method.factors.release()
    fit(direct, data, RECIPE, seed=0, progress=False)


def test_a_part_is_evaluated_unless_its_factors_are_damaged():
    data, method = Dataset.from_tensors(IMAGES, LABELS, IMAGES, LABELS), joint()
    direct = Direct(DirectConfig(), SpikingNetwork(method.backbones()["snn"], 2))
    assert 0 <= evaluate(direct, data)["snn"] <= 100
    next(iter(method.factors.layers.values())).spectrum_snn.data.fill_(torch.nan)
    one_line(lambda: evaluate(direct, data), "stem.0.weight' holds NaN")


@pytest.mark.parametrize("factorize", ["thin", "none"])
def test_a_whole_method_is_saved_and_trained(factorize, tmp_path):
    method, path = joint(factorize=factorize), tmp_path / "whole.safetensors"
    fit(method, Dataset.from_tensors(IMAGES, LABELS, IMAGES, LABELS), RECIPE, seed=0, progress=False)
    save_weights(method, path)
    other = joint(factorize=factorize)
    load_weights(other, path)
    torch.testing.assert_close(other.state_dict(), method.state_dict(), rtol=0, atol=0)
