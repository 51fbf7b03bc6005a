"""Second derivatives and torch.func: right, or one line that names the kernel that has them."""

import importlib
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

from bad_input import one_line
from kernel_cases import SURROGATES
from snnbook import neurons, surrogates
from snnbook.folding import SpikingNetwork
from snnbook.kernels import KERNELS, Dynamics
from snnbook.trainers.loop.batchnorm import _rows

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
FAST = ["triton"] if INTERPRETED else ["autograd", "compiled"]
DTYPE = torch.float32 if INTERPRETED else torch.float64
SETTINGS = [dict(hard_reset=hard, detach_reset=detach) for hard in (True, False) for detach in (True, False)]


@pytest.fixture(autouse=True)
def bodies_as_they_are(monkeypatch):
    """The compiled kernel without a compiler."""
    monkeypatch.setattr(
        importlib.import_module("snnbook.kernels.compiled"), "_compiled", lambda body, *_: body
    )


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(DTYPE)


def loss(kernel, dynamics=None):
    """Not linear in the spikes, so that a Hessian has terms of both kinds."""
    weight = normal(3, 4, seed=1)

    def value(current, decay=0.5):
        return (
            (weight * KERNELS[kernel](current, dynamics or Dynamics(0.5, surrogates.ATan()), decay))
            .sum()
            .sin()
        )

    return value


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def local_model(around, dynamics, decay):
    """The recurrence in which each step is replaced by its quadratic model around where it is for ``around``."""
    models, u = [], torch.zeros_like(around[0])
    for c in around:
        u = decay * u + c
        x0 = (u - dynamics.threshold).requires_grad_()
        slope, bend = dynamics.surrogate.derivative(x0), torch.zeros_like(x0)
        if slope.requires_grad:
            (bend,) = torch.autograd.grad(slope.sum(), x0)
        x0, slope, fires = x0.detach(), slope.detach(), (x0 > 0).to(x0.dtype)
        models.append((x0, fires, slope, bend))
        u = u * (1 - fires) if dynamics.hard_reset else u - dynamics.threshold * fires

    def run(current):
        u, spikes = torch.zeros_like(current[0]), []
        for c, (x0, fires, slope, bend) in zip(current, models, strict=True):
            u = decay * u + c
            moved = u - dynamics.threshold - x0
            s = fires + slope * moved + bend / 2 * moved**2
            spikes.append(s)
            reset = fires if dynamics.detach_reset else s
            u = u * (1 - reset) if dynamics.hard_reset else u - dynamics.threshold * reset
        return torch.stack(spikes)

    return run


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("surrogate", SURROGATES, ids=lambda s: type(s).__name__)
def test_the_references_hessian_is_that_of_the_local_model(surrogate, settings):
    """Its value and gradient are the network's own, too; the model is smooth, so differences can check it."""
    dynamics, weight, current = (
        Dynamics(0.5, surrogate, **settings),
        normal(3, 4, seed=1).double(),
        normal(3, 4),
    )
    current = current.double()
    neuron = local_model(current, dynamics, 0.5)

    def spiking(c):
        return (weight * KERNELS["reference"](c, dynamics, 0.5)).sum().sin()

    def model(c):
        return (weight * neuron(c)).sum().sin()

    close(model(current), spiking(current))
    close(grad(model)(current), torch.autograd.functional.jacobian(spiking, current))
    found = torch.autograd.functional.hessian(spiking, current).view(12, 12)
    close(found, found.T)
    close(found, torch.autograd.functional.hessian(model, current).view(12, 12))
    assert found.abs().max() > 1e-3


def test_one_spikes_second_derivative_is_the_difference_of_its_surrogate_gradients():
    x = normal(9).double().requires_grad_()
    for surrogate in SURROGATES:
        (slope,) = torch.autograd.grad(surrogates.spike(x, surrogate).sum(), x, create_graph=True)
        h = 1e-6
        expected = (surrogate.derivative(x + h) - surrogate.derivative(x - h)) / (2 * h)
        found = torch.autograd.grad(slope.sum(), x)[0] if slope.requires_grad else torch.zeros_like(x)
        torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-6)


def test_smooth_neurons_have_a_true_hessian(monkeypatch):
    current = normal(3, 4).double()
    dynamics, weight = Dynamics(0.5, surrogates.Sigmoid(3.0), smooth=True), normal(3, 4, seed=1).double()
    for kernel in KERNELS.values():
        if kernel is KERNELS["triton"]:
            continue
        value = lambda c: (weight * kernel(c, dynamics, 0.5)).sum()  # noqa: B023, E731
        assert torch.autograd.gradgradcheck(value, current.clone().requires_grad_())


@pytest.mark.parametrize("kernel", FAST)
@pytest.mark.parametrize("linear", [True, False])
def test_fast_kernels_refuse_second_derivatives(kernel, linear):
    """Also of a loss that is linear in the spikes, whose gradient does not depend on them."""
    current, decay = normal(3, 4).requires_grad_(), torch.tensor(0.5, dtype=DTYPE, requires_grad=True)
    spikes = KERNELS[kernel](current, Dynamics(0.5, surrogates.ATan()), decay)
    value = spikes.sum() if linear else spikes.square().sum()
    first = torch.autograd.grad(value, (current, decay), create_graph=True)
    for x in first:
        for by in (current, decay):
            again = partial(torch.autograd.grad, x.sum(), by, retain_graph=True)
            one_line(again, "SNNBOOK_KERNEL=reference")
    for strict in (True, False):
        one_line(
            lambda strict=strict: torch.autograd.functional.hessian(
                loss(kernel), current.detach(), strict=strict
            ),
            "SNNBOOK_KERNEL=reference",
        )


@pytest.mark.parametrize("kernel", FAST)
def test_a_gradient_penalty_is_refused_or_right(kernel, monkeypatch):
    """What people want second derivatives for: through a whole network."""
    network = SpikingNetwork(
        nn.Sequential(nn.Conv2d(2, 3, 3), neurons.LIF(), nn.Flatten(), nn.Linear(27, 2)), 2
    )
    network.to(DTYPE)
    x = normal(2, 2, 5, 5).requires_grad_()

    def penalty():
        (slope,) = torch.autograd.grad(network(x).square().sum(), x, create_graph=True)
        slope.square().sum().backward()

    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    one_line(penalty, "second derivative", "SNNBOOK_KERNEL=reference")
    monkeypatch.setenv("SNNBOOK_KERNEL", "reference")
    network.zero_grad()
    penalty()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters() if p.dim() > 1)


@pytest.mark.parametrize("kernel", ["reference", *FAST])
@pytest.mark.parametrize(
    "ask",
    [
        lambda f, c, d: grad(f)(c),
        lambda f, c, d: grad(f, argnums=1)(c, d),
        lambda f, c, d: vmap(f)(torch.stack([c, 2 * c])),
        lambda f, c, d: vmap(f, in_dims=(2, 0))(torch.stack([c, 2 * c], 2), torch.stack([d, d / 2])),
        lambda f, c, d: vmap(grad(f, argnums=(0, 1)), in_dims=(0, None))(torch.stack([c, 2 * c]), d)[1],
        lambda f, c, d: vmap(grad(f, argnums=(0, 1)), in_dims=(None, 0))(c, torch.stack([d, d / 2]))[1],
        lambda f, c, d: vmap(vmap(grad(f)))(torch.stack([c, 2 * c, 3 * c, 4 * c]).view(2, 2, 3, 4)),
        lambda f, c, d: jacrev(lambda c: torch.stack([f(c, d), f(2 * c, d)]))(c),
        lambda f, c, d: jacrev(lambda d: torch.stack([f(c, d), f(2 * c, d)]))(d),
    ],
)
def test_first_derivatives_by_torch_func(kernel, ask):
    decay = torch.tensor(0.5, dtype=DTYPE)
    expected = ask(loss("reference"), normal(3, 4), decay)
    close(ask(loss(kernel), normal(3, 4), decay), expected)
    assert expected.abs().max() > 1e-4


def test_first_derivatives_by_torch_func_are_autograds():
    current = normal(3, 4)
    close(grad(loss("reference"))(current), torch.autograd.functional.jacobian(loss("reference"), current))


SECOND = [
    lambda f, c: hessian(f)(c),
    lambda f, c: jacrev(jacrev(f))(c),
    lambda f, c: jacfwd(f)(c),
    lambda f, c: jvp(f, (c,), (torch.ones_like(c),))[1],
    lambda f, c: jvp(grad(f), (c,), (torch.ones_like(c),))[1],
    lambda f, c: vmap(jacrev(grad(f)))(torch.stack([c, c])),
]


@pytest.mark.parametrize("ask", SECOND)
def test_forward_mode_and_second_derivatives_are_the_references(ask):
    for kernel in FAST:
        one_line(lambda kernel=kernel: ask(loss(kernel), normal(3, 4)), "SNNBOOK_KERNEL=reference")
    found, expected = (
        ask(loss("reference"), normal(3, 4)),
        torch.autograd.functional.hessian(loss("reference"), normal(3, 4)),
    )
    if found.shape[-4:] == expected.shape:
        close(found, expected.expand_as(found))
    else:
        assert found.abs().max() > 1e-4


@pytest.mark.parametrize("kernel", ["reference", *FAST])
def test_an_ensemble_of_networks(kernel, monkeypatch):
    """torch.func.functional_call over stacked parameters, learned decays among them."""
    monkeypatch.setenv("SNNBOOK_KERNEL", kernel)
    torch.manual_seed(0)
    networks = []
    for decay in (0.3, 0.6):
        layers = nn.Sequential(nn.Conv2d(2, 3, 3), neurons.PLIF(decay), nn.Flatten(), nn.Linear(27, 2))
        networks.append(SpikingNetwork(layers, 3).to(DTYPE))
    x = 2 * normal(4, 2, 5, 5)
    expected = torch.stack([network(x) for network in networks])
    stacked, _ = torch.func.stack_module_state(networks)
    found = vmap(lambda p: functional_call(networks[0], p, (x,)))(stacked)
    close(found, expected)

    def squares(p):
        return functional_call(networks[0], p, (x,)).square().sum()

    slopes = vmap(grad(squares))(stacked)
    for i, network in enumerate(networks):
        network.zero_grad()
        network(x).square().sum().backward()
        for name, p in network.named_parameters():
            close(slopes[name][i], p.grad)


def _process(rank, port):
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    everyone = torch.randn(2, 3, dtype=torch.float64)

    def value(rows):
        return (rows**3).sum() * (1 + rows[0, 0])

    mine = everyone[rank].clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(_rows(mine)), mine, create_graph=True)
    (bend,) = torch.autograd.grad(slope.square().sum(), mine)
    # Alone: both processes' losses, and both processes' penalties.
    rows = everyone.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(2 * value(rows), rows, create_graph=True)
    (bends,) = torch.autograd.grad(slopes.square().sum(), rows)
    close(slope, slopes[rank])
    close(bend, bends[rank])
    dist.destroy_process_group()


@pytest.mark.skipif(INTERPRETED, reason="the interpreter changes nothing here")
def test_statistics_over_processes_have_second_derivatives():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    torch.multiprocessing.spawn(_process, (port,), nprocs=2)


@pytest.mark.skipif(
    INTERPRETED or not importlib.import_module("snnbook.kernels.triton").INSTALLED,
    reason="needs triton; this is the interpreter already",
)
def test_the_triton_kernel_in_the_interpreter():
    environment = os.environ | {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
