"""No bias before a BatchNorm, and weights that have such biases still load."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from bad_input import one_line
from snnbook.backbones import BACKBONES, NetworkConfig, build_ann, build_backbone
from snnbook.backbones.backbone import conv_bn
from snnbook.backbones.batchnorm import STATISTICS
from snnbook.deploy import fold_batchnorm
from snnbook.trainers import Direct
from snnbook.trainers.loop.weights import load_weights

WITH_BIASES = ("vgg11", "vgg13", "snn5", "vggsnn", "sastc_vgg11")


def followed(network):
    """Convolutions by name, and the BatchNorm behind each."""
    names = {m: name for name, m in network.named_modules()}
    return [(names[c], c, m) for m in network.modules() for c in vars(m).get("follows", ())]


def as_it_was(network):
    """``network`` with biases, and statistics that have seen something."""
    old = copy.deepcopy(network)
    for _, convolution, norm in followed(old):
        convolution.bias = nn.Parameter(torch.randn(convolution.out_channels))
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    return old


@pytest.mark.parametrize("name", [*BACKBONES])
def test_no_convolution_before_a_batchnorm_has_a_bias(name):
    network = build_backbone(name, 10, 3, width=4)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    assert not any(m.bias is not None for m in layers if isinstance(m, nn.Conv2d))
    if name in WITH_BIASES:
        pairs = followed(network)
        assert 2 * len(pairs) == len(layers) and all(c.out_channels == n.num_features for _, c, n in pairs)


@settings(deadline=None, max_examples=15)
@given(
    name=st.sampled_from(WITH_BIASES),
    seed=st.integers(0, 99),
    copied=st.booleans(),
    batchnorm=st.sampled_from(STATISTICS),
)
def test_older_weights_compute_the_same(name, seed, copied, batchnorm):
    torch.manual_seed(seed)
    network = build_backbone(name, 10, 3, width=4, batchnorm=batchnorm)
    old, images = as_it_was(network), torch.randn(3, 3, 32, 32)
    state = old.state_dict()
    before = {key: value.clone() for key, value in state.items()}
    if copied:
        network = pickle.loads(pickle.dumps(copy.deepcopy(network)))
    network.load_state_dict(state)
    assert state.keys() == before.keys() and all(torch.equal(state[k], before[k]) for k in before)
    for training in (False, True):
        expected = old.train(training)(images)
        torch.testing.assert_close(network.train(training)(images), expected, rtol=1e-3, atol=1e-3)
    folded = fold_batchnorm(network.eval())
    torch.testing.assert_close(folded(images), old.eval()(images), rtol=1e-3, atol=1e-3)


def test_files_and_methods_too(tmp_path):
    method = Direct(Direct.Config(), NetworkConfig("snn5", width=4, time_steps=2), 10).eval()
    old, images = as_it_was(method), torch.randn(2, 3, 32, 32)
    save_file(old.state_dict(), tmp_path / "old.safetensors")
    load_weights(method, tmp_path / "old.safetensors")
    norms = [(a, b) for (_, _, a), (_, _, b) in zip(followed(method), followed(old), strict=True)]
    assert len(norms) == 5
    for (name, convolution, _), (new, norm) in zip(followed(old), norms, strict=True):
        torch.testing.assert_close(new.running_mean, norm.running_mean - convolution.bias, msg=name)
    part = build_ann(NetworkConfig("snn5", width=4), 10).eval()
    load_weights(part, tmp_path / "old.safetensors", prefix="network.backbone.")
    assert torch.equal(part.stem(images), method.network.backbone.stem(images))


def test_a_bias_that_the_network_has_is_loaded_as_one(tmp_path):
    network = as_it_was(build_ann(NetworkConfig("snn5", width=4), 10).eval())
    other, images = as_it_was(network), torch.randn(2, 3, 32, 32)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(images), network(images))
    other = as_it_was(network)
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    load_weights(other, tmp_path / "own.safetensors")
    assert torch.equal(other(images), network(images))


@pytest.mark.parametrize("change", ["another shape", "no mean"])
def test_a_bias_that_fits_nothing_is_refused(change, tmp_path):
    network = build_backbone("snn5", 10, 3, width=4)
    state = as_it_was(network).state_dict()
    if change == "no mean":
        state.pop("stem.1.running_mean")
    else:
        state["stem.0.bias"] = torch.zeros(5)
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(RuntimeError, match=r"stem\.0\.bias"):
        copy.deepcopy(network).load_state_dict(state)
    save_file(state, tmp_path / "a.safetensors")
    one_line(lambda: load_weights(network, tmp_path / "a.safetensors"), "do not fit the network", "stem.")
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_seed_gives_the_weights_it_gave():
    torch.manual_seed(0)
    convolution, _ = conv_bn(3, 4, bias=True)
    found = [convolution.weight, torch.rand(2)]
    torch.manual_seed(0)
    assert torch.equal(nn.Conv2d(3, 4, 3).weight, found[0]) and torch.equal(torch.rand(2), found[1])
