"""The recurrence with its backward pass written by hand: any device, no compiler.

Three things make it fast on a CPU.  It keeps one tensor for the backward pass, the potential before the reset,
where automatic differentiation of the loop keeps four.  It writes into outputs allocated once, with no
temporaries of full size.  And it walks through memory in blocks that fit the cache, all time steps of one
block before the next, so that memory is read once rather than once a step.
"""

import torch
from torch import Tensor

from snnbook.kernels.dynamics import Dynamics

# Elements of one time step handled at a time on a CPU: a few float32 buffers of this size fit a core's cache.
BLOCK = 1 << 18


def lif_autograd(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """As :func:`snnbook.kernels.reference.lif_reference`: spikes to the last bit, gradients to rounding."""
    return _LIF.apply(current, dynamics, decay)


class _LIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx, current, dynamics, decay):
        current = _dense(current)
        potential = _empty_like_step(current)
        spikes = torch.empty_like(potential)
        kept = float(decay)
        for c, h, s in _blocks(current, potential, spikes):
            _forward(c, h, s, dynamics, kept)
        ctx.dynamics, ctx.kept = dynamics, kept
        ctx.decay = decay if isinstance(decay, Tensor) else None
        ctx.save_for_backward(potential)
        return spikes

    @staticmethod
    def backward(ctx, gradient):
        (potential,) = ctx.saved_tensors
        gradient = _like(gradient, potential)
        result = torch.empty_like(potential)
        decay_gradient = None
        if ctx.needs_input_grad[2]:
            decay_gradient = torch.zeros_like(ctx.decay)
        for g, h, out in _blocks(gradient, potential, result):
            _backward(g, h, out, ctx.dynamics, ctx.kept)
            if decay_gradient is not None:
                decay_gradient += _decay_gradient(h, out, ctx.dynamics)
        return result, None, decay_gradient


def _forward(c: Tensor, h: Tensor, s: Tensor, dynamics: Dynamics, decay: float) -> None:
    """Fill the potentials before reset ``h`` and spikes ``s`` ``[T, n]`` from the currents ``c``."""
    fires = torch.gt if dynamics.strict else torch.ge
    h[0].copy_(c[0])
    for t in range(len(c)):
        fires(h[t], dynamics.threshold, out=s[t])
        if t + 1 < len(c):
            _reset(h[t], s[t], dynamics, out=h[t + 1])
            h[t + 1].mul_(decay).add_(c[t + 1])


def _reset(h: Tensor, s: Tensor, dynamics: Dynamics, out: Tensor | None = None) -> Tensor:
    """The potential after the reset; ``h - h s`` is exactly ``h (1 - s)`` for s in {0, 1}, in one pass."""
    if dynamics.hard_reset:
        return torch.addcmul(h, h, s, value=-1, out=out)
    return torch.sub(h, s, alpha=dynamics.threshold, out=out)


def _backward(g: Tensor, h: Tensor, out: Tensor, dynamics: Dynamics, decay: float) -> None:
    """Gradient of the currents, which is that of ``h``, last step first.

    With s' the surrogate derivative and ``a`` the gradient arriving at the potential after the reset,
    ``d h = (g - a h) s' + a (1 - s)`` for the hard reset and ``d h = (g - a threshold) s' + a`` for the soft
    one; a detached reset drops the second product in the bracket.
    """
    fires = torch.gt if dynamics.strict else torch.ge
    for t in reversed(range(len(h))):
        slope = dynamics.surrogate.derivative(h[t] - dynamics.threshold)
        if t + 1 == len(h):
            torch.mul(g[t], slope, out=out[t])
            continue
        a = out[t + 1] * decay
        if dynamics.detach_reset:
            torch.mul(g[t], slope, out=out[t])
        elif dynamics.hard_reset:
            torch.addcmul(g[t], a, h[t], value=-1, out=out[t]).mul_(slope)
        else:
            torch.sub(g[t], a, alpha=dynamics.threshold, out=out[t]).mul_(slope)
        if dynamics.hard_reset:
            fired = fires(h[t], dynamics.threshold, out=slope)
            a.addcmul_(a, fired, value=-1)
        out[t].add_(a)


def _decay_gradient(h: Tensor, out: Tensor, dynamics: Dynamics) -> Tensor:
    """``sum_t dh[t] u[t-1]``: how the loss moves with the decay."""
    fires = torch.gt if dynamics.strict else torch.ge
    before = h[:-1]
    after = _reset(before, fires(before, dynamics.threshold).to(h.dtype), dynamics)
    return (out[1:].float() * after.float()).sum()


def _dense(x: Tensor) -> Tensor:
    """``x`` if each of its steps fills its memory without gaps (in any order of axes), else a copy."""
    step = x[0]
    if step.is_contiguous() or (step.dim() == 4 and step.is_contiguous(memory_format=torch.channels_last)):
        return x
    return x.contiguous()


def _empty_like_step(x: Tensor) -> Tensor:
    """Uninitialized, shaped like ``x``, steps one after another: also where ``x`` repeats one (stride 0)."""
    return x.new_empty_strided(x.shape, (x[0].numel(), *x.stride()[1:]))


def _like(x: Tensor, pattern: Tensor) -> Tensor:
    """``x`` in the memory order of ``pattern``; a copy only where they differ."""
    if x.stride()[1:] == pattern.stride()[1:] and x.dtype == pattern.dtype:
        return x
    return torch.empty_like(pattern).copy_(x)


def _blocks(*tensors: Tensor):
    """Matching ``[T, n]`` views of the tensors, in memory order; one block is the whole step off the CPU."""
    size = tensors[0][0].numel()
    flat = [x.as_strided((len(x), size), (x.stride(0), 1)) for x in tensors]
    width = BLOCK if tensors[0].device.type == "cpu" else max(size, 1)
    for start in range(0, size, width):
        yield [x[:, start : start + width] for x in flat]
