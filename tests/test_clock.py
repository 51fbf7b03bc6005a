"""T is said in one place: at each call, by the network, whatever its layers, thread or history."""

import copy
import io
import pickle
import threading
from collections import namedtuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint

from bad_input import one_line
from clock_cases import by_frames, close, images, stack
from snnbook import folding, neurons
from snnbook.backbones import NetworkConfig, build_snn
from snnbook.errors import UserError
from snnbook.folding import SpikingNetwork, set_time_steps


def test_these_networks_say_something_at_each_step():
    """Else the tests below would prove little."""
    y = SpikingNetwork(stack(), 5)(images())
    assert len({step.numpy().tobytes() for step in y.detach()}) > 2


@given(
    steps=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    batches=st.lists(st.integers(0, 7), min_size=2, max_size=4),
    frames=st.lists(st.booleans(), min_size=2, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_no_call_leaves_anything_for_the_next(steps, batches, frames):
    """Any T, any batch, images or frames, one after another: as from a network that has seen nothing before."""
    network = SpikingNetwork(stack(), 2).eval()
    for t, batch, moving in zip(steps, batches, frames, strict=False):
        network.time_steps = t
        x = images(batch).expand(t, -1, -1, -1, -1) if moving else images(batch)
        y = network(x)
        assert y.shape == (t, batch, 3)
        fresh = SpikingNetwork(copy.deepcopy(network.backbone), t)
        assert torch.equal(y, fresh(x))
        if batch and not moving:
            close(y, by_frames(network, x))
        assert folding.clock() is None


@pytest.mark.parametrize("value", [np.int64(4), np.uint8(4), 4])
def test_whole_numbers_of_any_kind_are_a_t(value):
    network = SpikingNetwork(stack(), value)
    assert type(network.time_steps) is int
    assert network(images()).shape[0] == 4
    assert type(NetworkConfig(time_steps=value).time_steps) is int
    assert neurons.LIF(time_steps=value)(torch.ones(8, 3)).shape == (8, 3)


@pytest.mark.parametrize(
    "value", [0, -1, 2.0, True, np.float64(2), np.bool_(True), "2", None, [2], float("nan")]
)
def test_nothing_else_is(value):
    network = SpikingNetwork(stack(), 2)
    for call in (
        lambda: SpikingNetwork(stack(), value),
        lambda: set_time_steps(network, value),
        lambda: setattr(network, "time_steps", value),
        lambda: neurons.LIF(time_steps=value),
        lambda: folding.unfold(torch.ones(4), value),
        lambda: NetworkConfig(time_steps=value),
    ):
        one_line(call, "time_steps is", "whole number of at least 1")
    assert network.time_steps == 2


def test_both_ways_to_say_t_reach_networks_wherever_they_are():
    method = nn.ModuleDict({"a": SpikingNetwork(stack(), 2), "b": nn.Sequential(SpikingNetwork(stack(), 3))})
    method["own"] = neurons.LIF(time_steps=2)
    assert set_time_steps(method, 4) is method
    assert method["a"](images()).shape[0] == method["b"](images()).shape[0] == 4
    assert method["own"].time_steps == 4
    method["a"].time_steps = 5
    assert (len(method["a"](images())), len(method["b"](images()))) == (5, 4)


def test_a_part_of_a_network_is_not_told_another_t():
    network = build_snn(NetworkConfig("convnet", width=4, time_steps=2), 10, 2)
    for part in (network.backbone, network.backbone.encode, copy.deepcopy(network.backbone)):
        one_line(lambda part=part: set_time_steps(part, 4), "SpikingNetwork", "network.time_steps")
    assert network(images()).shape == (2, 4, 10)
    assert SpikingNetwork(copy.deepcopy(network.backbone), 4)(images()).shape == (4, 4, 10)
    one_line(lambda: set_time_steps(nn.Linear(1, 1), 4), "neither spiking networks nor neurons")


def test_a_part_of_a_network_does_not_run_by_itself():
    network = SpikingNetwork(stack(), 2)
    one_line(lambda: network.backbone(images()), "called outside it", "network")


def test_a_network_in_a_network_is_refused():
    inner = SpikingNetwork(stack(), 2)
    one_line(lambda: SpikingNetwork(nn.Sequential(nn.Identity(), inner), 2), "T is said once")


def test_a_call_inside_a_call_keeps_the_outer_time():
    """A student that asks a teacher on the way."""
    student, teacher = SpikingNetwork(stack(), 2).eval(), SpikingNetwork(stack(), 5).eval()
    x = images()

    def both(folded):
        lessons = teacher(x)
        return {"outputs": student.backbone(folded), "steps": [folded[:, :1]]}, lessons.shape

    outputs, shape = None, None

    def outer(folded):
        nonlocal shape
        found, shape = both(folded)
        return found

    outputs = student.run(outer, x)
    assert shape == (5, 4, 3)
    assert torch.equal(outputs["outputs"], student(x))
    assert outputs["steps"][0].shape == (2, 4, 1, 8, 8)


def test_every_tensor_of_what_runs_is_unfolded():
    network = SpikingNetwork(stack(), 3)
    Pair = namedtuple("Pair", "logits rows")
    found = network.run(lambda x: Pair(network.backbone(x), (x, [x])), images())
    assert isinstance(found, Pair) and found.logits.shape == (3, 4, 3)
    assert found.rows[0].shape == found.rows[1][0].shape == (3, 4, 2, 8, 8)
    one_line(lambda: network.run(lambda x: network.backbone(x).sum(), images()), "leading axis")
    one_line(lambda: network.run(lambda x: None, images()), "NoneType", "expected tensors")


def test_threads_do_not_disturb_each_other():
    network = SpikingNetwork(stack(), 3).eval()
    calls = [images(2), images(5).expand(3, -1, -1, -1, -1), images(3), images(1).expand(3, -1, -1, -1, -1)]
    expected = [network(x) for x in calls]
    together, wrong = threading.Barrier(len(calls)), []

    def wait(*_):
        together.wait(timeout=60)

    network.backbone[2].register_forward_pre_hook(wait)

    def work(x, y):
        try:
            if not torch.equal(network(x), y):
                wrong.append(x.shape)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(calls, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_failed_call_leaves_nothing():
    network = SpikingNetwork(stack(), 2)
    with pytest.raises(UserError, match="channels"):
        network(torch.rand(4, 3, 8, 8))
    assert folding.clock() is None


@pytest.mark.parametrize("shape", [(), (4,), (4, 2), (4, 2, 8), (1, 2, 3, 2, 8, 8)])
def test_other_images_are_refused(shape):
    one_line(lambda: SpikingNetwork(stack(), 2)(torch.rand(shape)), "expected [B, C, H, W]")


def test_copies_and_files():
    network = SpikingNetwork(stack(), 3).eval()
    expected = network(images())
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    for copied in (
        copy.deepcopy(network),
        pickle.loads(pickle.dumps(network)),
        torch.load(file, weights_only=False),
        nn.DataParallel(network),
    ):
        assert torch.equal(copied(images()), expected)


def test_gradients_of_the_shortcut_are_those_of_frames():
    network = SpikingNetwork(stack(), 3)
    found = []
    for run in (network, lambda x: by_frames(network, x)):
        network.zero_grad()
        run(images()).square().sum().backward()
        found.append([p.grad.clone() for p in network.parameters()])
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("part", [slice(0, 3), slice(3, 6)], ids=["with the first neuron", "behind it"])
@pytest.mark.parametrize("moving", [False, True])
def test_layers_run_again_in_the_backward_pass(part, moving):
    """Also in the autograd engine's thread, and after the network was told another T."""
    network = SpikingNetwork(stack(), 3).eval()
    x = images().expand(3, -1, -1, -1, -1) if moving else images()
    layers = network.backbone
    expected = torch.autograd.grad(network(x).square().sum(), list(network.parameters()))

    def function(folded, **options):
        folded = layers[: part.start](folded)
        folded = checkpoint(layers[part], folded, use_reentrant=False, **options)
        return layers[part.stop :](folded)

    y = network.run(lambda x: function(x, context_fn=folding.checkpoint_contexts), x)
    network.time_steps = 5
    found, loss = [], y.square().sum()
    thread = threading.Thread(
        target=lambda: found.extend(torch.autograd.grad(loss, list(network.parameters())))
    )
    thread.start()
    thread.join()
    for got, want in zip(found, expected, strict=True):
        close(got, want)
    network.time_steps = 3
    forgetful = network.run(function, x).square().sum()
    one_line(lambda: forgetful.backward(), "checkpoint_contexts")


@pytest.mark.parametrize("whole", [True, False])
def test_compiled_networks_follow_t_and_input(whole):
    """One graph, compiled anew where T changes; also where the backbone alone is compiled."""
    torch._dynamo.reset()
    plain = SpikingNetwork(stack(), 2).eval()
    if whole:
        network = compiled = copy.deepcopy(plain)
        compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    else:
        network = compiled = copy.deepcopy(plain)
        network.backbone = torch.compile(network.backbone, backend="aot_eager", fullgraph=True)
    for t, batch, moving in (
        (2, 4, False),
        (2, 4, True),
        (4, 2, False),
        (2, 8, False),
    ):
        plain.time_steps = network.time_steps = t
        x = images(batch).expand(t, -1, -1, -1, -1) if moving else images(batch)
        close(compiled(x), plain(x))


def test_features_need_a_backbone():
    network = build_snn(NetworkConfig("convnet", width=4, time_steps=2), 10, 2)
    for x in (images(), images().expand(2, -1, -1, -1, -1)):
        assert all(f.shape[:2] == (2, 4) for f in network.features(x))
    one_line(lambda: SpikingNetwork(stack(), 2).features(images()), "no features")
