"""TET: its loss by hand, its lemma for any outputs, its gradient re-weighting, and its network by count."""

import math

import pytest
import snntorch.functional as SF
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook import losses
from snnbook.backbones import NetworkConfig, build_backbone, build_snn
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.errors import UserError
from snnbook.trainers.tet import TET, TETConfig

LABELS = torch.tensor([3, 1, 4, 1, 5, 9])


def outputs(seed=0, time_steps=4, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(time_steps, 6, 10, generator=generator, dtype=torch.float64)


def test_value_at_zero_outputs():
    loss = losses.tet(torch.zeros(4, 6, 10), LABELS, lam=0.05)
    assert loss.item() == pytest.approx(0.95 * math.log(10) + 0.05)
    assert loss.item() == pytest.approx(2.237456, abs=1e-6)


@given(seed=st.integers(0, 999), time_steps=st.integers(1, 8), scale=st.floats(0.0, 20.0))
@settings(max_examples=60, deadline=None)
def test_lemma_the_mean_readouts_loss_never_exceeds_the_mean_loss(seed, time_steps, scale):
    o = outputs(seed, time_steps, scale)
    assert losses.sdt(o, LABELS) <= losses.every_moment(o, LABELS) + 1e-9


def test_the_two_agree_where_all_moments_do():
    o = outputs()[:1].expand(5, -1, -1)
    torch.testing.assert_close(losses.sdt(o, LABELS), losses.every_moment(o, LABELS))


def test_gradient_re_weighting():
    """SDT sends every moment the error of the mean; TET sends each its own (Deng et al. 2022, Sec. 4)."""
    o = outputs().requires_grad_()
    target = torch.nn.functional.one_hot(LABELS, 10)
    (standard,) = torch.autograd.grad(losses.sdt(o, LABELS), o)
    of_the_mean = (o.mean(0).softmax(-1) - target) / (4 * 6)
    torch.testing.assert_close(standard, of_the_mean.expand(4, -1, -1))
    (own,) = torch.autograd.grad(losses.every_moment(o, LABELS), o)
    torch.testing.assert_close(own, (o.softmax(-1) - target) / (4 * 6))


def test_snntorch_has_the_loss_without_its_regularizer():
    o = outputs().float()
    assert losses.tet(o, LABELS, lam=0.0).item() == pytest.approx(
        SF.ce_rate_loss()(o, LABELS).item(), rel=1e-5
    )


def test_terms_of_the_method_add_up_to_the_loss():
    torch.manual_seed(0)
    method = TET(TETConfig(lam=0.2, phi=0.5), NetworkConfig("resnet19", width=4, time_steps=3), 10).eval()
    images = torch.rand(6, 3, 16, 16)
    terms = method(images, LABELS)
    expected = losses.tet(method.network(images), LABELS, lam=0.2, phi=0.5)
    torch.testing.assert_close(sum(terms.values()), expected)
    assert list(TET(TETConfig(lam=0.0), NetworkConfig(width=4), 10)(images, LABELS)) == ["tet"]


@pytest.mark.parametrize(("classes", "count"), [(10, 12_630_858), (100, 12_653_988)])
def test_parameters_of_resnet19(classes, count):
    assert sum(p.numel() for p in build_backbone("resnet19", classes).parameters()) == count


def test_maps_and_channels_of_resnet19():
    snn = build_snn(NetworkConfig("resnet19", width=8, time_steps=2), 10)
    shapes = [tuple(f.shape[2:]) for f in snn.features(torch.rand(1, 3, 32, 32))]
    assert shapes == [(8, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert snn.backbone.reductions == (4, 2, 1)


@pytest.mark.parametrize("lam", [-0.1, 1.1])
def test_a_share_outside_zero_and_one_is_refused(lam):
    with pytest.raises(UserError, match=r"expected a number in \[0, 1\]"):
        TETConfig(lam=lam)
    with pytest.raises(UserError, match=r"expected a number in \[0, 1\]"):
        losses.tet(outputs(), LABELS, lam=lam)


def test_outputs_without_time_are_refused():
    with pytest.raises(UserError, match=r"expected \[T, B, classes\]"):
        losses.tet(outputs()[0], LABELS)


def test_the_baselines_loss_is_tets_without_its_regularizer():
    torch.manual_seed(0)
    network = NetworkConfig("resnet19", width=4, time_steps=3, neuron="tet")
    baseline = SnnTorchNetwork(SnnTorchConfig(loss="ce_rate"), network, 10).eval()
    images = 3 * torch.randn(6, 3, 16, 16)
    (term,) = baseline(images, LABELS).values()
    torch.testing.assert_close(term, losses.every_moment(baseline.outputs(images), LABELS))
    ours = build_backbone("resnet19", 10, width=4)
    assert sum(p.numel() for p in baseline.net.parameters()) == sum(p.numel() for p in ours.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SnnTorchConfig(loss="rate"), "expected one of mean, ce_rate"),
        (
            lambda: SnnTorchNetwork(SnnTorchConfig(), NetworkConfig("vgg16", width=4), 10),
            "resnet18, resnet19, vgg9, vgg11",
        ),
    ],
)
def test_bad_baselines_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
