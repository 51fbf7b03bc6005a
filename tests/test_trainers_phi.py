"""TET's regularizer draws readouts to the threshold of the network's own neurons, in every method that has it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bad_input import one_line
from snnbook import losses
from snnbook.backbones import NetworkConfig, build_ann
from snnbook.folding import SpikingNetwork
from snnbook.neurons import LIF, PRESETS
from snnbook.trainers import SASTC, TET, JointASNN, Switch
from snnbook.trainers.switch import SwitchConfig
from snnbook.trainers.tet import TETConfig

LABELS = torch.arange(4)
IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def network(**neuron):
    return NetworkConfig("resnet18", width=4, time_steps=2, neuron="joint_asnn", neuron_options=neuron)


@pytest.mark.parametrize("preset", PRESETS)
def test_it_is_the_papers_threshold(preset):
    method = TET(TETConfig(), NetworkConfig("convnet", width=4, time_steps=2, neuron=preset), 10)
    assert method.phi == PRESETS[preset]["threshold"]


def test_a_method_of_shapes_alone_knows_its_threshold():
    with torch.device("meta"):
        assert TET(TETConfig(), network(), 10).phi == 0.5


@given(threshold=st.floats(0.05, 4), learned=st.booleans(), given=st.none() | st.floats(-2, 2))
@settings(max_examples=12, deadline=None)
def test_the_term_follows_the_threshold_unless_a_number_is_given(threshold, learned, given):
    neuron = dict(threshold=threshold, learn_threshold=learned)
    for cls, config in ((TET, TETConfig(0.3, given)), (Switch, SwitchConfig(0.3, given, at=0))):
        torch.manual_seed(0)
        method = cls(config, network(**neuron), 10).eval()
        wanted = threshold if given is None else given
        expected = 0.3 * losses.mse_regularizer(method.network(IMAGES), wanted)
        torch.testing.assert_close(method(IMAGES, LABELS)["mse"], expected)


@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_methods_that_borrow_the_loss_follow_it_too(threshold):
    settings_ = network(threshold=threshold)
    torch.manual_seed(0)
    joint = JointASNN(JointASNN.Config(label_loss="tet", kld=0.0, norm=0.0), settings_, 10).eval()
    with joint.composed():
        readouts = joint.snn_outputs(IMAGES)[0]
        ann = losses.cross_entropy(joint.ann(IMAGES)[0], LABELS)
    expected = ann + sum(losses.tet(x, LABELS, phi=threshold) for x in readouts)
    torch.testing.assert_close(joint(IMAGES, LABELS)["ce"], expected)

    teacher = build_ann(NetworkConfig("resnet18", width=4), 10)
    sastc = SASTC(SASTC.Config(label_loss="tet", beta=0.0), settings_, 10, 3, teacher).eval()
    expected = losses.tet(sastc.student(IMAGES), LABELS, phi=threshold)
    torch.testing.assert_close(sastc(IMAGES, LABELS)["ce"], expected)


class Own(nn.Module):
    """A network of one's own with neurons of these thresholds."""

    def __init__(self, *thresholds):
        super().__init__()
        self.neurons = nn.Sequential(*(LIF(threshold=x) for x in thresholds))
        self.head = nn.Linear(3 * 16 * 16, 10)

    def forward(self, x):
        return self.head(self.neurons(x).flatten(1))


@pytest.mark.parametrize(("thresholds", "told"), [((), "no neuron"), ((0.5, 1.0), "thresholds 0.5, 1")])
def test_where_there_is_no_one_threshold_a_number_is_asked_for(thresholds, told):
    one_line(lambda: TET(TETConfig(), SpikingNetwork(Own(*thresholds), 2)), told)
    assert TET(TETConfig(phi=0.5), SpikingNetwork(Own(*thresholds), 2)).phi == 0.5
    TET(TETConfig(lam=0.0), SpikingNetwork(Own(*thresholds), 2))  # without a regularizer nobody asks
