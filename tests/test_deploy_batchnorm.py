"""BatchNorm folded, in every layer that can take it and in whole networks."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torchvision import models

from deploy_cases import check, lived_in, norms
from snnbook.backbones import NetworkConfig, build_ann, build_snn
from snnbook.deploy import batchnorms_left, fold_batchnorm
from snnbook.errors import UserError
from snnbook.trainers import Direct, JointASNN


@pytest.mark.parametrize("name", ["resnet19", "vggsnn", "snn5", "sew_resnet34", "spiking_resnet34", "vgg16"])
def test_folded_batchnorm_changes_nothing(name):
    torch.manual_seed(0)
    network = build_snn(NetworkConfig(name, width=8, time_steps=3, neuron="tet"), 10).double()
    for _ in range(3):  # statistics and weights that are not those of a fresh BatchNorm
        network(2 * torch.randn(4, 3, 32, 32, dtype=torch.float64))
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.weight, 1, 0.2)
            nn.init.normal_(m.bias, 0.2, 0.2)
    network.eval()
    folded, images = fold_batchnorm(network), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    spikes, expected = folded.features(images), network.features(images)
    assert sum(f.sum().item() for f in expected) > 0
    assert all(torch.equal(a, b) for a, b in zip(spikes, expected, strict=True))
    torch.testing.assert_close(folded(images), network(images))


def test_folding_by_the_papers_equation():
    conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3).eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        tensor.uniform_(0.5, 2)
    folded = fold_batchnorm(nn.Sequential(conv, norm))[0]
    share = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    torch.testing.assert_close(folded.weight, conv.weight * share[:, None, None, None])
    torch.testing.assert_close(folded.bias, norm.bias + (conv.bias - norm.running_mean) * share)


LAYERS = {
    "linear": (lambda b: nn.Linear(4, 6, bias=b), nn.BatchNorm1d, (5, 4)),
    "conv1d": (lambda b: nn.Conv1d(4, 6, 3, dilation=2, bias=b), nn.BatchNorm1d, (5, 4, 9)),
    "conv2d": (lambda b: nn.Conv2d(4, 6, 3, 2, 1, bias=b), nn.BatchNorm2d, (5, 4, 9, 9)),
    "circular": (
        lambda b: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular", bias=b),
        nn.BatchNorm2d,
        (5, 4, 7, 7),
    ),
    "grouped": (lambda b: nn.Conv2d(4, 6, 3, groups=2, bias=b), nn.BatchNorm2d, (5, 4, 7, 7)),
    "depthwise": (lambda b: nn.Conv2d(6, 6, 3, groups=6, bias=b), nn.BatchNorm2d, (5, 6, 7, 7)),
    "conv3d": (lambda b: nn.Conv3d(4, 6, 3, bias=b), nn.BatchNorm3d, (2, 4, 5, 5, 5)),
    "transposed": (lambda b: nn.ConvTranspose2d(4, 6, 3, 2, bias=b), nn.BatchNorm2d, (5, 4, 5, 5)),
    "transposed groups": (
        lambda b: nn.ConvTranspose1d(4, 6, 3, 2, output_padding=1, groups=2, bias=b),
        nn.BatchNorm1d,
        (5, 4, 5),
    ),
    "synchronized": (lambda b: nn.Conv2d(4, 6, 3, bias=b), nn.SyncBatchNorm, (5, 4, 7, 7)),
}


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"momentum": None}], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer(kind, bias, options):
    torch.manual_seed(0)
    make, norm, shape = LAYERS[kind]
    network = nn.Sequential(make(bias), nn.Identity(), nn.Dropout(0.5), norm(6, **options)).double()
    assert not check(network, torch.randn(shape, dtype=torch.float64))
    network[0].weight.requires_grad_(False)
    assert not fold_batchnorm(network)[0].weight.requires_grad


def test_other_axes_than_those_of_the_layer_are_refused():
    """``[N, 4, 4]`` through a linear layer: BatchNorm's channels are the middle axis, the layer's the last."""
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    folded = fold_batchnorm(network)
    folded(torch.randn(5, 4))
    with pytest.raises(UserError, match=r"got shape \[5, 4, 4\]; expected 2 axes"):
        folded(torch.randn(5, 4, 4))


CONFIG = NetworkConfig("resnet18", width=4, time_steps=2)


def test_backbones_that_normalize_first_keep_those():
    for name in ("wrn16_2", "pyramidnet20"):
        for build in (build_ann, build_snn):
            network = build(NetworkConfig(name, width=8, time_steps=2), 10).double()
            left = check(network, torch.randn(2, 3, 16, 16, dtype=torch.float64))
            assert 0 < len(left) < len(norms(network))
            assert all(" add" in r or "encode" in r for r in left.values())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_torchvisions_networks_are_folded_whole(name):
    torch.manual_seed(0)
    assert not check(getattr(models, name)(num_classes=4).double(), torch.randn(2, 3, 64, 64).double())


def test_a_dense_network_keeps_what_normalizes_first():
    torch.manual_seed(0)
    network = models.DenseNet(4, (2, 2), 8, num_classes=4).double()
    left = check(network, torch.randn(2, 3, 64, 64).double())
    assert "features.denseblock1.denselayer1.norm1" in left
    assert "features.denseblock1.denselayer1.norm2" not in left


def test_what_cannot_be_folded_is_refused_in_a_line():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    network.last = network(torch.randn(2, 1, 2, 2))
    with pytest.raises(UserError, match="this Sequential cannot be copied: Only Tensors created explicitly"):
        fold_batchnorm(network)
    with pytest.raises(UserError, match="cannot be copied: Attempted to use an uninitialized parameter"):
        fold_batchnorm(nn.Sequential(nn.LazyConv2d(2, 1), nn.LazyBatchNorm2d()))
    with pytest.raises(UserError, match="in modules of torch, not in str"):
        batchnorms_left("resnet18")


def test_wrappers():
    images = torch.randn(2, 3, 16, 16).double()
    network = build_snn(CONFIG, 10).double()
    assert not check(nn.DataParallel(network), images)
    assert not check(torch.compile(build_ann(CONFIG, 10).double(), backend="eager"), images)
    assert not check(nn.Sequential(build_ann(CONFIG, 10), nn.Softmax(1)).double(), images)
    joint = JointASNN(JointASNN.Config(factorize="none"), CONFIG, 10).double().eval()
    for exits in (joint.ann, joint.snn.backbone):
        assert not batchnorms_left(exits)
    for network in (joint.ann, joint.snn):
        folded = fold_batchnorm(lived_in(network))
        assert not norms(folded)
        torch.testing.assert_close(folded(images), network(images))
    for method in (Direct(Direct.Config(), CONFIG, 10), joint):
        reasons = check_method(method.double(), images)
        assert all("which torch.fx cannot trace" in reason for reason in reasons.values())
    assert "stands in the network (JointASNN)" in reasons["ann.backbone.stem.1"]


def check_method(method, images):
    method.eval()
    folded = fold_batchnorm(method)
    assert norms(folded) == batchnorms_left(method).keys()
    for name, logits in method.predict(images).items():
        torch.testing.assert_close(folded.predict(images)[name], logits)
    return batchnorms_left(method)


def test_composed_weights_become_weights():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 16, 16).double()
    method = JointASNN(JointASNN.Config(), CONFIG, 10).double().eval()
    for network in (method.ann, method.snn):
        before = {name: x.clone() for name, x in method.state_dict().items()}
        folded = fold_batchnorm(lived_in(network))
        assert not norms(folded) and not batchnorms_left(network)
        torch.testing.assert_close(folded(images), network(images))
        assert all(p.requires_grad for p in folded.parameters())
        assert before.keys() == method.state_dict().keys()
    layer = method.ann.backbone.stem[0]
    network = nn.Sequential(layer, nn.BatchNorm2d(4))
    network.register_forward_hook(lambda m, i, o: o)
    assert batchnorms_left(network)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_narrow_types_stay(dtype):
    torch.manual_seed(0)
    network = lived_in(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))).to(dtype).eval()
    folded, x = fold_batchnorm(network), torch.randn(2, 3, 5, 5, dtype=dtype)
    assert folded(x).dtype == folded[0].weight.dtype == folded[0].bias.dtype == dtype
    torch.testing.assert_close(
        folded(x), network(x), rtol=0.05 if dtype == torch.bfloat16 else 1e-5, atol=0.05
    )


def test_a_folded_network_is_saved_and_folded_again():
    network = lived_in(build_snn(CONFIG, 10))
    folded = fold_batchnorm(network)
    images = torch.randn(2, 3, 16, 16)
    for again in (pickle.loads(pickle.dumps(folded)), copy.deepcopy(folded), fold_batchnorm(folded)):
        assert torch.equal(again(images), folded(images))
        assert again.state_dict().keys() == folded.state_dict().keys()
