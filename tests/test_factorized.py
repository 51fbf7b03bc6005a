"""Weight factorization: the initial weight comes back, two spectra part ways, no weight is kept twice."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook.backbones import build_backbone
from snnbook.errors import UserError
from snnbook.factorized import Factors, SharedFactors


@given(
    out=st.integers(1, 9),
    in_=st.integers(1, 9),
    kernel=st.sampled_from([1, 2, 3, 5]),
    full=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_composition_equals_the_initial_weight(out, in_, kernel, full, seed):
    weight = torch.randn(out, in_, kernel, kernel, generator=torch.Generator().manual_seed(seed))
    for composed in Factors(weight, full).compose():
        torch.testing.assert_close(composed, weight, rtol=1e-4, atol=1e-5)


def test_shapes_of_the_paper():
    thin = Factors(torch.randn(128, 64, 3, 3))
    assert (thin.u.shape, thin.v.shape) == ((9, 128, 64), (9, 64, 64))
    assert thin.spectrum_ann.shape == thin.spectrum_snn.shape == (9, 64)
    full = Factors(torch.randn(128, 64, 3, 3), full=True)
    assert (full.u.shape, full.v.shape) == ((9, 128, 128), (9, 64, 64))
    stem = Factors(torch.randn(64, 3, 3, 3))
    assert (stem.u.shape, stem.v.shape) == ((9, 64, 3), (9, 3, 3))
    linear = Factors(torch.randn(10, 512))
    assert (linear.u.shape, linear.v.shape) == ((1, 10, 10), (1, 10, 512))


def test_memory_formula_of_the_paper():
    """c_in**2 + c_out**2 + 2 r numbers for a linear layer with full factors (Sec. 4.3.1)."""
    full = Factors(torch.randn(24, 16), full=True)
    assert sum(p.numel() for p in full.parameters()) == 24**2 + 16**2 + 2 * 16


def test_each_network_has_its_own_spectrum_and_both_train_u_and_v():
    factors = Factors(torch.randn(4, 4, 3, 3))
    ann, snn = factors.compose()
    ann.square().sum().backward(retain_graph=True)
    assert factors.spectrum_snn.grad.abs().sum() == 0
    assert factors.spectrum_ann.grad.abs().sum() > 0
    alone = factors.u.grad.clone()
    snn.square().sum().backward()
    torch.testing.assert_close(factors.u.grad, 2 * alone)


def pair(width=8):
    torch.manual_seed(0)
    ann = build_backbone("resnet18", 10, width=width)
    snn = build_backbone("resnet18", 10, activation=nn.Tanh, width=width)
    return ann, snn


def test_networks_agree_until_their_spectra_differ():
    ann, snn = pair()
    images = torch.randn(2, 3, 16, 16)
    before = ann.eval()(images)
    factors = SharedFactors(ann, snn)
    torch.testing.assert_close(ann(images), before, rtol=1e-4, atol=1e-4)
    assert torch.allclose(ann.stages[0][0].conv1.weight, snn.stages[0][0].conv1.weight)
    with torch.no_grad():
        factors.layers["stages/0/0/conv1"].spectrum_snn.mul_(2)
    assert torch.allclose(2 * ann.stages[0][0].conv1.weight, snn.stages[0][0].conv1.weight)


def test_no_weight_is_kept_beside_its_factors():
    ann, snn = pair()
    convolutions = [n for n, m in ann.named_modules() if isinstance(m, nn.Conv2d)]
    factors = SharedFactors(ann, snn)
    assert len(factors.layers) == len(convolutions)
    for net in (ann, snn):
        assert not any(f"{name}.weight" in net.state_dict() for name in convolutions)
    factors.layers["stem/0"].u.grad = None
    assert all(p.is_leaf for m in (ann, snn, factors) for p in m.parameters())


def test_a_shared_stem_stays_one_ordinary_convolution():
    ann, snn = pair()
    factors = SharedFactors(ann, snn, stem=False)
    assert "stem/0" not in factors.layers
    assert ann.stem[0].weight is snn.stem[0].weight


def test_linear_layers_on_request():
    ann, snn = pair()
    assert "head" in SharedFactors(ann, snn, linear=True).layers


def test_release_leaves_two_ordinary_networks():
    ann, snn = pair()
    factors = SharedFactors(ann, snn)
    images = torch.randn(2, 3, 16, 16)
    expected = ann.eval()(images)
    factors.release()
    assert isinstance(ann.stem[0].weight, nn.Parameter)
    torch.testing.assert_close(ann(images), expected)
    fresh, _ = pair()
    fresh.load_state_dict(ann.state_dict())


def test_evaluation_sees_weights_loaded_after_it_began():
    ann, snn = pair()
    factors = SharedFactors(ann, snn).eval()
    state = {name: value * 0 if "spectrum" in name else value for name, value in factors.state_dict().items()}
    factors.load_state_dict(state)
    assert ann.stem[0].weight.abs().sum() == 0


def test_different_networks_are_refused():
    ann, _ = pair()
    _, wider = pair(width=16)
    with pytest.raises(UserError, match="differs between the two networks"):
        SharedFactors(ann, wider)
    ann, more = pair()
    more.own = nn.Conv2d(1, 1, 1)
    with pytest.raises(UserError, match="own differs between the two networks"):
        SharedFactors(ann, more)


def test_released_networks_share_no_weight():
    ann, snn = pair()
    factors = SharedFactors(ann, snn, stem=False)
    assert ann.stem[0].weight is snn.stem[0].weight
    assert not any("stem" in name for name, _ in factors.named_modules())
    factors.release()
    assert not {p.data_ptr() for p in ann.parameters()} & {p.data_ptr() for p in snn.parameters()}
    torch.testing.assert_close(ann.stem[0].weight, snn.stem[0].weight)
