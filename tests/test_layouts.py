"""A network in channels-last stays so, forward and backward: torch's BatchNorm is slow where layouts meet."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from snnbook.backbones import BACKBONES, NetworkConfig, build_backbone
from snnbook.folding import SpikingNetwork, fold
from snnbook.kernels.repeat import repeated
from snnbook.neurons import preset
from snnbook.trainers import Direct, JointASNN

LAST = torch.channels_last


class Layouts(TorchDispatchMode):
    """What BatchNorms were given, forward and backward, that is not channels-last."""

    def __init__(self):
        super().__init__()
        self.calls, self.others = 0, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if "batch_norm" in str(operation):
            maps = [x for x in args if isinstance(x, torch.Tensor) and x.dim() == 4]
            self.calls += 1
            self.others += [
                (str(operation), x.shape) for x in maps if not x.is_contiguous(memory_format=LAST)
            ]
        return operation(*args, **(kwargs or {}))


def step(method, images=4, size=32, dtype=torch.bfloat16):
    method.to(memory_format=LAST).train()
    batch = torch.randn(images, 3, size, size).contiguous(memory_format=LAST)
    with Layouts() as seen:
        with torch.autocast("cpu", dtype, enabled=dtype is not None):
            loss = sum(method(batch, torch.arange(images)).values())
        loss.backward()
    return seen


@pytest.mark.parametrize("kind", ["snn", "ann"])
@pytest.mark.parametrize("name", [*BACKBONES])
def test_no_batchnorm_meets_another_layout(name, kind):
    network = NetworkConfig(name, width=4, time_steps=2)
    # What loops over time is made for images of one pixel, which have one layout.
    size = {"vggsnn": 48, "recurrent": 1}.get(name, 32)
    seen = step(Direct(Direct.Config(train=kind), network, 10), size=size)
    assert seen.calls and not seen.others


@pytest.mark.parametrize("dtype", [torch.bfloat16, None])
def test_nor_in_two_networks(dtype):
    seen = step(JointASNN(JointASNN.Config(), NetworkConfig(width=4, time_steps=3), 10), dtype=dtype)
    assert seen.calls and not seen.others


@pytest.mark.parametrize("name", ["vgg11", "resnet19"])
def test_nor_where_each_step_is_normalized_by_itself(name):
    network = NetworkConfig(name, width=4, time_steps=3, options={"batchnorm": "step"})
    seen = step(Direct(Direct.Config(), network, 10))
    assert seen.calls and not seen.others


def test_nor_where_images_are_repeated_before_another_layer():
    backbone = build_backbone("convnet", 10, 3, lambda: preset("tet"), width=4)
    backbone.stem.append(nn.Conv2d(4, 4, 1))
    network = SpikingNetwork(backbone, 3, encode="stem.2")
    seen = step(Direct(Direct.Config(), network))
    assert seen.calls and not seen.others


@settings(deadline=None, max_examples=30)
@given(
    steps=st.integers(1, 9),
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    last=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
)
def test_a_repeated_tensor_is_an_expanded_one(steps, shape, last, dtype):
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype)
    x = (x.contiguous(memory_format=LAST) if last and len(shape) == 4 else x).requires_grad_()
    y, expected = repeated(x, steps), x.expand(steps, *shape)
    assert torch.equal(y, expected) and y.data_ptr() == x.data_ptr()
    wish = torch.randn(steps, *shape).to(dtype)
    if last and len(shape) == 4:
        wish = wish.flatten(0, 1).contiguous(memory_format=LAST).view(wish.shape)
    (found,) = torch.autograd.grad(y, x, wish)
    tolerance = dict(rtol=0.02, atol=0.05) if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(found, wish.double().sum(0).to(dtype), **tolerance)
    if x.numel():
        assert found.stride() == wish[0].stride()


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_its_derivatives_are_the_functions_own(steps):
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def function(x):
        return repeated(x, steps).sin() * torch.arange(1, steps + 1).view(-1, *[1] * x.dim())

    assert torch.autograd.gradcheck(function, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, x)
    each = torch.func.vmap(torch.func.grad(lambda x: function(x).sum()))(x.detach())
    torch.testing.assert_close(each, torch.func.grad(lambda x: function(x).sum())(x.detach()))


def test_a_compiler_reads_it():
    x = torch.randn(2, 3, requires_grad=True)
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: fold(repeated(x, 3)).sin(), backend="aot_eager", fullgraph=True)
    (found,) = torch.autograd.grad(compiled(x).sum(), x)
    torch.testing.assert_close(found, 3 * x.detach().cos())
