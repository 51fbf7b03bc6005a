"""The recurrence with its backward pass written by hand: any device, no compiler.

Three things make it fast on a CPU.  It keeps one tensor for the backward pass, the potential before the reset,
where automatic differentiation of the loop keeps four.  It writes into outputs allocated once, with no
temporaries of full size.  And it walks through memory in blocks that fit the cache, all time steps of one
block before the next, so that memory is read once rather than once a step.
"""

import math

import torch
from torch import Tensor

from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.function import Bodies, differentiable
from snnbook.kernels.layout import dense, empty_like_step, flat, like
from snnbook.kernels.reference import lif_reference
from snnbook.precision import at_least_single, wide
from snnbook.surrogates import Rectangle, Surrogate, Triangle

# Elements of one time step handled at a time on a CPU: a few float32 buffers of this size fit a core's cache.
BLOCK = 1 << 18


def lif_autograd(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """As :func:`snnbook.kernels.reference.lif_reference`: spikes to the last bit, gradients to rounding.

    Of half-precision currents a spike may differ where a potential lies within their rounding of the threshold.
    """
    if dynamics.only_reference():
        return lif_reference(current, dynamics, decay)
    return differentiable(BODIES, current, dynamics, decay)


def _spikes(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> tuple[Tensor, Tensor]:
    current = dense(current)
    potential = empty_like_step(current)
    spikes = torch.empty_like(potential)
    kept = _number(decay)
    for c, h, s in _blocks(current, potential, spikes):
        _forward(c, h, s, dynamics, kept)
    return spikes, potential


def _gradients(
    gradient: Tensor, potential: Tensor, dynamics: Dynamics, decay: Tensor | float, learned: bool
) -> tuple[Tensor, Tensor]:
    gradient = like(gradient, potential)
    result = torch.empty_like(potential)
    moved = potential.new_zeros((), dtype=wide(potential))
    kept = _number(decay)
    for g, h, out in _blocks(gradient, potential, result):
        _backward(g, h, out, dynamics, kept)
        if learned:
            moved += _decay_gradient(h, out, dynamics)
    return result, moved.to(decay) if learned else moved


def _number(decay: Tensor | float) -> float:
    if not isinstance(decay, Tensor):
        return decay
    return math.nan if decay.is_meta else decay.item()  # there, nothing but shapes is computed


BODIES = Bodies(_spikes, _gradients)


def _forward(c: Tensor, h: Tensor, s: Tensor, dynamics: Dynamics, decay: float) -> None:
    """Fill the potentials before reset ``h`` and spikes ``s`` ``[T, n]`` from the currents ``c``."""
    fires = torch.gt if dynamics.strict else torch.ge
    c, h, s = c.unbind(), h.unbind(), s.unbind()
    h[0].copy_(c[0])
    for t in range(len(c)):
        fires(h[t], dynamics.threshold, out=s[t])
        if t + 1 == len(c):
            return
        if dynamics.hard_reset:
            silent = _silent(h[t], dynamics, out=s[t + 1])  # the next spikes are not there yet: a scratch pad
            torch.addcmul(c[t + 1], h[t], silent, value=decay, out=h[t + 1])
        else:
            torch.sub(h[t], s[t], alpha=dynamics.threshold, out=h[t + 1]).mul_(decay).add_(c[t + 1])


def _silent(h: Tensor, dynamics: Dynamics, out: Tensor) -> Tensor:
    """1 where a neuron does not fire, else 0."""
    return (torch.le if dynamics.strict else torch.lt)(h, dynamics.threshold, out=out)


def _backward(g: Tensor, h: Tensor, out: Tensor, dynamics: Dynamics, decay: float) -> None:
    """Gradient of the currents, which is that of ``h``, last step first.

    With s' the surrogate derivative and ``a = decay d h[t+1]`` the gradient arriving at the potential after the
    reset, ``d h = (g - a h) s' + a (1 - s)`` for the hard reset and ``d h = (g - a threshold) s' + a`` for the
    soft one; a detached reset drops the second product in the bracket.
    """
    scratch = torch.empty_like(out[0]) if len(h) > 1 and dynamics.hard_reset else None
    g, h, out = g.unbind(), h.unbind(), out.unbind()
    for t in reversed(range(len(h))):
        last = t + 1 == len(h)
        if last or dynamics.detach_reset:
            arriving = g[t]
        elif dynamics.hard_reset:
            arriving = torch.addcmul(g[t], out[t + 1], h[t], value=-decay, out=out[t])
        else:
            arriving = torch.sub(g[t], out[t + 1], alpha=decay * dynamics.threshold, out=out[t])
        _times_derivative(arriving, dynamics.surrogate, h[t], dynamics.threshold, out=out[t])
        if last:
            continue
        if dynamics.hard_reset:
            out[t].addcmul_(out[t + 1], _silent(h[t], dynamics, out=scratch), value=decay)
        else:
            out[t].add_(out[t + 1], alpha=decay)


def _decay_gradient(h: Tensor, out: Tensor, dynamics: Dynamics) -> Tensor:
    """``sum_t dh[t] u[t-1]``: how the loss moves with the decay."""
    before = h[:-1]
    if dynamics.hard_reset:
        after = before * _silent(before, dynamics, out=torch.empty_like(before))
    else:
        fires = torch.gt if dynamics.strict else torch.ge
        after = before - dynamics.threshold * fires(before, dynamics.threshold).to(h.dtype)
    return (at_least_single(out[1:]) * at_least_single(after)).sum()


def _times_derivative(
    g: Tensor, surrogate: Surrogate, potential: Tensor, threshold: float, out: Tensor
) -> None:
    """Fill ``out``, which may be ``g``, with ``g`` times ``surrogate.derivative(potential - threshold)``.

    Passes over memory are what a neuron costs, so the surrogates that the papers use do it in few.
    """
    kind = type(surrogate)  # exactly: a subclass may have another derivative
    if kind is Rectangle:
        half = surrogate.width / 2
        _keep_between(g, potential, threshold - half, threshold + half, out)
        scale = surrogate.width
    elif kind is Triangle:
        scale = surrogate.gamma
        torch.addcmul(g, g, (potential - threshold).abs_(), value=-1 / scale, out=out)
        _keep_between(out, potential, threshold - scale, threshold + scale, out)
    else:
        torch.mul(g, surrogate.derivative(potential - threshold), out=out)
        return
    if scale != 1:
        out.div_(scale)


def _keep_between(g: Tensor, x: Tensor, low: float, high: float, out: Tensor) -> None:
    """Fill ``out`` with ``g``, and with zero where ``x`` is not between ``low`` and ``high``, in one pass."""
    torch.ops.aten.hardtanh_backward.grad_input(g, x, low, high, grad_input=out)


def _blocks(*tensors: Tensor):
    """Matching ``[T, n]`` views of the tensors, in memory order; one block is the whole step off the CPU."""
    views = [flat(x) for x in tensors]
    size = views[0].shape[1]
    width = BLOCK if tensors[0].device.type == "cpu" else max(size, 1)
    for start in range(0, size, width):
        yield [x[:, start : start + width] for x in views]
