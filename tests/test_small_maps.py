"""A convolution on small maps computes what torch's does, whatever way its weights' gradient took."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, grad, vmap

from snnbook.backbones import NetworkConfig, build_backbone
from snnbook.backbones import convolution as module
from snnbook.backbones.convolution import with_small_maps
from snnbook.trainers import Direct, JointASNN
from snnbook.trainers.loop.saved import save_memory

LAST = torch.channels_last
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float64: 1e-10}


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    """Of any number of products, and on a CPU that has instructions for half precision or as if it had them."""
    monkeypatch.setattr(module, "PRODUCTS", 0)
    monkeypatch.setattr(module, "native", lambda dtype: True)


def pair(**options):
    theirs = nn.Conv2d(**options, bias=False)
    return with_small_maps(copy.deepcopy(theirs)), theirs


def derivatives(layer, x, wish, autocast):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = layer(x)
    return [y, *torch.autograd.grad(y, [x, layer.weight], wish.to(y.dtype))]


@settings(deadline=None, max_examples=80)
@given(
    batch=st.integers(1, 5),
    channels=st.tuples(st.sampled_from([1, 3, 16, 17]), st.sampled_from([1, 4, 32])),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    layouts=st.tuples(st.booleans(), st.booleans()),
    dtype=st.sampled_from([*TOLERANCE]),
    autocast=st.booleans(),
    settings_=st.sampled_from(
        [{}, {"stride": 2}, {"padding": 0, "kernel_size": 1}, {"dilation": 2}, {"padding_mode": "circular"}]
    ),
)
def test_it_is_torchs(batch, channels, size, layouts, dtype, autocast, settings_):
    torch.manual_seed(0)
    options = {"in_channels": channels[0], "out_channels": channels[1], "kernel_size": 3, "padding": 1}
    ours, theirs = pair(**{**options, **settings_}, dtype=dtype)
    x = torch.randn(batch, channels[0], *size, dtype=dtype)
    try:
        wish = torch.randn_like(theirs(x))
    except RuntimeError:  # a map too small for its kernel
        return
    x, wish = (
        t.contiguous(memory_format=LAST) if last else t for t, last in zip((x, wish), layouts, strict=True)
    )
    if settings_:  # torch's own way, whose numbers in bfloat16 are not always the same twice
        assert not module._shorter(ours, x, ours.weight)
        return
    found, expected = (derivatives(layer, x, wish, autocast) for layer in (ours, theirs))
    tolerance = TOLERANCE[torch.bfloat16 if autocast else dtype]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        scale = max(1.0, b.abs().max().item())
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * scale)


def names(y):
    """Of the operations that made ``y``."""
    seen, todo = set(), [y.grad_fn]
    while todo:
        node = todo.pop()
        seen.add(type(node).__name__)
        todo += [following for following, _ in node.next_functions if following is not None]
    return seen


@pytest.mark.parametrize(
    ("size", "dtype", "goes"),
    [
        (1, None, False),
        (2, None, True),
        (3, None, True),
        (4, None, False),
        (1, torch.bfloat16, False),
        (4, torch.bfloat16, True),
        (5, torch.bfloat16, False),
    ],
)
def test_which_way_it_goes(size, dtype, goes, monkeypatch):
    layer, x = pair(in_channels=3, out_channels=4, kernel_size=3, padding=1)[0], torch.randn(2, 3, size, size)

    def way():
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            return "_ConvolutionBackward" in names(layer(x.requires_grad_()))

    assert way() == goes
    layer.weight.requires_grad_(False)
    assert not way()
    layer.weight.requires_grad_()
    monkeypatch.setattr(module, "PRODUCTS", 2 * size * size * 3 * 4 + 1)
    assert not way()


def test_it_differentiates_in_every_way():
    torch.manual_seed(0)
    ours, theirs = pair(in_channels=2, out_channels=3, kernel_size=3, padding=1)
    x, wish = torch.randn(2, 2, 2, 2), torch.randn(2, 3, 2, 2)

    def loss(weights, x, layer):
        return (functional_call(layer, {"weight": weights}, x) * wish).tanh().sum()

    def several(layer):
        weight = layer.weight.detach().requires_grad_()
        (first,) = torch.autograd.grad(loss(weight, x, layer), weight, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), weight)
        xs = torch.stack([x, 2 * x])
        each = vmap(
            lambda x: torch.autograd.functional.vjp if False else grad(loss, 1)(weight.detach(), x, layer)
        )(xs)
        weights = vmap(grad(loss), (0, None, None))(torch.stack([weight, 2 * weight]).detach(), x, layer)
        moved = torch.func.jvp(lambda w: loss(w, x, layer), (weight.detach(),), (torch.ones_like(weight),))
        return [first, second, each, weights, *moved]

    torch.testing.assert_close(several(ours), several(theirs), rtol=1e-4, atol=1e-4)


def test_copies_are_their_own():
    layer, theirs = pair(in_channels=3, out_channels=4, kernel_size=3, padding=1)
    x = torch.randn(2, 3, 2, 2)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        with torch.no_grad():
            twin.weight.zero_()
        assert not twin(x).any()
        torch.testing.assert_close(layer(x), theirs(x))


def step(method, dtype=torch.bfloat16, memory="full"):
    torch.manual_seed(1)
    images = torch.randn(4, 3, 32, 32).contiguous(memory_format=LAST)
    method = copy.deepcopy(method).to(memory_format=LAST).train()
    for backbone in method.backbones().values():
        save_memory(backbone, memory)
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        loss = sum(method(images, torch.arange(4)).values())
    loss.backward()
    return names(loss), [p.grad for p in method.parameters()]


@pytest.mark.parametrize("memory", ["full", "bytes", "recompute"])
def test_a_network_has_the_same_gradients_either_way(memory, monkeypatch):
    method = Direct(Direct.Config(), NetworkConfig("vgg11", width=8, time_steps=2), 10)
    ways, found = step(method, memory=memory)
    assert "_ConvolutionBackward" in ways or memory == "recompute"
    monkeypatch.setattr(module, "POSITIONS", {})
    ways, expected = step(method)
    assert "_ConvolutionBackward" not in ways
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05 * b.abs().max().item())


def test_composed_weights_too(monkeypatch):
    method = JointASNN(JointASNN.Config(), NetworkConfig("resnet18", width=4, time_steps=2), 10)
    ways, found = step(method)
    assert "_ConvolutionBackward" in ways
    monkeypatch.setattr(module, "POSITIONS", {})
    _, expected = step(method)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.05 * b.abs().max().item())


def test_a_compiler_does_not_see_it():
    torch._dynamo.reset()
    network = build_backbone("vgg11", 10, 3, width=4)
    x = torch.randn(2, 3, 16, 16)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), network(x), rtol=1e-3, atol=1e-3)
