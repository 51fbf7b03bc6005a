"""In half precision what is learned from small differences is still computed in single precision."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snnbook import losses
from snnbook.backbones import NetworkConfig
from snnbook.baselines.snntorch_network import SnnTorchConfig, SnnTorchNetwork
from snnbook.trainers.direct import Direct
from snnbook.trainers.joint import JointASNN, JointConfig
from snnbook.trainers.loop.recipe import Recipe

HALF = torch.autocast("cpu", torch.bfloat16)


@given(seed=st.integers(0, 99), apart=st.floats(0.01, 2), temperature=st.sampled_from([1.0, 4.0]))
@settings(max_examples=20, deadline=None)
def test_a_divergence_of_half_precision_logits_is_that_of_the_same_logits_in_single(seed, apart, temperature):
    torch.manual_seed(seed)
    teacher = 3 * torch.randn(16, 100)
    student = (teacher + apart * torch.randn(16, 100)).bfloat16().detach()
    teacher, found = teacher.bfloat16(), []
    for dtype in (torch.bfloat16, torch.float32):
        logits = student.to(dtype).clone().requires_grad_()
        with HALF:
            loss = losses.kl_divergence(teacher.to(dtype), logits, temperature)
        loss.backward()
        found.append((loss.detach(), logits.grad.float()))
    assert found[0][0] == found[1][0] > 0
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0.01, atol=1e-6)


def test_a_mean_readout_is_not_rounded_to_half():
    outputs = torch.tensor([[[256.0, 257.0]], [[256.0, 256.0]]], dtype=torch.bfloat16)
    outputs[0, 0, 1] = 258.0  # the next number after 256; the mean lies between
    assert losses.mean_readout(outputs).tolist() == [[256.0, 257.0]]


LENGTHS = torch.tensor([1, 2, 3, 4])
LABELS = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "loss",
    [
        lambda x: losses.mean_readout(x, LENGTHS),
        lambda x: losses.sdt(x, LABELS, LENGTHS),
        lambda x: losses.every_moment(x, LABELS),
        lambda x: losses.every_moment(x, LABELS, LENGTHS),
        lambda x: losses.tet(x, LABELS),
        lambda x: losses.cross_entropy(list(x), LABELS),
        lambda x: losses.norm_loss([256 * x[0]], [x[1]]),
        lambda x: losses.be_your_own_teacher(([x[0]], [256 * x[1]]), ([x[2]], [x[3]]), LABELS)["norm"],
        lambda x: losses.attention_weights(x[None], x),
        lambda x: losses.calibration(x[None], x[None]),
    ],
    ids=[
        "readout",
        "sdt",
        "moments",
        "lengths",
        "tet",
        "exits",
        "norm",
        "own teacher",
        "attention",
        "weighted",
    ],
)
def test_losses_of_half_precision_outputs_are_those_of_the_same_outputs_in_single(loss, dtype):
    torch.manual_seed(0)
    outputs = torch.randn(4, 4, 10).to(dtype)
    assert torch.equal(loss(outputs), loss(outputs.float()))  # equal is false for two dtypes, too


@pytest.mark.parametrize(
    "method",
    [
        Direct(Direct.Config(), NetworkConfig("convnet", width=4, time_steps=2), 4, 1),
        JointASNN(JointConfig(), NetworkConfig("convnet", width=4, time_steps=2), 4, 1),
        SnnTorchNetwork(SnnTorchConfig(), NetworkConfig("vgg9", width=4, time_steps=2), 4, 1),
    ],
    ids=["direct", "joint", "snntorch"],
)
def test_predictions_over_time_are_in_single_precision(method):
    with HALF, torch.no_grad():
        assert method.eval().predict(torch.rand(2, 1, 16, 16))["snn"].dtype == torch.float32


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(optimizer="sgd", learning_rate=0.1, momentum=0.9, precision="float16"),
        Recipe(optimizer="sgd", learning_rate=0.1, precision="float16"),
        Recipe(optimizer="adam", learning_rate=0.1, precision="float16"),
    ],
    ids=["momentum", "sgd", "adam"],
)
def test_a_first_step_that_overflows_leaves_no_trace(recipe):
    torch.manual_seed(0)
    skipped, plain = nn.Linear(64, 64), None
    plain = copy.deepcopy(skipped)
    x = torch.randn(8, 64)
    for network, first in ((skipped, float("inf")), (plain, None)):
        optimizer = recipe.optimizer_for(network)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0, growth_interval=1000)
        for factor in (first, 1.0, 1.0):
            if factor is None:
                continue
            optimizer.zero_grad()
            scaler.scale(factor * F.mse_loss(network(x), x)).backward()
            scaler.step(optimizer)
            scaler.update()
    torch.testing.assert_close(skipped.state_dict(), plain.state_dict())
