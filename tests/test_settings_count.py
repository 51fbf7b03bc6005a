"""A setting does what it says, or is refused in a line: none is taken and passed over."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

import snnbook
from snnbook import experiments
from snnbook.analysis.config import AnalysisConfig
from snnbook.analysis.loss_landscape import landscape
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.backbones.exits import MultiExit
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.data import DataConfig, Dataset
from snnbook.data.events import to_frames
from snnbook.errors import UserError
from snnbook.folding import set_time_steps
from snnbook.losses import cross_entropy, mean_readout
from snnbook.trainers.direct import Direct
from snnbook.trainers.feature_distillation import FeatureDistillationConfig
from snnbook.trainers.joint import JointASNN, JointConfig
from snnbook.trainers.loop.evaluation import evaluate
from snnbook.trainers.loop.fit import fit
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.sastc import SASTCConfig
from snnbook.trainers.tet import TETConfig

IMAGES, LABELS = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 4


def network(name="convnet", **options):
    return NetworkConfig(name, width=4, time_steps=2, **options)


def sampled():
    """Loaders of which the first gives its batches as it likes."""
    images = TensorDataset(IMAGES, LABELS)
    return DataLoader(images, batch_sampler=BatchSampler(RandomSampler(images), 2, False)), DataLoader(
        images, 4
    )


REFUSED = {
    "a cycle of unknown length": (
        lambda: fit(
            Direct(Direct.Config(), network(), 4, 1),
            sampled(),
            Recipe(epochs=1, batch_size=4, schedule="cycle", augment=()),
            seed=0,
            progress=False,
        ),
        "batch sampler",
    ),
    "a reset for snnTorch": (
        lambda: SnnTorchNetwork(
            SnnTorchConfig(), network("resnet18", neuron_options={"reset": "soft", "decay": 0.5}), 10
        ),
        "decay and threshold, not reset",
    ),
    "exits of no stage": (
        lambda: JointASNN(JointConfig(), NetworkConfig("dense", width=4, options={"depth": 1}), 4, 1),
        "has no stages to put exits behind",
    ),
    "moments at no length": (lambda: AnalysisConfig(moments=4), "analysis.time_steps is empty"),
    "no stem of nothing shared": (
        lambda: JointConfig(factorize="none", factorize_stem=False),
        "method.factorize_stem is false",
    ),
    "images split by time": (lambda: DataConfig("digits", split_by="10 ms"), "split_by is '10 ms'"),
    "images accumulated": (lambda: DataConfig("cifar10", accumulate="binary"), "accumulate is 'binary'"),
    "a constant for no calibration": (
        lambda: SASTCConfig(beta=0.0, constant_attention=3),
        "method.constant_attention is 3",
    ),
    "a target of no regularizer": (lambda: TETConfig(lam=0.0, phi=1.0), "method.phi is 1"),
    "lessons of nobody": (lambda: JointConfig(kld=0, norm=0, detach=False), "no lessons of the ANN"),
    "a loss of no label": (lambda: SASTCConfig(ce=0.0, label_loss="tet"), "no label is asked for"),
    "a surrogate of another threshold": (
        lambda: snnbook.LIF(threshold=1.0, surrogate=snnbook.RelativeTriangle(threshold=0.5)),
        "measures in thresholds of 0.5",
    ),
    "candidates for a given pair": (
        lambda: FeatureDistillationConfig(student_layer=1, teacher_layer=1, candidates="inner"),
        "the pair of layers is given",
    ),
    "statistics of no BatchNorm": (
        lambda: FeatureDistillationConfig(projection="hint", batchnorm="merged"),
        "which has no BatchNorm",
    ),
    "a readout without time": (lambda: mean_readout(torch.rand(3, 4)), "outputs"),
    "data by name": (lambda: snnbook.load("digits"), "expected a DataConfig"),
    "frames as text": (lambda: to_frames(np.zeros((3, 4)), "4", 4), "frames is '4'"),
    "time steps of a number": (lambda: set_time_steps(5, 3), "module is 5"),
    "a neuron's list": (lambda: snnbook.LIF()([1.0, 2.0]), "neurons integrate tensors"),
    "a number as a reference": (lambda: experiments.lookup(5), "5 names no number"),
    "a landscape without its factors": (
        lambda: landscape(
            JointASNN(JointConfig(), network(), 4, 1).snn, IMAGES, LABELS, {"ce": cross_entropy}, points=3
        ),
        "composed of factors",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_have_no_effect_is_refused(case):
    call, said = REFUSED[case]
    with pytest.raises(UserError) as error:
        call()
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [{"mode": "official"}, {"share_bias": True}, {}])
@pytest.mark.parametrize("name", ["resnet19", "convnet", "sastc_vgg11"])
def test_joint_training_takes_heads_of_several_layers(name, settings):
    method = JointASNN(JointConfig(**settings), network(name), 4, 1)
    assert all(isinstance(head, nn.Linear) for head in (*method.ann.heads, *method.snn.backbone.heads))
    terms = method(torch.rand(4, 1, 32, 32), torch.arange(4))
    sum(terms.values()).backward()
    assert all(value.isfinite() for value in terms.values())


def test_recordings_that_end_early_are_tested_by_whoever_knows():
    frames = torch.rand(8, 2, 1, 16, 16)
    frames[:4, 1:] = 0
    ends = torch.tensor([1, 1, 1, 1, 2, 2, 2, 2])
    data = Dataset.from_tensors(frames, LABELS, frames, LABELS, lengths=(ends, ends))
    assert evaluate(Direct(Direct.Config(), network(), 4, 1), data)
    with pytest.raises(UserError, match="would take the silence behind for a part of them"):
        evaluate(JointASNN(JointConfig(), network(), 4, 1), data)


def test_what_is_no_weight_may_be_spared_its_decay():
    method = JointASNN(JointConfig(), network(), 4, 1)
    decayed, spared = Recipe(decay_all=False).optimizer_for(method).param_groups
    assert not spared["weight_decay"] and decayed["weight_decay"]
    names = {id(p): name for name, p in method.named_parameters()}
    assert all("norm" in n or "bias" in n or ".1." in n for n in (names[id(p)] for p in spared["params"]))
    spectra = {name for name in names.values() if "spectrum" in name}
    assert spectra and spectra <= {names[id(p)] for p in decayed["params"]}
    assert not any(
        isinstance(m, nn.BatchNorm2d) and m.weight is p for p in decayed["params"] for m in method.modules()
    )


def test_exits_are_as_many_as_stages():
    for name, stages in (("resnet18", 4), ("resnet19", 3), ("convnet", 2)):
        assert len(MultiExit(build_ann(network(name), 4), "linear", 4).heads) == stages
