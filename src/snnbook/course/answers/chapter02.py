"""Checks of chapter 2: learning through a spike."""

from functools import partial

import torch
from torch import nn

from snnbook import kernels, neurons
from snnbook.course.comparing import (
    Wrong,
    choice,
    function,
    kind,
    numbers,
    parts,
)
from snnbook.surrogates import ATan, Surrogate


def who_can_learn(answer):
    joint, tet, revives = parts(answer, 3, "the answer")
    reach = {"joint_asnn": 0.5, "tet": 1.0}
    for name, found in (("joint_asnn", joint), ("tet", tet)):
        theta = neurons.PRESETS[name]["threshold"]
        low, high = theta - reach[name], theta + reach[name]
        here = {f"the lower end for {name}": low, f"the upper end for {name}": high}
        wrong = (
            f"for {name} these are distances from the threshold; asked are potentials"
            if name == "tet"
            else "is that the potential, or its distance from the threshold?"
        )
        near = (
            [(-reach[name], wrong), (high, "is that the upper end? The lower end comes first")],
            [(reach[name], wrong)],
        )
        numbers(found, here, near=dict(zip(here, near, strict=True)))
    slopes = {
        name: p["surrogate"].derivative(torch.tensor(p["threshold"])).item()
        for name, p in neurons.PRESETS.items()
    }
    alive = [name for name in reach if slopes[name] > 0] or ["neither"]
    choice(revives, alive[0], ("joint_asnn", "tet", "neither"), "the last answer")


def gradient_of_the_decay(answer):
    d = kernels.Dynamics(1.0, ATan())

    def slope(current, e, beta, **changes):
        decay = torch.tensor(beta, requires_grad=True)
        dynamics = kernels.Dynamics(1.0, ATan(), **changes)
        return torch.autograd.grad((kernels.lif_reference(current, dynamics, decay) * e).sum(), decay)[0]

    def before_the_reset(current, e, beta):
        c = current.clone().requires_grad_()
        (delta,) = torch.autograd.grad((kernels.lif_reference(c, d, beta) * e).sum(), c)
        u, before = torch.zeros_like(c[0]), []
        for c_t in current:
            u = beta * u + c_t
            before.append(u)
            u = u * (u <= 1)
        return (delta[1:] * torch.stack(before)[:-1]).sum()

    function(
        answer,
        slope,
        [(torch.randn(6, 3), torch.randn(6, 3), 0.5), (torch.randn(9, 2) + 0.5, torch.randn(9, 2), 0.8)],
        wrong={
            "that takes the potential before the reset; the next step starts after it": before_the_reset,
            "that is the gradient with the reset left out (detached)": partial(slope, detach_reset=True),
            "that is the gradient of a soft reset": partial(slope, hard_reset=False),
        },
        within=1e-3,
    )


def kill_a_network(answer):
    if isinstance(answer, type):
        raise Wrong("that is a class; write brackets after it, and its parameters into them")
    if isinstance(answer, nn.Module):
        answer = getattr(getattr(answer, "dynamics", None), "surrogate", answer)
    if not isinstance(answer, Surrogate):
        raise Wrong(f"the answer is {kind(answer)}; expected a surrogate such as Triangle()")
    # Where the first step's potentials come nearest to the threshold: whoever reaches those mends the network.
    slope = answer.derivative(torch.tensor([-4.4, 0.0]))
    if not slope[0] > 1e-4 * slope[1]:
        raise Wrong(
            f"{answer} has no slope to speak of where the potentials begin, more than four below the threshold"
        )


CHECKS = {
    "2.1": who_can_learn,
    "2.2": gradient_of_the_decay,
    "2.3": kill_a_network,
}
