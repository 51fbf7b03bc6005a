"""Half precision on a CPU without instructions for it: computed in float32, the same numbers to rounding."""

import operator

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from snnbook import precision
from snnbook.backbones import NetworkConfig
from snnbook.folding import checkpoint_contexts
from snnbook.precision import Rounded, autocast, native
from snnbook.trainers import Direct
from snnbook.trainers.loop import evaluation
from snnbook.trainers.loop.recipe import Recipe
from snnbook.trainers.loop.saved import save_memory

CPU = torch.device("cpu")
HALF = torch.bfloat16


@pytest.fixture
def without(monkeypatch):
    """A CPU without instructions for half precision."""
    monkeypatch.setattr(precision, "native", lambda dtype: False)


@pytest.mark.parametrize(
    ("numbers", "sums"),
    [
        (HALF, torch.float32),
        (torch.float16, torch.float32),
        *[(x, x) for x in (torch.float32, torch.float64)],
    ],
)
def test_sums_are_taken_in_single_precision_or_wider(numbers, sums):
    x = torch.ones(2, dtype=numbers)
    assert precision.wide(x) == precision.at_least_single(x).dtype == sums


def layers(kind):
    if kind == "linear":
        return nn.Linear(12, 5), torch.randn(7, 12)
    if kind == "flat":
        return nn.Conv1d(4, 6, 3, padding=1), torch.randn(2, 4, 9)
    options = {
        "plain": {},
        "strided": dict(stride=2),
        "biased": dict(bias=True),
        "grouped": dict(groups=2),
        "circular": dict(padding_mode="circular"),
    }[kind]
    return nn.Conv2d(4, 6, 3, padding=1, **{"bias": False, **options}), torch.randn(2, 4, 8, 8)


def derivatives(layer, x, context):
    x = x.clone().requires_grad_()
    with context:
        y = layer(x)
    wish = torch.linspace(-1, 1, y.numel()).view_as(y).to(y.dtype)
    return [y, *torch.autograd.grad(y, [x, *layer.parameters()], wish)]


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(["linear", "flat", "plain", "strided", "biased", "grouped", "circular"]),
    dtype=st.sampled_from([torch.bfloat16, torch.float16]),
    seed=st.integers(0, 1000),
)
def test_it_is_autocast_to_rounding(kind, dtype, seed):
    torch.manual_seed(seed)
    layer, x = layers(kind)
    with Rounded():
        found = derivatives(layer, x, torch.autocast("cpu", dtype))
    expected = derivatives(layer, x, torch.autocast("cpu", dtype))
    step = torch.finfo(dtype).eps
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        # An intermediate product may be rounded to its neighbour, and a gradient is a sum of some of them.
        torch.testing.assert_close(a, b, rtol=4 * step, atol=4 * step * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize("product", [torch.matmul, torch.mm, torch.bmm, operator.matmul, torch.Tensor.matmul])
def test_products_too(product, without):
    shape = (2, 6, 6) if product is torch.bmm else (6, 6)
    a, b = torch.randn(shape), torch.randn(shape)
    with autocast(CPU, HALF):
        found = product(a, b)
    exact = a.to(HALF).double() @ b.to(HALF).double()
    assert found.dtype == HALF
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=1e-2)


def test_einsum_of_a_list_too(without):
    a, b = torch.randn(6, 6), torch.randn(6, 6)
    with autocast(CPU, HALF):
        found = torch.einsum("ij,jk->ik", [a, b])
        assert torch.equal(found, a @ b) and found.dtype == HALF


@pytest.mark.parametrize("dtype", [torch.float32, HALF])
def test_a_result_is_written_where_it_was_wished(dtype, without):
    a, b = torch.randn(6, 6).to(dtype), torch.randn(6, 6).to(dtype)
    found = []
    for context in (autocast(CPU, HALF), torch.autocast("cpu", HALF)):
        with context:
            found.append(torch.zeros(6, 6, dtype=dtype))
            assert torch.mm(a, b, out=found[-1]) is found[-1]
    assert torch.equal(*found) and found[0].any()


def test_the_other_half_precision_is_cast_as_autocast_does(without):
    a, b = torch.randn(6, 6), torch.randn(6, 6)
    with autocast(CPU, HALF):
        found = a.half() @ b
    with torch.autocast("cpu", HALF):
        torch.testing.assert_close(found, a.half() @ b, rtol=2**-7, atol=2**-6)


def test_sums_are_taken_in_single(without):
    """Ones beside a large number would be lost in a sum of half precision, one after another."""
    ones = torch.ones(1, 3000)
    with autocast(CPU, HALF):
        assert F.linear(ones, ones).item() == torch.tensor(3000.0).to(HALF).item()


def test_what_it_leaves_alone(without):
    x = torch.randn(3, 3)
    with autocast(CPU, None):
        assert (x @ x).dtype == torch.float32
    with autocast(CPU, HALF):
        assert (x.double() @ x.double()).dtype == torch.float64
        with precision.full_precision(CPU):
            assert torch.equal(x @ x, torch.mm(x, x)) and (x @ x).dtype == torch.float32
    with autocast(CPU, HALF, compiled=True):
        assert not torch.overrides._get_current_function_mode_stack()


def test_training_goes_through_it(without, monkeypatch):
    seen = []
    monkeypatch.setattr(
        precision, "_single", lambda x, half, own=precision._single: seen.append(x) or own(x, half)
    )
    method = Direct(Direct.Config(train="snn"), NetworkConfig("vgg9", width=2, time_steps=2), 10, 3)
    images = torch.randn(2, 3, 16, 16)
    with evaluation.autocast(CPU, Recipe(precision="bfloat16")):
        loss = sum(method(images, torch.tensor([0, 1])).values())
    loss.backward()
    assert len(seen) >= 2 * 6  # input and weight of each convolution
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())
    seen.clear()
    with evaluation.autocast(CPU, Recipe()):
        method(images, torch.tensor([0, 1]))
    assert not seen


@pytest.mark.parametrize(
    ("supported", "avx512", "bf16", "found"),
    [
        (True, True, True, True),
        (True, True, False, False),
        (True, False, False, True),
        (False, False, False, False),
    ],
)
def test_native_is_what_has_instructions(supported, avx512, bf16, found, monkeypatch):
    """Not what oneDNN emulates with AVX-512's first kind; without any its word counts, as on ARM."""
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    monkeypatch.setattr(torch.cpu, "_is_avx512_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    assert native.__wrapped__(HALF) == found
    assert native(torch.float32) and native(torch.float64)


@pytest.mark.parametrize("inside", [True, False])
def test_what_is_run_again_is_computed_as_before(inside, monkeypatch):
    """Blocks that are run again in the backward pass, which is outside of autocast's context."""
    monkeypatch.setattr(precision, "native", lambda dtype: not inside)
    gradients = []
    for way in ("full", "recompute"):
        torch.manual_seed(0)
        method = Direct(Direct.Config(train="snn"), NetworkConfig("vgg9", width=4, time_steps=2), 10, 3)
        images = torch.randn(2, 3, 16, 16)
        with save_memory(method, way):
            with autocast(CPU, HALF):
                loss = sum(method(images, torch.tensor([0, 1])).values())
            loss.backward()
        gradients.append([p.grad for p in method.parameters()])
    assert all(map(torch.equal, *gradients))


def test_a_users_own_checkpoint_too(without):
    layer, x = nn.Linear(4, 4), torch.randn(2, 4, requires_grad=True)
    with autocast(CPU, HALF):
        y = checkpoint(layer, x, use_reentrant=False, context_fn=checkpoint_contexts)
    y.sum().backward(retain_graph=True)
    once = x.grad.clone()
    y.sum().backward()  # run again a second time
    assert torch.equal(x.grad, 2 * once)
