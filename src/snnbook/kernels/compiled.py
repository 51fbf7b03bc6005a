"""The recurrence for a compiler: both passes as plain tensor expressions, which it fuses into one loop each.

Where ``torch.compile`` compiles a whole network it traces these, so that the graph stays in one piece.
Elsewhere ``SNNBOOK_KERNEL=compiled`` has the two compiled by themselves; that takes a C++ compiler, and some
seconds for each number of time steps.
"""

from functools import cache
from types import FunctionType

import torch
from torch import Tensor

from snnbook.kernels.dynamics import Dynamics
from snnbook.kernels.function import Bodies, differentiable
from snnbook.kernels.layout import dense, flat, like, unflat
from snnbook.kernels.reference import lif_reference
from snnbook.precision import wide
from snnbook.surrogates import BUILT_IN


def lif_compiled(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> Tensor:
    """As :func:`snnbook.kernels.reference.lif_reference`: spikes and gradients to rounding.

    Another's surrogate, which a compiler may not be able to read, is left to the reference.
    """
    if dynamics.only_reference(BUILT_IN):
        return lif_reference(current, dynamics, decay)
    return differentiable(BODIES, current, dynamics, decay)


def _spikes(current: Tensor, dynamics: Dynamics, decay: Tensor | float) -> tuple[Tensor, Tensor]:
    decay = _tensor(decay, current)
    if torch.compiler.is_compiling():
        return _forward(current, dynamics, decay)
    current = dense(current)
    found = _compiled(_forward, dynamics, len(current))(flat(current), dynamics, decay)
    spikes, potential = (unflat(x, current) for x in found)
    return spikes, potential


def _gradients(
    gradient: Tensor, potential: Tensor, dynamics: Dynamics, decay: Tensor | float, learned: bool
) -> tuple[Tensor, Tensor]:
    decay = _tensor(decay, potential)
    if torch.compiler.is_compiling():
        result, moved = _backward(gradient, potential, dynamics, decay)
    else:
        body = _compiled(_backward, dynamics, len(potential))
        found, moved = body(flat(like(gradient, potential)), flat(potential), dynamics, decay)
        result = unflat(found, potential)
    return result, moved.to(decay.dtype)


def _tensor(decay: Tensor | float, like: Tensor) -> Tensor:
    """A decay as a 0-d tensor, so that each value of it is not compiled anew."""
    if isinstance(decay, Tensor):
        return decay
    return torch.tensor(decay, dtype=wide(like), device=like.device)


BODIES = Bodies(_spikes, _gradients)


@cache
def _compiled(body, dynamics: Dynamics, time_steps: int):
    """``body`` compiled for any number of neurons; one for each T, which is unrolled.

    Each is a function with code of its own, since torch allows one only so many compiled forms.
    """
    own = FunctionType(body.__code__.replace(), body.__globals__)
    return torch.compile(own, fullgraph=True, dynamic=True)


def _forward(current: Tensor, dynamics: Dynamics, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes, and potentials before the reset, from currents ``[T, ...]``."""
    h, spikes, potentials = current[0], [], []
    for t in range(len(current)):
        if t:
            s = spikes[-1]
            after = h * (1 - s) if dynamics.hard_reset else h - dynamics.threshold * s
            h = decay * after + current[t]
        potentials.append(h)
        spikes.append(_fired(h, dynamics))
    return torch.stack(spikes), torch.stack(potentials)


def _fired(h: Tensor, dynamics: Dynamics) -> Tensor:
    return (h > dynamics.threshold if dynamics.strict else h >= dynamics.threshold).to(h.dtype)


def _backward(g: Tensor, h: Tensor, dynamics: Dynamics, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the currents and of the decay; the equations are those of ``autograd``."""
    gradients, moved = [], torch.zeros_like(decay, dtype=wide(h))
    for t in reversed(range(len(h))):
        arriving = g[t]
        slope, s = dynamics.surrogate.derivative(h[t] - dynamics.threshold), _fired(h[t], dynamics)
        if not gradients:
            gradients.append(arriving * slope)
            continue
        after = h[t] * (1 - s) if dynamics.hard_reset else h[t] - dynamics.threshold * s
        moved = moved + (gradients[-1].to(moved.dtype) * after.to(moved.dtype)).sum()
        a = decay * gradients[-1]
        if not dynamics.detach_reset:
            arriving = arriving - a * (h[t] if dynamics.hard_reset else dynamics.threshold)
        gradients.append(arriving * slope + (a * (1 - s) if dynamics.hard_reset else a))
    return torch.stack(gradients[::-1]), moved
