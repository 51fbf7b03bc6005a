"""A gradient that passes a neuron's resets, or does not."""

from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from snnbook import kernels
from snnbook.errors import UserError
from snnbook.neurons import LIF
from snnbook.plots.diagrams.primitives import SHAPES, amount, arrow, box, canvas, label
from snnbook.plots.style import CURRENT, POTENTIAL, SPIKE, THRESHOLD, WIDTH, styled

H, S, C = 1.95, 3.15, 1.05  # heights of potentials, spikes and currents, in inches
SIZE = (0.72, 0.36)
SIDES = {1: "left", -1: "right"}  # of the last column, words go to the left


@styled
def gradient_at_reset(neuron: LIF, current: Tensor) -> Figure:
    """From the last spike back to each current: on each arrow the derivative there, dotted where it is 0.

    Below each current is all that arrives there, with the reset in the gradient and with the reset left out.

    Args:
        neuron: its decay, threshold, surrogate and way to reset.
        current: ``[T]``, two to four steps.

    Raises:
        UserError: another shape.
    """
    if current.dim() != 1 or not 2 <= len(current) <= 4:
        raise UserError(f"a current has shape {list(current.shape)}; expected [T] with T from 2 to 4")
    figure, axes = canvas(3.85)
    keep, moved = ("1 − s", "−h") if neuron.dynamics.hard_reset else ("∂u/∂h", "−θ")
    steps, last = derivatives(neuron, current), len(current)
    kept, cut = (arriving(neuron, current, detach) for detach in (False, True))
    width = (WIDTH - 1.2) / (last - 1)
    label(axes, (0.1, 3.68), "the gradient's way back; dotted, where nothing passes", side="left")
    for t, (spike, slopes) in enumerate(steps, start=1):
        x, ending = (t - 1) * width + 0.5, t == last
        box(axes, (x, C), SIZE, f"c[{t}]", CURRENT)
        box(axes, (x, H), SIZE, f"h[{t}]", POTENTIAL)
        box(axes, (x, S), SIZE, f"s[{t}] = {spike:g}", SPIKE)
        arrow(axes, (x, H - 0.18), (x, C + 0.18))
        arrow(axes, (x, S - 0.18), (x, H + 0.18), dots=slopes["g"] == 0)
        side = -1 if ending else 1
        label(axes, (x + 0.07 * side, 2.55), f"g = {amount(slopes['g'])}", THRESHOLD, SHAPES, SIDES[side])
        sums = f"∂s[{last}]/∂c[{t}] = {amount(kept[t - 1])}\nreset left out: {amount(cut[t - 1])}"
        label(axes, (x - 0.4 * side, 0.45), sums, size=SHAPES, side=SIDES[side])
        if ending:
            break
        after, on = x + width / 2, 0.5 * SIZE[0]
        box(axes, (after, H), SIZE, f"u[{t}]", POTENTIAL)
        arrow(axes, (after - on, H), (x + on, H), POTENTIAL, dots=slopes["keep"] == 0)
        label(axes, (x + width / 4, H - 0.32), f"{keep} = {amount(slopes['keep'])}", POTENTIAL, SHAPES)
        arrow(axes, (after, H + 0.18), (x + on, S), SPIKE, bend=0.25, dots=slopes["reset"] == 0)
        label(axes, (after - 0.05, S - 0.2), f"{moved} = {amount(slopes['reset'])}", SPIKE, SHAPES, "left")
        arrow(axes, (x + width - on, H), (after + on, H))
        label(axes, (x + 3 * width / 4, H - 0.32), f"β = {amount(slopes['beta'])}", THRESHOLD, SHAPES)
    return figure


def derivatives(neuron: LIF, current: Tensor) -> list[tuple[float, dict[str, float]]]:
    """The spike of each step, and the derivatives on its arrows."""
    current, dynamics, beta = current.detach(), neuron.dynamics, float(neuron.decay)
    theta, u, found = float(dynamics.threshold), torch.zeros_like(current[0]), []
    for c in current:
        h = beta * u + c
        (s,) = kernels.lif(h[None], dynamics, beta)  # one step from a potential of 0
        slopes = {"g": float(dynamics.surrogate.derivative(h - theta)), "beta": beta}
        if dynamics.hard_reset:
            u, reset = h * (1 - s), {"keep": float(1 - s), "reset": float(-h)}
        else:
            u, reset = h - theta * s, {"keep": 1.0, "reset": -theta}
        found.append((float(s), slopes | reset))
    return found


def arriving(neuron: LIF, current: Tensor, detach: bool) -> list[float]:
    """What the library's neuron sends from its last spike to each current."""
    current = current.detach().clone().requires_grad_()
    spikes = kernels.lif(current, replace(neuron.dynamics, detach_reset=detach), neuron.decay)
    return torch.autograd.grad(spikes[-1], current)[0].tolist()
